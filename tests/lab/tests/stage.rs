//! The player, on real interfaces: every frame crosses the cable once, the right way.
//!
//! Needs root, as namespaces do; without it there is nothing to try, and the test says so.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_lab::labels::{self, Labels};
use goshawk_lab::{Capture, Namespace, Pace, Recorder, STAGE_INTERFACE, Stage};

/// As fast as the cable takes it.
const FULL_SPEED: Pace = Pace {
    speed: f64::INFINITY,
    longest_gap: Duration::ZERO,
};

fn counter(namespace: &Namespace, name: &str) -> usize {
    let path = format!("cat /sys/class/net/{STAGE_INTERFACE}/statistics/{name}");
    let number = namespace.sh(&path).expect("the interface has counters");
    number.trim().parse().expect("a counter is a number")
}

fn privileged() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tried: network namespaces need root");
    }
    root
}

#[test]
fn each_direction_crosses_the_controllers_interface_its_own_way() {
    if !privileged() {
        return;
    }
    let stage = Stage::new().unwrap();
    let mut large = 0;
    for label in Labels::load(&labels::folder()).unwrap().captures {
        let capture = Capture::load(&label.path()).unwrap();
        large += capture
            .packets
            .iter()
            .filter(|packet| packet.frame.len() > 1_514)
            .count();
        let before = ["tx_packets", "rx_packets"].map(|name| counter(stage.dc(), name));
        let played = stage
            .play(&capture, &[IpAddr::V4(label.dc)], FULL_SPEED)
            .unwrap();
        let after = ["tx_packets", "rx_packets"].map(|name| counter(stage.dc(), name));
        assert_eq!(after[0] - before[0], played.sent, "sent in {}", label.file);
        assert_eq!(
            after[1] - before[1],
            played.received,
            "received in {}",
            label.file
        );
        assert!(played.sent + played.received >= capture.packets.len());
    }
    assert!(large > 0, "some recorded frame exceeds the cable's MTU");
}

#[test]
fn nothing_but_the_recording_is_on_the_cable() {
    if !privileged() {
        return;
    }
    let label = Labels::load(&labels::folder())
        .unwrap()
        .of("dcsync-vampire")
        .unwrap()
        .clone();
    let capture = Capture::load(&label.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let seen = place.path().join("seen.pcap");
    let stage = Stage::new().unwrap();
    let recorder = Recorder::on(stage.dc(), STAGE_INTERFACE, &seen).unwrap();
    let played = stage
        .play(&capture, &[IpAddr::V4(label.dc)], Pace::default())
        .unwrap();
    recorder.stop().unwrap();
    assert_eq!(
        Capture::load(&seen).unwrap().packets.len(),
        played.sent + played.received
    );
}
