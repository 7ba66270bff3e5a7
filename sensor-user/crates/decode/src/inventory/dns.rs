//! Computers in DNS: what a zone's own server says of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use goshawk_model::dns::{
    DnsAction, DnsAnswer, DnsData, DnsExchange, DnsService, DnsUpdate, rtype,
};
use goshawk_model::inventory::SightingSource;
use goshawk_model::{Activity, Confidence, Outcome};

use super::Seen;

pub(super) fn exchange(activity: &Activity, exchange: &DnsExchange, tell: &mut dyn FnMut(Seen)) {
    let Some(answer) = &exchange.answer else {
        return;
    };
    if exchange.service != DnsService::Dns || activity.outcome != Outcome::Success {
        return;
    }
    if let Some(update) = &exchange.update {
        self::update(activity, update, tell);
        return;
    }
    // A resolver that speaks for a zone of its own: the domain's. What it fetched elsewhere for a
    // client has no AA, and what it fetches itself it asks for without RD; the whole internet's
    // names are not computers of the domain.
    if !(answer.authoritative && exchange.recursion_desired) {
        return;
    }
    match exchange.qtype {
        rtype::SRV => services(exchange, answer, tell),
        rtype::PTR => pointers(exchange, answer, tell),
        _ => addresses(exchange, answer, tell),
    }
}

fn addresses(exchange: &DnsExchange, answer: &DnsAnswer, tell: &mut dyn FnMut(Seen)) {
    for record in &answer.records {
        let name = record.name.as_deref().unwrap_or(&exchange.qname);
        if let DnsData::Address(ip) = record.data
            && is_host(name)
        {
            let source = SightingSource::DnsAddress;
            Seen::called(ip, name, source, Confidence::Medium)
                .into_iter()
                .for_each(&mut *tell);
        }
    }
}

/// A domain's controllers are the hosts of services below `_msdcs` ([MS-ADTS] 6.3.2.3).
fn services(exchange: &DnsExchange, answer: &DnsAnswer, tell: &mut dyn FnMut(Seen)) {
    if !exchange.qname.split('.').any(|label| label == "_msdcs") {
        return;
    }
    for record in &answer.records {
        let is_target = |name: &str| {
            answer.records.iter().any(|service| {
                matches!(&service.data, DnsData::Service { target, .. } if **target == *name)
            })
        };
        if let (DnsData::Address(ip), Some(name)) = (&record.data, &record.name)
            && is_target(name)
        {
            let source = SightingSource::DnsService;
            Seen::called(*ip, name, source, Confidence::Medium)
                .map(Seen::of_controller)
                .into_iter()
                .for_each(&mut *tell);
        }
    }
}

fn pointers(exchange: &DnsExchange, answer: &DnsAnswer, tell: &mut dyn FnMut(Seen)) {
    let names = answer
        .records
        .iter()
        .filter(|record| record.rtype == rtype::PTR);
    for record in names {
        let owner = record.name.as_deref().unwrap_or(&exchange.qname);
        if let (Some(ip), DnsData::Name(name)) = (reversed(owner), &record.data) {
            let source = SightingSource::DnsPointer;
            Seen::called(ip, name, source, Confidence::Medium)
                .into_iter()
                .for_each(&mut *tell);
        }
    }
}

/// A computer that enters its own address. Who does so unsigned, in a zone that lets everybody,
/// may enter any name.
fn update(activity: &Activity, update: &DnsUpdate, tell: &mut dyn FnMut(Seen)) {
    let credentials = activity.credentials.as_ref();
    let confidence = if credentials.is_some_and(|credentials| credentials.proven) {
        Confidence::Medium
    } else {
        Confidence::Low
    };
    for change in &update.changes {
        if change.action == DnsAction::Add
            && change.data == DnsData::Address(activity.client.ip)
            && is_host(&change.name)
        {
            let source = SightingSource::DnsUpdate;
            Seen::called(activity.client.ip, &change.name, source, confidence)
                .into_iter()
                .for_each(&mut *tell);
        }
    }
}

/// Whether a name with an address can be a computer's. The domain's own name and some below it
/// have the addresses of all its controllers ([MS-ADTS] 6.3.2.3).
pub(super) fn is_host(name: &str) -> bool {
    const OF_CONTROLLERS: [&str; 2] = ["domaindnszones", "forestdnszones"];
    let mut labels = name.split('.');
    let first = labels.next().unwrap_or_default();
    labels.clone().count() >= 2
        && !OF_CONTROLLERS.contains(&first)
        && !labels.any(|label| label.starts_with('_'))
}

/// The address that a name below `in-addr.arpa` (RFC 1035 3.5) or `ip6.arpa` (RFC 3596 2.5) is
/// about.
fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa") {
        let mut parts = digits.rsplit('.').map(str::parse::<u8>);
        let mut part = || parts.next()?.ok();
        let address = Ipv4Addr::new(part()?, part()?, part()?, part()?);
        return parts.next().is_none().then_some(address.into());
    }
    let digits = name.strip_suffix(".ip6.arpa")?;
    let mut address = 0;
    let mut count = 0;
    for digit in digits.rsplit('.') {
        let digit = u128::from_str_radix(digit, 16)
            .ok()
            .filter(|&digit| digit < 16)?;
        address = address << 4 | digit;
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from_bits(address).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_domains_own_names_are_no_computers() {
        assert!(is_host("dc1.corp.example"));
        for name in [
            "corp.example",
            "gc._msdcs.corp.example",
            "forestdnszones.corp.example",
            "dc1",
        ] {
            assert!(!is_host(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_found_in_their_reverse_names(v4 in any::<[u8; 4]>(), v6 in any::<u128>()) {
            let [a, b, c, d] = v4;
            prop_assert_eq!(reversed(&format!("{d}.{c}.{b}.{a}.in-addr.arpa")), Some(v4.into()));
            let digits: Vec<_> = (0..32).map(|at| format!("{:x}", v6 >> (4 * at) & 15)).collect();
            let name = format!("{}.ip6.arpa", digits.join("."));
            prop_assert_eq!(reversed(&name), Some(Ipv6Addr::from_bits(v6).into()));
        }

        #[test]
        fn other_names_are_survived(name in ".{0,80}(\\.in-addr\\.arpa|\\.ip6\\.arpa)?") {
            let _ = (reversed(&name), is_host(&name));
        }
    }
}
