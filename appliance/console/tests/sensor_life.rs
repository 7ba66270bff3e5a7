//! The life of a sensor at a real console on loopback: enrolled, connected, delivering, renewed,
//! revoked; and each way in which it is turned away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use common::sensor::{Link, Papers, csr, enroll, enroll_with, hello, shifted};
use common::{Console, alert, health};
use goshawk_console::clock;
use goshawk_console::data::DataDir;
use goshawk_console::pki::Authority;
use goshawk_console::secret;
use goshawk_console::store::{alerts, sensors, tokens};
use goshawk_model::frame::{Frame, Hello, Renew, Token};
use rcgen::KeyPair;

const HOUR: Duration = Duration::from_secs(3600);

impl Console {
    fn token(&self, name: Option<&str>, valid: Duration) -> Token {
        let secret = secret::random().unwrap();
        self.service
            .store()
            .write_now(|tx| tokens::add(tx, &secret, name, clock::now(), valid))
            .unwrap();
        let authority = Authority::open(&DataDir::open(&self.data).unwrap()).unwrap();
        Token {
            address: self.address(),
            ca_fingerprint: authority.fingerprint().to_vec(),
            secret: secret.to_vec(),
        }
    }

    fn address(&self) -> String {
        self.service.sensors_address().unwrap().to_string()
    }

    async fn enrolled(&self, name: &str) -> Papers {
        enroll(&self.token(None, HOUR), name).await.unwrap()
    }

    async fn open(&self, papers: &Papers, spool: &str) -> (Link, u64) {
        let hello = hello(&papers.name, spool);
        let (link, welcome) = Link::open(&self.address(), papers, hello).await.unwrap();
        (link, welcome.acknowledged)
    }

    async fn refusal(&self, papers: &Papers, hello: Hello) -> (String, bool) {
        let Err(refused) = Link::open(&self.address(), papers, hello).await else {
            panic!("welcomed");
        };
        (refused.reason, refused.permanent)
    }

    fn revoke(&self, name: &str) {
        let revoked = self
            .service
            .store()
            .write_now(|tx| sensors::revoke(tx, name, clock::now()));
        assert_eq!(revoked.unwrap(), Some(true));
    }

    fn kept(&self) -> u64 {
        self.service.store().read_now(alerts::count).unwrap()
    }

    fn sensors(&self) -> Vec<sensors::Sensor> {
        self.service
            .store()
            .read_now(|c| sensors::list(c, clock::now()))
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_enrolls_delivers_and_is_not_heard_twice() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let (mut link, acknowledged) = console.open(&papers, "spool").await;
    assert_eq!(acknowledged, 0);
    for number in 1..=100 {
        link.item(number, alert(number)).await;
    }
    link.send(&Frame::Health(Box::new(health()))).await;
    link.acknowledged(100).await;
    assert_eq!(console.kept(), 100);
    let sensor = console.sensors().remove(0);
    assert!(sensor.connected);
    assert_eq!(sensor.problems, [""; 0]);

    // The connection breaks; the sensor did not see the last acknowledgements.
    drop(link);
    let (mut link, acknowledged) = console.open(&papers, "spool").await;
    assert_eq!(acknowledged, 100);
    for number in 90..=110 {
        link.item(number, alert(number)).await;
    }
    link.acknowledged(110).await;
    assert_eq!(console.kept(), 110);

    // A spool that was lost begins anew: the same alerts, under new sequences.
    let (mut link, acknowledged) = console.open(&papers, "another spool").await;
    assert_eq!(acknowledged, 0);
    for number in 1..=5 {
        link.item(number, alert(number)).await;
    }
    link.acknowledged(5).await;
    assert_eq!(console.kept(), 110);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_token_has_its_own_reason() {
    let console = Console::start().await;
    let good = console.token(None, HOUR);
    let mut wrong = good.clone();
    wrong.secret[0] ^= 1;
    let expired = console.token(None, Duration::ZERO);
    let named = console.token(Some("dc7"), HOUR);
    enroll(&good, "dc1").await.unwrap();
    for (token, name, reason) in [
        (&wrong, "dc2", "not one of this console's"),
        (&good, "dc2", "has been used already (by dc1)"),
        (&expired, "dc2", "expired at"),
        (&named, "dc2", "for a sensor named dc7"),
        (&named, "a b", "cannot name a sensor"),
    ] {
        let refused = enroll(token, name).await.err().unwrap();
        assert!(refused.reason.contains(reason), "{}", refused.reason);
        assert!(refused.permanent);
    }
    assert_eq!(console.sensors().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_to_enroll_too_often_must_wait() {
    let console = Console::start().await;
    let good = console.token(None, HOUR);
    let mut wrong = good.clone();
    wrong.secret[0] ^= 1;
    for _ in 0..5 {
        assert!(enroll(&wrong, "dc1").await.err().unwrap().permanent);
    }
    let refused = enroll(&good, "dc1").await.err().unwrap();
    assert!(refused.reason.contains("too many"), "{}", refused.reason);
    assert!(!refused.permanent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_the_token_good() {
    let console = Console::start().await;
    console.enrolled("dc1").await;
    let token = console.token(None, HOUR);
    let taken = enroll(&token, "dc1").await.err().unwrap();
    assert!(
        taken.reason.contains("goshawk-console revoke dc1"),
        "{}",
        taken.reason
    );
    let garbage = enroll_with(&token, "dc2", b"garbage".to_vec())
        .await
        .err()
        .unwrap();
    assert!(
        garbage.reason.contains("certificate request"),
        "{}",
        garbage.reason
    );
    enroll(&token, "dc2").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_closes_a_live_connection_and_keeps_it_closed() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let (mut link, _) = console.open(&papers, "spool").await;
    console.revoke("dc1");
    let refused = link.refusal().await;
    assert!(refused.permanent);
    assert!(refused.reason.contains("was revoked"), "{}", refused.reason);
    let (reason, permanent) = console.refusal(&papers, hello("dc1", "spool")).await;
    assert!(permanent && reason.contains("was revoked"), "{reason}");

    // The name is free again, and the old papers stay worthless.
    let new = console.enrolled("dc1").await;
    console.open(&new, "spool").await;
    let (reason, permanent) = console.refusal(&papers, hello("dc1", "spool")).await;
    assert!(
        permanent && reason.contains("enroll the sensor again"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn papers_of_another_authority_are_worth_nothing() {
    let (console, other) = (Console::start().await, Console::start().await);
    let mut papers = other.enrolled("dc1").await;
    papers.ca = console.enrolled("dc9").await.ca;
    // In TLS 1.3 a client may think itself connected before its certificate was looked at.
    let ended = match Link::dial(&console.address(), &papers).await {
        Ok(mut link) => link.next().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(!ended.is_empty());
    // And the sensor does not take this console for its own.
    let theirs = other.enrolled("dc2").await;
    let error = Link::dial(&console.address(), &theirs).await.err().unwrap();
    assert!(error.contains("UnknownIssuer"), "{error}");
    // Nor does a newcomer whose token names the other console's authority.
    assert!(console.sensors().iter().all(|sensor| sensor.name == "dc9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_must_fit_its_certificate_and_this_console() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let sound = hello("dc1", "spool");
    for (hello, reason) in [
        (
            Hello {
                sensor: "dc2".into(),
                ..sound.clone()
            },
            "calls itself dc2",
        ),
        (
            Hello {
                sensor: "\u{1b}[2J".into(),
                ..sound.clone()
            },
            "something else",
        ),
        (
            Hello {
                build: "99.0.0".into(),
                ..sound.clone()
            },
            "update the console",
        ),
        (
            Hello {
                schema: u16::MAX,
                ..sound.clone()
            },
            "update the console",
        ),
        (
            Hello {
                spool: String::new(),
                ..sound.clone()
            },
            "names no spool",
        ),
    ] {
        let (said, _) = console.refusal(&papers, hello).await;
        assert!(said.contains(reason), "{said}");
    }
    console.open(&papers, "spool").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_welcomed_and_shown() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let late = Hello {
        clock: shifted(-3_600),
        ..hello("dc1", "spool")
    };
    let (mut link, welcome) = Link::open(&console.address(), &papers, late).await.unwrap();
    assert!(clock::now().since(welcome.clock) < HOUR);
    let problems = console.sensors().remove(0).problems;
    assert!(problems[0].contains("its clock is") && problems[0].contains("behind"));
    // Once it is set right, the next health says so.
    link.send(&Frame::Health(Box::new(health()))).await;
    link.item(1, alert(1)).await;
    link.acknowledged(1).await;
    assert_eq!(console.sensors().remove(0).problems, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_on_the_live_connection() {
    let console = Console::start().await;
    let old = console.enrolled("dc1").await;
    let (mut link, _) = console.open(&old, "spool").await;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    link.send(&Frame::Renew(Renew { csr: csr(&key) })).await;
    let Frame::Renewed(renewed) = link.next().await.unwrap() else {
        panic!("not renewed");
    };
    let new = Papers {
        name: "dc1".into(),
        certificate: renewed.certificate,
        ca: old.ca.clone(),
        key,
    };
    // The old one works until the new one was used.
    console.open(&old, "spool").await;
    console.open(&new, "spool").await;
    let (reason, permanent) = console.refusal(&old, hello("dc1", "spool")).await;
    assert!(permanent && reason.contains("no longer"), "{reason}");
    console.open(&new, "spool").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_of_two_connections_stays() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let (mut first, _) = console.open(&papers, "spool").await;
    let (mut second, _) = console.open(&papers, "spool").await;
    let refused = first.refusal().await;
    assert!(!refused.permanent);
    second.item(1, alert(1)).await;
    second.acknowledged(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_ends_the_connection_and_nothing_else() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    for garbage in [
        &b"\xff\xff\xff\xff"[..],
        b"\0\0\0\0",
        b"\0\0\0\x05\x04\x01\xff\xff\xff",
        &Frame::Hello(hello("dc1", "x")).encode().unwrap(),
    ] {
        let (mut link, _) = console.open(&papers, "spool").await;
        link.sending.write_all(garbage).await.unwrap();
        let refused = link.refusal().await;
        assert!(!refused.permanent && !refused.reason.is_empty());
    }
    // A frame of a later kind is skipped.
    let (mut link, acknowledged) = console.open(&papers, "spool").await;
    link.sending
        .write_all(b"\0\0\0\x03\xc8\x01\xa0")
        .await
        .unwrap();
    link.item(acknowledged + 1, alert(1)).await;
    link.acknowledged(acknowledged + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_out_and_loses_nothing() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let limit_pages = |pages: u32| {
        console
            .service
            .store()
            .write_now(|tx| {
                tx.pragma_update_and_check(None, "max_page_count", pages, |row| {
                    row.get::<_, u32>(0)
                })
                .map_err(Into::into)
            })
            .unwrap()
    };
    // SQLite's own way to a full disk: it may not grow beyond what it has.
    limit_pages(1);
    let (mut link, _) = console.open(&papers, "spool").await;
    for number in 1..=200 {
        link.item(number, alert(number)).await;
    }
    // Room is made while the sensor waits for its acknowledgement.
    let room = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(console.kept() < 200);
        limit_pages(1_000_000);
    };
    tokio::join!(link.acknowledged(200), room);
    assert_eq!(console.kept(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_console_says_goodbye_in_time() {
    let console = Console::start().await;
    let papers = console.enrolled("dc1").await;
    let (mut link, _) = console.open(&papers, "spool").await;
    link.item(1, alert(1)).await;
    link.acknowledged(1).await;
    let begun = std::time::Instant::now();
    console.service.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let reason = link.connection.closed().await.to_string();
    assert!(reason.contains("the console stops"), "{reason}");
}
