use super::*;
use crate::store::{Store, testing};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_parts(1_000_000 + seconds, 0)
}

fn papers(fingerprint: u8) -> Issued {
    Issued {
        certificate: Vec::new(),
        fingerprint: [fingerprint; 32],
        expires: at(90 * 86_400),
    }
}

fn arrival(clock_offset: i64) -> Arrival {
    Arrival {
        address: "192.0.2.7:999".into(),
        build: "0.1.0".into(),
        mode: "host".into(),
        clock_offset,
    }
}

fn enrolled(store: &Store, name: &str, fingerprint: u8) {
    store
        .write_now(|tx| enroll(tx, name, &papers(fingerprint), at(0)))
        .unwrap()
        .unwrap();
}

fn standing(store: &Store, fingerprint: u8) -> Standing {
    store.write_now(|tx| admit(tx, &[fingerprint; 32])).unwrap()
}

fn only(store: &Store, seconds: u64) -> Sensor {
    store.read_now(|c| list(c, at(seconds))).unwrap().remove(0)
}

#[test]
fn a_name_is_taken_until_it_is_revoked() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    let again = store
        .write_now(|tx| enroll(tx, "dc1", &papers(2), at(1)))
        .unwrap();
    assert!(again.unwrap_err().contains("goshawk-console revoke dc1"));
    assert_eq!(
        store.write_now(|tx| revoke(tx, "dc1", at(2))).unwrap(),
        Some(true)
    );
    assert_eq!(
        store.write_now(|tx| revoke(tx, "dc1", at(3))).unwrap(),
        Some(false)
    );
    assert_eq!(
        store.write_now(|tx| revoke(tx, "dc9", at(3))).unwrap(),
        None
    );
    assert_eq!(standing(&store, 1), Standing::Revoked("dc1".into()));
    enrolled(&store, "dc1", 2);
    assert_eq!(standing(&store, 1), Standing::Unknown);
    assert_eq!(standing(&store, 2), Standing::Good("dc1".into()));
}

#[test]
fn the_old_certificate_lives_until_the_new_one_is_used() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    store.write_now(|tx| renew(tx, "dc1", &papers(2))).unwrap();
    for fingerprint in [1, 1, 2, 2] {
        assert_eq!(standing(&store, fingerprint), Standing::Good("dc1".into()));
    }
    assert_eq!(standing(&store, 1), Standing::Unknown);
}

#[test]
fn a_revoked_sensor_that_is_connected_is_found() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    store
        .write_now(|tx| arrived(tx, "dc1", &arrival(0), at(1)))
        .unwrap();
    assert_eq!(store.read_now(revoked_but_connected).unwrap(), [""; 0]);
    store.write_now(|tx| revoke(tx, "dc1", at(2))).unwrap();
    assert_eq!(store.read_now(revoked_but_connected).unwrap(), ["dc1"]);
    store.write_now(|tx| left(tx, "dc1")).unwrap();
    assert_eq!(store.read_now(revoked_but_connected).unwrap(), [""; 0]);
}

#[test]
fn a_connection_is_believed_while_it_is_fresh() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    assert_eq!(only(&store, 1).problems, ["it has never connected"]);
    store
        .write_now(|tx| arrived(tx, "dc1", &arrival(0), at(1)))
        .unwrap();
    assert!(only(&store, 45).connected);
    assert!(!only(&store, 46).connected);
    store
        .write_now(|tx| still_here(tx, &["dc1".into()], at(40)))
        .unwrap();
    assert!(only(&store, 60).connected);
    store.write_now(all_left).unwrap();
    let sensor = only(&store, 60);
    assert_eq!(
        sensor.problems,
        ["it is not connected, and was last seen 20 s ago"]
    );
}

#[test]
fn a_clock_that_is_off_is_a_problem() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    for (seconds, problem) in [
        (3_600, Some("its clock is 1 h ahead of the console's")),
        (-3_660, Some("its clock is 1 h 1 min behind the console's")),
        (299, None),
    ] {
        let off = arrival(seconds * 1_000_000_000);
        store
            .write_now(|tx| arrived(tx, "dc1", &off, at(1)))
            .unwrap();
        let problems = only(&store, 2).problems;
        match problem {
            Some(text) => assert!(problems[0].starts_with(text), "{problems:?}"),
            None => assert_eq!(problems, [""; 0]),
        }
    }
}

#[test]
fn a_certificate_that_runs_out_is_a_problem() {
    let (_temp, store) = testing::store();
    enrolled(&store, "dc1", 1);
    let day = 86_400;
    assert_eq!(only(&store, 70 * day).problems.len(), 1);
    assert!(only(&store, 80 * day).problems[1].contains("runs out in 10 d"));
    assert!(only(&store, 90 * day).problems[1].contains("has run out"));
}

#[test]
fn the_table_is_bounded() {
    let (_temp, store) = testing::store();
    let outcome = store
        .write_now(|tx| {
            let mut last = Ok(());
            for number in 0..=MAX_SENSORS {
                last = enroll(tx, &format!("s{number}"), &papers(1), at(0))?;
            }
            Ok(last)
        })
        .unwrap();
    assert!(outcome.unwrap_err().contains("10000 sensors"));
}
