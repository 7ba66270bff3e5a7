//! Kerberos exchanges: only what travels bare, as they do.

use goshawk_model::kerberos::Answer;
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "kerberos",
    fields: &["kerberos.msg_type"],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let carriers = ["gss-api", "spnego", "smb", "smb2", "ldap", "dcerpc", "http"];
    if row.protocols.split(':').any(|it| carriers.contains(&it)) {
        return;
    }
    for message in &row.columns[0] {
        match *message {
            "10" => fact("AS-REQ".into()),
            "11" => fact("AS-REP".into()),
            "12" => fact("TGS-REQ".into()),
            "13" => fact("TGS-REP".into()),
            "30" => fact("KRB-ERROR".into()),
            _ => {}
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let (asked, request, reply, answer) = match &activity.kind {
        Kind::As(exchange) => {
            let asked = exchange.request.is_some();
            (asked, "AS-REQ", "AS-REP", &exchange.answer)
        }
        Kind::Tgs(exchange) => {
            let asked = exchange.request.is_some();
            (asked, "TGS-REQ", "TGS-REP", &exchange.answer)
        }
        _ => return,
    };
    if asked {
        fact(request.into());
    }
    match answer {
        Answer::Issued { .. } => fact(reply.into()),
        Answer::Refused(_) => fact("KRB-ERROR".into()),
        Answer::Unseen => {}
    }
}
