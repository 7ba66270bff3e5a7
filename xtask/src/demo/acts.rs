//! The story: ordinary life, then five attacks.

use std::time::Duration;

use anyhow::Result;
use goshawk_lab::{Capture, Pace, Scene, labels, scene};

/// One act.
pub(super) struct Act {
    /// What happens, for the audience.
    pub(super) about: &'static str,
    /// The recording, below tests/captures.
    pub(super) file: &'static str,
    /// The lab's scene, played for real with `--live`.
    scene: &'static str,
    /// The alerts it must raise; silence if none.
    pub(super) alerts: &'static [u16],
}

/// The acts in their order.
pub(super) const STORY: &[Act] = &[
    Act {
        about: "A working day: logons, shares, directory look-ups (nothing should be said)",
        file: "benign/workday.pcap.gz",
        scene: "workday",
        alerts: &[],
    },
    Act {
        about: "People mistype their passwords (nothing should be said)",
        file: "benign/mistyped-passwords.pcap.gz",
        scene: "mistyped-passwords",
        alerts: &[],
    },
    Act {
        about: "Somebody asks the KDC which accounts exist (nmap)",
        file: "attack/enum-nmap.pcap.gz",
        scene: "enum-nmap",
        alerts: &[2003],
    },
    Act {
        about: "One password is tried on every account (kinit in a loop)",
        file: "attack/spray-kinit.pcap.gz",
        scene: "spray-kinit",
        alerts: &[2023],
    },
    Act {
        about: "An account without pre-authentication is asked for its reply (GetNPUsers)",
        file: "attack/asrep-roast-getnpusers.pcap.gz",
        scene: "asrep-roast-getnpusers",
        alerts: &[2412],
    },
    Act {
        about: "Service tickets are collected to crack them at home (kvno, RC4)",
        file: "attack/kerberoast-kvno.pcap.gz",
        scene: "kerberoast-kvno",
        alerts: &[2410],
    },
    Act {
        about: "The directory's secrets are replicated to the attacker (secretsdump)",
        file: "attack/dcsync-secretsdump.pcap.gz",
        scene: "dcsync-secretsdump",
        alerts: &[2006],
    },
];

impl Act {
    /// Its recording.
    pub(super) fn capture(&self) -> Result<Capture> {
        Capture::load(&labels::folder().join(self.file))
    }

    /// Its scene.
    pub(super) fn scene(&self) -> Result<Scene> {
        scene::find(self.scene)
    }

    /// Brisk, but not so that a person loses the thread.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            speed: 2.0,
            longest_gap: Duration::from_millis(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use goshawk_lab::Labels;

    use super::*;

    #[test]
    fn the_story_says_what_the_labels_say() {
        let labels = Labels::load(&labels::folder()).unwrap();
        for act in STORY {
            let label = labels.of(act.scene).unwrap();
            let expected: Vec<u16> = label.expected.iter().map(|one| one.external_id).collect();
            assert_eq!(
                (label.file.as_str(), expected.as_slice()),
                (act.file, act.alerts)
            );
            act.scene().unwrap();
        }
    }
}
