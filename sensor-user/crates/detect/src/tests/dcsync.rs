//! DCSync.

use goshawk_model::inventory::SightingSource;
use goshawk_model::rpc::drsuapi::{DRS_BIND, DRS_CRACK_NAMES, DRS_GET_NC_CHANGES};
use goshawk_model::{Account, Activity, Confidence, Outcome, Severity};

use super::{golden, one, verdict};
use crate::Settings;
use crate::build::{Net, ip, kerberos, ntlm, ticket};

const LDAP: &str = "ldap/dc1.corp.example";

fn configured() -> Settings {
    Settings {
        controllers: vec![ip("10.0.0.1")],
        ..Settings::default()
    }
}

/// impacket `secretsdump -k`: ticket, bind, names, replication.
fn secretsdump(account: &str, from: &str) -> Vec<Activity> {
    let net = Net::default();
    let auth = || kerberos(ticket(LDAP, "st"));
    vec![
        net.logon(account, from, "tgt"),
        net.pass(10).service(account, from, "tgt", LDAP, "st"),
        net.pass(10)
            .sighting("10.0.0.1", "dc1", SightingSource::ServiceTicket),
        net.drs(from, DRS_BIND, auth(), Outcome::Success),
        net.pass(10)
            .drs(from, DRS_CRACK_NAMES, auth(), Outcome::Success),
        net.pass(10)
            .drs(from, DRS_GET_NC_CHANGES, auth(), Outcome::Success),
        net.pass(10)
            .drs(from, DRS_GET_NC_CHANGES, auth(), Outcome::Success),
    ]
}

#[test]
fn secretsdump_with_a_ticket() {
    let alert = one(verdict(configured(), secretsdump("mallory", "10.0.0.9")));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn nothing_need_be_configured() {
    let alert = one(verdict(
        Settings::default(),
        secretsdump("mallory", "10.0.0.9"),
    ));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::High, Confidence::High)
    );
    assert_eq!(
        alert.source.account,
        Some(Account::new("mallory", "corp.example"))
    );
}

#[test]
fn an_attempt_over_ntlm_that_is_refused() {
    let net = Net::default();
    let call = net.drs(
        "10.0.0.9",
        DRS_GET_NC_CHANGES,
        ntlm("mallory"),
        Outcome::Failure,
    );
    let alert = one(verdict(configured(), [call]));
    assert_eq!(alert.source.account, Some(Account::new("mallory", "corp")));
    assert!(alert.reason.contains("refused"), "{}", alert.reason);
}

#[test]
fn an_account_is_one_over_ntlm_and_kerberos() {
    let net = Net::default();
    let calls = [
        net.logon("mallory", "10.0.0.7", "tgt"),
        net.drs(
            "10.0.0.9",
            DRS_GET_NC_CHANGES,
            ntlm("mallory"),
            Outcome::Success,
        ),
    ];
    let alert = one(verdict(configured(), calls));
    assert_eq!(
        alert.source.account,
        Some(Account::new("mallory", "corp.example"))
    );
}

#[test]
fn an_account_that_was_not_believed_is_claimed_only() {
    let net = Net::default();
    let call = net.drs(
        "10.0.0.9",
        DRS_GET_NC_CHANGES,
        ntlm("mallory"),
        Outcome::Unknown,
    );
    let alert = one(verdict(configured(), [call]));
    assert_eq!(alert.source.account, None);
    assert!(
        alert.summary.contains("as mallory@corp"),
        "{}",
        alert.summary
    );
}

#[test]
fn the_only_account_there_is_named_with_a_word_of_caution() {
    let net = Net::default();
    let alert = one(verdict(
        configured(),
        [
            net.logon("mallory", "10.0.0.9", "tgt"),
            net.pass(9)
                .drs("10.0.0.9", DRS_GET_NC_CHANGES, None, Outcome::Unknown),
        ],
    ));
    assert!(
        alert.summary.starts_with("Probably mallory@corp.example"),
        "{}",
        alert.summary
    );
}

#[test]
fn other_calls_of_the_interface_are_no_attack() {
    let mut calls = secretsdump("admin", "10.0.0.9");
    calls.truncate(4);
    assert_eq!(verdict(configured(), calls), []);
}

#[test]
fn controllers_may_replicate() {
    for trusted in [
        Settings {
            controllers: vec![ip("10.0.0.1"), ip("10.0.0.2")],
            ..Settings::default()
        },
        Settings {
            own_addresses: vec![ip("10.0.0.2")],
            ..Settings::default()
        },
    ] {
        assert_eq!(verdict(trusted, secretsdump("dc2$", "10.0.0.2")), []);
    }
}

#[test]
fn a_controller_with_proof_may_replicate() {
    let (dc1, dc2) = (Net::default(), Net::at("10.0.0.2"));
    let mut activities = vec![
        dc2.logon("alice", "10.0.0.7", "alices"),
        dc1.service("alice", "10.0.0.7", "alices", "cifs/srv", "st-2"),
    ];
    activities.extend(secretsdump("dc2$", "10.0.0.2"));
    assert_eq!(verdict(configured(), activities), []);
}

#[test]
fn acting_as_a_controller_lowers_and_does_not_silence() {
    let pretender = Net::at("10.0.0.9");
    let mut activities = vec![pretender.logon("alice", "10.0.0.7", "alices")];
    activities.extend(secretsdump("mallory", "10.0.0.9"));
    let alert = one(verdict(configured(), activities));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::Medium, Confidence::Low)
    );
    assert!(
        alert.reason.contains("add it to the controllers"),
        "{}",
        alert.reason
    );
}

#[test]
fn a_machine_account_from_its_own_address_is_doubtful() {
    let alert = one(verdict(configured(), secretsdump("dc2$", "10.0.0.2")));
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(alert.reason.contains("machine account"), "{}", alert.reason);
}

#[test]
fn a_machine_account_from_elsewhere_is_stolen() {
    let net = Net::default();
    let mut activities = vec![net.logon("dc2$", "10.0.0.2", "dc2s")];
    activities.extend(secretsdump("dc2$", "10.0.0.9"));
    let alert = one(verdict(configured(), activities));
    assert_eq!(alert.confidence, Confidence::High);
    assert_eq!(alert.source.host, None, "the thief is not called dc2");
}

#[test]
fn the_account_of_the_controller_that_is_asked_is_stolen() {
    let alert = one(verdict(configured(), secretsdump("dc1$", "10.0.0.9")));
    assert_eq!(alert.confidence, Confidence::High);
}

#[test]
fn an_unseen_bind_lowers_confidence() {
    use goshawk_model::Kind;
    let net = Net::default();
    let mut call = net.drs("10.0.0.9", DRS_GET_NC_CHANGES, None, Outcome::Success);
    if let Kind::Rpc(rpc) = &mut call.kind {
        rpc.interface = None;
    }
    let alert = one(verdict(configured(), [call.clone()]));
    assert_eq!(alert.confidence, Confidence::Medium);
    if let Kind::Rpc(rpc) = &mut call.kind {
        rpc.name = None;
    }
    assert_eq!(verdict(configured(), [call]), [], "operation 3 of anything");
}
