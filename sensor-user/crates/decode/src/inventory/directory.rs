//! Controllers that answer an LDAP ping ([MS-ADTS] 6.3.3).

use std::net::IpAddr;

use goshawk_model::inventory::SightingSource;
use goshawk_model::ldap::{LdapOperation, NetlogonResponse, Operation};
use goshawk_model::{Activity, Confidence};

use super::Seen;

pub(super) fn operation(
    activity: &Activity,
    operation: &LdapOperation,
    tell: &mut dyn FnMut(Seen),
) {
    if let Operation::Search(search) = &operation.operation
        && let Some(response) = &search.netlogon
    {
        netlogon(activity.server.ip, response, Confidence::Medium, tell);
    }
}

/// What the controller at `ip` tells of itself, over CLDAP or in a mailslot.
pub(super) fn netlogon(
    ip: IpAddr,
    response: &NetlogonResponse,
    confidence: Confidence,
    tell: &mut dyn FnMut(Seen),
) {
    let [name, other] = [&response.dns_host_name, &response.netbios_computer_name];
    let name = if name.is_empty() { other } else { name };
    let [domain, other] = [&response.dns_domain_name, &response.netbios_domain_name];
    let domain = if domain.is_empty() { other } else { domain };
    let source = SightingSource::NetlogonAnswer;
    Seen::called(ip, name, source, confidence)
        .map(|seen| seen.in_domain(domain).of_controller())
        .into_iter()
        .for_each(tell);
}
