//! Kerberos: every message wherever it is carried, and of the exchanges that travel bare what was
//! asked and how it ended.

use goshawk_model::kerberos::{Answer, AnswerData, RequestData, Ticket};
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "kerberos",
    fields: &[
        "kerberos.msg_type",
        "kerberos.padata_type",
        "kerberos.kdc_options",
        "kerberos.SNameString",
        "kerberos.nonce",
        "kerberos.ENCTYPE",
        "kerberos.etype",
        "kerberos.kvno",
        "kerberos.error_code",
    ],
    theirs,
    ours,
};

/// The error whose `e-data` tshark reads too.
const HINTED: &str = "25";

/// What is compared of a nonce: tshark extends no sign where a negative one is short.
fn of_nonce(nonce: u32) -> u32 {
    nonce & 0xffff
}

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [
        messages,
        padata,
        options,
        sname,
        nonces,
        enctypes,
        etypes,
        kvnos,
        errors,
    ] = row.columns
    else {
        return;
    };
    for _ in messages {
        fact("messages".into());
    }
    let carriers = ["gss-api", "spnego", "smb", "smb2", "ldap", "dcerpc", "http"];
    if row.protocols.split(':').any(|it| carriers.contains(&it)) {
        return;
    }
    // The first message is the one around the others.
    let (Some(outer), padata) = (messages.first(), padata.join(" ")) else {
        return;
    };
    match *outer {
        "10" | "12" => {
            let nonce = nonces.last().and_then(|nonce| nonce.parse().ok());
            let nonce = of_nonce(nonce.unwrap_or(0));
            // Names in the order in which they occur: of the tickets in padata, of the body, of
            // additional tickets.
            let (options, names) = (options.join(" "), sname.join("/"));
            fact(format!(
                "{outer} nonce {nonce} options {options:0<8} padata {padata}"
            ));
            fact(format!("{outer} for {names} etypes {}", enctypes.join(" ")));
        }
        "11" | "13" => {
            // Etypes of salts come before those of the ticket and of the reply.
            let [.., ticket, reply] = &etypes[..] else {
                return;
            };
            let kvno = kvnos.first().copied().unwrap_or("none");
            fact(format!(
                "{outer} ticket {ticket} kvno {kvno} reply {reply} padata {padata}"
            ));
            fact(format!("{outer} issued {}", sname.join("/")));
        }
        "30" => {
            let code = errors.join(" ");
            let padata = if code == HINTED { &*padata } else { "" };
            fact(format!("30 code {code} padata {padata}"));
        }
        _ => {}
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    match &activity.kind {
        Kind::As(exchange) => {
            if let Some(request) = &exchange.request {
                let (nonce, options) = (of_nonce(request.nonce), request.kdc_options);
                let padata = words(&request.padata);
                fact(format!(
                    "10 nonce {nonce} options {options:08x} padata {padata}"
                ));
                let names = names(armor(&request.data), exchange.service.as_deref(), &[]);
                fact(format!("10 for {names} etypes {}", words(&request.etypes)));
            }
            answered(11, &exchange.answer, &exchange.answer_data, fact);
        }
        Kind::Tgs(exchange) => {
            if let Some(request) = &exchange.request {
                let (nonce, options) = (of_nonce(request.nonce), request.kdc_options);
                let padata = words(&request.padata);
                fact(format!(
                    "12 nonce {nonce} options {options:08x} padata {padata}"
                ));
                let tickets = request.presented.iter().chain(armor(&request.data));
                let names = names(tickets, exchange.service.as_deref(), &request.additional);
                // tshark calls those of a key list by the same name, and they come first.
                let etypes = [&request.data.key_list[..], &request.etypes].concat();
                fact(format!("12 for {names} etypes {}", words(&etypes)));
            }
            answered(13, &exchange.answer, &exchange.answer_data, fact);
        }
        _ => {}
    }
}

fn answered(reply: u8, answer: &Answer, data: &AnswerData, fact: &mut dyn FnMut(String)) {
    let padata = words(&data.padata);
    match answer {
        Answer::Issued {
            ticket,
            reply_etype,
        } => {
            let kvno = ticket.kvno.map_or("none".into(), |kvno| kvno.to_string());
            let etype = ticket.etype;
            fact(format!(
                "{reply} ticket {etype} kvno {kvno} reply {reply_etype} padata {padata}"
            ));
            fact(format!("{reply} issued {}", name(&ticket.service)));
        }
        Answer::Refused(code) => {
            let code = code.to_string();
            let padata = if code == HINTED { &*padata } else { "" };
            fact(format!("30 code {code} padata {padata}"));
        }
        Answer::Unseen => {}
    }
}

fn armor(data: &RequestData) -> impl Iterator<Item = &Ticket> {
    data.fast.iter().filter_map(|fast| fast.armor.as_ref())
}

fn names<'a>(
    before: impl IntoIterator<Item = &'a Ticket>,
    service: Option<&str>,
    additional: &[Ticket],
) -> String {
    let before = before.into_iter().map(|ticket| &*ticket.service);
    let behind = additional.iter().map(|ticket| &*ticket.service);
    let all: Vec<_> = before.chain(service).chain(behind).map(name).collect();
    all.join("/")
}

/// A service's name without its realm.
fn name(service: &str) -> &str {
    service.rsplit_once('@').map_or(service, |(name, _)| name)
}

fn words(numbers: &[i32]) -> String {
    let words: Vec<_> = numbers.iter().map(i32::to_string).collect();
    words.join(" ")
}
