//! Calls of DCE/RPC over TCP and in pipes.

use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "dcerpc",
    fields: &[
        "dcerpc.pkt_type",
        "dcerpc.cn_flags.first_frag",
        "dcerpc.opnum",
    ],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    if row.protocols.split(':').any(|it| it == "udp") {
        return;
    }
    let [types, firsts, opnums] = row.columns else {
        return;
    };
    let requests = types.iter().zip(firsts).filter(|(kind, _)| **kind == "0");
    let mut opnums = opnums.iter();
    for (_, first) in requests {
        if let (Some(opnum), "1") = (opnums.next(), *first) {
            fact(format!("request {opnum}"));
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    if let Kind::Rpc(call) = &activity.kind {
        fact(format!("request {}", call.opnum));
    }
}
