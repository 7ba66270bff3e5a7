//! Account enumeration over TCP, as a by-product of impacket's GetNPUsers on guessed names.

use anyhow::Result;

use super::super::guesses::GUESSES;
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "enum-getnpusers",
    "Thirty-two guessed names asked for over TCP, three of them real (impacket)",
    Tool::python("GetNPUsers.py", "impacket"),
    &[Expected {
        external_id: 2003,
        source: ATTACKER,
        account: None,
        targets: &[],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    let attacker = lab.host("attacker")?;
    attacker.write_private("guesses", GUESSES.join("\n"))?;
    attacker.script(
        r#"GetNPUsers.py "$DOMAIN/" -no-pass -usersfile guesses -dc-ip "$DC" | grep 'User ivan'"#,
    )?;
    Ok(())
}
