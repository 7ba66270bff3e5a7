//! A console on loopback, a sensor that speaks its protocol, and alerts to send.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its part of this, and is no library"
)]

pub mod browser;
pub mod sensor;

use std::path::PathBuf;

use goshawk_console::config::Config;
use goshawk_console::service::Service;
use goshawk_model::{
    Account, Alert, CaptureHealth, Confidence, Digest, Evidence, Party, SensorHealth, Severity,
    Timestamp,
};

/// A console within this process, on ports that were free.
pub struct Console {
    pub service: Service,
    pub data: PathBuf,
    _temp: tempfile::TempDir,
}

impl Console {
    /// Starts one in a new data directory.
    pub async fn start() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let service = Service::start(config(), data.clone()).await.unwrap();
        Self {
            service,
            data,
            _temp: temp,
        }
    }
}

/// Loopback and free ports.
pub fn config() -> Config {
    let mut config = Config::default();
    config.listen.sensors = ([127, 0, 0, 1], 0).into();
    config.listen.portal = ([127, 0, 0, 1], 0).into();
    config
}

/// A small alert; its id follows from `number`.
pub fn alert(number: u64) -> Alert {
    Alert {
        id: Digest::of(&[b"test", &number.to_be_bytes()]),
        revision: 1,
        external_id: 2006,
        title: "Suspected DCSync attack (replication of directory services)".into(),
        severity: Severity::High,
        confidence: Confidence::High,
        start: Timestamp::from_parts(1_772_359_200, 0),
        end: Timestamp::from_parts(1_772_359_200 + number, 0),
        techniques: vec!["T1003.006".into()],
        source: Party {
            ip: Some([10, 0, 0, 9].into()),
            host: None,
            account: Some(Account::new("mallory", "CORP.EXAMPLE")),
        },
        targets: vec![Party {
            ip: Some([10, 0, 0, 1].into()),
            host: Some("dc1".into()),
            account: None,
        }],
        targets_total: 1,
        count: 1,
        summary: "mallory@corp.example asked dc1 to replicate the secrets of krbtgt.".into(),
        reason: "Only domain controllers replicate; 10.0.0.9 is none.".into(),
        remediation: vec!["Disable mallory's account.".into()],
        sensor: "dc1".into(),
        evidence: vec![Evidence {
            time: Timestamp::from_parts(1_772_359_200, 7),
            activity: Digest::of(&[b"activity"]),
            detail: "DRSGetNCChanges for CN=krbtgt".into(),
        }],
    }
}

/// What a sensor says of itself.
pub fn health() -> SensorHealth {
    SensorHealth {
        sensor: "dc1".into(),
        build: env!("CARGO_PKG_VERSION").into(),
        time: goshawk_console::clock::now(),
        started: Timestamp::from_parts(1_772_359_200, 0),
        capture: CaptureHealth {
            mode: "host".into(),
            attachments: vec!["eth0 ingress: native XDP".into()],
            shunted: 0,
        },
        drops: [("ring full".to_owned(), 17)].into(),
        packets: 1_234_567,
        activities: 4_321,
        alerts: 2,
        messages: [("kerberos".to_owned(), 999)].into(),
        spooled: 0,
        console: Some(true),
        problems: Vec::new(),
        learning: Vec::new(),
    }
}
