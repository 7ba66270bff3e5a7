//! A workstation joins the domain with Samba's `net ads join`: SMB, SAMR, LSA, LDAP, and a machine's
//! first logon.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "join-net-ads",
    "A workstation joins the domain and checks its trust (net ads join)",
    Tool::debian("net ads join", "samba-common-bin"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"net ads join -U "Administrator%$ADMIN_PASSWORD" --no-dns-updates
           net ads testjoin"#,
    )?;
    Ok(())
}
