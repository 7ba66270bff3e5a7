//! Two controllers keep each other up to date, in both directions, with tickets of their own.

use anyhow::Result;

use crate::lab::{DC1, DC2, Lab};
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "replication",
    "Two controllers replicate in both directions (samba-tool drs replicate)",
    Tool::debian("samba-tool drs replicate", "samba"),
    play,
)
.after(Lab::second_controller)
.watched_with(&[DC1, DC2]);

fn play(lab: &Lab) -> Result<()> {
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
