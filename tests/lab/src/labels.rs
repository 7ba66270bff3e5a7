//! What each recorded capture shows: `tests/captures/labels.toml`.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::scene::Scene;
use crate::tools;

const FILE: &str = "labels.toml";

const HEADER: &str = "\
# What each capture shows, written by `cargo xtask lab record`.
#
# `controllers` is what a sensor's configuration names as domain controllers while it watches; `dc` is
# the address behind which a player puts the sensor. Each `expected` alert must be raised, with this
# source, this account where one is given, and these names among its targets; any other alert is a
# false alarm. No `expected` means silence; of ordinary life nothing but exposure (9030 to 9039) may be
# expected, where the capture really holds it. The ciphertext of sealed DCE/RPC replies is blanked to
# zeros, so that the files stay small; all else is as it was on the wire.
#
# `keytab` holds keys of the domain that was recorded, for a sensor that opens tickets; an alert with
# `opened` is due with them alone, all others without them too. Each recorded domain is made for the
# recording and gone after it: its keys are good for nothing else, and may lie here.
";

/// All labels.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// One a capture, ordered by file.
    #[serde(rename = "capture", default)]
    pub captures: Vec<Label>,
}

/// What one capture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Label {
    /// The file, relative to the folder of the labels.
    pub file: String,
    /// The scene that was recorded.
    pub scene: String,
    /// What it shows, for people.
    pub about: String,
    /// The program that acted.
    pub tool: String,
    /// The version of the package that brought it.
    pub version: String,
    /// Known domain controllers while it is replayed.
    pub controllers: Vec<Ipv4Addr>,
    /// The controller whose interface a sensor in host mode watches.
    pub dc: Ipv4Addr,
    /// Keys of the domain's, beside the capture: it is replayed with them and without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keytab: Option<String>,
    /// The alerts it must raise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<ExpectedAlert>,
}

/// An alert that a capture must raise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExpectedAlert {
    /// The alert's number in the catalogue of identity alerts.
    pub external_id: u16,
    /// Whether it is raised only where tickets are opened with the keytab.
    #[serde(default, skip_serializing_if = "is_false")]
    pub opened: bool,
    /// The acting address.
    pub source: Ipv4Addr,
    /// The acting account, where the wire shows it to be authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Accounts or services that must be among the targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// The folder of the project's captures: `tests/captures`.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures")
}

impl Labels {
    /// Reads the labels of `folder`; none if it has none yet.
    ///
    /// # Errors
    /// If the file is unreadable or not as described.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&path)?;
        toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Writes the labels into `folder`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = format!("{HEADER}\n{}", toml::to_string(self)?);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts `label` in the place of the one for the same scene, or adds it.
    pub fn put(&mut self, label: Label) {
        self.captures.retain(|known| known.scene != label.scene);
        self.captures.push(label);
        self.captures
            .sort_by(|one, other| one.file.cmp(&other.file));
    }

    /// The label of a scene's recording.
    ///
    /// # Errors
    /// If the scene was never recorded.
    pub fn of(&self, scene: &str) -> Result<&Label> {
        let label = self.captures.iter().find(|label| label.scene == scene);
        label.with_context(|| format!("no capture of {scene}; `cargo xtask lab record {scene}`"))
    }
}

impl Label {
    /// The label for a recording of `scene`.
    ///
    /// # Errors
    /// If the version of the scene's tool cannot be found.
    pub fn new(scene: &Scene) -> Result<Self> {
        let script = &scene.script;
        Ok(Self {
            file: format!("{}/{}.pcap.gz", scene.nature.folder(), scene.name),
            scene: scene.name.clone(),
            about: script.about.clone(),
            tool: script.tool.clone(),
            version: tools::version(&script.package)?,
            controllers: script.controllers.clone(),
            dc: script.controllers.first().copied().unwrap_or(crate::DC1),
            keytab: (!script.keytab.is_empty())
                .then(|| format!("{}/{}.keytab", scene.nature.folder(), scene.name)),
            expected: script.expected.clone(),
        })
    }

    /// Where its keytab is, if it has one.
    #[must_use]
    pub fn keytab_path(&self) -> Option<PathBuf> {
        self.keytab.as_ref().map(|file| folder().join(file))
    }

    /// Where the capture is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        folder().join(&self.file)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scene;

    fn recorded() -> Vec<Label> {
        Labels::load(&folder()).unwrap().captures
    }

    #[test]
    fn every_capture_has_a_label_and_every_label_a_capture() {
        let labelled: BTreeSet<PathBuf> = recorded()
            .iter()
            .flat_map(|label| [Some(label.path()), label.keytab_path()])
            .flatten()
            .collect();
        let mut found = BTreeSet::new();
        for kind in ["attack", "benign"] {
            for entry in fs::read_dir(folder().join(kind)).unwrap() {
                found.insert(folder().join(kind).join(entry.unwrap().file_name()));
            }
        }
        assert_eq!(found, labelled);
    }

    /// A service that keeps an old password guesses at an even pace, as a patient attacker may: it is
    /// told, with low confidence.
    const TOLD_ALL_THE_SAME: [(&str, u16); 1] = [("stale-service", 2023)];

    #[test]
    fn of_ordinary_life_nothing_but_exposure_is_expected() {
        for label in recorded() {
            let benign = label.file.starts_with("benign/");
            for due in label.expected.iter().filter(|_| benign) {
                let number = due.external_id;
                let exposure = (9030..9040).contains(&number);
                let told = TOLD_ALL_THE_SAME.contains(&(&label.scene, number));
                assert!(exposure || told, "{}: {number}", label.file);
            }
        }
    }

    #[test]
    fn every_scene_is_recorded_and_labelled_as_it_says() {
        for scene in scene::all().unwrap() {
            let labels = Labels {
                captures: recorded(),
            };
            let label = labels.of(&scene.name).unwrap();
            let mut now = Label::new(&scene);
            // The tool may not be installed here, or be another version than the recorded one.
            if let Ok(now) = &mut now {
                now.version.clone_from(&label.version);
                assert_eq!(now, label);
            }
        }
    }

    #[test]
    fn labels_read_back_as_written() {
        let place = tempfile::tempdir().unwrap();
        let labels = Labels {
            captures: recorded(),
        };
        labels.save(place.path()).unwrap();
        assert_eq!(
            Labels::load(place.path()).unwrap().captures,
            labels.captures
        );
    }
}
