//! Computers in NetBIOS: they register their names, tell them, and sign their datagrams with them.

use std::net::IpAddr;

use goshawk_model::inventory::SightingSource;
use goshawk_model::netbios::{
    MailslotMessage, NameAnswer, NameExchange, NameOperation, NetbiosDatagram, NetbiosName,
    server_type,
};
use goshawk_model::{Activity, Confidence, Outcome};

use super::{Seen, directory};

/// The suffix of a computer's own name, and of its domain's ([MS-NBTE] 3.2).
const WORKSTATION: u8 = 0x00;
const FILE_SERVER: u8 = 0x20;

pub(super) fn exchange(activity: &Activity, exchange: &NameExchange, tell: &mut dyn FnMut(Seen)) {
    match (exchange.operation, &exchange.answer) {
        (NameOperation::Status, Some(answer)) => status(activity, answer, tell),
        // Nobody answers a registration that everybody was told of, unless to object.
        (NameOperation::Registration | NameOperation::Refresh, _)
            if activity.outcome != Outcome::Failure =>
        {
            registration(activity, exchange, tell);
        }
        _ => {}
    }
}

/// A node's table of names (RFC 1002 4.2.18): its own, and as a group its domain's.
fn status(activity: &Activity, answer: &NameAnswer, tell: &mut dyn FnMut(Seen)) {
    let find = |group: bool| {
        let mut names = answer.names.iter();
        names.find(|it| it.group == group && it.name.suffix == WORKSTATION)
    };
    let domain = find(true).map_or("", |it| &it.name.name);
    if let Some(own) = find(false) {
        let source = SightingSource::NetbiosStatus;
        Seen::called(
            activity.server.ip,
            &own.name.name,
            source,
            Confidence::Medium,
        )
        .map(|seen| seen.in_domain(domain))
        .into_iter()
        .for_each(tell);
    }
}

/// The name that a computer takes for itself, not one that it takes with others.
fn registration(activity: &Activity, exchange: &NameExchange, tell: &mut dyn FnMut(Seen)) {
    let client = activity.client.ip;
    let NetbiosName { name, suffix } = &exchange.name;
    let is_own = exchange
        .registered
        .iter()
        .any(|ip| IpAddr::from(*ip) == client);
    // A domain's name has the suffix of a workstation too; a server's has another.
    if *suffix == FILE_SERVER && is_own {
        let source = SightingSource::NetbiosRegistration;
        Seen::called(client, name, source, Confidence::Medium)
            .into_iter()
            .for_each(tell);
    }
}

pub(super) fn datagram(
    activity: &Activity,
    datagram: &NetbiosDatagram,
    tell: &mut dyn FnMut(Seen),
) {
    let client = activity.client.ip;
    let source = SightingSource::BrowserAnnouncement;
    match &datagram.message {
        Some(MailslotMessage::Announcement {
            server,
            server_type,
            ..
        }) => {
            let controller = server_type::DOMAIN_CTRL | server_type::DOMAIN_BAKCTRL;
            Seen::called(client, server, source, Confidence::Low)
                .map(|seen| match server_type & controller {
                    0 => seen,
                    _ => seen.of_controller(),
                })
                .into_iter()
                .for_each(tell);
        }
        Some(MailslotMessage::SamLogonResponse(response)) => {
            directory::netlogon(client, response, Confidence::Low, tell);
        }
        Some(MailslotMessage::PrimaryResponse { controller, domain }) => {
            let source = SightingSource::NetlogonAnswer;
            Seen::called(client, controller, source, Confidence::Low)
                .map(|seen| seen.in_domain(domain).of_controller())
                .into_iter()
                .for_each(tell);
        }
        _ => {
            let source = SightingSource::NetbiosDatagram;
            let NetbiosName { name, suffix } = &datagram.source;
            if matches!(*suffix, WORKSTATION | FILE_SERVER) {
                Seen::called(client, name, source, Confidence::Low)
                    .into_iter()
                    .for_each(tell);
            }
        }
    }
}
