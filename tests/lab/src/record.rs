//! Records a scene: a capture on the bridge, compressed, with its label.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::blank::blank_sealed_replies;
use crate::capture::Capture;
use crate::lab::Lab;
use crate::labels::{Label, Labels};
use crate::network::{BRIDGE, Network};
use crate::scene::Scene;

/// How long the capture runs before the scene begins and after it has ended.
const MARGIN: Duration = Duration::from_millis(500);

/// Prepares, plays and records `scene`; writes the capture and its label into `folder`.
///
/// # Errors
/// If the scene fails, or nothing was captured; then `folder` is as before.
pub fn record(lab: &mut Lab, scene: &Scene, folder: &Path) -> Result<Label> {
    let label = Label::new(scene)?;
    scene.prepare(lab)?;
    let place = tempfile::tempdir().context("no temporary folder")?;
    let raw = place.path().join("scene.pcap");
    let recorder = Recorder::start(lab.network(), &raw)?;
    scene.play(lab)?;
    recorder.stop()?;
    let mut capture = Capture::load(&raw)?;
    if capture.packets.is_empty() {
        bail!("nothing was captured of {}", scene.name);
    }
    blank_sealed_replies(&mut capture);
    let target = folder.join(&label.file);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    capture.save(&target)?;
    let mut labels = Labels::load(folder)?;
    labels.put(label.clone());
    labels.save(folder)?;
    Ok(label)
}

/// tcpdump's buffer. In immediate mode it has one slot of the largest frame's size for each packet:
/// the default of 2 MiB holds eight packets, and a directory's replication loses some.
const BUFFER_KIB: &str = "131072";

/// A capture that runs on the bridge.
#[derive(Debug)]
pub struct Recorder {
    tcpdump: Child,
}

impl Recorder {
    /// Starts to capture whole frames of `network` into `file`.
    ///
    /// # Errors
    /// If tcpdump cannot be started.
    pub fn start(network: &Network, file: &Path) -> Result<Self> {
        let mut command = Command::new("tcpdump");
        command
            .args([
                "-i",
                BRIDGE,
                "-s",
                "0",
                "-B",
                BUFFER_KIB,
                "--immediate-mode",
                "-U",
            ])
            .args(["-Z", "root", "--time-stamp-precision=nano", "-w"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let tcpdump = network.switch().spawn(command)?;
        sleep(MARGIN);
        Ok(Self { tcpdump })
    }

    /// Ends the capture, and waits until the file is complete.
    ///
    /// # Errors
    /// If tcpdump has failed meanwhile.
    pub fn stop(mut self) -> Result<()> {
        sleep(MARGIN);
        let pid = Pid::from_raw(i32::try_from(self.tcpdump.id())?);
        kill(pid, Signal::SIGINT).context("tcpdump has ended early")?;
        let status = self.tcpdump.wait()?;
        if status.success() {
            Ok(())
        } else {
            bail!("tcpdump failed: {status}")
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Both fail only if tcpdump has ended, as it has after `stop`.
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}
