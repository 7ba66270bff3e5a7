//! Account enumeration by nmap's krb5-enum-users: the KDC tells existing names
//! (KDC_ERR_PREAUTH_REQUIRED) from unknown ones (KDC_ERR_C_PRINCIPAL_UNKNOWN, RFC 4120 7.5.9).

use anyhow::Result;

use super::super::guesses::GUESSES;
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "enum-nmap",
    "Thirty-two guessed names asked for, three of them real (nmap)",
    Tool::debian("krb5-enum-users.nse", "nmap"),
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
        r#"nmap -n -Pn -p 88 --script krb5-enum-users \
               --script-args "krb5-enum-users.realm=$REALM,userdb=guesses" "$DC" | grep ivan@"#,
    )?;
    Ok(())
}
