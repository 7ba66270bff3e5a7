//! NetBIOS over UDP: the names that are asked for and told, and who sends datagrams to whom.

use goshawk_model::netbios::NetbiosName;
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "netbios",
    fields: &[
        "nbns.flags.response",
        "nbdgm.type",
        "nbdgm.source_name",
        "nbdgm.destination_name",
        "mailslot.name",
    ],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [names, types, sources, destinations, mailslots] = row.columns else {
        return;
    };
    // What ICMP quotes is nobody's.
    if row.protocols.split(':').any(|it| it == "icmp") {
        return;
    }
    for _message in names.iter().chain(types) {
        fact("messages".into());
    }
    if let (Some(source), Some(destination)) = (sources.first(), destinations.first()) {
        // Behind the suffix stands what it means.
        let bare = |name: &str| {
            name.split_once('>')
                .map_or(name, |(name, _)| name)
                .to_owned()
        };
        let (source, destination) = (bare(source), bare(destination));
        fact(format!("datagram {source}> to {destination}>"));
    }
    for mailslot in mailslots {
        fact(format!("mailslot {mailslot}"));
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    if let Kind::Datagram(datagram) = &activity.kind {
        let bare = |name: &NetbiosName| {
            let name = name.to_string();
            // tshark hides the two bytes before the name of the master browsers, and it with them.
            match name.split_once("__MSBROWSE__") {
                Some((_, behind)) => behind.trim_start_matches('\u{fffd}').to_owned(),
                None => name,
            }
        };
        let (source, destination) = (bare(&datagram.source), bare(&datagram.destination));
        fact(format!("datagram {source} to {destination}"));
        if let Some(mailslot) = &datagram.mailslot {
            fact(format!("mailslot {mailslot}"));
        }
    }
}
