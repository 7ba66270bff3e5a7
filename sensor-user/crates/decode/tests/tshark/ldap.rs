//! LDAP operations, also those inside security layers that only sign.

use goshawk_model::ldap::{
    Authentication, Bind, Comparison as Compares, LdapOperation, Operation, Scope,
};
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "ldap",
    fields: &[
        "ldap.protocolOp",
        "ldap.resultCode",
        "ldap.name",
        "ldap.mechanism",
        "ldap.baseObject",
        "ldap.scope",
        "ldap.attributeDesc",
        "ldap.present",
        "ldap.matchingRule",
        "ldap.AttributeDescription",
        "ldap.object",
        "ldap.entry",
        "ldap.requestName",
        "ldap.controlType",
    ],
    theirs,
    ours,
};

/// `protocolOp` of what is not told as an activity, or only together with others.
const UNTOLD: [&str; 4] = ["1", "2", "16", "25"];
/// `protocolOp` of requests.
const REQUESTS: [&str; 10] = ["0", "2", "3", "6", "8", "10", "12", "14", "16", "23"];
/// `resultCode` saslBindInProgress.
const IN_PROGRESS: &str = "14";

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [
        ops,
        results,
        names,
        mechanisms,
        bases,
        scopes,
        compared,
        present,
        rules,
        attributes,
        objects,
        entries,
        extensions,
        controls,
    ] = row.columns
    else {
        return;
    };
    for op in ops {
        fact("messages".into());
        if !UNTOLD.contains(op) {
            fact(format!("protocolOp {op}"));
        }
    }
    for result in results.iter().filter(|result| **result != IN_PROGRESS) {
        fact(format!("resultCode {result}"));
    }
    let lists = [
        ("bind name", names),
        ("mechanism", mechanisms),
        ("base", bases),
        ("scope", scopes),
        ("matching rule", rules),
        ("entry", entries),
        ("extension", extensions),
        ("object", objects),
    ];
    for (what, values) in lists {
        for value in values {
            fact(format!("{what} {}", shown(value)));
        }
    }
    // Those of answers are not kept.
    if ops.iter().all(|op| REQUESTS.contains(op)) {
        for control in controls {
            fact(format!("control {control}"));
        }
    }
    let lists = [
        ("compared", compared),
        ("present", present),
        ("attribute", attributes),
    ];
    for (what, values) in lists {
        for value in values {
            fact(format!("{what} {}", attribute(value)));
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let Kind::Ldap(it) = &activity.kind else {
        return;
    };
    let LdapOperation {
        operation,
        controls,
        result,
        ..
    } = &**it;
    if let Some(result) = result {
        fact(format!("resultCode {}", result.result_code));
    }
    for control in controls {
        fact(format!("control {control}"));
    }
    let answered = result.is_some();
    let mut ops = |request: Option<u8>, response: u8| {
        if let Some(request) = request {
            fact(format!("protocolOp {request}"));
        }
        if answered {
            fact(format!("protocolOp {response}"));
        }
    };
    match operation {
        Operation::Bind(Bind { request, rounds }) => {
            let Some(request) = request else { return };
            if !request.name.is_empty() {
                fact(format!("bind name {}", shown(&request.name)));
            }
            for _ in 0..*rounds {
                fact("protocolOp 0".into());
                if let Authentication::Sasl(mechanism) = &request.authentication {
                    fact(format!("mechanism {mechanism}"));
                }
            }
        }
        Operation::Search(search) => {
            ops(search.request.as_ref().map(|_| 3), 5);
            for _ in 0..search.entries {
                fact("protocolOp 4".into());
            }
            for _ in 0..search.references {
                fact("protocolOp 19".into());
            }
            let Some(request) = &search.request else {
                return;
            };
            if !request.base_object.is_empty() {
                fact(format!("base {}", shown(&request.base_object)));
            }
            let scope = match request.scope {
                Scope::Base => 0,
                Scope::One => 1,
                _ => 2,
            };
            fact(format!("scope {scope}"));
            for name in request.attributes.iter().filter(|name| !name.is_empty()) {
                fact(format!("attribute {name}"));
            }
            for condition in &request.conditions {
                let what = match &condition.comparison {
                    Compares::Present => "present",
                    Compares::Extensible(rule) => {
                        fact(format!("matching rule {rule}"));
                        continue;
                    }
                    Compares::Substrings => continue,
                    _ => "compared",
                };
                fact(format!("{what} {}", condition.attribute));
            }
        }
        Operation::Modify(request) => {
            ops(request.as_ref().map(|_| 6), 7);
            if let Some(request) = request {
                fact(format!("object {}", shown(&request.object)));
            }
        }
        Operation::Add(request) => {
            ops(request.as_ref().map(|_| 8), 9);
            if let Some(request) = request {
                fact(format!("entry {}", shown(&request.entry)));
            }
        }
        Operation::Delete(request) => ops(request.as_ref().map(|_| 10), 11),
        Operation::ModifyDn(request) => {
            ops(request.as_ref().map(|_| 12), 13);
            if let Some(request) = request {
                fact(format!("entry {}", shown(&request.entry)));
            }
        }
        Operation::Compare(request) => {
            ops(request.as_ref().map(|_| 14), 15);
            if let Some(request) = request {
                fact(format!("entry {}", shown(&request.entry)));
                fact(format!("compared {}", request.attribute));
            }
        }
        Operation::Extended(request) => {
            ops(request.as_ref().map(|_| 23), 24);
            if let Some(request) = request {
                fact(format!("extension {}", request.request_name));
            }
        }
        Operation::Notification(_) => ops(None, 24),
        _ => {}
    }
}

/// A name as both show it: cut, and without what tshark escapes.
fn shown(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_ascii_alphanumeric() || ",=.- ".contains(*character))
        .take(200)
        .collect()
}

/// An attribute's name in the one form of ours.
fn attribute(name: &str) -> String {
    name.split(';').next().unwrap_or(name).to_lowercase()
}
