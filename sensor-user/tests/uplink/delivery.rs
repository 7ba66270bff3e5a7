//! What is spooled arrives, whatever happens on the way.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use goshawk_model::frame::Refused;
use goshawk_model::{Digest, SensorHealth, Timestamp};
use goshawk_sensor::uplink::spool::{DEFAULT_LIMIT, Spool, SpoolWriter, spool_path};
use goshawk_sensor::uplink::{Handle, Uplink, UplinkConfig, enroll};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::alert;
use crate::console::{Authority, DAY, TestConsole};

const LONG: Duration = Duration::from_secs(60);

struct Sensor {
    state: TempDir,
    spool: SpoolWriter,
    uplink: Option<Handle>,
    _health: watch::Sender<SensorHealth>,
}

impl Sensor {
    fn start(state: TempDir) -> Self {
        let spool = SpoolWriter::start(state.path(), DEFAULT_LIMIT).unwrap();
        let starting = SensorHealth::starting("dc1", Timestamp::from_parts(7, 0));
        let (health, receiver) = watch::channel(starting);
        let config = UplinkConfig {
            state_dir: state.path().to_owned(),
            mode: "host".into(),
        };
        let uplink = Uplink::start(config, &spool, receiver).unwrap();
        Self {
            state,
            spool,
            uplink: Some(uplink),
            _health: health,
        }
    }

    fn enrolled(console: &TestConsole, authority: &Authority) -> Self {
        let state = tempfile::tempdir().unwrap();
        let token = console.token(authority, b"secret");
        enroll(&token, state.path(), "dc1", false).unwrap();
        Self::start(state)
    }

    fn connected(&self) -> Option<bool> {
        self.uplink.as_ref().unwrap().connected()
    }

    fn problems(&self) -> Vec<String> {
        self.uplink.as_ref().unwrap().problems()
    }

    fn has_problem(&self, part: &str) -> bool {
        self.problems().iter().any(|line| line.contains(part))
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn alerts_arrive_in_order_and_leave_the_pending() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let mut sensor = Sensor::enrolled(&console, &authority);
    for number in 0..1000 {
        sensor.spool.push(alert(number, 1));
    }
    assert_eq!(sensor.spool.flush(LONG), 0);
    eventually("all is acknowledged", || sensor.spool.pending() == 0);
    assert_eq!(sensor.connected(), Some(true));
    assert_eq!(sensor.problems(), [""; 0]);
    let spool = Spool::open_to_read(&spool_path(sensor.state.path())).unwrap();
    {
        let seen = console.seen();
        let sequences: Vec<u64> = seen.items.iter().map(|item| item.sequence).collect();
        assert!(sequences.iter().copied().eq(1..=1000));
        assert_eq!(seen.hellos[0].sensor, "dc1");
        assert_eq!(seen.hellos[0].mode, "host");
        assert_eq!(seen.hellos[0].spool, spool.id().unwrap());
    }
    eventually("health arrives", || !console.seen().health.is_empty());
    sensor.spool.push(alert(5000, 1));
    assert_eq!(sensor.spool.flush(LONG), 0);
    sensor.uplink.take().unwrap().shutdown(LONG);
    let last = Digest::of(&[&5000_u32.to_be_bytes()]);
    assert!(
        console.seen().kept.contains_key(&last),
        "delivered before the goodbye"
    );
    assert_eq!(spool.pending_count().unwrap(), 0);
}

#[test]
fn without_a_console_alerts_stay_until_there_is_one() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let sensor = Sensor::start(tempfile::tempdir().unwrap());
    sensor.spool.push(alert(1, 1));
    assert_eq!(sensor.spool.flush(LONG), 0);
    assert_eq!(sensor.connected(), None);
    assert_eq!(sensor.problems(), [""; 0]);
    let token = console.token(&authority, b"secret");
    enroll(&token, sensor.state.path(), "dc1", false).unwrap();
    eventually("the running sensor finds its papers", || {
        console.seen().items.len() == 1
    });
}

#[test]
fn a_console_that_goes_and_returns_gets_the_rest() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let address = console.address;
    let sensor = Sensor::enrolled(&console, &authority);
    eventually("connected", || sensor.connected() == Some(true));
    console.manners().break_after = Some(1);
    sensor.spool.push(alert(1, 1));
    eventually("the connection broke", || sensor.has_problem("by order"));
    drop(console);
    sensor.spool.push(alert(2, 1));
    let console = TestConsole::start(&authority, Some(address));
    eventually("both are there", || console.seen().kept.len() == 2);
    eventually("no problem is left", || sensor.problems().is_empty());
}

#[test]
fn another_authority_at_the_consoles_address_gets_nothing() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let address = console.address;
    let state = tempfile::tempdir().unwrap();
    let token = console.token(&authority, b"secret");
    enroll(&token, state.path(), "dc1", false).unwrap();
    drop(console);
    let imposter = TestConsole::start(&Arc::new(Authority::new()), Some(address));
    let sensor = Sensor::start(state);
    sensor.spool.push(alert(1, 1));
    eventually("it is noticed", || sensor.has_problem("has another CA"));
    assert_eq!(sensor.connected(), Some(false));
    assert_eq!(sensor.spool.flush(LONG), 0);
    assert_eq!(sensor.spool.pending(), 1);
    assert!(imposter.seen().hellos.is_empty());
}

#[test]
fn a_sensor_whose_authority_the_console_does_not_know_is_told() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let address = console.address;
    let state = tempfile::tempdir().unwrap();
    enroll(&console.token(&authority, b"s"), state.path(), "dc1", false).unwrap();
    drop(console);
    // The right certificate for the sensor's eyes; but sensors must be of another authority.
    let (leaf, key) = authority.leaf(goshawk_model::frame::SERVER_NAME, false);
    let chain = vec![leaf, authority.certificate.clone()];
    let other = Arc::new(Authority::new());
    let _console = TestConsole::with_chain(&other, chain, &key, Some(address));
    let sensor = Sensor::start(state);
    eventually("it is told", || {
        sensor.has_problem("does not take this sensor's certificate")
    });
}

#[test]
fn a_refusal_is_passed_on() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    console.manners().refuse = Some(Refused {
        reason: "dc1 was revoked".into(),
        permanent: true,
    });
    let sensor = Sensor::enrolled(&console, &authority);
    sensor.spool.push(alert(1, 1));
    eventually("the reason is shown", || {
        sensor.has_problem("dc1 was revoked")
    });
    assert_eq!(sensor.spool.flush(LONG), 0);
    assert_eq!(sensor.spool.pending(), 1);
    // Enrolling again is noticed at once, though a refusal is not tried again for minutes.
    console.manners().refuse = None;
    let token = console.token(&authority, b"again");
    enroll(&token, sensor.state.path(), "dc1", true).unwrap();
    eventually("it arrives", || console.seen().kept.len() == 1);
}

#[test]
fn a_clock_an_hour_off_is_a_problem_and_no_obstacle() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    console.manners().ahead = Duration::from_secs(3605);
    let sensor = Sensor::enrolled(&console, &authority);
    sensor.spool.push(alert(1, 1));
    eventually("it is told", || {
        sensor.has_problem("this machine's clock is 1 h 0 min behind the console's")
    });
    eventually("it arrives all the same", || console.seen().kept.len() == 1);
    assert_eq!(sensor.connected(), Some(true));
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let address = console.address;
    console.manners().issue_aged = 61 * DAY;
    let sensor = Sensor::enrolled(&console, &authority);
    let papers = sensor.state.path().join("console/sensor.pem");
    let before = fs::read(&papers).unwrap();
    eventually("there are new papers", || {
        fs::read(&papers).unwrap() != before
    });
    let shown = console.seen().sensor_certificate.clone();
    drop(console);
    let console = TestConsole::start(&authority, Some(address));
    eventually("it comes back", || {
        !console.seen().sensor_certificate.is_empty()
    });
    assert_ne!(
        console.seen().sensor_certificate,
        shown,
        "with the new certificate"
    );
    eventually("connected", || sensor.connected() == Some(true));
    assert_eq!(console.seen().renewals, 0, "which is young");
}

#[test]
fn damaged_papers_are_a_problem_that_names_the_file() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("console")).unwrap();
    fs::write(state.path().join("console/sensor.pem"), "nonsense").unwrap();
    let sensor = Sensor::start(state);
    eventually("it is told", || {
        sensor.has_problem("console/ca.pem cannot be used")
    });
    assert_eq!(sensor.connected(), Some(false));
}

proptest! {
    // Each case waits for several reconnections.
    #![proptest_config(ProptestConfig { cases: 5, max_shrink_iters: 5, ..ProptestConfig::default() })]

    #[test]
    fn every_alerts_last_word_arrives(
        breaks in proptest::collection::vec(proptest::option::of(1_usize..6), 1..4),
        pushes in proptest::collection::vec((0_u32..6, any::<bool>()), 1..40),
    ) {
        let authority = Arc::new(Authority::new());
        let console = TestConsole::start(&authority, None);
        let sensor = Sensor::enrolled(&console, &authority);
        let mut revisions = BTreeMap::<u32, u32>::new();
        let mut breaks = breaks.into_iter().cycle();
        for (number, change) in pushes {
            if change {
                console.manners().break_after = breaks.next().flatten();
            }
            let revision = revisions.entry(number).or_default();
            *revision += 1;
            sensor.spool.push(alert(number, *revision));
        }
        prop_assert_eq!(sensor.spool.flush(LONG), 0);
        console.manners().break_after = None;
        eventually("all is acknowledged", || sensor.spool.pending() == 0);
        let seen = console.seen();
        for (number, revision) in revisions {
            let id = Digest::of(&[&number.to_be_bytes()]);
            prop_assert_eq!(seen.kept.get(&id), Some(&revision));
        }
    }
}
