//! Nobody does anything but the machines.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "idle",
    "Names looked up, a controller located, the clock passing",
    Tool::debian("dig, net ads lookup", "samba-common-bin"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"dig +short "_kerberos._tcp.$DOMAIN" SRV
           dig +short "dc1.$DOMAIN"
           net ads lookup -S "dc1.$DOMAIN" | head -3"#,
    )?;
    sleep(Duration::from_secs(3));
    Ok(())
}
