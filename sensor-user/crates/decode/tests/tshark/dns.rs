//! DNS, mDNS and LLMNR: every question, and how it was answered.

use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "dns",
    fields: &[
        "dns.flags.response",
        "dns.flags.opcode",
        "dns.flags.rcode",
        "dns.qry.name",
        "dns.qry.type",
        "dns.retransmission",
    ],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    // What travels in HTTP is another's, and what ICMP quotes nobody's.
    let carriers = ["http", "http2", "icmp", "icmpv6"];
    if row.protocols.split(':').any(|it| carriers.contains(&it)) {
        return;
    }
    let [responses, opcodes, rcodes, names, types, repeated] = row.columns else {
        return;
    };
    for _message in responses {
        fact("messages".into());
    }
    if !repeated.is_empty() {
        return;
    }
    let is_response = responses
        .first()
        .is_some_and(|flag| *flag == "1" || *flag == "True");
    let opcode = opcodes.first().copied().unwrap_or_default();
    if is_response {
        fact(format!(
            "answer {opcode} {}",
            rcodes.first().copied().unwrap_or_default()
        ));
        return;
    }
    for (name, qtype) in names.iter().zip(types) {
        fact(format!("asked {opcode} {} {qtype}", name.to_lowercase()));
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let Kind::Dns(exchange) = &activity.kind else {
        return;
    };
    if exchange.request_bytes.is_some() {
        let name = if exchange.qname.is_empty() {
            "<Root>"
        } else {
            &exchange.qname
        };
        fact(format!(
            "asked {} {} {}",
            exchange.opcode,
            name.to_lowercase(),
            exchange.qtype
        ));
    }
    if let Some(answer) = &exchange.answer {
        for _ in 0..answer.messages {
            fact(format!("answer {} {}", exchange.opcode, answer.rcode & 15));
        }
    }
}
