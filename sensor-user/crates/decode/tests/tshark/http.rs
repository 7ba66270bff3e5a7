//! HTTP messages, and the requests that show credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "http",
    fields: &[
        "http.request.method",
        "http.response.code",
        "http.authorization",
    ],
    theirs,
    ours,
};

/// NTLM's NEGOTIATE: the request that follows it is told, not its own.
const NEGOTIATE: &[u8] = b"NTLMSSP\0\x01";

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [methods, statuses, shown] = row.columns else {
        return;
    };
    if !row.protocols.contains(":tcp:http") {
        return;
    }
    for _ in methods.iter().chain(statuses) {
        fact("messages".into());
    }
    if let ([method], [shown]) = (&methods[..], &shown[..])
        && let Some((scheme, token)) = shown.split_once(' ')
    {
        let token = STANDARD.decode(token).unwrap_or_default();
        if !token.windows(NEGOTIATE.len()).any(|part| part == NEGOTIATE) {
            fact(format!("{method} with {scheme}"));
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    if let Kind::Http(logon) = &activity.kind
        && let Some(scheme) = logon.scheme
    {
        fact(format!("{} with {}", logon.method, scheme.name()));
    }
}
