//! Abuse of delegation, and delegation.

use goshawk_model::kerberos::Answer;
use goshawk_model::ldap::{
    Attribute, Change, ChangeOperation, LdapOperation, ModifyRequest, Operation, Protection,
};
use goshawk_model::{Account, Activity, Alert, Confidence, Kind, Outcome};
use std::sync::Arc;

use super::{THIEF, golden, of, one, verdict};
use crate::Settings;
use crate::build::secrets::{S4u, by_tool};
use crate::build::{AES, Net, ip, issued, ntlm, sealed, ticket};

const WEB: &str = "10.0.0.30";

fn found(id: u16, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(id, verdict(Settings::default(), activities))
}

fn all(activities: impl IntoIterator<Item = Activity>) -> Vec<u16> {
    let alerts = verdict(Settings::default(), activities);
    alerts.iter().map(|alert| alert.external_id).collect()
}

/// `account` asks in the administrator's name, first to itself, then to `service`.
fn impersonate(net: &Net, account: &str, from: &str, service: &str) -> Vec<Activity> {
    let own = issued(ticket(account, "self"), AES);
    let other = issued(ticket(service, "other"), AES);
    let evidence = ticket(account, "self");
    vec![
        net.pass(100).logon(account, from, "its"),
        net.pass(100)
            .s4u((from, "its"), account, S4u::Own("admin"), own),
        net.pass(100)
            .s4u((from, "its"), service, S4u::Proxy(evidence), other),
    ]
}

fn in_a_tools_dialect(activities: Vec<Activity>) -> Vec<Activity> {
    activities.into_iter().map(by_tool).collect()
}

/// LDAP's attribute `name` of `object` is written by `account`.
fn modify(net: &Net, account: &str, object: &str, (name, text): (&str, &str)) -> Activity {
    let request = ModifyRequest {
        object: object.into(),
        changes: vec![Change {
            operation: ChangeOperation::Replace,
            modification: Attribute {
                name: name.into(),
                values: 1,
                bytes: 40,
                texts: vec![text.into()],
            },
        }],
        changes_total: 1,
    };
    let kind = Kind::Ldap(Box::new(LdapOperation {
        message_id: 2,
        operation: Operation::Modify(Some(request)),
        controls: Vec::new(),
        protection: Protection::None,
        result: None,
        request_bytes: 100,
        response_bytes: 20,
    }));
    Activity {
        credentials: ntlm(account).map(Arc::new),
        ..net.activity(THIEF, Outcome::Success, kind)
    }
}

#[test]
fn a_front_end_may_delegate() {
    let net = Net::default();
    for account in ["svc_front", "web$"] {
        let day = impersonate(&net, account, WEB, "MSSQLSvc/db.corp.example:1433");
        assert_eq!(all(day), [0; 0], "{account}");
    }
}

#[test]
fn nobody_delegates_to_krbtgt() {
    let net = Net::default();
    let day = impersonate(&net, "svc_front", THIEF, "krbtgt/CORP.EXAMPLE");
    let alert = one(found(2040, day.clone()));
    assert_eq!(
        alert.source.account,
        Some(Account::new("svc_front", "corp.example"))
    );
    insta::assert_snapshot!(golden(&alert));
    let mut refused = day;
    if let Some(Kind::Tgs(exchange)) = refused.last_mut().map(|last| &mut last.kind) {
        exchange.answer = Answer::Refused(13);
    }
    let alert = one(found(2040, refused));
    assert!(
        alert.reason.contains("shows the intent"),
        "{}",
        alert.reason
    );
}

#[test]
fn a_computer_added_just_now() {
    let net = Net::default();
    let mut day = vec![net.added("PLANT$", THIEF, Outcome::Success)];
    day.extend(impersonate(&net, "plant$", THIEF, "cifs/srv.corp.example"));
    let alert = one(found(2422, day));
    assert_eq!(alert.confidence, Confidence::High);
    assert!(
        alert.reason.contains("admin@corp.example"),
        "{}",
        alert.reason
    );
    assert!(
        alert
            .evidence
            .iter()
            .any(|one| one.detail.contains("was added from")),
        "{:?}",
        alert.evidence
    );
}

#[test]
fn a_new_server_asks_for_its_own_purposes() {
    let net = Net::default();
    let mut day = vec![net.added("WEB$", "10.0.0.5", Outcome::Success)];
    day.extend(impersonate(&net, "web$", WEB, "cifs/srv.corp.example"));
    let alert = one(found(2422, day.clone()));
    assert_eq!(
        alert.confidence,
        Confidence::Medium,
        "it may be a front end"
    );
    day.pop();
    assert_eq!(found(2422, day), [], "S4U2self alone");
}

#[test]
fn a_computers_account_in_a_tools_hands() {
    let net = Net::default();
    let day = in_a_tools_dialect(impersonate(&net, "srv$", THIEF, "cifs/srv.corp.example"));
    assert_eq!(all(day), [2423]);
    let day = in_a_tools_dialect(impersonate(&net, "svc_front", THIEF, "cifs/srv"));
    assert_eq!(found(2423, day), [], "no computer");
}

#[test]
fn a_computer_that_lets_another_come() {
    let net = Net::default();
    let attribute = ("msds-allowedtoactonbehalfofotheridentity", "");
    let srv = "CN=SRV,CN=Computers,DC=corp,DC=example";
    let alert = one(found(2423, [modify(&net, "srv$", srv, attribute)]));
    assert_eq!(alert.source.account, Some(Account::new("srv$", "corp")));
    assert_eq!(found(2423, [modify(&net, "admin", srv, attribute)]), []);
    assert_eq!(
        found(2423, [modify(&net, "srv$", srv, ("description", "mine"))]),
        []
    );
}

#[test]
fn a_ticket_in_place_of_the_one_issued() {
    let net = Net::default();
    let mut day = impersonate(&net, "svc_front", THIEF, "cifs/srv.corp.example");
    assert_eq!(found(2048, day.clone()), []);
    if let Some(Kind::Tgs(exchange)) = day.last_mut().map(|last| &mut last.kind)
        && let Some(request) = &mut exchange.request
    {
        request.additional = vec![ticket("svc_front", "flipped")];
    }
    assert_eq!(one(found(2048, day.clone())).source.ip, Some(ip(THIEF)));
    if let Some(Kind::Tgs(exchange)) = day.last_mut().map(|last| &mut last.kind)
        && let Some(request) = &mut exchange.request
    {
        request.additional = vec![sealed("svc_front", "from elsewhere", 23)];
    }
    assert_eq!(found(2048, day), [], "another ticket altogether");
}

#[test]
fn an_account_called_like_a_controller() {
    use goshawk_model::inventory::SightingSource;
    let net = Net::default();
    let mut day = vec![net.sighting("10.0.0.1", "dc1", SightingSource::ServiceTicket)];
    let rename = ("samaccountname", "DC1");
    let plant = "CN=PLANT,CN=Computers,DC=corp,DC=example";
    day.push(modify(&net, "mallory", plant, rename));
    day.push(net.pass(100).logon("dc1", THIEF, "spoofed"));
    let answer = issued(ticket("ldap/dc1.corp.example", "admin"), AES);
    let own = S4u::Own("administrator");
    day.push(
        net.pass(100)
            .s4u((THIEF, "spoofed"), "ldap/dc1.corp.example", own, answer),
    );
    let alerts = found(2419, day.clone());
    let accounts: Vec<_> = alerts
        .iter()
        .filter_map(|it| it.source.account.as_ref())
        .collect();
    assert!(
        accounts.contains(&&Account::new("dc1", "corp.example")),
        "{accounts:?}"
    );
    assert!(
        accounts.contains(&&Account::new("mallory", "corp")),
        "{accounts:?}"
    );
    let honest = [
        day.remove(0),
        net.logon("dc1$", "10.0.0.1", "its"),
        net.refused("dc1", "10.0.0.7", 6),
        net.logon("alice", "10.0.0.7", "alices"),
        modify(&net, "admin", plant, ("samaccountname", "PLANT2$")),
    ];
    assert_eq!(found(2419, honest), []);
}
