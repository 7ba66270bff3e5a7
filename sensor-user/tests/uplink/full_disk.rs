//! A disk that fills up and is cleared again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use goshawk_model::Alert;
use goshawk_sensor::uplink::spool::{DEFAULT_LIMIT, Spool, SpoolWriter, spool_path};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::alert;

const LONG: Duration = Duration::from_secs(60);

/// Runs `test` in a mount namespace of its own where `at` is a file system of two megabytes.
fn on_a_small_disk(at: &Path, test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| {
            let none = None::<&str>;
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            mount(none, at, Some("tmpfs"), MsFlags::empty(), Some("size=2m")).unwrap();
            test();
        });
        ran.join().unwrap();
    });
}

#[test]
fn a_full_disk_is_one_problem_and_loses_nothing() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root may mount a small disk");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    on_a_small_disk(dir.path(), || {
        let ballast = dir.path().join("ballast");
        let writer = SpoolWriter::start(dir.path(), DEFAULT_LIMIT).unwrap();
        writer.push(alert(0, 1));
        assert_eq!(writer.flush(LONG), 0);
        // What does not fit fails, having filled the disk.
        assert!(fs::write(&ballast, vec![1; 4 << 20]).is_err());
        for number in 1..200 {
            writer.push(Alert {
                reason: "x".repeat(2000),
                ..alert(number, 1)
            });
        }
        let deadline = Instant::now() + LONG;
        while writer.problems().is_empty() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
        let problems = writer.problems();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("the disk is full"), "{problems:?}");
        assert!(
            problems[0].contains(dir.path().to_str().unwrap()),
            "{problems:?}"
        );
        assert!(writer.flush(Duration::ZERO) > 0);
        fs::remove_file(&ballast).unwrap();
        assert_eq!(writer.flush(LONG), 0);
        assert_eq!(writer.problems(), [""; 0]);
        assert_eq!(writer.refused(), 0);
        let spool = Spool::open_to_read(&spool_path(dir.path())).unwrap();
        let items = spool.items_after(0, 999).unwrap();
        assert!(items.iter().map(|item| item.sequence).eq(1..=200));
    });
}

#[test]
fn a_disk_full_from_the_start_keeps_nobody_from_starting() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root may mount a small disk");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    on_a_small_disk(dir.path(), || {
        let ballast = dir.path().join("ballast");
        assert!(fs::write(&ballast, vec![1; 4 << 20]).is_err());
        let writer = SpoolWriter::start(dir.path(), DEFAULT_LIMIT).unwrap();
        writer.push(alert(1, 1));
        assert_eq!(writer.flush(Duration::from_millis(100)), 1);
        fs::remove_file(&ballast).unwrap();
        assert_eq!(writer.flush(LONG), 0);
        let spool = Spool::open_to_read(&spool_path(dir.path())).unwrap();
        assert_eq!(spool.pending_count().unwrap(), 1);
    });
}
