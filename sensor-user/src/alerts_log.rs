//! Alerts as JSON lines in a file, for Wazuh, Splunk and the like.
//!
//! One line for each change of an alert, as `replay --json` prints it, appended in one write. The
//! file may be rotated under us, by renaming or by truncating: the next line finds the new file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goshawk_model::Alert;

use crate::json::AlertLine;
use crate::uplink::outbox::{Outbox, Sink};

/// For the sensor's user and group: a log collector joins the group.
const PERMISSIONS: u32 = 0o640;

/// Appends alerts to a file by a thread of its own. While the file cannot be written, alerts wait in
/// memory (bounded) and the trouble is a health problem. Dropped, it writes what waits.
pub struct AlertsLog {
    outbox: Outbox<Alert>,
    path: PathBuf,
    reopen: Arc<AtomicBool>,
}

impl AlertsLog {
    /// Starts the thread, which opens or makes the file at `path`.
    ///
    /// # Errors
    /// If the system gives no thread. A file that cannot be opened is a health problem.
    pub fn start(path: &Path) -> io::Result<Self> {
        let reopen = Arc::default();
        let writer = Writer {
            path: path.to_owned(),
            file: None,
            reopen: Arc::clone(&reopen),
        };
        Ok(Self {
            outbox: Outbox::start("alerts-log", writer)?,
            path: path.to_owned(),
            reopen,
        })
    }

    /// Hands over a state of an alert. Never waits for the disk.
    pub fn push(&self, alert: Alert) {
        self.outbox.push(alert);
    }

    /// Opens the file anew before the next line (SIGHUP).
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Waits until all that was pushed is written, but no longer than `within`; how many alerts
    /// are still only in memory.
    pub fn flush(&self, within: Duration) -> usize {
        self.outbox.flush(within)
    }

    /// What is wrong with the file, one clear line each.
    pub fn problems(&self) -> Vec<String> {
        let refused = Some(self.outbox.refused())
            .filter(|many| *many > 0)
            .map(|many| {
                format!(
                    "{many} alerts since the start are missing in {}, which could not be written",
                    self.path.display()
                )
            });
        self.outbox.problem().into_iter().chain(refused).collect()
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
        let mut lines = Vec::new();
        for alert in batch {
            serde_json::to_writer(&mut lines, &AlertLine::from(alert))
                .map_err(|error| format!("an alert cannot be said in JSON: {error}"))?;
            lines.push(b'\n');
        }
        self.append(&lines).map_err(|error| {
            let path = self.path.display();
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
                    "the alerts file {path} cannot be written, the disk is full: free some space there"
                ),
                _ => format!("the alerts file {path} cannot be written: {error}"),
            }
        })
    }

    fn recovered(&self) -> String {
        format!("the alerts file {} is written again", self.path.display())
    }
}

impl Writer {
    /// Appends all of it or nothing: half a line would spoil the next one.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let asked = self.reopen.swap(false, Ordering::Relaxed);
        let kept = self
            .file
            .take()
            .filter(|file| !asked && self.is_current(file));
        let file = match kept {
            Some(file) => self.file.insert(file),
            None => self.file.insert(open(&self.path)?),
        };
        let before = file.metadata()?.len();
        file.write_all(lines).inspect_err(|_| {
            // Where even this fails, the write's error is the one to tell.
            let _ = file.set_len(before);
        })
    }

    /// Whether the file at the path is still the one that is open.
    fn is_current(&self, file: &File) -> bool {
        let id = |found: fs::Metadata| (found.dev(), found.ino());
        matches!(
            (file.metadata().map(id), fs::metadata(&self.path).map(id)),
            (Ok(open), Ok(named)) if open == named
        )
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PERMISSIONS)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplink::spool::samples::alert;

    const LONG: Duration = Duration::from_secs(60);

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_for_each_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.json");
        let log = AlertsLog::start(&path).unwrap();
        log.push(alert(1, 1));
        log.push(alert(1, 2));
        assert_eq!(log.flush(LONG), 0);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("{\"kind\":\"alert\",\"id\":"), "{text}");
        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["revision"], 2);
        assert_eq!(lines[1]["externalId"], 2006);
        assert_eq!(log.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_rotated_file_is_left_and_a_truncated_one_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("alerts.json"), dir.path().join("old"));
        let log = AlertsLog::start(&path).unwrap();
        log.push(alert(1, 1));
        assert_eq!(log.flush(LONG), 0);
        fs::rename(&path, &old).unwrap();
        log.push(alert(2, 1));
        assert_eq!(log.flush(LONG), 0);
        assert_eq!((lines(&old).len(), lines(&path).len()), (1, 1));
        File::create(&path).unwrap();
        log.push(alert(3, 1));
        log.reopen();
        log.push(alert(4, 1));
        assert_eq!(log.flush(LONG), 0);
        assert_eq!(lines(&path).len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_problem_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("later").join("alerts.json");
        let log = AlertsLog::start(&path).unwrap();
        log.push(alert(1, 1));
        while log.problems().is_empty() {
            std::thread::yield_now();
        }
        assert!(log.problems()[0].contains("alerts.json cannot be written"));
        fs::create_dir(dir.path().join("later")).unwrap();
        assert_eq!(log.flush(LONG), 0);
        assert_eq!(log.problems(), Vec::<String>::new());
        assert_eq!(lines(&path).len(), 1);
    }

    #[test]
    fn a_full_disk_leaves_no_half_line() {
        let full = Path::new("/dev/full");
        let mut writer = Writer {
            path: full.to_owned(),
            file: None,
            reopen: Arc::default(),
        };
        let line = writer.write(&[alert(1, 1)]).unwrap_err();
        assert!(line.contains("the disk is full"), "{line}");
    }
}
