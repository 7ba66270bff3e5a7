//! Managed service accounts taken over.

use std::sync::Arc;

use goshawk_model::kerberos::S4uX509User;
use goshawk_model::ldap::{
    AddRequest, Attribute, Change, ChangeOperation, LdapOperation, ModifyRequest, Operation,
    Protection, Scope, Search, SearchRequest,
};
use goshawk_model::{Account, Activity, Alert, Confidence, Kind, Outcome, Severity, Timestamp};

use super::{THIEF, of, one, verdict};
use crate::Settings;
use crate::build::{AES, FULL, Net, ip, issued, ntlm, ticket};

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(9012, verdict(Settings::default(), activities))
}

fn ldap(net: &Net, operation: Operation) -> Activity {
    let kind = Kind::Ldap(Box::new(LdapOperation {
        message_id: 2,
        operation,
        controls: Vec::new(),
        protection: Protection::Signed,
        result: None,
        request_bytes: 100,
        response_bytes: 20,
    }));
    Activity {
        credentials: ntlm("mallory").map(Arc::new),
        ..net.activity(THIEF, Outcome::Success, kind)
    }
}

fn search(net: &Net, attribute: &str) -> Activity {
    let request = SearchRequest {
        base_object: "CN=Master Root Keys,CN=Group Key Distribution Service".into(),
        scope: Scope::One,
        size_limit: 0,
        time_limit: 0,
        filter: "(objectClass=msKds-ProvRootKey)".into(),
        conditions: Vec::new(),
        conditions_total: 1,
        filter_depth: 1,
        filter_cut: false,
        attributes: vec![attribute.into()],
    };
    let search = Search {
        request: Some(request),
        ..Search::default()
    };
    ldap(net, Operation::Search(search))
}

fn modify(net: &Net, attribute: &str) -> Activity {
    let request = ModifyRequest {
        object: EVIL.into(),
        changes: vec![Change {
            operation: ChangeOperation::Replace,
            modification: written(attribute),
        }],
        changes_total: 1,
    };
    ldap(net, Operation::Modify(Some(request)))
}

const EVIL: &str = "CN=evil,OU=temp,DC=corp,DC=example";

fn written(attribute: &str) -> Attribute {
    Attribute {
        name: attribute.into(),
        values: 1,
        bytes: 40,
        texts: Vec::new(),
    }
}

fn add(net: &Net, attribute: &str) -> Activity {
    let request = AddRequest {
        entry: EVIL.into(),
        attributes: vec![written("samaccountname"), written(attribute)],
        attributes_total: 2,
    };
    ldap(net, Operation::Add(Some(request)))
}

#[test]
fn a_root_key_is_read() {
    let net = Net::default();
    let alert = one(found([search(&net, "mskds-rootkeydata")]));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::High, Confidence::High)
    );
    assert_eq!(alert.source.account, Some(Account::new("mallory", "corp")));
    assert_eq!(found([search(&net, "cn")]), []);
    let controller = Settings {
        controllers: vec![ip(THIEF)],
        ..Settings::default()
    };
    let read = [search(&net, "mskds-rootkeydata")];
    assert_eq!(of(9012, verdict(controller, read)), []);
}

#[test]
fn an_account_is_made_the_successor_of_another() {
    let net = Net::default();
    for attribute in [
        "msds-managedaccountprecededbylink",
        "msds-delegatedmsastate",
    ] {
        for written in [modify(&net, attribute), add(&net, attribute)] {
            let alert = one(found([written]));
            assert_eq!(alert.severity, Severity::Medium, "it may be a migration");
        }
    }
    let description = [modify(&net, "description"), add(&net, "description")];
    assert_eq!(found(description), []);
}

#[test]
fn keys_that_come_with_a_ticket() {
    let net = Net::default();
    let mut asked = net.tgs(
        (THIEF, "tgt"),
        "krbtgt/CORP.EXAMPLE",
        (2, FULL),
        Some("evil$"),
        issued(ticket("krbtgt/CORP.EXAMPLE", "dmsa"), AES),
    );
    let dialect = |asked: &mut Activity, options, till| {
        if let Kind::Tgs(exchange) = &mut asked.kind
            && let Some(request) = &mut exchange.request
        {
            request.till = till;
            request.data.s4u_x509_user = Some(Box::new(S4uX509User {
                user: Some(Account::new("evil$", "corp.example")),
                certificate: None,
                options: Some(options),
            }));
        }
    };
    dialect(&mut asked, 0x2800_0000, None);
    let all = verdict(Settings::default(), [asked.clone()]);
    assert_eq!(of(2040, all.clone()), [], "it is the account's own ticket");
    assert_eq!(one(of(9012, all)).confidence, Confidence::High);
    let windows = Timestamp::from_parts(2_136_422_885, 0);
    dialect(&mut asked, 0x2800_0000, Some(windows));
    let all = verdict(Settings::default(), [asked.clone()]);
    assert_eq!(of(2040, all.clone()), [], "as Windows asks every day");
    assert_eq!(of(9012, all), [], "as Windows asks every day");
    dialect(&mut asked, 0x2000_0000, None);
    let all = verdict(Settings::default(), [asked]);
    assert_eq!(of(2040, all).len(), 1, "in somebody else's name");
}
