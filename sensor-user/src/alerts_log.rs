//! Alerts as lines of JSON in a file, for Wazuh, Splunk and the like.
//!
//! Each state of an alert is a line; the highest revision of an id is the truth. The file is opened
//! again when it was moved away (logrotate), and on SIGHUP.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use goshawk_model::Alert;

use crate::json::AlertLine;
use crate::uplink::outbox::{Outbox, Sink};

/// The owner writes; the group, where log shippers live, reads.
const MODE: u32 = 0o640;

/// Writes alerts to a file, from a thread of its own.
pub struct AlertsLog {
    outbox: Outbox<Alert>,
    reopen: Arc<AtomicBool>,
}

impl AlertsLog {
    /// Starts the thread, which opens `path` to append to it. A file that cannot be written is a
    /// health problem, not an error: alerts wait in memory and are tried again.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(path: &Path) -> Result<Self> {
        let reopen = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            path: path.to_owned(),
            file: None,
            reopen: Arc::clone(&reopen),
        };
        let outbox = Outbox::start("alerts-log", writer).context("cannot start the alert log")?;
        Ok(Self { outbox, reopen })
    }

    /// Hands over an alert. Never waits for the disk.
    pub fn push(&self, alert: Alert) {
        self.outbox.push(alert);
    }

    /// Opens the file again at the next alert.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
    }

    /// Waits until all that was pushed is written, but no longer than `within`; how many alerts are
    /// not.
    pub fn flush(&self, within: Duration) -> usize {
        self.outbox.flush(within)
    }

    /// What is wrong with the file, one clear line each.
    pub fn problems(&self) -> Vec<String> {
        self.outbox.problem().into_iter().collect()
    }
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    reopen: Arc<AtomicBool>,
}

impl Sink for Writer {
    type Entry = Alert;

    fn write(&mut self, batch: &[Alert]) -> Result<(), String> {
        self.append(batch).map_err(|error| {
            self.file = None;
            let path = self.path.display();
            format!("cannot write alerts to {path}: {error}; they wait in memory until it can be")
        })
    }

    fn recovered(&self) -> String {
        format!("alerts are written to {} again", self.path.display())
    }
}

impl Writer {
    /// Appends the whole batch, or nothing that stays.
    fn append(&mut self, batch: &[Alert]) -> io::Result<()> {
        if self.reopen.swap(false, Ordering::AcqRel) || self.was_moved() {
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(MODE)
                    .open(&self.path)?,
            ),
        };
        let mut lines = Vec::new();
        for alert in batch {
            serde_json::to_writer(&mut lines, &AlertLine::from(alert))?;
            lines.push(b'\n');
        }
        let before = file.metadata()?.len();
        file.write_all(&lines).inspect_err(|_| {
            // Half a line would spoil the next one; what is cut off is written again.
            let _ = file.set_len(before);
        })
    }

    fn was_moved(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let identity = |metadata: io::Result<std::fs::Metadata>| {
            metadata
                .map(|metadata| (metadata.dev(), metadata.ino()))
                .ok()
        };
        identity(file.metadata()) != identity(std::fs::metadata(&self.path))
    }
}
