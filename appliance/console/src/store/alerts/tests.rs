use goshawk_model::{Account, Confidence, Digest, Evidence, Party};

use super::*;
use crate::store::{Store, sensors, testing};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_parts(1_000_000 + seconds, 0)
}

fn alert(number: u64, revision: u32) -> Alert {
    Alert {
        id: Digest::of(&[&number.to_be_bytes()]),
        revision,
        external_id: 2006,
        title: "Suspected DCSync attack".into(),
        severity: Severity::High,
        confidence: Confidence::High,
        start: at(0),
        end: at(number),
        techniques: vec!["T1003.006".into()],
        source: Party {
            account: Some(Account::new("Mallory", "CORP.EXAMPLE")),
            ..Party::default()
        },
        targets: vec![Party {
            host: Some("DC1".into()),
            ..Party::default()
        }],
        targets_total: 1,
        count: 1,
        summary: format!("number {number}"),
        reason: "because".into(),
        remediation: vec!["do".into()],
        sensor: "dc1".into(),
        evidence: vec![Evidence {
            time: at(0),
            activity: Digest::of(&[]),
            detail: "seen".into(),
        }],
    }
}

fn items(numbers: std::ops::Range<u64>) -> Vec<Item> {
    numbers
        .map(|number| Item {
            sequence: number,
            alert: alert(number, 1),
        })
        .collect()
}

fn store_with_sensors() -> (tempfile::TempDir, Store) {
    let (temp, store) = testing::store();
    store
        .write_now(|tx| {
            for (name, fingerprint) in [("dc1", 1), ("dc2", 2)] {
                let issued = crate::pki::Issued {
                    certificate: Vec::new(),
                    fingerprint: [fingerprint; 32],
                    expires: at(0),
                };
                sensors::enroll(tx, name, &issued, at(0))?.unwrap();
            }
            Ok(())
        })
        .unwrap();
    (temp, store)
}

fn keep_now(store: &Store, sensor: &str, spool: &str, items: &[Item]) -> Kept {
    store
        .write_now(|tx| keep(tx, sensor, spool, items, at(9)))
        .unwrap()
}

fn total(store: &Store) -> u64 {
    store.read_now(count).unwrap()
}

#[test]
fn a_replay_after_a_broken_connection_changes_nothing() {
    let (_temp, store) = store_with_sensors();
    let kept = keep_now(&store, "dc1", "s", &items(1..11));
    assert_eq!((kept.acknowledged, kept.news), (10, 10));
    let again = keep_now(&store, "dc1", "s", &items(5..13));
    assert_eq!((again.acknowledged, again.news), (12, 2));
    assert_eq!(total(&store), 12);
    assert_eq!(store.read_now(|c| acknowledged(c, "dc1", "s")).unwrap(), 12);
    assert_eq!(store.read_now(|c| acknowledged(c, "dc1", "t")).unwrap(), 0);
}

#[test]
fn the_highest_revision_wins_in_any_order() {
    let (_temp, store) = store_with_sensors();
    for (sequence, revision) in [(1, 2), (2, 1), (3, 3), (4, 3)] {
        let item = Item {
            sequence,
            alert: alert(7, revision),
        };
        keep_now(&store, "dc1", "s", &[item]);
    }
    let id = alert(7, 1).id;
    let stored = store.read_now(|c| find(c, id)).unwrap().unwrap();
    assert_eq!(stored.alert, alert(7, 3));
    let life = store.read_now(|c| revisions(c, id)).unwrap();
    let numbers: Vec<_> = life.iter().map(|step| step.revision).collect();
    assert_eq!(numbers, [3, 2]);
}

#[test]
fn one_sensor_does_not_rewrite_anothers_alert() {
    let (_temp, store) = store_with_sensors();
    keep_now(&store, "dc1", "s", &items(1..2));
    let forged = Item {
        sequence: 1,
        alert: Alert {
            summary: "nothing to see".into(),
            ..alert(1, 9)
        },
    };
    let kept = keep_now(&store, "dc2", "s", &[forged]);
    assert_eq!((kept.acknowledged, kept.foreign), (1, 1));
    let stored = store
        .read_now(|c| find(c, alert(1, 1).id))
        .unwrap()
        .unwrap();
    assert_eq!(stored.alert.summary, "number 1");
}

#[test]
fn a_sequence_beyond_every_spool_is_an_error() {
    let (_temp, store) = store_with_sensors();
    let item = Item {
        sequence: u64::MAX,
        alert: alert(1, 1),
    };
    let error = store
        .write_now(|tx| keep(tx, "dc1", "s", &[item], at(9)))
        .unwrap_err();
    assert!(error.to_string().contains("beyond"));
    assert_eq!(total(&store), 0);
}

#[test]
fn a_closed_alert_opens_when_the_attack_goes_on() {
    let (_temp, store) = store_with_sensors();
    let id = alert(1, 1).id;
    let closed = || {
        let stored = store.read_now(|c| find(c, id)).unwrap().unwrap();
        (stored.closed, stored.closed_by)
    };
    keep_now(&store, "dc1", "s", &items(1..2));
    assert!(
        store
            .write_now(|tx| close(tx, id, Some("admin"), at(20)))
            .unwrap()
    );
    assert_eq!(closed(), (Some(at(20)), Some("admin".into())));
    let quiet = Item {
        sequence: 2,
        alert: alert(1, 2),
    };
    keep_now(&store, "dc1", "s", &[quiet]);
    assert!(closed().0.is_some());
    let active = Item {
        sequence: 3,
        alert: Alert {
            end: at(50),
            ..alert(1, 3)
        },
    };
    keep_now(&store, "dc1", "s", &[active]);
    assert_eq!(closed(), (None, None));
    let unknown = Digest::of(&[b"none"]);
    assert!(
        !store
            .write_now(|tx| close(tx, unknown, None, at(20)))
            .unwrap()
    );
}

#[test]
fn the_timeline_is_filtered_and_paged() {
    let (_temp, store) = store_with_sensors();
    keep_now(&store, "dc1", "s", &items(1..61));
    let low = Item {
        sequence: 1,
        alert: Alert {
            severity: Severity::Low,
            title: "Straße 100%".into(),
            ..alert(99, 1)
        },
    };
    keep_now(&store, "dc2", "s", &[low]);
    let found = |filter: Filter, page| {
        let page = store.read_now(|c| search(c, &filter, page)).unwrap();
        (
            page.total,
            page.alerts.len(),
            page.alerts.first().map(|a| a.alert.end),
        )
    };
    let all = Filter::default;
    assert_eq!(found(all(), 1), (61, 50, Some(at(99))));
    assert_eq!(found(all(), 2), (61, 11, Some(at(11))));
    assert_eq!(found(all(), 3), (61, 0, None));
    let severity = Some(Severity::Low);
    assert_eq!(found(Filter { severity, ..all() }, 1).0, 1);
    let sensor = Some("dc2".to_owned());
    assert_eq!(found(Filter { sensor, ..all() }, 1).0, 1);
    for (text, wanted) in [
        ("MALLORY dc1", 61),
        ("mallory dc9", 0),
        ("100%", 1),
        ("straße", 1),
        ("t1003.006", 61),
        ("' OR 1=1 --", 0),
        ("", 61),
    ] {
        let text = Some(text.to_owned());
        assert_eq!(
            found(
                Filter {
                    text: text.clone(),
                    ..all()
                },
                1
            )
            .0,
            wanted,
            "{text:?}"
        );
    }
    store
        .write_now(|tx| close(tx, alert(5, 1).id, Some("admin"), at(99)))
        .unwrap();
    for (state, wanted) in [(State::Open, 60), (State::Closed, 1)] {
        let state = Some(state);
        assert_eq!(found(Filter { state, ..all() }, 1).0, wanted);
    }
}

#[test]
fn what_is_old_or_too_much_leaves() {
    let (_temp, store) = store_with_sensors();
    keep_now(&store, "dc1", "s", &items(1..11));
    let prune_now = |seconds, most| {
        store
            .write_now(|tx| prune(tx, at(seconds), Duration::from_secs(100), most))
            .unwrap()
    };
    assert_eq!(prune_now(109, MAX_ALERTS), 0);
    assert_eq!(prune_now(109, 4), 6);
    assert_eq!(total(&store), 4);
    assert_eq!(prune_now(110, MAX_ALERTS), 4);
}

#[test]
fn spools_and_revisions_are_bounded() {
    let (_temp, store) = store_with_sensors();
    let rows = |table: &str| -> u32 {
        let count = format!("SELECT count(*) FROM {table}");
        store
            .read_now(|c| Ok(c.query_row(&count, [], |row| row.get(0))?))
            .unwrap()
    };
    for spool in 0..MAX_SPOOLS + 5 {
        keep_now(&store, "dc1", &spool.to_string(), &items(1..2));
    }
    assert_eq!(rows("spools"), MAX_SPOOLS);
    for revision in 1..=MAX_REVISIONS + 5 {
        let item = Item {
            sequence: u64::from(revision),
            alert: alert(1, revision),
        };
        keep_now(&store, "dc1", "life", &[item]);
    }
    assert_eq!(rows("revisions"), MAX_REVISIONS);
}

#[test]
fn words_are_bounded() {
    let mut endless = alert(1, 1);
    endless.title = "é".repeat(MAX_WORDS);
    assert!(words(&endless).len() <= MAX_WORDS);
}
