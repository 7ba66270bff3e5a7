//! A second controller starts: the two bind to each other with tickets of their own and replicate in
//! both directions, which is what DCSync pretends to be.

use anyhow::Result;

use crate::lab::{DC1, DC2, Lab};
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "replication",
    "A second controller starts and both replicate, Kerberos binds included (samba)",
    Tool::debian("samba, samba-tool drs replicate", "samba"),
    play,
)
.after(Lab::enlist_second_controller)
.watched_with(&[DC1, DC2]);

fn play(lab: &mut Lab) -> Result<()> {
    lab.second_controller()?;
    replicate(lab)
}

/// A change on either side, fetched by the other one.
pub(super) fn replicate(lab: &Lab) -> Result<()> {
    lab.host("dc1")?.script(
        r#"samba-tool user setpassword heidi --newpassword="$PASSWORD"
           samba-tool drs replicate "dc2.$DOMAIN" "dc1.$DOMAIN" DC=hawk,DC=example \
               -U "Administrator%$ADMIN_PASSWORD""#,
    )?;
    lab.host("dc2")?.script(
        r#"samba-tool user setpassword ivan --newpassword="$PASSWORD"
           samba-tool drs replicate "dc1.$DOMAIN" "dc2.$DOMAIN" DC=hawk,DC=example \
               -U "Administrator%$ADMIN_PASSWORD""#,
    )?;
    Ok(())
}
