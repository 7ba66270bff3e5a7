//! HTTP messages, and the requests that show credentials.

use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "http",
    fields: &[
        "http.request.method",
        "http.response.code",
        "http.authorization",
        "ntlmssp.messagetype",
    ],
    theirs,
    ours,
};

/// NEGOTIATE: the request that follows is told, not this one.
const NEGOTIATE: &str = "0x00000001";

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [methods, statuses, shown, ntlm] = row.columns else {
        return;
    };
    if !row.protocols.contains(":tcp:http") {
        return;
    }
    for _ in methods.iter().chain(statuses) {
        fact("messages".into());
    }
    if let ([method], [shown]) = (&methods[..], &shown[..])
        && !ntlm.contains(&NEGOTIATE)
    {
        let scheme = shown.split(' ').next().unwrap_or_default();
        fact(format!("{method} with {scheme}"));
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    if let Kind::Http(logon) = &activity.kind
        && let Some(scheme) = logon.scheme
    {
        fact(format!("{} with {}", logon.method, scheme.name()));
    }
}
