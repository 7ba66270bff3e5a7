//! What a scene is: something that happens in the domain, and what a sensor should say about it.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result};

use crate::lab::{DC1, Lab};
use crate::tools;

/// Something that happens in the domain within a few seconds.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// The name of its file, of its recording, and on the command line.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Attack or ordinary life.
    pub nature: Nature,
    /// What puts the packets on the wire.
    pub tool: Tool,
    /// The alerts it must raise; any other alert is a false alarm.
    pub expected: &'static [Expected],
    /// The controllers that a sensor's configuration names while it watches.
    pub controllers: &'static [Ipv4Addr],
    prepare: fn(&mut Lab) -> Result<()>,
    play: fn(&mut Lab) -> Result<()>,
}

/// Whether a scene shows an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// An attack: the expected alerts must be raised, and no others.
    Attack,
    /// Ordinary life: nothing may be raised.
    Benign,
}

/// The program that acts, and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The program's name.
    pub program: &'static str,
    /// Where its version comes from.
    pub package: Package,
}

/// A package that holds a tool.
#[derive(Clone, Copy, Debug)]
pub enum Package {
    /// One of [`tools::PACKAGES`].
    Debian(&'static str),
    /// One that `requirements.txt` pins.
    Python(&'static str),
}

/// An alert that a scene must raise.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The alert's number in the catalogue of identity alerts.
    pub external_id: u16,
    /// Who acts.
    pub source: Ipv4Addr,
    /// Whom the source acts as, where the wire shows it to be authenticated.
    pub account: Option<&'static str>,
    /// Accounts or services that must be among the alert's targets, as named on the wire.
    pub targets: &'static [&'static str],
}

impl Scene {
    /// An attack, which must raise `expected`.
    pub(crate) const fn attack(
        name: &'static str,
        about: &'static str,
        tool: Tool,
        expected: &'static [Expected],
        play: fn(&mut Lab) -> Result<()>,
    ) -> Self {
        let controllers = &[DC1];
        let nature = Nature::Attack;
        Self {
            name,
            about,
            nature,
            tool,
            expected,
            controllers,
            prepare: |_| Ok(()),
            play,
        }
    }

    /// Ordinary life, which must raise nothing.
    pub(crate) const fn benign(
        name: &'static str,
        about: &'static str,
        tool: Tool,
        play: fn(&mut Lab) -> Result<()>,
    ) -> Self {
        Self {
            nature: Nature::Benign,
            ..Self::attack(name, about, tool, &[], play)
        }
    }

    /// The same scene after `prepare`, which is not part of the recording.
    pub(crate) const fn after(self, prepare: fn(&mut Lab) -> Result<()>) -> Self {
        Self { prepare, ..self }
    }

    /// The same scene, watched by a sensor that knows these controllers.
    pub(crate) const fn watched_with(self, controllers: &'static [Ipv4Addr]) -> Self {
        Self {
            controllers,
            ..self
        }
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
        (self.prepare)(lab).with_context(|| format!("cannot prepare the scene {}", self.name))
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// If a step fails, or if the tool did not do what the scene is about.
    pub fn play(&self, lab: &mut Lab) -> Result<()> {
        (self.play)(lab).with_context(|| format!("the scene {} failed", self.name))
    }
}

impl Tool {
    /// A program of a Debian package.
    pub(crate) const fn debian(program: &'static str, package: &'static str) -> Self {
        Self {
            program,
            package: Package::Debian(package),
        }
    }

    /// A program of a Python package.
    pub(crate) const fn python(program: &'static str, package: &'static str) -> Self {
        Self {
            program,
            package: Package::Python(package),
        }
    }

    /// The version in use.
    ///
    /// # Errors
    /// If the package is not installed or not pinned.
    pub fn version(&self) -> Result<String> {
        match self.package {
            Package::Python(package) => {
                let version = tools::pinned(package);
                version
                    .map(str::to_owned)
                    .with_context(|| format!("{package} is not pinned"))
            }
            Package::Debian(package) => {
                let mut query = Command::new("dpkg-query");
                query.args(["--show", "--showformat=${Version}", package]);
                let output = query
                    .output()
                    .context("cannot ask dpkg-query for a version")?;
                crate::namespace::succeed(&output, package)
            }
        }
    }
}
