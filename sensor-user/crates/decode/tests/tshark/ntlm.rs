//! NTLM messages, whatever carries them.

use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "ntlm",
    fields: &[
        "ntlmssp.messagetype",
        "ntlmssp.negotiateflags",
        "ntlmssp.challenge.target_name",
        "ntlmssp.challenge.target_info.nb_computer_name",
        "ntlmssp.challenge.target_info.nb_domain_name",
        "ntlmssp.challenge.target_info.dns_computer_name",
        "ntlmssp.challenge.target_info.dns_domain_name",
        "ntlmssp.challenge.target_info.dns_tree_name",
        "ntlmssp.auth.domain",
        "ntlmssp.auth.username",
        "ntlmssp.auth.hostname",
        "ntlmssp.ntlmv2_response.target_name",
    ],
    theirs,
    ours,
};

/// What follows the type and the flags in the name of a fact.
const NAMES: [&str; 10] = [
    "target",
    "computer",
    "domain",
    "dns-computer",
    "dns-domain",
    "forest",
    "user-domain",
    "user",
    "workstation",
    "spn",
];

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [types, flags, names @ ..] = row.columns else {
        return;
    };
    for (kind, flags) in types.iter().zip(flags) {
        let kind = kind.trim_start_matches("0x").trim_start_matches('0');
        fact("messages".into());
        fact(format!("message {kind} {flags}"));
    }
    for (name, values) in NAMES.into_iter().zip(names) {
        // How it shows what is empty.
        for value in values.iter().filter(|value| **value != "NULL") {
            fact(format!("{name} {value}"));
        }
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let Kind::Ntlm(logon) = &activity.kind else {
        return;
    };
    let mut names: [Option<&str>; 10] = [None; 10];
    if let Some(negotiate) = &logon.negotiate {
        fact(format!("message 1 {:#010x}", negotiate.flags));
    }
    if let Some(challenge) = &logon.challenge {
        fact(format!("message 2 {:#010x}", challenge.flags));
        let server = &challenge.target_info;
        names[0] = challenge.target_name.as_deref();
        names[1] = server.netbios_computer.as_deref();
        names[2] = server.netbios_domain.as_deref();
        names[3] = server.dns_computer.as_deref();
        names[4] = server.dns_domain.as_deref();
        names[5] = server.dns_tree.as_deref();
    }
    if let Some(authenticate) = &logon.authenticate {
        fact(format!("message 3 {:#010x}", authenticate.flags));
        names[6] = authenticate.domain.as_deref();
        names[7] = authenticate.user.as_deref();
        names[8] = authenticate.workstation.as_deref();
        names[9] = authenticate.target_info.target_name.as_deref();
    }
    for (name, value) in NAMES.into_iter().zip(names) {
        if let Some(value) = value {
            fact(format!("{name} {value}"));
        }
    }
}
