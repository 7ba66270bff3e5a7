//! Names mistyped at the prompt: a few do not exist, and the right one follows.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "mistyped-names",
    "Three people mistype their names, then log on",
    Tool::debian("kinit", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"for pair in alcie:alice gracee:grace hiedi:heidi; do
               (kinit "${pair%:*}" </dev/null || true) |& grep -q 'not found'
               sleep 0.2
               echo "$PASSWORD" | kinit "${pair#*:}"
           done"#,
    )?;
    Ok(())
}
