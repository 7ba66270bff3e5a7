//! Alerts to test with.

use goshawk_model::{Alert, Confidence, Digest, Party, Severity, Timestamp};

/// The `number`th alert at a revision.
pub(crate) fn alert(number: u32, revision: u32) -> Alert {
    Alert {
        id: Digest::of(&[&number.to_be_bytes()]),
        revision,
        external_id: 2006,
        title: "Replication of directory secrets".into(),
        severity: Severity::High,
        confidence: Confidence::High,
        start: Timestamp::from_parts(1_772_359_200, 0),
        end: Timestamp::from_parts(1_772_359_200 + u64::from(revision), 0),
        techniques: vec!["T1003.006".into()],
        source: Party::default(),
        targets: Vec::new(),
        targets_total: 0,
        count: u64::from(revision),
        summary: format!("alert {number}"),
        reason: String::new(),
        remediation: Vec::new(),
        sensor: "dc1".into(),
        evidence: Vec::new(),
    }
}
