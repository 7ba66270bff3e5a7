//! Exposure: told once a day, with low severity, and not where there is none.

use goshawk_model::kerberos::Answer;
use goshawk_model::ldap::{Authentication, Bind, BindRequest, Operation, Protection};
use goshawk_model::ntlm::{LmResponse, NtResponse};
use goshawk_model::smb::{SessionSetup, Smb1Client, SmbOperation};
use goshawk_model::{
    Account, Activity, Alert, Confidence, Credentials, Kind, Mechanism, Outcome, Severity,
};

use super::{THIEF, everything, golden, one};
use crate::build::{AES, FULL, Net, RC4, issued, kerberos, sealed, ticket};
use crate::{Engine, Input, Output, Settings};

const PRINTER: &str = "10.0.0.50";
const HOUR: u64 = 3_600_000;

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    let alerts = everything(Settings::default(), activities);
    let exposure = |alert: &Alert| (9030..9040).contains(&alert.external_id);
    let alerts: Vec<_> = alerts.into_iter().filter(exposure).collect();
    for alert in &alerts {
        let weight = (alert.severity, alert.confidence);
        assert_eq!(weight, (Severity::Low, Confidence::High));
    }
    alerts
}

#[test]
fn a_password_in_the_clear_is_told_once_a_day() {
    let net = Net::default();
    let spell = |hours: u64| {
        net.pass(hours * HOUR);
        let between = (0..3).map(|_| net.pass(1_000).logon("alice", "10.0.0.7", "tgt"));
        let mut spell: Vec<_> = between.collect();
        spell.extend((0..20).map(|_| {
            let name = "scan@corp.example";
            net.pass(60_000).simple_bind(name, PRINTER, true)
        }));
        spell
    };
    let mut days = spell(0);
    days.extend(spell(2));
    days.extend(spell(6));
    insta::assert_snapshot!(golden(&one(found(days.clone()))));
    days.extend(spell(24));
    assert_eq!(found(days).len(), 2, "a second day is another");
}

#[test]
fn each_account_and_machine_is_told_by_itself() {
    let net = Net::default();
    let binds = (0..12).map(|n| {
        let account = format!("scan{}@corp.example", n % 3);
        net.pass(100).simple_bind(&account, PRINTER, true)
    });
    let alerts = found(binds);
    assert_eq!(alerts.len(), 3);
    assert!(alerts.iter().all(|alert| alert.count == 4));
}

#[test]
fn what_is_refused_or_protected_is_not_exposed() {
    let net = Net::default();
    let mut tls = net.simple_bind("scan@corp.example", PRINTER, true);
    if let Kind::Ldap(operation) = &mut tls.kind {
        operation.protection = Protection::Tls;
    }
    let refused = net.simple_bind("scan@corp.example", PRINTER, false);
    let ntlm = |nt, accepted| {
        let account = Some(("scan", "CORP"));
        net.ntlm_logon(account, PRINTER, (LmResponse::Absent, nt), accepted)
    };
    let refused_v1 = ntlm(NtResponse::Ntlmv1, false);
    assert_eq!(
        found([tls, refused, refused_v1, ntlm(NtResponse::Ntlmv2, true)]),
        []
    );
}

#[test]
fn old_answers_of_ntlm() {
    let net = Net::default();
    for responses in [
        (LmResponse::Copy, NtResponse::Ntlmv1),
        (LmResponse::Challenge, NtResponse::Ntlm2),
        (LmResponse::Lm, NtResponse::Absent),
    ] {
        let logon = net.ntlm_logon(Some(("scan", "CORP")), PRINTER, responses, true);
        let alert = one(found([logon]));
        assert_eq!(alert.external_id, 9031);
        assert_eq!(alert.source.account, Some(Account::new("scan", "corp")));
    }
}

#[test]
fn a_service_that_has_no_newer_key() {
    let net = Net::default();
    let ask = |service: &str, etype, offered: &[i32], from: &str| {
        let answer = issued(sealed(service, service, etype), AES);
        net.tgs((from, "tgt"), service, (2, offered), Some("alice"), answer)
    };
    let alert = one(found([
        ask("legacy/old", RC4, FULL, "10.0.0.7"),
        ask("legacy/old", RC4, FULL, "10.0.0.8"),
        ask("legacy/older", RC4, FULL, "10.0.0.8"),
    ]));
    assert_eq!((alert.external_id, alert.count), (9032, 3));
    assert_eq!(alert.targets.len(), 2, "services, whoever asks");
    assert_eq!(alert.source.ip, Some("10.0.0.1".parse().unwrap()));
    let refused = net.tgs(
        ("10.0.0.7", "tgt"),
        "legacy/old",
        (2, FULL),
        None,
        Answer::Refused(14),
    );
    assert_eq!(
        found([
            ask("legacy/old", RC4, &[RC4], "10.0.0.7"),
            ask("HTTP/new", AES, FULL, "10.0.0.7"),
            ask("krbtgt/OTHER.EXAMPLE", RC4, FULL, "10.0.0.7"),
            refused,
        ]),
        [],
        "asked for, new, between realms, refused"
    );
}

fn smb1(net: &Net, null: bool, accepted: bool) -> Activity {
    let setup = SessionSetup {
        null,
        smb1: Some(Box::new(Smb1Client::default())),
        ..SessionSetup::default()
    };
    let outcome = if accepted {
        Outcome::Success
    } else {
        Outcome::Failure
    };
    let kind = Kind::Smb(SmbOperation::Session(Box::new(setup)));
    let by = Credentials {
        account: (!null).then(|| Account::new("scan", "corp")),
        proven: accepted,
        ..Credentials::new(Mechanism::Ntlm)
    };
    Net::by(net.activity(PRINTER, outcome, kind), by)
}

#[test]
fn smb_1_is_a_logon_over_it() {
    let net = Net::default();
    assert_eq!(one(found([smb1(&net, false, true)])).external_id, 9033);
    assert_eq!(
        found([smb1(&net, true, true), smb1(&net, false, false)]),
        []
    );
}

#[test]
fn ldap_without_signatures() {
    let net = Net::default();
    let by = || kerberos(ticket("ldap/dc1", "st")).unwrap();
    let search = || net.search("10.0.0.7", "DC=corp,DC=example", &[("cn", "a")]);
    let owned = [
        net.logon("alice", "10.0.0.7", "tgt"),
        net.service("alice", "10.0.0.7", "tgt", "ldap/dc1", "st"),
    ];
    let mut all = owned.to_vec();
    all.push(Net::by(search(), by()));
    let alert = one(found(all));
    assert_eq!(alert.external_id, 9034);
    let alice = Account::new("alice", "corp.example");
    assert_eq!(alert.source.account, Some(alice));
    let mut signed = search();
    if let Kind::Ldap(operation) = &mut signed.kind {
        operation.protection = Protection::Signed;
    }
    assert_eq!(
        found([Net::by(signed, by()), search()]),
        [],
        "signed; no bind seen"
    );
}

#[test]
fn nobody_who_gets_an_answer() {
    let net = Net::default();
    let nobody = || Credentials::new(Mechanism::Anonymous);
    let asked = [
        net.search(PRINTER, "DC=corp,DC=example", &[("cn", "a")]),
        net.lookup(PRINTER, &["alice"]),
    ];
    for activity in asked {
        assert_eq!(one(found([Net::by(activity, nobody())])).external_id, 9035);
    }
    let root = net.search(PRINTER, "", &[("objectclass", "*")]);
    let bind = Operation::Bind(Bind {
        request: Some(BindRequest {
            version: 3,
            name: "".into(),
            authentication: Authentication::Anonymous,
        }),
        rounds: 1,
    });
    let bind = net.ldap(PRINTER, bind, 0);
    let mut denied = net.search(PRINTER, "DC=corp,DC=example", &[("cn", "a")]);
    denied.outcome = Outcome::Failure;
    let silent = [root, bind, denied].map(|activity| Net::by(activity, nobody()));
    assert_eq!(found(silent), []);
}

#[test]
fn what_an_intruders_tools_expose_is_his() {
    let net = Net::default();
    let mut raid: Vec<_> = vec![net.simple_bind("mallory@corp.example", THIEF, true)];
    raid.extend((0..12).map(|n| {
        let account = format!("user{n}");
        net.pass(200).refused(&account, THIEF, 24)
    }));
    raid.push(net.simple_bind("user3@corp.example", THIEF, true));
    raid.push(net.simple_bind("scan@corp.example", PRINTER, true));
    let alert = one(found(raid));
    assert_eq!(
        alert.source.ip,
        Some(PRINTER.parse().unwrap()),
        "before and after the attack"
    );
}

#[test]
fn an_exposure_waits_and_is_told() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    let bind = net.simple_bind("scan@corp.example", PRINTER, true);
    assert_eq!(engine.observe(Input::Activity(bind)), []);
    let snapshot = engine.snapshot();
    let mut engine = Engine::new(Settings::default());
    engine.restore(&snapshot).expect("restored");
    let before = net.pass(9 * 60_000).logon("alice", "10.0.0.7", "tgt");
    assert_eq!(engine.observe(Input::Activity(before)), []);
    let after = net.pass(2 * 60_000).logon("alice", "10.0.0.7", "tgt-2");
    let told = engine.observe(Input::Activity(after));
    assert!(matches!(&*told, [Output::Raised(_)]), "{told:?}");
}
