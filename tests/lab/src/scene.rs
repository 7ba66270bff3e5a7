//! What a scene is: something that happens in the domain, and what a sensor should say about it. Each
//! is one small file, `scenes/attack/NAME.toml` or `scenes/benign/NAME.toml`.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::lab::{DC1, Lab};
use crate::labels::ExpectedAlert;

/// Something that happens in the domain within a few seconds.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The name of its file, of its recording, and on the command line.
    pub name: String,
    /// Attack or ordinary life.
    pub nature: Nature,
    /// What its file says.
    pub script: Script,
}

/// Whether a scene shows an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// An attack: the expected alerts must be raised, and no others.
    Attack,
    /// Ordinary life: nothing may be raised but the exposure that it really holds.
    Benign,
}

/// The contents of a scene's file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// One line for people.
    pub about: String,
    /// The programs that put the packets on the wire.
    pub tool: String,
    /// What brings them: one of `requirements.txt`, or a Debian package.
    pub package: String,
    /// The controllers that a sensor's configuration names while it watches.
    #[serde(default = "first_controller")]
    pub controllers: Vec<Ipv4Addr>,
    /// The alerts it must raise; any other alert is a false alarm.
    #[serde(default)]
    pub expected: Vec<ExpectedAlert>,
    /// Accounts whose keys are laid beside the recording, for a sensor that opens tickets.
    #[serde(default)]
    pub keytab: Vec<String>,
    /// The detections whose attacks it looks like, and which must stay silent all the same.
    #[serde(default)]
    pub resembles: Vec<u16>,
    /// What must have happened before and is not part of the scene.
    #[serde(default)]
    prepare: Vec<Step>,
    play: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a step is `on` (a host) with `run` or `serve` (a bash script), `controller` (the \
                 second one's) \"host\", \"join\" or \"start\", or `later` (hours)"
)]
enum Step {
    /// A bash script on a host; see [`Host::script`](crate::Host::script).
    Run { on: String, run: String },
    /// A program on a host that runs until the scene ends.
    Serve { on: String, serve: String },
    /// Something the second controller does.
    Controller { controller: Deed },
    /// So many hours pass, which nobody waits for: the recording's clock jumps ahead.
    Later { later: u32 },
}

/// A moment at which a recording's clock jumps ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// When, since 1970.
    pub at: Duration,
    /// How far.
    pub by: Duration,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    /// There is a machine for it.
    Host,
    /// It joins the domain, if it has not.
    Join,
    /// It runs, having joined.
    Start,
}

/// Where the scenes lie, and the programs that they bring.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes")
}

/// All scenes in the order in which they are recorded: attacks first, then ordinary life, and last
/// what has a second controller, which changes the domain for all.
///
/// # Errors
/// Names the file that is not a scene.
pub fn all() -> Result<Vec<Scene>> {
    let mut scenes = Vec::new();
    for nature in [Nature::Attack, Nature::Benign] {
        let folder = folder().join(nature.folder());
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            scenes.push(Scene::load(&entry?.path(), nature)?);
        }
    }
    scenes.sort_by_key(|scene| {
        let controllers = scene.script.controllers.len();
        (scene.nature, controllers, scene.name.clone())
    });
    Ok(scenes)
}

/// A scene by its name.
///
/// # Errors
/// If there is none; the message says how to list them.
pub fn find(name: &str) -> Result<Scene> {
    let found = all()?.into_iter().find(|scene| scene.name == name);
    found.with_context(|| {
        format!("there is no scene named {name}; `cargo xtask lab list` shows them")
    })
}

fn first_controller() -> Vec<Ipv4Addr> {
    vec![DC1]
}

impl Nature {
    /// The folder of its scenes and of their recordings.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Benign => "benign",
        }
    }
}

impl Scene {
    fn load(path: &Path, nature: Nature) -> Result<Self> {
        let read = || {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name.and_then(|name| name.strip_suffix(".toml")) else {
                bail!("a scene's file is named NAME.toml");
            };
            let script = toml::from_str(&fs::read_to_string(path)?)?;
            Ok(Self {
                name: name.to_owned(),
                nature,
                script,
            })
        };
        read().with_context(|| format!("cannot read {}", path.display()))
    }

    /// Sets the stage: what must have happened before the scene and is not part of it.
    ///
    /// # Errors
    /// If a step fails.
    pub fn prepare(&self, lab: &mut Lab) -> Result<()> {
        // A ticket left by another scene would spare this one its logon.
        for host in lab.hosts() {
            host.script("rm -f krb5cc *.ccache")?;
        }
        take(&self.script.prepare, lab)
            .map(drop)
            .with_context(|| format!("cannot prepare the scene {}", self.name))
    }

    /// Lets it happen; returns where the recording's clock is to jump ahead.
    ///
    /// # Errors
    /// If a step fails, or if the tool did not do what the scene is about.
    pub fn play(&self, lab: &mut Lab) -> Result<Vec<Jump>> {
        take(&self.script.play, lab).with_context(|| format!("the scene {} failed", self.name))
    }
}

fn take(steps: &[Step], lab: &mut Lab) -> Result<Vec<Jump>> {
    let (mut servers, mut jumps) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Run { on, run } => {
                lab.host(on)?.script(run)?;
            }
            Step::Serve { on, serve } => servers.push(lab.host(on)?.serve(serve)?),
            Step::Controller { controller } => match controller {
                Deed::Host => lab.second_controllers_host().map(drop)?,
                Deed::Join => lab.enlist_second_controller()?,
                Deed::Start => lab.second_controller()?,
            },
            Step::Later { later } => jumps.push(Jump {
                at: SystemTime::now().duration_since(UNIX_EPOCH)?,
                by: Duration::from_secs(u64::from(*later) * 3600),
            }),
        }
    }
    Ok(jumps)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let scenes = all().unwrap();
        let names: BTreeSet<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
        assert_eq!(names.len(), scenes.len());
    }

    #[test]
    fn what_is_no_step_is_an_error_that_says_what_a_step_is() {
        let text = "about = ''\ntool = ''\npackage = ''\n[[play]]\non = 'ws1'\n";
        let error = toml::from_str::<Script>(text).unwrap_err().to_string();
        assert!(error.contains("a step is `on`"), "{error}");
    }
}
