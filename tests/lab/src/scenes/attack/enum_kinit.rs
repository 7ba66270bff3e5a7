//! Account enumeration over UDP with MIT Kerberos' client, which stops at the password prompt.

use anyhow::Result;

use super::super::guesses::GUESSES;
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "enum-kinit",
    "Thirty-two guessed names asked for over UDP, three of them real (MIT kinit)",
    Tool::debian("kinit", "krb5-user"),
    &[Expected {
        external_id: 2003,
        source: ATTACKER,
        account: None,
        targets: &[],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(&format!(
        r#"for name in {}; do
               (kinit "$name" </dev/null || true) |& grep -q 'not found' || echo "exists: $name"
           done | grep ivan"#,
        GUESSES.join(" ")
    ))?;
    Ok(())
}
