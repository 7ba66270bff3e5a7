//! Suricata, beside which the sensor is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{debian, step};

/// Suricata as it is installed.
pub(super) struct Peer {
    /// With its version.
    pub(super) name: String,
    folder: PathBuf,
}

/// The release that has Suricata 7.
const SUITE: &str = "bookworm-backports";
/// Its decoders for the protocols of a domain, and no rules, no logs, no statistics: what is left
/// is what the sensor does too. Checksums are not looked at, for those of virtual links are
/// unfinished.
const CONFIGURATION: &str = "\
%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: any
    EXTERNAL_NET: any
outputs: []
stats:
  enabled: no
unix-command:
  enabled: no
logging:
  default-log-level: error
  outputs:
    - console:
        enabled: yes
app-layer:
  protocols:
    krb5:
      enabled: yes
    smb:
      enabled: yes
      detection-ports:
        dp: 139, 445
    dcerpc:
      enabled: yes
    dns:
      tcp:
        enabled: yes
        detection-ports:
          dp: 53
      udp:
        enabled: yes
        detection-ports:
          dp: 53
    ntp:
      enabled: yes
    http:
      enabled: yes
    tls:
      enabled: yes
      detection-ports:
        dp: 443
";

/// Suricata, installed from Debian's backports if need be; `None` where it cannot be.
pub(super) fn find() -> Result<Option<Peer>> {
    let version = || Command::new("suricata").arg("-V").output().ok();
    if version().is_none() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("  - suricata is not there, and only root can install it: not compared");
            return Ok(None);
        }
        if let Err(error) = debian::install_from(SUITE, "suricata") {
            eprintln!("  - suricata cannot be installed ({error:#}): not compared");
            return Ok(None);
        }
    }
    let Some(said) = version() else {
        return Ok(None);
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let folder = step::target().join("bench/suricata");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("suricata.yaml"), CONFIGURATION)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(Some(Peer {
        name: format!("suricata {}", number.unwrap_or("?")),
        folder,
    }))
}

impl Peer {
    /// The command that reads a capture in one thread.
    pub(super) fn read(&self, capture: &Path) -> Command {
        let mut read = Command::new("suricata");
        read.arg("-c").arg(self.folder.join("suricata.yaml"));
        read.arg("-l").arg(&self.folder);
        read.args(["-S", "/dev/null", "--runmode", "single", "-k", "none", "-r"]);
        read.arg(capture);
        read
    }
}
