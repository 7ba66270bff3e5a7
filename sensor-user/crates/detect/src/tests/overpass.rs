//! Overpass-the-hash, by dialect and by encryption type.

use goshawk_model::kerberos::{Answer, error, padata};
use goshawk_model::{Account, Activity, Alert, Confidence, Kind, Outcome, Severity, Timestamp};

use super::{THIEF, golden, of, one, verdict};
use crate::build::{AES, FULL, Net, RC4, ip, issued, sealed, tgt, ticket};
use crate::settings::Learning;
use crate::{Engine, Input, Settings};

const STACK: u16 = 2002;
const ETYPE: u16 = 2008;
/// What Windows offers when its memory holds an RC4 key and no other.
const PLANTED: &[i32] = &[23, -133, -128, 24, -135];

fn settings() -> Settings {
    Settings {
        learning: Learning { enabled: false },
        ..Settings::default()
    }
}

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<u16> {
    verdict(settings(), activities)
        .iter()
        .map(|alert| alert.external_id)
        .collect()
}

fn only(id: u16, activities: impl IntoIterator<Item = Activity>) -> Alert {
    one(of(id, verdict(settings(), activities)))
}

/// A logon that offers `etypes` and proves itself with the first of them.
fn logon(net: &Net, account: &str, from: &str, etypes: &[i32]) -> Activity {
    let proof: &[i32] = &[padata::ENC_TIMESTAMP, 149];
    let answer = issued(tgt(&format!("{account}{from}")), etypes[0]);
    net.pass(1000).ask(
        account,
        from,
        "krbtgt/CORP.EXAMPLE",
        (etypes, proof),
        answer,
    )
}

/// The same, made as Windows makes it.
fn windows(net: &Net, account: &str, from: &str, etypes: &[i32]) -> Activity {
    let mut logon = logon(net, account, from, etypes);
    if let Kind::As(exchange) = &mut logon.kind
        && let Some(request) = &mut exchange.request
    {
        let late = Some(Timestamp::from_parts(2_136_422_885, 0));
        (request.till, request.rtime) = (late, late);
        request.padata = vec![padata::ENC_TIMESTAMP, padata::PAC_REQUEST];
        request.netbios_addresses = vec!["WS7".into()];
    }
    logon
}

/// A ticket asked for without a proof, as impacket and minikerberos ask, and refused for want of one.
fn unproved(net: &Net, etypes: &[i32]) -> Activity {
    let mut asked = net.tool_logon("alice", THIEF, "none", etypes);
    if let Kind::As(exchange) = &mut asked.kind {
        exchange.answer = Answer::Refused(error::PREAUTH_REQUIRED);
        if let Some(request) = &mut exchange.request {
            request.padata = vec![padata::PAC_REQUEST];
            request.data.proof_etype = None;
        }
    }
    asked
}

/// Minikerberos asks for everything that its secret makes, and then proves itself with one of them.
fn minikerberos(net: &Net, account: &str, etypes: &[i32]) -> (Activity, Activity) {
    let asked = unproved(net, etypes);
    let mut proved = net.tool_logon(account, THIEF, "tgt", &etypes[etypes.len() - 1..]);
    if let Kind::As(exchange) = &mut proved.kind
        && let Some(request) = &mut exchange.request
    {
        request.kdc_options = 0x4080_0010;
        request.padata = vec![padata::PAC_REQUEST, padata::ENC_TIMESTAMP];
    }
    (asked, proved)
}

/// The same, made as Rubeus makes it.
fn rubeus(net: &Net, account: &str, from: &str, etypes: &[i32]) -> Activity {
    let mut logon = net.tool_logon(account, from, "tgt", etypes);
    if let Kind::As(exchange) = &mut logon.kind
        && let Some(request) = &mut exchange.request
    {
        request.kdc_options = 0x4080_0010;
        request.till = Some(Timestamp::from_parts(2_136_422_885 - 4 * 3600, 0));
        request.rtime = None;
    }
    logon
}

#[test]
fn a_hash_in_impackets_hands() {
    let net = Net::default();
    let alerts = verdict(settings(), [net.tool_logon("alice", THIEF, "tgt", &[RC4])]);
    let [stack, etype] = <[Alert; 2]>::try_from(alerts).expect("both ways of telling");
    assert_eq!((stack.external_id, etype.external_id), (STACK, ETYPE));
    for alert in [&stack, &etype] {
        assert_eq!(alert.source.ip, Some(ip(THIEF)));
        assert_eq!(
            alert.source.account,
            Some(Account::new("alice", "corp.example"))
        );
    }
    insta::assert_snapshot!(golden(&stack));
}

#[test]
fn a_key_in_a_tools_hands() {
    let net = Net::default();
    let (asked_rc4, proved_rc4) = minikerberos(&net, "alice", &[24, RC4]);
    let (asked_aes, proved_aes) = minikerberos(&net, "alice", &[AES]);
    for logon in [
        vec![net.tool_logon("alice", THIEF, "tgt", &[17])],
        vec![rubeus(&net, "alice", THIEF, &[RC4])],
        vec![rubeus(&net, "alice", THIEF, &[AES])],
        vec![asked_rc4, proved_rc4],
        vec![asked_aes, proved_aes],
    ] {
        let alert = only(STACK, logon);
        assert_eq!(
            (alert.severity, alert.confidence),
            (Severity::Medium, Confidence::High)
        );
    }
    let alert = only(STACK, [rubeus(&net, "alice", THIEF, &[RC4])]);
    assert!(alert.summary.contains("Rubeus"), "{}", alert.summary);
}

/// A ticket used by the program that got it.
fn used_at_once(net: &Net, service: &str) -> Activity {
    net.pass(100).service("alice", THIEF, "tgt", service, "st")
}

#[test]
fn a_password_in_a_tools_hands_is_part_of_something_else() {
    let net = Net::default();
    let secretsdump = [
        net.tool_logon("alice", THIEF, "tgt", &[AES]),
        used_at_once(&net, "cifs/dc1"),
    ];
    assert_eq!(found(secretsdump.clone()), [0; 0]);
    let elsewhere = windows(&net, "alice", "10.0.0.7", FULL);
    let alert = only(STACK, [vec![elsewhere], secretsdump.to_vec()].concat());
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(alert.reason.contains("another machine"), "{}", alert.reason);
}

#[test]
fn a_ticket_kept_for_later_may_be_a_keys() {
    let net = Net::default();
    let kept = net.tool_logon("alice", THIEF, "tgt", &[AES]);
    let alert = only(STACK, [kept.clone()]);
    assert_eq!(alert.confidence, Confidence::Low);
    let later = net
        .pass(5_000)
        .service("alice", THIEF, "tgt", "cifs/dc1", "st");
    assert_eq!(
        only(STACK, [kept.clone(), later]).confidence,
        Confidence::Low
    );
    let elsewhere = windows(&net, "alice", "10.0.0.7", FULL);
    let alert = only(STACK, [elsewhere, kept.clone()]);
    assert_eq!(alert.confidence, Confidence::Medium);
    let own = windows(&net, "alice", THIEF, FULL);
    assert_eq!(only(STACK, [own, kept]).confidence, Confidence::Low);
}

#[test]
fn minikerberos_shows_its_password() {
    let net = Net::default();
    let (asked, proved) = minikerberos(&net, "alice", &[1, 2, 3, 16, RC4, 24, AES, 17]);
    assert_eq!(found([asked, proved]), [0; 0]);
}

#[test]
fn a_password_where_the_controller_has_no_aes() {
    let net = Net::default();
    let mut asked = unproved(&net, &[AES]);
    if let Kind::As(exchange) = &mut asked.kind {
        exchange.answer = Answer::Refused(error::ETYPE_NOSUPP);
    }
    let proved = net.tool_logon("alice", THIEF, "tgt", &[RC4]);
    assert_eq!(
        found([asked, proved, used_at_once(&net, "cifs/dc1")]),
        [0; 0]
    );
}

#[test]
fn who_delegates_at_once_may_have_a_password() {
    let net = Net::default();
    let mut asked = net.pass(2_000).service("alice", THIEF, "tgt", "svc", "st");
    if let Kind::Tgs(exchange) = &mut asked.kind
        && let Some(request) = &mut exchange.request
    {
        request.padata.push(padata::FOR_USER);
    }
    let logon = net.tool_logon("alice", THIEF, "tgt", &[AES]);
    assert_eq!(of(STACK, verdict(settings(), [logon, asked])), []);
}

#[test]
fn who_added_a_computer_knows_its_password() {
    let net = Net::default();
    let added = net.added("EVIL$", THIEF, Outcome::Success);
    let logon = net.pass(500).tool_logon("evil$", THIEF, "tgt", &[RC4]);
    assert_eq!(found([added, logon]), [0; 0]);
}

#[test]
fn old_roasters_name_services() {
    let net = Net::default();
    let mut roast = vec![net.tool_logon("mallory", THIEF, "tgt", &[RC4])];
    for n in 0..4 {
        let service = format!("MSSQLSvc/db{n}:1433");
        let answer = issued(sealed(&service, &service, RC4), RC4);
        net.pass(100);
        let asked: &[i32] = &[23, 16, 3, 23];
        roast.push(net.tgs((THIEF, "tgt"), &service, (2, asked), None, answer));
    }
    assert_eq!(found(roast), [2410]);
}

#[test]
fn a_host_that_spoke_otherwise_is_told() {
    let net = Net::default();
    let alert = only(
        STACK,
        [
            windows(&net, "alice", "10.0.0.7", FULL),
            net.pass(5_000).tool_logon("alice", "10.0.0.7", "t", &[AES]),
        ],
    );
    assert!(
        alert.reason.contains("in another way before"),
        "{}",
        alert.reason
    );
}

#[test]
fn a_planted_hash_asks_as_windows() {
    let net = Net::default();
    let planted = windows(&net, "alice", "10.0.0.7", PLANTED);
    let alert = only(ETYPE, [planted.clone()]);
    assert_eq!(alert.confidence, Confidence::Medium);
    let alert = only(ETYPE, [windows(&net, "alice", "10.0.0.8", FULL), planted]);
    assert_eq!(alert.confidence, Confidence::High);
    assert!(alert.reason.contains("has AES keys"), "{}", alert.reason);
}

#[test]
fn windows_xp_offers_des_beside_rc4() {
    let net = Net::default();
    let xp = [23, -133, -128, 3, 1, 24, -135];
    assert_eq!(found([windows(&net, "alice", "10.0.0.7", &xp)]), [0; 0]);
}

#[test]
fn aes_before_makes_rc4_alone_strange() {
    let net = Net::default();
    let aes = logon(&net, "alice", "10.0.0.7", FULL);
    let rc4 = logon(&net, "alice", THIEF, &[RC4]);
    assert_eq!(found([aes.clone(), rc4.clone()]), [ETYPE]);
    assert_eq!(
        found([rc4.clone(), aes.clone(), rc4.clone()]),
        [0; 0],
        "as ever"
    );
    assert_eq!(found([rc4.clone()]), [0; 0], "an old device");
    let learning = Settings {
        learning: Learning { enabled: true },
        ..settings()
    };
    assert_eq!(verdict(learning, [aes, rc4]), [], "not yet known to be new");
}

#[test]
fn a_machine_that_knows_rc4_only_is_old() {
    let net = Net::default();
    let nas = "10.0.0.50";
    let day = [
        logon(&net, "alice", "10.0.0.7", FULL),
        logon(&net, "bob", nas, &[RC4]),
        logon(&net, "carol", nas, &[RC4]),
        logon(&net, "alice", nas, &[RC4]),
    ];
    assert_eq!(found(day), [0; 0]);
}

#[test]
fn the_hit_of_a_guess_is_the_guessers() {
    let net = Net::default();
    let mut guesses: Vec<_> = (0..4)
        .map(|n| {
            let mut guess = net
                .pass(500)
                .tool_logon(&format!("user{n}"), THIEF, "none", &[AES]);
            if let Kind::As(exchange) = &mut guess.kind {
                exchange.answer = Answer::Refused(24);
            }
            guess
        })
        .collect();
    guesses.push(net.pass(500).tool_logon("user9", THIEF, "hit", &[AES]));
    assert_eq!(of(STACK, verdict(settings(), guesses)), []);
}

#[test]
fn a_roasters_own_logon_is_part_of_the_roasting() {
    let net = Net::default();
    let answer = issued(sealed("svc_sql", "st", RC4), RC4);
    let roast = [
        net.tool_logon("mallory", THIEF, "tgt", &[RC4]),
        net.pass(300).tgs(
            (THIEF, "tgt"),
            "CORP\\svc_sql",
            (-128, &[23, 16, 3, 23]),
            None,
            answer,
        ),
    ];
    assert_eq!(found(roast), [2410]);
}

#[test]
fn a_ticket_without_proof_is_no_logon() {
    let net = Net::default();
    let mut logon = net.tool_logon("svc_old", "10.0.0.7", "tgt", &[AES]);
    if let Kind::As(exchange) = &mut logon.kind
        && let Some(request) = &mut exchange.request
    {
        request.padata = vec![padata::PAC_REQUEST];
        request.data.proof_etype = None;
    }
    let used = net
        .pass(100)
        .service("svc_old", "10.0.0.7", "tgt", "ldap/dc1", "st");
    assert_eq!(found([logon, used]), [0; 0]);
}

#[test]
fn a_restart_in_the_middle_loses_no_logon_that_waits() {
    let net = Net::default();
    let mut engine = Engine::new(settings());
    assert_eq!(
        engine.observe(Input::Activity(net.tool_logon(
            "alice",
            THIEF,
            "tgt",
            &[RC4]
        ))),
        []
    );
    let snapshot = engine.snapshot();
    let mut engine = Engine::new(settings());
    engine.restore(&snapshot).expect("restored");
    let used = net.pass(60_000).used(THIEF, ticket("cifs/dc1", "st"));
    let told = engine.observe(Input::Activity(used));
    assert_eq!(told.len(), 2, "{told:?}");
}
