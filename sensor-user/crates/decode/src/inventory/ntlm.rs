//! Computers in NTLM: both ends name themselves.

use goshawk_model::inventory::SightingSource;
use goshawk_model::ntlm::NtlmLogon;
use goshawk_model::{Activity, Confidence};

use super::Seen;

pub(super) fn logon(activity: &Activity, logon: &NtlmLogon, tell: &mut dyn FnMut(Seen)) {
    if let Some(challenge) = &logon.challenge {
        let pairs = &challenge.target_info;
        let name = pairs
            .dns_computer
            .as_ref()
            .or(pairs.netbios_computer.as_ref());
        let domain = pairs.dns_domain.as_ref().or(pairs.netbios_domain.as_ref());
        let source = SightingSource::NtlmServer;
        name.and_then(|name| Seen::called(activity.server.ip, name, source, Confidence::Medium))
            .map(|seen| seen.in_domain(domain.map_or("", |domain| domain)))
            .into_iter()
            .for_each(&mut *tell);
    }
    let authenticate = logon.authenticate.as_ref();
    if let Some(name) = authenticate.and_then(|it| it.workstation.as_ref()) {
        let name = name.trim_start_matches('\\');
        let source = SightingSource::NtlmWorkstation;
        Seen::called(activity.client.ip, name, source, Confidence::Medium)
            .into_iter()
            .for_each(tell);
    }
}
