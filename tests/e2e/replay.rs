//! `replay`'s contract: formats, order, exit statuses, and what it says when a file is bad.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use goshawk_lab::labels;
use goshawk_tests::{Programs, Replayed, Said, replay, run_sensor};

const DC: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 83, 0, 10);

fn recording(name: &str) -> PathBuf {
    labels::folder().join(name)
}

/// The DCSync recording, unpacked.
fn plain() -> Vec<u8> {
    let mut bytes = Vec::new();
    let packed = fs::File::open(recording("attack/dcsync-secretsdump.pcap.gz")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
    bytes
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn ids(replayed: &Replayed) -> Vec<u64> {
    replayed
        .alerts
        .iter()
        .filter_map(|alert| alert["externalId"].as_u64())
        .collect()
}

#[test]
fn plain_gzip_zstd_and_standard_input_find_the_same() {
    let files = Files::new();
    let expected = replay(
        &[&recording("attack/dcsync-secretsdump.pcap.gz")],
        &[DC],
        &[],
    );
    assert_eq!(ids(&expected), [2006]);
    let plain = plain();
    for path in [
        files.put("plain.pcap", &plain),
        files.put(
            "packed.zst",
            &zstd::encode_all(plain.as_slice(), 3).unwrap(),
        ),
    ] {
        assert_eq!(replay(&[&path], &[DC], &[]).said.out, expected.said.out);
    }
    let mut sensor = Programs::of_this_build()
        .sensor()
        .args(["replay", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sensor.stdin.take().unwrap().write_all(&plain).unwrap();
    let output: Said = sensor.wait_with_output().unwrap().into();
    assert!(output.out.contains("\"externalId\":2006"), "{output:?}");
}

#[test]
fn an_alert_has_the_fields_of_the_contract() {
    let found = replay(
        &[&recording("attack/dcsync-secretsdump.pcap.gz")],
        &[DC],
        &[],
    );
    let alert = found.alerts[0].as_object().unwrap();
    for field in [
        "kind",
        "id",
        "revision",
        "externalId",
        "title",
        "severity",
        "confidence",
        "start",
        "end",
        "techniques",
        "source",
        "targets",
        "targetsTotal",
        "count",
        "summary",
        "evidence",
    ] {
        assert!(alert.contains_key(field), "{field}");
    }
    let time = alert["start"].as_str().unwrap();
    assert_eq!(
        (time.len(), time.as_bytes()[29]),
        (30, b'Z'),
        "{time}: UTC with nanoseconds"
    );
    for field in ["ip", "host", "account"] {
        assert!(alert["source"].as_object().unwrap().contains_key(field));
    }
    let evidence = alert["evidence"][0].as_object().unwrap();
    assert!(
        ["time", "activity", "detail"]
            .iter()
            .all(|&field| evidence.contains_key(field))
    );
}

#[test]
fn stats_end_standard_error_with_one_object() {
    let found = replay(
        &[&recording("attack/dcsync-kerberos.pcap.gz")],
        &[DC],
        &["--stats"],
    );
    let last = found.said.err.lines().last().unwrap();
    let stats: serde_json::Value = serde_json::from_str(last).unwrap();
    assert!(stats["packets"].as_u64().unwrap() > 20);
    assert!(stats["bytes"].as_u64().unwrap() > 1000 && stats["seconds"].is_f64());
    assert!(stats["drops"].is_object());
    assert!(stats["protocols"]["kerberos"]["messages"].as_u64().unwrap() > 0);
    assert_eq!(stats["protocols"]["dcerpc"]["errors"], 0);
}

#[test]
fn several_files_merge_by_time_whatever_their_order() {
    let (one, two) = (
        recording("attack/spray-kinit.pcap.gz"),
        recording("attack/dcsync-secretsdump.pcap.gz"),
    );
    let merged = replay(&[&one, &two], &[DC], &["--activities"]);
    let other = replay(&[&two, &one], &[DC], &["--activities"]);
    assert_eq!(merged.said.out, other.said.out);
    let mut found = ids(&merged);
    found.sort_unstable();
    assert_eq!(found, [2006, 2023]);
    let sequential = replay(&[&two, &one], &[DC], &["--sequential"]);
    assert_eq!(ids(&sequential).len(), 2);
}

#[test]
fn alerts_are_ordered_by_start_number_and_id() {
    let all: Vec<PathBuf> = fs::read_dir(recording("attack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let found = replay(&all, &[DC], &[]);
    let key = |alert: &serde_json::Value| {
        let text = |field: &str| alert[field].as_str().unwrap().to_owned();
        (
            text("start"),
            alert["externalId"].as_u64().unwrap(),
            text("id"),
        )
    };
    let keys: Vec<_> = found.alerts.iter().map(key).collect();
    assert!(keys.len() >= 5 && keys.is_sorted());
    let mut unique = keys.clone();
    unique.dedup_by_key(|key| key.2.clone());
    assert_eq!(unique.len(), keys.len(), "each alert once");
}

#[test]
fn a_cut_last_record_is_a_warning() {
    let files = Files::new();
    let plain = plain();
    let cut = files.put("cut.pcap", &plain[..plain.len() - 7]);
    let found = replay(&[&cut], &[DC], &[]);
    assert_eq!(ids(&found), [2006]);
    found
        .said
        .one_clear_line(0, &["warning", "cut.pcap", "cut"]);
}

#[test]
fn what_cannot_be_read_is_one_line_and_the_rest_is_read() {
    let files = Files::new();
    let good = recording("attack/dcsync-secretsdump.pcap.gz");
    let plain = plain();
    let mut corrupt = plain.clone();
    let middle = 24 + 16 + u32::from_le_bytes(plain[32..36].try_into().unwrap()) as usize;
    corrupt[middle + 8..middle + 12].copy_from_slice(&[0xff; 4]);
    for (path, word) in [
        (files.0.path().join("missing.pcap"), "No such file"),
        (
            files.put("text.pcap", b"this is no capture at all, but a text"),
            "not a capture",
        ),
        (files.put("empty.pcap", b""), "not a capture"),
        (
            files.put("corrupt.pcap", &corrupt),
            "corrupt after packet 1",
        ),
        (files.0.path().to_owned(), "directory"),
    ] {
        let found = replay(&[&path, &good], &[DC], &[]);
        assert_eq!(
            ids(&found),
            [2006],
            "the other file is read: {:?}",
            found.said
        );
        found
            .said
            .one_clear_line(1, &["error", word, path.to_str().unwrap()]);
    }
}

#[test]
fn garbage_in_packets_is_skipped_quietly() {
    let files = Files::new();
    let plain = plain();
    // Every 37th byte of every packet's payload turned over, record headers left alone.
    let mut bytes = plain.clone();
    let mut at = 24;
    while at + 16 <= bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        for byte in bytes[at + 16..at + 16 + length]
            .iter_mut()
            .skip(40)
            .step_by(37)
        {
            *byte ^= 0x5a;
        }
        at += 16 + length;
    }
    let found = replay(&[&files.put("garbage.pcap", &bytes)], &[DC], &["--stats"]);
    assert_eq!(found.said.status, 0);
    assert!(!found.said.err.contains("panicked"));
}

#[test]
fn wrong_arguments_and_configuration_end_with_two() {
    let files = Files::new();
    let config = files.put("sensor.toml", b"[domain]\ncontollers = []\n");
    let capture = recording("benign/idle.pcap.gz");
    let (config, capture) = (config.display().to_string(), capture.display().to_string());
    run_sensor(&["replay", "--config", &config, &capture])
        .one_clear_line(2, &["controllers", ":2:1"]);
    run_sensor(&["replay", "--config", "/nonexistent/sensor.toml", &capture])
        .one_clear_line(2, &["/nonexistent/sensor.toml"]);
    assert_eq!(run_sensor(&["replay"]).status, 2);
    assert_eq!(
        run_sensor(&["replay", "--workers", "0", &capture]).status,
        2
    );
    assert_eq!(run_sensor(&["fly"]).status, 2);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let files: Vec<PathBuf> = fs::read_dir(recording("attack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "gz"))
        .collect();
    let mut sensor = Programs::of_this_build()
        .sensor()
        .args(["replay", "--json", "--activities"])
        .args(&files)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(sensor.stdout.take());
    let said: Said = sensor.wait_with_output().unwrap().into();
    assert_eq!((said.err.as_str(), said.status), ("", 0));
}

#[test]
fn people_read_sentences() {
    let capture = recording("attack/dcsync-secretsdump.pcap.gz");
    let said = run_sensor(&["replay", &capture.display().to_string()]);
    assert!(
        said.out.contains("HIGH") && said.out.contains("[2006]") && said.out.contains("1 alert.")
    );
    let silent = run_sensor(&[
        "replay",
        &recording("benign/idle.pcap.gz").display().to_string(),
    ]);
    assert_eq!(silent.out, "No alerts.\n");
}
