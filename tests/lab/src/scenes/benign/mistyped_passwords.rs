//! Fingers slip: four people need one to three tries (KDC_ERR_PREAUTH_FAILED, RFC 4120 7.5.9), and
//! then they are in.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "mistyped-passwords",
    "Four people mistype their passwords one to three times, then log on",
    Tool::debian("kinit", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"slip() {
               for try in $(seq "$2"); do
                   (echo "$PASSWORD$try" | kinit "$1" || true) |& grep -q 'Password incorrect'
                   sleep 0.2
               done
               echo "$PASSWORD" | kinit "$1"
           }
           slip alice 1; slip dave 2; slip erin 3; slip frank 1"#,
    )?;
    Ok(())
}
