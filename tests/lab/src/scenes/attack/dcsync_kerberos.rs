//! DCSync of one object by Samba's replication client, authenticated with Kerberos: the ticket that
//! the bind presents says who the thief is.

use anyhow::Result;

use super::super::pull::{PULL, pull};
use crate::lab::{ATTACKER, Lab};
use crate::scene::{Expected, Scene};

pub(super) const SCENE: Scene = Scene::attack(
    "dcsync-kerberos",
    "DCSync of krbtgt with a domain admin's tickets (Samba's Python bindings, Kerberos)",
    PULL,
    &[Expected {
        external_id: 2006,
        source: ATTACKER,
        account: Some("dana.admin@hawk.example"),
        targets: &[],
    }],
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    pull(
        lab.host("attacker")?,
        r#"kerberos dana.admin "$ADMIN_PASSWORD""#,
    )
}
