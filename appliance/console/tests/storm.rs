//! kill -9 of the console in the middle of a storm of alerts: nothing acknowledged is lost,
//! nothing is there twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::alert;
use common::sensor::{Link, Papers, enroll, hello};
use goshawk_console::data::DataDir;
use goshawk_console::enrollment::parse_token;
use goshawk_console::store::{Store, alerts};
use goshawk_model::frame::Frame;

const CONSOLE: &str = env!("CARGO_BIN_EXE_goshawk-console");
/// Alerts of the whole storm.
const STORM: u64 = 6_000;
/// How often the console is killed in it.
const KILLS: u64 = 3;

/// A console in a process of its own; it does not outlive the test.
struct Process(Child, String);

impl Process {
    fn start(data: &Path, listen: &str) -> Self {
        let mut child = Command::new(CONSOLE)
            .args([
                "run",
                "--portal",
                "127.0.0.1:0",
                "--listen",
                listen,
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let greeting = BufReader::new(child.stdout.take().unwrap());
        let address = greeting
            .lines()
            .map(Result::unwrap)
            .find_map(|line| Some(line.trim().strip_prefix("sensors      UDP ")?.to_owned()))
            .expect("the console says where it listens");
        Self(child, address)
    }

    fn kill(&mut self) {
        // SIGKILL, on Unix.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_storm_loses_and_doubles_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    let mut console = Process::start(&data, "127.0.0.1:0");
    let address = console.1.clone();
    let output = Command::new(CONSOLE)
        .args(["token", "--address", &address, "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success());
    let token = parse_token(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let papers = enroll(&token, "dc1").await.unwrap();

    let mut acknowledged = 0;
    for kill in 1..=KILLS {
        let enough = STORM * kill / (KILLS + 1);
        acknowledged = deliver(&address, &papers, acknowledged, enough).await;
        console.kill();
        console = Process::start(&data, &address);
    }
    acknowledged = deliver(&address, &papers, acknowledged, STORM).await;
    assert_eq!(acknowledged, STORM);
    drop(console);
    assert_eq!(
        kept(&data),
        (1..=STORM).map(|number| alert(number).id).collect()
    );
}

/// Sends everything from before what is acknowledged, as after a broken connection, and stops in
/// the midst of it when `enough` is acknowledged.
async fn deliver(address: &str, papers: &Papers, acknowledged: u64, enough: u64) -> u64 {
    let opened = Link::open(address, papers, hello("dc1", "spool")).await;
    let (link, welcome) = opened.unwrap();
    assert!(
        welcome.acknowledged >= acknowledged,
        "{acknowledged} were acknowledged, {} are kept",
        welcome.acknowledged
    );
    let Link {
        mut sending,
        receiving,
        connection,
        ..
    } = link;
    let first = acknowledged.saturating_sub(50) + 1;
    let storm = tokio::spawn(async move {
        for sequence in first..=STORM {
            let item = Frame::Item(Box::new(goshawk_model::frame::Item {
                sequence,
                alert: alert(sequence),
            }));
            // The connection ends under the storm, that is the point.
            if sending.write_all(&item.encode().unwrap()).await.is_err() {
                return;
            }
        }
        let _ = connection.closed().await;
    });
    let mut reader = common::sensor::Acks(receiving);
    let mut latest = acknowledged;
    while latest < enough {
        latest = reader.next().await;
    }
    storm.abort();
    latest
}

fn kept(data: &Path) -> HashSet<goshawk_model::AlertId> {
    let store = Store::open(&DataDir::open(data).unwrap()).unwrap();
    assert_eq!(store.damage().unwrap(), None);
    assert_eq!(store.read_now(alerts::count).unwrap(), STORM);
    let page = |number| {
        store
            .read_now(|c| alerts::search(c, &alerts::Filter::default(), number))
            .unwrap()
            .alerts
    };
    (1..)
        .map(page)
        .take_while(|alerts| !alerts.is_empty())
        .flatten()
        .map(|stored| stored.alert.id)
        .collect()
}
