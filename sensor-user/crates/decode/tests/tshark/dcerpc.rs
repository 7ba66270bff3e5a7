//! DCE/RPC over TCP and in pipes: each PDU, each call, and what calls were made with where both of
//! us read it.

use goshawk_model::rpc::{EpmArguments, NetlogonArguments, RpcArguments, RpcCall, SamrArguments};
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "dcerpc",
    fields: &[
        "dcerpc.pkt_type",
        "dcerpc.cn_flags.first_frag",
        "dcerpc.opnum",
        "dcerpc.obj_id",
        "epm.proto.tcp_port",
        "netlogon.acct_name",
        "netlogon.clientcred",
        "netlogon.serverrid",
        "samr.samr_LookupNames.names",
        "samr.samr_LookupDomain.domain_name",
        "samr.status",
        "lsarpc.status",
        "netlogon.rc",
        "drsuapi.rc",
    ],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    if row.protocols.split(':').any(|it| it == "udp") {
        return;
    }
    let [
        types,
        firsts,
        opnums,
        objects,
        ports,
        accounts,
        credentials,
        rids,
        names,
        domains,
        statuses @ ..,
    ] = row.columns
    else {
        return;
    };
    for _ in types {
        fact("messages".into());
    }
    let requests = types.iter().zip(firsts).filter(|(kind, _)| **kind == "0");
    let mut opnums = opnums.iter();
    for (_, first) in requests {
        if let (Some(opnum), "1") = (opnums.next(), *first) {
            fact(format!("request {opnum}"));
        }
    }
    // It shows an object with the response too, and with every fragment.
    if (&types[..], &firsts[..]) == (&["0"], &["1"]) {
        objects.iter().for_each(|it| fact(format!("object {it}")));
    }
    // What is asked for names a port too.
    if !types.contains(&"0") {
        ports.iter().for_each(|it| fact(format!("endpoint {it}")));
    }
    // An account beside a credential authenticates.
    for (account, credential) in accounts.iter().zip(credentials) {
        let zero = credential.bytes().all(|digit| digit == b'0');
        fact(format!("authenticates {account} {zero}"));
    }
    for rid in rids.iter().filter(|rid| **rid != "0") {
        fact(format!("authenticated {rid}"));
    }
    for name in names.iter().chain(domains) {
        fact(format!("looked up {name}"));
    }
    for status in statuses.iter().flatten() {
        let digits = status.trim_start_matches("0x");
        match u32::from_str_radix(digits, 16) {
            Ok(0) | Err(_) => {}
            Ok(status) => fact(format!("status {status:#x}")),
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let Kind::Rpc(call) = &activity.kind else {
        return;
    };
    fact(format!("request {}", call.opnum));
    if let Some(object) = call.object {
        fact(format!("object {object}"));
    }
    if let Some(status) = call
        .status
        .filter(|&status| status != 0 && shows_status(call))
    {
        fact(format!("status {status:#x}"));
    }
    match &call.arguments {
        Some(RpcArguments::Epm(EpmArguments::Map { told, .. } | EpmArguments::Lookup { told })) => {
            for port in told.first.iter().filter_map(|tower| tower.port) {
                fact(format!("endpoint {port}"));
            }
        }
        Some(RpcArguments::Netlogon(NetlogonArguments::Authenticate {
            channel,
            zero_credential,
            rid,
            ..
        })) => {
            fact(format!(
                "authenticates {} {zero_credential}",
                channel.account
            ));
            if let Some(rid) = rid {
                fact(format!("authenticated {rid}"));
            }
        }
        Some(RpcArguments::Samr(SamrArguments::LookupNames { names, .. })) => {
            for name in &names.first {
                fact(format!("looked up {name}"));
            }
        }
        Some(RpcArguments::Samr(SamrArguments::LookupDomain { name, .. })) => {
            fact(format!("looked up {name}"));
        }
        _ => {}
    }
}

/// Whether tshark shows the return value too. It reads no answer of NetrServerTrustPasswordsGet.
fn shows_status(call: &RpcCall) -> bool {
    const TRUST_PASSWORDS_GET: u16 = 42;
    let shown = ["samr", "lsarpc", "netlogon", "drsuapi"];
    if call.name.as_deref() == Some("netlogon") && call.opnum == TRUST_PASSWORDS_GET {
        return false;
    }
    call.name
        .as_deref()
        .is_some_and(|name| shown.contains(&name))
}
