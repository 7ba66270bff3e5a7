//! Computers in Kerberos: those that ask, those that issue, those that accept.

use goshawk_model::inventory::SightingSource;
use goshawk_model::kerberos::{Answer, AsExchange, TgsExchange, Ticket};
use goshawk_model::{Activity, Confidence, Outcome};

use super::Seen;

/// Classes of services that run under their computer's own account, so that only who holds its
/// random password can have made a ticket for them. A ticket for others may be forged with the
/// password of the person whose account they run under.
const COMPUTER_CLASSES: [&str; 8] = [
    "cifs",
    "dns",
    "gc",
    "host",
    "ldap",
    "restrictedkrbhost",
    "rpcss",
    // Directory replication ([MS-DRSR] 2.2.3.2).
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2",
];

pub(super) fn initial(activity: &Activity, exchange: &AsExchange, tell: &mut dyn FnMut(Seen)) {
    let request = exchange.request.as_ref();
    let names = request.and_then(|request| request.netbios_addresses.first());
    let client = activity.client.ip;
    if let Some(name) = names {
        let source = SightingSource::KerberosAddress;
        Seen::called(client, name, source, Confidence::Medium)
            .into_iter()
            .for_each(&mut *tell);
    }
    if let Some(actor) = activity.actor.as_ref().filter(|actor| actor.authenticated)
        && let Some(name) = actor.account.name().strip_suffix('$')
    {
        Seen::called(client, name, SightingSource::MachineLogon, Confidence::High)
            .map(|seen| seen.in_domain(actor.account.realm()))
            .into_iter()
            .for_each(&mut *tell);
    }
    issued(activity, &exchange.answer, tell);
}

pub(super) fn further(activity: &Activity, exchange: &TgsExchange, tell: &mut dyn FnMut(Seen)) {
    issued(activity, &exchange.answer, tell);
}

/// Anybody can answer on port 88: who issues tickets is no more than likely a controller.
fn issued(activity: &Activity, answer: &Answer, tell: &mut dyn FnMut(Seen)) {
    if let Answer::Issued { ticket, .. } = answer {
        let server = activity.server.ip;
        let seen = Seen::controller(server, SightingSource::Kdc, Confidence::Medium);
        let (_, realm) = ticket.service.rsplit_once('@').unwrap_or_default();
        tell(seen.in_domain(realm));
    }
}

/// A ticket that the server accepted: it has the key of the service in it.
pub(super) fn presented(activity: &Activity, ticket: &Ticket, tell: &mut dyn FnMut(Seen)) {
    if activity.outcome != Outcome::Success {
        return;
    }
    let (service, _realm) = ticket
        .service
        .rsplit_once('@')
        .unwrap_or((&ticket.service, ""));
    let Some((class, instance)) = service.split_once('/') else {
        return;
    };
    if class.eq_ignore_ascii_case("krbtgt") || class.eq_ignore_ascii_case("kadmin") {
        return;
    }
    let is_computers = COMPUTER_CLASSES
        .iter()
        .any(|known| class.eq_ignore_ascii_case(known));
    let confidence = if is_computers {
        Confidence::High
    } else {
        Confidence::Medium
    };
    // Behind the host may be a port, an instance or the domain ([MS-ADTS] 5.1.1.4).
    let host = instance.split(['/', ':']).next().unwrap_or(instance);
    Seen::called(
        activity.server.ip,
        host,
        SightingSource::ServiceTicket,
        confidence,
    )
    .into_iter()
    .for_each(tell);
}
