//! What the administrator wants to hear nothing about.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use goshawk_model::{Account, Party, Timestamp};

/// A finding that matches every field given is counted and not raised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// The detection's number; every detection if absent.
    pub detection: Option<u16>,
    /// Where the finding's source is.
    pub source: Option<Place>,
    /// Who acts; where a finding has nobody who acts (a password guessed at), whom it acts on.
    pub account: Option<Account>,
    /// Until when, in the time of events.
    pub until: Option<Timestamp>,
    /// Why, for those who read the configuration later.
    pub reason: String,
}

impl Exclusion {
    /// Whether a finding of `detection` at `at`, from `source` and on `target`, is excluded.
    pub(crate) fn covers(
        &self,
        detection: u16,
        at: Timestamp,
        source: &Party,
        target: Option<&Party>,
    ) -> bool {
        let account = source.account.as_ref().or_else(|| target?.account.as_ref());
        self.detection.is_none_or(|wanted| wanted == detection)
            && self.until.is_none_or(|until| at < until)
            && self.source.as_ref().is_none_or(|place| place.holds(source))
            && self
                .account
                .as_ref()
                .is_none_or(|wanted| account.is_some_and(|account| account.may_be(wanted)))
    }
}

/// A machine, or a network of machines: `10.0.0.9`, `10.0.0.0/24`, `2001:db8::/32`, `ws7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Every address whose first `bits` are those of `address`.
    Network {
        /// The network's address.
        address: IpAddr,
        /// The prefix' length.
        bits: u8,
    },
    /// A machine's name, lower case, without its domain.
    Host(Box<str>),
}

impl Place {
    fn holds(&self, party: &Party) -> bool {
        match self {
            Self::Network { address, bits } => party
                .ip
                .is_some_and(|ip| prefix(ip, *bits) == prefix(*address, *bits)),
            Self::Host(name) => party.host.as_deref() == Some(name),
        }
    }
}

/// The first `bits` of an address; the family keeps IPv4 and IPv6 apart.
fn prefix(ip: IpAddr, bits: u8) -> (bool, u128) {
    match ip {
        IpAddr::V4(ip) => {
            let shift = 32_u32.saturating_sub(bits.into());
            (false, u128::from(u64::from(ip.to_bits()) >> shift))
        }
        IpAddr::V6(ip) => {
            let shift = 128_u32.saturating_sub(bits.into());
            (true, ip.to_bits().checked_shr(shift).unwrap_or(0))
        }
    }
}

/// The text is neither an address, nor a network, nor a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an address, a network or a machine's name (examples: 10.0.0.9, 10.0.0.0/24, ws7)"
)]
pub struct PlaceError(String);

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PlaceError(text.to_owned());
        if let Ok(address) = text.parse::<IpAddr>() {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            return Ok(Self::Network { address, bits });
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| wrong())?;
            let bits: u8 = bits.parse().map_err(|_| wrong())?;
            if bits > if address.is_ipv4() { 32 } else { 128 } {
                return Err(wrong());
            }
            return Ok(Self::Network { address, bits });
        }
        let short = text.split('.').next().unwrap_or(text);
        let named = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if short.is_empty() || !short.chars().all(named) || short.chars().all(char::is_numeric) {
            return Err(wrong());
        }
        Ok(Self::Host(short.to_lowercase().into()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { address, bits } => write!(f, "{address}/{bits}"),
            Self::Host(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(ip: &str, host: Option<&str>, account: Option<&str>) -> Party {
        Party {
            ip: ip.parse().ok(),
            host: host.map(Into::into),
            account: account.map(|name| Account::new(name, "corp.example")),
        }
    }

    #[test]
    fn a_place_is_an_address_a_network_or_a_name() {
        let holds =
            |place: &str, party: &Party| place.parse::<Place>().expect("reads").holds(party);
        let ws7 = party("10.0.0.7", Some("ws7"), None);
        assert!(holds("10.0.0.7", &ws7) && holds("10.0.0.0/24", &ws7) && holds("0.0.0.0/0", &ws7));
        assert!(holds("WS7.corp.example", &ws7));
        assert!(!holds("10.0.1.0/24", &ws7) && !holds("::/0", &ws7) && !holds("ws8", &ws7));
        assert!(holds("2001:db8::/32", &party("2001:db8::7", None, None)));
        for wrong in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "ws 7",
            "10.0.0.0/x",
            "300.1.1.1",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_field_given_must_match() {
        let exclusion = Exclusion {
            detection: Some(2006),
            source: Some("10.0.0.7".parse().expect("reads")),
            account: Some(Account::new("sync", "")),
            until: Some(Timestamp::from_parts(100, 0)),
            reason: "directory sync".into(),
        };
        let sync = party("10.0.0.7", None, Some("sync"));
        let early = Timestamp::from_parts(99, 0);
        assert!(exclusion.covers(2006, early, &sync, None));
        assert!(!exclusion.covers(2003, early, &sync, None));
        assert!(!exclusion.covers(2006, Timestamp::from_parts(100, 0), &sync, None));
        assert!(!exclusion.covers(2006, early, &party("10.0.0.8", None, Some("sync")), None));
        assert!(!exclusion.covers(2006, early, &party("10.0.0.7", None, Some("eve")), None));
    }

    #[test]
    fn a_victim_is_meant_where_nobody_acts() {
        let exclusion = Exclusion {
            account: Some(Account::new("scanner", "")),
            ..Exclusion::default()
        };
        let nobody = party("10.0.0.7", None, None);
        let victim = party("10.0.0.1", None, Some("scanner"));
        assert!(exclusion.covers(2412, Timestamp::ZERO, &nobody, Some(&victim)));
        assert!(!exclusion.covers(2412, Timestamp::ZERO, &nobody, None));
    }
}
