//! Two controllers keep each other up to date over connections that were there before the capture:
//! neither bind nor tickets are seen.

use anyhow::Result;

use super::replication::replicate;
use crate::lab::{DC1, DC2, Lab};
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "replication-midstream",
    "Two controllers replicate over connections older than the capture (samba)",
    Tool::debian("samba-tool drs replicate", "samba"),
    play,
)
.after(Lab::second_controller)
.watched_with(&[DC1, DC2]);

fn play(lab: &mut Lab) -> Result<()> {
    replicate(lab)
}
