//! Records a scene: a capture on the bridge, compressed, with its label.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::blank::blank_sealed_replies;
use crate::capture::Capture;
use crate::lab::Lab;
use crate::labels::{Label, Labels};
use crate::namespace::Namespace;
use crate::network::{BRIDGE, Network};
use crate::scene::{Jump, Scene};

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
    let jumps = scene.play(lab)?;
    recorder.stop()?;
    let mut capture = Capture::load(&raw)?;
    if capture.packets.is_empty() {
        bail!("nothing was captured of {}", scene.name);
    }
    blank_sealed_replies(&mut capture);
    jump(&mut capture, &jumps);
    let target = folder.join(&label.file);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    capture.save(&target)?;
    if let Some(file) = &label.keytab {
        let exported = export_keytab(lab, &scene.script.keytab)?;
        fs::copy(&exported, folder.join(file)).context("cannot copy the keytab")?;
    }
    let mut labels = Labels::load(folder)?;
    labels.put(label.clone());
    labels.save(folder)?;
    Ok(label)
}

/// Moves what was captured after a jump of the scene's clock.
fn jump(capture: &mut Capture, jumps: &[Jump]) {
    for packet in &mut capture.packets {
        let passed = jumps.iter().filter(|jump| jump.at <= packet.time);
        packet.time += passed.map(|jump| jump.by).sum::<Duration>();
    }
}

/// The keys of these accounts, in a file of the first controller's.
fn export_keytab(lab: &mut Lab, accounts: &[String]) -> Result<PathBuf> {
    const FILE: &str = "exported.keytab";
    let dc = lab.host("dc1")?;
    dc.script(&format!("rm -f {FILE}"))?;
    for account in accounts {
        dc.script(&format!(
            "samba-tool domain exportkeytab {FILE} --principal='{account}' \
                 --configfile=dc/etc/smb.conf"
        ))?;
    }
    Ok(dc.private_file(FILE))
}

/// The longest frame there is: 64 kB of IP, as offloads hand it over, with its Ethernet header.
const LONGEST_FRAME: &str = "65550";

/// tcpdump's buffer. In immediate mode it has one slot of [`LONGEST_FRAME`] for each packet: the
/// default of 2 MiB holds some thirty, and a directory's replication loses packets.
const BUFFER_KIB: &str = "131072";

/// A capture that runs on the bridge.
#[derive(Debug)]
pub struct Recorder {
    tcpdump: Child,
    words: BufReader<ChildStderr>,
}

impl Recorder {
    /// Starts to capture whole frames of the lab's wire into `file`.
    ///
    /// # Errors
    /// If tcpdump cannot be started.
    pub fn start(network: &Network, file: &Path) -> Result<Self> {
        Self::on(network.switch(), BRIDGE, file)
    }

    /// Starts to capture whole frames on an interface of a namespace into `file`.
    ///
    /// # Errors
    /// If tcpdump cannot be started.
    pub fn on(namespace: &Namespace, interface: &str, file: &Path) -> Result<Self> {
        let mut command = Command::new("tcpdump");
        command
            .args(["-i", interface, "-s", LONGEST_FRAME, "-B", BUFFER_KIB])
            .args(["--immediate-mode", "-U", "-Z", "root"])
            .args(["--time-stamp-precision=nano", "-w"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut tcpdump = namespace.spawn(command)?;
        let words = tcpdump.stderr.take().context("tcpdump has no stderr")?;
        let mut recorder = Self {
            tcpdump,
            words: BufReader::new(words),
        };
        recorder.wait_until_listening()?;
        sleep(MARGIN);
        Ok(recorder)
    }

    fn wait_until_listening(&mut self) -> Result<()> {
        let mut said = String::new();
        while !said.contains("listening on") {
            if self.words.read_line(&mut said)? == 0 {
                bail!("tcpdump does not start: {}", said.trim());
            }
        }
        Ok(())
    }

    /// Ends the capture, and waits until the file is complete.
    ///
    /// # Errors
    /// If tcpdump has failed or lost packets meanwhile.
    pub fn stop(mut self) -> Result<()> {
        sleep(MARGIN);
        let pid = Pid::from_raw(i32::try_from(self.tcpdump.id())?);
        kill(pid, Signal::SIGINT).context("cannot end tcpdump")?;
        let status = self.tcpdump.wait()?;
        let mut words = String::new();
        self.words.read_to_string(&mut words)?;
        if status.success() && words.contains("\n0 packets dropped by kernel") {
            Ok(())
        } else {
            bail!("tcpdump failed or lost packets: {}", words.trim())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Packet;

    #[test]
    fn what_comes_after_a_jump_is_later() {
        let at = |seconds| Packet {
            time: Duration::from_secs(seconds),
            frame: Vec::new(),
        };
        let jump_at = |seconds, by| Jump {
            at: Duration::from_secs(seconds),
            by: Duration::from_secs(by),
        };
        let mut capture = Capture {
            packets: vec![at(1), at(5), at(9)],
        };
        jump(&mut capture, &[jump_at(5, 100), jump_at(6, 1_000)]);
        assert_eq!(capture.packets, [at(1), at(105), at(1_109)]);
    }
}
