//! Every scene, one file each. To add one: a file beside its like, and its line in the `mod.rs` there.

mod attack;
mod benign;
mod guesses;
mod pull;

use anyhow::{Context, Result};

use crate::scene::Scene;

/// All scenes: attacks first, then ordinary life, in the order in which they are recorded.
pub fn all() -> impl Iterator<Item = &'static Scene> {
    attack::SCENES.iter().chain(benign::SCENES)
}

/// A scene by its name.
///
/// # Errors
/// If there is none; the message says how to list them.
pub fn find(name: &str) -> Result<&'static Scene> {
    all().find(|scene| scene.name == name).with_context(|| {
        format!("there is no scene named {name}; `cargo xtask lab list` shows them")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scene::Nature;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = all().map(|scene| scene.name).collect();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn attacks_expect_alerts_and_ordinary_life_expects_none() {
        for scene in all() {
            let attack = scene.nature == Nature::Attack;
            assert_eq!(attack, !scene.expected.is_empty(), "{}", scene.name);
        }
    }
}
