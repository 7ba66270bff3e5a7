//! Cuts what a sensor sends to what the store is willing to keep.
//!
//! A sound sensor stays far below these bounds; one that an attacker has taken over may not.

use goshawk_model::{Alert, SensorHealth};

/// The longest line of text, bytes.
const LINE: usize = 1024;
/// The longest paragraph, bytes.
const PARAGRAPH: usize = 8 * 1024;
/// Entries of a list or map that has no bound of its own.
const ENTRIES: usize = 64;

/// An alert within its bounds, raised by the sensor whose certificate the connection has.
pub(super) fn alert(alert: &mut Alert, sensor: &str) {
    sensor.clone_into(&mut alert.sensor);
    cut(&mut alert.title, LINE);
    cut(&mut alert.summary, PARAGRAPH);
    cut(&mut alert.reason, PARAGRAPH);
    lines(&mut alert.remediation);
    lines(&mut alert.techniques);
    alert.targets.truncate(Alert::MAX_TARGETS);
    for party in std::iter::once(&mut alert.source).chain(&mut alert.targets) {
        party.host.iter_mut().for_each(|host| cut(host, LINE));
    }
    alert.evidence.truncate(Alert::MAX_EVIDENCE);
    for evidence in &mut alert.evidence {
        cut(&mut evidence.detail, PARAGRAPH);
    }
}

/// A sensor's health within its bounds, under the name that its certificate has.
pub(super) fn health(health: &mut SensorHealth, sensor: &str) {
    sensor.clone_into(&mut health.sensor);
    cut(&mut health.build, ENTRIES);
    cut(&mut health.capture.mode, ENTRIES);
    lines(&mut health.capture.attachments);
    lines(&mut health.problems);
    health.learning.truncate(ENTRIES);
    for (what, _) in &mut health.learning {
        cut(what, LINE);
    }
    for map in [&mut health.drops, &mut health.messages] {
        while map.len() > ENTRIES {
            map.pop_last();
        }
        map.retain(|name, _| name.len() <= LINE);
    }
}

fn lines(lines: &mut Vec<String>) {
    lines.truncate(ENTRIES);
    for line in lines {
        cut(line, LINE);
    }
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(test)]
mod tests {
    use goshawk_model::{Party, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_is_cut_and_named_by_its_certificate() {
        let mut excessive: Alert = serde_json::from_value(json!({
            "id": "00000000000000000000000000000000", "revision": 1, "externalId": 1,
            "title": "é".repeat(LINE), "severity": "low", "confidence": "low",
            "start": Timestamp::ZERO, "end": Timestamp::ZERO,
            "techniques": vec!["T1"; 1000], "source": Party::default(),
            "targets": vec![Party { host: Some("h".repeat(9999)), ..Party::default() }; 1000],
            "targetsTotal": 1000, "count": 1, "summary": "s".repeat(99_999), "reason": "",
            "remediation": vec!["r".repeat(9999); 100], "sensor": "somebody else",
            "evidence": vec![json!({
                "time": Timestamp::ZERO, "activity": "00000000000000000000000000000000",
                "detail": "d".repeat(99_999)
            }); 100],
        }))
        .unwrap();
        alert(&mut excessive, "dc1");
        assert_eq!(excessive.sensor, "dc1");
        assert_eq!(excessive.title.len(), LINE);
        assert_eq!(excessive.targets.len(), Alert::MAX_TARGETS);
        assert_eq!(excessive.evidence.len(), Alert::MAX_EVIDENCE);
        assert_eq!(excessive.remediation.len(), ENTRIES);
        assert_eq!(excessive.targets_total, 1000);
        assert!(serde_json::to_string(&excessive).unwrap().len() < 1 << 20);
    }

    #[test]
    fn health_is_cut_and_named_by_its_certificate() {
        let many: std::collections::BTreeMap<_, _> =
            (0..1000_u64).map(|n| (n.to_string(), n)).collect();
        let mut excessive: SensorHealth = serde_json::from_value(json!({
            "sensor": "somebody else", "build": "b".repeat(9999), "time": Timestamp::ZERO,
            "started": Timestamp::ZERO,
            "capture": {"mode": "m".repeat(9999), "attachments": vec!["a"; 1000]},
            "drops": many, "packets": 0, "activities": 0, "alerts": 0, "messages": many,
            "spooled": 0, "console": true, "problems": vec!["p".repeat(9999); 1000],
            "learning": vec![("l".repeat(9999), Timestamp::ZERO); 1000],
        }))
        .unwrap();
        health(&mut excessive, "dc1");
        assert_eq!(excessive.sensor, "dc1");
        assert_eq!(excessive.drops.len(), ENTRIES);
        assert!(serde_json::to_string(&excessive).unwrap().len() < 256 * 1024);
    }
}
