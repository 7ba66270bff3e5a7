//! A second controller joins: it replicates the whole directory, which is what DCSync pretends to be.

use anyhow::Result;

use crate::domain::Controller;
use crate::lab::{DC1, DC2, Lab};
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "controller-join",
    "A second controller joins and replicates the directory (samba-tool)",
    Tool::debian("samba-tool domain join", "samba"),
    play,
)
.after(|lab| lab.add_host("dc2", DC2).map(drop))
.watched_with(&[DC1, DC2]);

fn play(lab: &mut Lab) -> Result<()> {
    Controller::enlist(lab.host("dc2")?, DC1)
}
