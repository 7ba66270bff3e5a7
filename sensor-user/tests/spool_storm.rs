//! `kill -9` in the middle of a storm: what was committed is there, once.
//!
//! The test is its own victim: started with [`CHILD`] in the environment it spools alerts and tells
//! on standard output which are committed, until it is killed. Hence no test harness.

#![expect(
    clippy::unwrap_used,
    reason = "a test without a harness: what fails ends it"
)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use goshawk_sensor::uplink::spool::{DEFAULT_LIMIT, Spool, SpoolWriter, spool_path};

#[path = "../src/uplink/spool/samples.rs"]
mod samples;

use samples::alert;

/// Names the state directory in the child's environment.
const CHILD: &str = "GOSHAWK_SPOOL_STORM";
/// Kills.
const ROUNDS: u32 = 8;
/// Commits before a kill, at least.
const COMMITS: usize = 20;

fn main() {
    match std::env::var_os(CHILD) {
        Some(state_dir) => storm(Path::new(&state_dir)),
        None => survive(),
    }
}

/// Pushes alerts in bursts and prints the first number that is not committed yet.
fn storm(state_dir: &Path) {
    let first = Spool::open_existing(&spool_path(state_dir))
        .map_or(0, |spool| spool.last_sequence().unwrap() as u32);
    let spool = SpoolWriter::start(state_dir, DEFAULT_LIMIT).unwrap();
    for number in first.. {
        spool.push(alert(number, 1));
        if number % 7 == 0 {
            assert_eq!(spool.flush(Duration::from_secs(60)), 0);
            println!("{}", number + 1);
            std::io::stdout().flush().unwrap();
        }
    }
}

fn survive() {
    let dir = tempfile::tempdir().unwrap();
    let mut spooled = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept open: the child must not end by itself.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told: Vec<u64> = lines
            .by_ref()
            .map_while(Result::ok)
            .take(COMMITS)
            .map(|line| line.parse().unwrap())
            .collect();
        // Another moment of a burst and its commit each time.
        sleep(Duration::from_micros(700) * round);
        // SIGKILL.
        child.kill().unwrap();
        assert_eq!(
            child.wait().unwrap().signal(),
            Some(9),
            "it stormed to the end"
        );

        let spool = Spool::open(&spool_path(dir.path())).unwrap();
        let items = spool.items_after(0, usize::MAX >> 1).unwrap();
        assert!(
            items.len() as u64 >= *told.last().unwrap(),
            "a committed alert is lost"
        );
        assert!(items.len() > spooled, "the storm went on");
        spooled = items.len();
        for (index, item) in items.iter().enumerate() {
            assert_eq!(item.sequence, index as u64 + 1, "no gap, no repetition");
            assert_eq!(item.alert, alert(index as u32, 1), "whole and once");
        }
        assert!(!dir.path().join("spool.db.damaged").exists());
    }
    println!("{spooled} alerts survived {ROUNDS} kills");
}
