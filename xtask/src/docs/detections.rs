//! `tests/detections.md`: which captures prove each detection.
//!
//! The page is read off the catalogue, the captures' labels and the scenes. That the labels are true
//! is tested (`tests/e2e/captures.rs`): what a label expects is found, and nothing else is.

use std::fmt::Write as _;

use anyhow::Result;
use goshawk_detect::{Description, Engine};
use goshawk_lab::labels::{self, Label, Labels};
use goshawk_lab::scene;

/// Where the page is.
pub(super) const PAGE: &str = "tests/detections.md";

const INTRODUCTION: &str = "\
# Detections and what proves them

Each detection by its number, the captures in which it finds what they show, and the captures of
ordinary life that look like it and in which it stays silent. *Crafted* captures are made by a script
of the lab where neither Samba nor a public tool can stage the attack; all others are recorded from
real programs. What a label expects is found, with its source, account and targets, and nothing else
is: `cargo test -p goshawk-tests --test captures`. Beyond these captures, each detection has tests of
its own in `sensor-user/crates/detect/src/tests`.

This page is made by `cargo xtask docs`.
";

/// The page as catalogue, labels and scenes say it.
///
/// # Errors
/// If labels or scenes cannot be read.
pub(super) fn page() -> Result<String> {
    let labels = Labels::load(&labels::folder())?.captures;
    let resembling = Resembling::load()?;
    let mut page = INTRODUCTION.to_owned();
    page += "\n## By detection\n\n| Number | Detection | Found in | Silent in | Missing |\n\
             | --- | --- | --- | --- | --- |\n";
    for one in Engine::catalogue() {
        page += &row(one, &labels, &resembling);
    }
    page += "\n## By capture\n\n| Capture | What it shows | Tool and version | Made | Finds |\n\
             | --- | --- | --- | --- | --- |\n";
    for label in &labels {
        let _ = writeln!(
            page,
            "| {} | {} | {} {} | {} | {} |",
            name(label),
            label.about.replace('|', "\\|"),
            label.tool,
            label.version,
            made(label),
            numbers(label),
        );
    }
    Ok(page)
}

fn row(one: &Description, labels: &[Label], resembling: &Resembling) -> String {
    let number = one.external_id;
    let finds = |label: &&Label| label.expected.iter().any(|due| due.external_id == number);
    let found: Vec<String> = labels.iter().filter(finds).map(name).collect();
    let like = resembling.of(number);
    let silent: Vec<String> = labels
        .iter()
        .filter(|label| !finds(label) && like.contains(&label.scene.as_str()))
        .map(name)
        .collect();
    let missing = match (found.is_empty(), silent.is_empty()) {
        (false, false) => "",
        (true, false) => "a capture of the attack",
        (false, true) => "a capture that looks like it",
        (true, true) => "a capture of the attack, and one that looks like it",
    };
    format!(
        "| {number} | {} | {} | {} | {missing} |\n",
        one.title,
        found.join("<br>"),
        silent.join("<br>")
    )
}

/// Scenes of ordinary life, and the detections whose attacks they look like.
struct Resembling(Vec<(String, Vec<u16>)>);

impl Resembling {
    fn load() -> Result<Self> {
        let scenes = scene::all()?.into_iter();
        Ok(Self(
            scenes
                .map(|scene| (scene.name, scene.script.resembles))
                .collect(),
        ))
    }

    fn of(&self, number: u16) -> Vec<&str> {
        let like = self.0.iter().filter(|(_, of)| of.contains(&number));
        like.map(|(scene, _)| scene.as_str()).collect()
    }
}

fn name(label: &Label) -> String {
    format!("`{}`", label.file.trim_end_matches(".pcap.gz"))
}

fn made(label: &Label) -> &'static str {
    if label.about.to_lowercase().contains("crafted") {
        "crafted"
    } else {
        "recorded"
    }
}

fn numbers(label: &Label) -> String {
    let mut all: Vec<u16> = label.expected.iter().map(|due| due.external_id).collect();
    all.sort_unstable();
    all.dedup();
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join(", ")
    }
}
