//! The passive inventory: which address is which computer, read off every activity as it is
//! emitted.
//!
//! Each source of knowledge is a file; all give [`Seen`]s. What they show is told as an activity of
//! its own when it is new, and again after an hour for those who came later. "Told" is remembered
//! for each pair of addresses, which always meets in one decoder (see [`Sharder`](crate::Sharder)):
//! so what is told does not depend on how many decoders share the work.

mod directory;
mod dns;
mod kerberos;
mod netbios;
mod ntlm;
mod remote;
mod shares;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::inventory::{Sighting, SightingSource};
use goshawk_model::{Activity, Confidence, Kind, Timestamp};
use lru::LruCache;

use crate::stats::{Drop, Stats};

/// What was told, and when.
pub(crate) struct Inventory {
    told: LruCache<u64, Timestamp>,
    /// Of a random key: nobody can make two computers look like one.
    fingerprints: RandomState,
}

/// A computer that an activity shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sighting: Sighting,
    pub(crate) confidence: Confidence,
}

/// Computers taken from one activity; a DNS answer may name many.
pub(crate) const MAX_SEEN: usize = 7;
/// What was told is told again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(3600);
/// The longest name of a computer: a label of DNS (RFC 1035 2.3.4).
const MAX_LABEL: usize = 63;

impl Inventory {
    pub(crate) fn new() -> Self {
        Self {
            told: LruCache::unbounded(),
            fingerprints: RandomState::new(),
        }
    }

    /// The computers that `activity` shows and that were not told lately. At most `room` are
    /// remembered as told.
    pub(crate) fn news(
        &mut self,
        activity: &Activity,
        room: usize,
        stats: &mut Stats,
    ) -> Vec<Seen> {
        let mut news = Vec::new();
        look(activity, &mut |seen| {
            if news.len() < MAX_SEEN && self.is_news(activity, &seen.sighting) {
                news.push(seen);
            }
        });
        while self.told.len() > room && self.told.pop_lru().is_some() {
            stats.drop(Drop::SightingEvicted);
        }
        news
    }

    fn is_news(&mut self, activity: &Activity, sighting: &Sighting) -> bool {
        let now = activity.time;
        let addresses = (activity.client.ip, activity.server.ip);
        let key = self.fingerprints.hash_one((addresses, sighting));
        // A stamp that jumped ahead must not silence what comes after it.
        let is_recent = |told: Timestamp| now < told + TELL_AGAIN && told < now + TELL_AGAIN;
        if self.told.get(&key).is_some_and(|&told| is_recent(told)) {
            return false;
        }
        self.told.put(key, now);
        true
    }
}

/// Looks at an activity with the eyes of every source.
fn look(activity: &Activity, tell: &mut dyn FnMut(Seen)) {
    match &activity.kind {
        Kind::As(exchange) => kerberos::initial(activity, exchange, tell),
        Kind::Tgs(exchange) => kerberos::further(activity, exchange, tell),
        Kind::Ap(exchange) => kerberos::presented(activity, &exchange.ticket, tell),
        Kind::Ntlm(logon) => ntlm::logon(activity, logon, tell),
        Kind::Dns(exchange) => dns::exchange(activity, exchange, tell),
        Kind::Ldap(operation) => directory::operation(activity, operation, tell),
        Kind::Rpc(call) => remote::call(activity, call, tell),
        Kind::Netbios(exchange) => netbios::exchange(activity, exchange, tell),
        Kind::Datagram(datagram) => netbios::datagram(activity, datagram, tell),
        Kind::Smb(operation) => shares::operation(activity, operation, tell),
        _ => {}
    }
    let credentials = activity.credentials.as_deref();
    if let Some(ticket) = credentials.and_then(|it| it.ticket.as_ref()) {
        kerberos::presented(activity, ticket, tell);
    }
}

impl Seen {
    /// The computer at `ip` is called `name`, which may have its domain behind it; `None` if that
    /// cannot be a computer's name.
    fn called(
        ip: IpAddr,
        name: &str,
        source: SightingSource,
        confidence: Confidence,
    ) -> Option<Self> {
        let name = name.trim_matches(|end: char| end.is_whitespace() || end == '\0');
        // An address has no name in it, a share's path may have one.
        if name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let (name, domain) = match name.split_once('.') {
            Some((name, domain)) => (name, normal(domain)),
            None => (name, None),
        };
        let is_label = |letter: char| letter.is_alphanumeric() || "-_$".contains(letter);
        if name.len() > MAX_LABEL || !name.chars().all(is_label) {
            return None;
        }
        Some(Self {
            sighting: Sighting {
                ip,
                name: Some(normal(name)?),
                domain,
                controller: false,
                source,
            },
            confidence,
        })
    }

    /// The computer at `ip` acts as a domain controller.
    fn controller(ip: IpAddr, source: SightingSource, confidence: Confidence) -> Self {
        Self {
            sighting: Sighting {
                ip,
                name: None,
                domain: None,
                controller: true,
                source,
            },
            confidence,
        }
    }

    fn in_domain(mut self, domain: &str) -> Self {
        self.sighting.domain = normal(domain).or(self.sighting.domain);
        self
    }

    fn of_controller(mut self) -> Self {
        self.sighting.controller = true;
        self
    }
}

/// Lower case and without the dots around; `None` if nothing is left.
fn normal(name: &str) -> Option<Box<str>> {
    let name = name.trim().trim_matches('.');
    (!name.is_empty()).then(|| name.to_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_computers_name_is_one() {
        let ip = IpAddr::from([10, 0, 0, 7]);
        let called = |name: &str| {
            let seen = Seen::called(ip, name, SightingSource::DnsAddress, Confidence::Medium)?;
            Some((seen.sighting.name?.into_string(), seen.sighting.domain))
        };
        let domain: Option<Box<str>> = Some("corp.example".into());
        assert_eq!(called("WS1.Corp.Example"), Some(("ws1".to_owned(), domain)));
        assert_eq!(called("WS1            \0"), Some(("ws1".to_owned(), None)));
        for name in [
            "",
            "*.corp.example",
            "10.0.0.7",
            "fe80::1",
            ".corp",
            "a b",
            &"x".repeat(64),
        ] {
            assert_eq!(called(name), None, "{name}");
        }
    }
}
