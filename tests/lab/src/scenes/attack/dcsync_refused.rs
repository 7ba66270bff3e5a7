//! DCSync by somebody who may not: the controller refuses (ERROR_DS_DRA_ACCESS_DENIED), and the
//! attempt is an attack all the same.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "dcsync-refused",
    "DCSync tried by an ordinary account and refused (net rpc vampire, NTLM)",
    Tool::debian("net rpc vampire keytab", "samba-common-bin"),
    &[Expected {
        external_id: 2006,
        source: ATTACKER,
        account: None,
        targets: &[],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(
        r#"(net rpc vampire keytab none.keytab -U "HAWK/mallory%$PASSWORD" -S "dc1.$DOMAIN" || true) |&
               grep 'access was denied'"#,
    )?;
    Ok(())
}
