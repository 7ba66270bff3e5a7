//! The NetBIOS names of domains, where they are free inventions.
//!
//! A domain's NetBIOS name need not begin its DNS name: `OLDCORP` may be `corp.example`. Servers
//! tell both in NTLM's challenge ([MS-NLMP] 2.2.2.1). Anybody can run a server that lies, so the
//! first word counts, and it is believed of realms alone that are known from elsewhere, or if a
//! trusted controller says so.

use goshawk_model::{Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Domains remembered; a forest has few.
const DOMAINS: usize = 64;

/// DNS names by NetBIOS names, both in lower case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Domains(Table<Box<str>, Box<str>, DOMAINS>);

impl Domains {
    /// Learns from a server's challenge; `is_realm` tells whether to believe that a DNS
    /// name is a realm.
    pub(super) fn learn(
        &mut self,
        activity: &Activity,
        is_realm: impl Fn(&str) -> bool,
        now: Timestamp,
    ) {
        let Kind::Ntlm(logon) = &activity.kind else {
            return;
        };
        let server = logon.challenge.as_ref().map(|it| &it.target_info);
        if let Some(server) = server
            && let (Some(netbios), Some(dns)) = (&server.netbios_domain, &server.dns_domain)
            && is_realm(dns)
        {
            let netbios = netbios.to_lowercase().into();
            if self.0.get(&netbios).is_none() {
                self.0.touch(netbios, now, || dns.to_lowercase().into());
            }
        }
    }

    /// The DNS name of the domain with this NetBIOS name.
    pub(super) fn dns(&self, netbios: &str) -> Option<&str> {
        self.0.get(netbios).map(|dns| &**dns)
    }

    /// The DNS name of the one domain that is known.
    pub(super) fn only(&self) -> Option<&str> {
        let mut known = self.0.keys();
        match (known.next(), known.next()) {
            (Some(netbios), None) => self.dns(netbios),
            _ => None,
        }
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::ntlm::{AvPairs, NtlmChallenge, NtlmLogon};
    use goshawk_model::{Account, Carrier, Digest, Outcome};

    use crate::build::{Net, at};
    use crate::knowledge::Knowledge;
    use crate::settings::Settings;

    use super::*;

    fn challenge(netbios: &str, dns: &str) -> Activity {
        let logon = NtlmLogon {
            challenge: Some(NtlmChallenge {
                flags: 0,
                version: None,
                target_name: None,
                target_info: AvPairs {
                    netbios_domain: Some(netbios.into()),
                    dns_domain: Some(dns.into()),
                    ..AvPairs::default()
                },
                digest: Digest::of(&[b"random"]),
            }),
            ..NtlmLogon::new(Carrier::Smb)
        };
        let kind = Kind::Ntlm(Box::new(logon));
        Net::default().activity("10.0.0.7", Outcome::Unknown, kind)
    }

    #[test]
    fn an_invented_name_becomes_the_realm_that_a_server_says_it_is() {
        let net = Net::default();
        let mut knowledge = Knowledge::default();
        let mut learn = |activity: &Activity| {
            knowledge.learn(activity, at(1), &Settings::default());
            let account = Account::new("mallory", "OLDCORP");
            knowledge.complete(account).to_string()
        };
        let told = challenge("OLDCORP", "corp.example");
        assert_eq!(learn(&told), "mallory@oldcorp", "no such realm was seen");
        learn(&net.logon("alice", "10.0.0.7", "tgt"));
        assert_eq!(learn(&told), "mallory@corp.example");
        let mut knowledge = Knowledge::default();
        let trusting = Settings {
            controllers: vec![told.server.ip],
            ..Settings::default()
        };
        knowledge.learn(&told, at(1), &trusting);
        let account = Account::new("mallory", "OLDCORP");
        assert_eq!(
            knowledge.complete(account).to_string(),
            "mallory@corp.example",
            "a controller says so"
        );
        let bare = Account::new("mallory", "");
        assert_eq!(
            knowledge.complete(bare).to_string(),
            "mallory@corp.example",
            "there is one domain"
        );
    }

    #[test]
    fn the_first_word_counts() {
        let net = Net::default();
        let mut knowledge = Knowledge::default();
        let mut learn = |activity: &Activity| {
            knowledge.learn(activity, at(1), &Settings::default());
            let account = Account::new("mallory", "OLDCORP");
            knowledge.complete(account).to_string()
        };
        learn(&net.logon("alice", "10.0.0.7", "tgt"));
        learn(&challenge("OLDCORP", "corp.example"));
        let lie = challenge("OLDCORP", "evil.example");
        assert_eq!(learn(&lie), "mallory@corp.example");
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let mut domains = Domains::default();
        for n in 0..=DOMAINS {
            domains.learn(
                &challenge(&format!("D{n}"), "corp.example"),
                |_| true,
                at(1),
            );
        }
        let stats = domains.stats();
        assert_eq!((stats.len, stats.evicted), (DOMAINS, 1));
    }
}
