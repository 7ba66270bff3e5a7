//! A terminal server in the morning: everybody logs on from one address within seconds, some after a
//! slip. A spray looks like this but for its failures.

use anyhow::Result;

use crate::accounts::PEOPLE;
use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "terminal-server",
    "Twelve people log on from one host, three of them after a slip (MIT kinit)",
    Tool::debian("kinit", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(&format!(
        r#"for name in {}; do
               case $name in
                   bob | grace | judy)
                       (echo "${{PASSWORD}}x" | kinit "$name" || true) |& grep -q 'incorrect' ;;
               esac
               echo "$PASSWORD" | kinit "$name"
               kvno "HTTP/intranet.$DOMAIN"
               sleep 0.1
           done"#,
        PEOPLE.join(" ")
    ))?;
    Ok(())
}
