//! AS-REP roasting.

use goshawk_model::kerberos::{Answer, padata};
use goshawk_model::{Activity, Confidence, Gap, GapReason, Kind};

use super::{golden, of, one, verdict};
use crate::build::{AES, FULL, Net, RC4, at, issued, sealed, tgt};
use crate::{Engine, Input, Output, Settings};

const ROASTING: u16 = 2412;

fn reply(net: &Net, account: &str, offered: &[i32], etype: i32) -> Activity {
    let ticket = sealed("krbtgt/CORP.EXAMPLE", account, AES);
    net.unproved(account, "10.0.0.9", offered, issued(ticket, etype))
}

#[test]
fn impacket_asks_for_rc4_alone() {
    let net = Net::default();
    let mut activities: Vec<_> = ["alice", "bob"]
        .iter()
        .map(|name| {
            net.pass(100)
                .unproved(name, "10.0.0.9", &[RC4], Answer::Refused(25))
        })
        .collect();
    activities.push(reply(net.pass(100), "svc_old", &[RC4], RC4));
    let alert = one(verdict(Settings::default(), activities));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn rubeus_asking_for_aes_is_found_by_what_it_leaves_unused() {
    let net = Net::default();
    let alert = one(verdict(
        Settings::default(),
        [reply(&net, "svc_old", &[18, 17], AES)],
    ));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (ROASTING, Confidence::Medium)
    );
}

#[test]
fn kerbrute_collecting_with_full_offers_is_found_by_the_second_account() {
    let net = Net::default();
    let collect = |names: &[&str]| -> Vec<_> {
        names
            .iter()
            .map(|name| reply(net.pass(1_000), name, FULL, AES))
            .collect()
    };
    assert_eq!(
        verdict(Settings::default(), collect(&["a"])),
        [],
        "one may be a logon"
    );
    let alert = one(verdict(Settings::default(), collect(&["a", "b", "c"])));
    assert_eq!(alert.confidence, Confidence::High);
    assert_eq!((alert.targets_total, alert.count), (3, 3));
}

#[test]
fn a_logon_uses_its_ticket() {
    for offered in [FULL, &[18, 17]] {
        let net = Net::default();
        let logons = ["a", "b"].iter().flat_map(|name| {
            [
                reply(net.pass(1_000), name, offered, AES),
                net.pass(50)
                    .service(name, "10.0.0.9", name, "cifs/srv", "st"),
            ]
        });
        assert_eq!(verdict(Settings::default(), logons), []);
    }
}

#[test]
fn a_ticket_shown_without_its_key_is_not_used() {
    let net = Net::default();
    let answer = Answer::Refused(31);
    let activities = [
        reply(&net, "svc_old", &[18, 17], AES),
        net.pass(50)
            .tgs(("10.0.0.9", "svc_old"), "cifs/srv", (2, FULL), None, answer),
    ];
    assert_eq!(
        of(ROASTING, verdict(Settings::default(), activities)).len(),
        1
    );
}

#[test]
fn a_ticket_used_after_the_alert_takes_certainty() {
    let net = Net::default();
    let activities = [
        reply(&net, "legacy", &[RC4], RC4),
        net.pass(50)
            .service("legacy", "10.0.0.9", "legacy", "cifs/srv", "st"),
    ];
    let alert = one(verdict(Settings::default(), activities));
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(alert.reason.contains("were used"), "{}", alert.reason);
}

#[test]
fn proof_of_any_kind_is_no_roasting() {
    let net = Net::default();
    let proofs = [
        padata::ENC_TIMESTAMP,
        padata::PK_AS_REQ,
        padata::PK_AS_REQ_OLD,
        padata::FX_FAST,
        padata::ENCRYPTED_CHALLENGE,
        padata::SPAKE,
    ];
    let logons = proofs.map(|proof| {
        let answer = issued(tgt(&proof.to_string()), RC4);
        net.ask(
            "alice",
            "10.0.0.9",
            "krbtgt/CORP.EXAMPLE",
            (&[RC4], &[proof]),
            answer,
        )
    });
    assert_eq!(verdict(Settings::default(), logons), []);
}

#[test]
fn five_accounts_refused_are_an_attempt() {
    let net = Net::default();
    let ask = |name: &str, code| {
        net.pass(100)
            .unproved(name, "10.0.0.9", &[RC4], Answer::Refused(code))
    };
    let names = ["a", "b", "c", "d", "e"];
    let tries =
        |upto: usize| -> Vec<_> { names[..upto].iter().map(|name| ask(name, 25)).collect() };
    assert_eq!(verdict(Settings::default(), tries(4)), []);
    let alert = one(verdict(Settings::default(), tries(5)));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (ROASTING, Confidence::Medium)
    );

    let unknown: Vec<_> = names.iter().map(|name| ask(name, 6)).collect();
    assert_eq!(
        of(ROASTING, verdict(Settings::default(), unknown)),
        [],
        "no such accounts"
    );

    let legacy: Vec<_> = names
        .iter()
        .flat_map(|name| [ask(name, 25), net.pass(9).logon(name, "10.0.0.9", name)])
        .collect();
    assert_eq!(
        verdict(Settings::default(), legacy),
        [],
        "old clients prove themselves"
    );
}

#[test]
fn a_retransmission_is_one_reply() {
    let net = Net::default();
    let first = reply(&net, "svc_old", FULL, AES);
    let mut again = first.clone();
    if let Kind::As(exchange) = &mut again.kind {
        exchange.answer = issued(tgt("another"), AES);
    }
    let used = net
        .pass(50)
        .service("svc_old", "10.0.0.9", "another", "cifs/srv", "st");
    assert_eq!(verdict(Settings::default(), [first, again, used]), []);
}

#[test]
fn what_was_missed_may_have_been_the_use() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    engine.observe(Input::Activity(reply(&net, "svc_old", &[18, 17], AES)));
    engine.observe(Input::Gap(Gap {
        from: at(10),
        to: at(20),
        reason: GapReason::Lost,
    }));
    let raised: Vec<_> = (0..130)
        .flat_map(|n| engine.observe(Input::Tick(at(n))))
        .collect();
    let [Output::Raised(alert)] = &*raised else {
        panic!("{raised:?}");
    };
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(alert.reason.contains("blind"), "{}", alert.reason);
}

/// Somebody logged on, and worked without the network for a while.
#[test]
fn a_ticket_used_late_speaks_against_it_and_another_one_does_not() {
    let after = |used: &str| {
        let net = Net::default();
        let narrow = net.unproved("alice", "10.0.0.7", &[18, 17], issued(tgt("first"), AES));
        let wait = net.pass(300_000).refused("bob", "10.0.0.8", 25);
        let wait_too = net.pass(300_000).refused("bob", "10.0.0.8", 25);
        let proved = net.logon("alice", "10.0.0.7", "second");
        let used = net.service("alice", "10.0.0.7", used, "ldap/dc1", "st");
        let day = [narrow, wait, wait_too, proved, used];
        one(of(2412, verdict(Settings::default(), day))).confidence
    };
    assert_eq!(after("first"), Confidence::Low);
    assert_eq!(after("second"), Confidence::Medium);
}

#[test]
fn attempts_count_where_answers_are_not_seen() {
    let net = Net::default();
    let asked = |number: usize| -> Vec<_> {
        (0..number)
            .map(|n| {
                net.pass(100)
                    .unproved(&format!("u{n}"), "10.0.0.9", &[RC4], Answer::Unseen)
            })
            .collect()
    };
    assert_eq!(of(2412, verdict(Settings::default(), asked(4))), []);
    assert_eq!(of(2412, verdict(Settings::default(), asked(5))).len(), 1);
}
