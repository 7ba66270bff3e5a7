//! Managed service accounts taken over.

use std::sync::Arc;

use goshawk_model::kerberos::padata;
use goshawk_model::ldap::{
    Attribute, Change, ChangeOperation, LdapOperation, ModifyRequest, Operation, Protection, Scope,
    Search, SearchRequest,
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
        object: "CN=evil,OU=temp,DC=corp,DC=example".into(),
        changes: vec![Change {
            operation: ChangeOperation::Replace,
            modification: Attribute {
                name: attribute.into(),
                values: 1,
                bytes: 40,
                texts: Vec::new(),
            },
        }],
        changes_total: 1,
    };
    ldap(net, Operation::Modify(Some(request)))
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
        let alert = one(found([modify(&net, attribute)]));
        assert_eq!(alert.severity, Severity::Medium, "it may be a migration");
    }
    assert_eq!(found([modify(&net, "description")]), []);
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
    if let Kind::Tgs(exchange) = &mut asked.kind {
        exchange.answer_data.padata = vec![padata::DMSA_KEY_PACKAGE];
    }
    assert_eq!(one(found([asked.clone()])).confidence, Confidence::High);
    if let Kind::Tgs(exchange) = &mut asked.kind
        && let Some(request) = &mut exchange.request
    {
        request.till = Some(Timestamp::from_parts(2_136_422_885, 0));
    }
    assert_eq!(found([asked]), [], "as Windows asks every day");
}
