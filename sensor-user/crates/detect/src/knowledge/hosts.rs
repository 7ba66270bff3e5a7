//! What machines are called, and who logged on from them.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::inventory::{Sighting, SightingSource};
use goshawk_model::kerberos::Answer;
use goshawk_model::{Account, Activity, Confidence, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Realms, Tickets};
use crate::table::{Table, TableStats};

/// Machines remembered.
const HOSTS: usize = 65_536;
/// Accounts remembered per machine.
const ACCOUNTS: usize = 64;
/// A machine's address is good for as long as a DHCP lease usually is.
const FORGET: Duration = Duration::from_secs(8 * 24 * 3600);
/// An account that logged on this recently is thought to be there still.
const RECENT: Duration = Duration::from_secs(3600);

/// What is known of one address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct HostFact {
    name: Option<Box<str>>,
    /// High: the machine proved it. Medium: it said so. Low: it said so and then otherwise, as
    /// several machines behind one address do.
    certainty: Option<Confidence>,
    /// Accounts that logged on from here, the latest last.
    accounts: Vec<Logons>,
}

/// An account's logons from one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Logons {
    account: Account,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hosts {
    facts: Table<IpAddr, HostFact, HOSTS>,
    /// Names that were proved → where: a service of that name accepted a ticket there, or else its
    /// account logged on from there first. A stolen account that logs on elsewhere moves nothing.
    addresses: Table<Box<str>, IpAddr, HOSTS>,
}

impl Hosts {
    pub(super) fn name(&self, ip: IpAddr) -> Option<(&str, Confidence)> {
        let fact = self.facts.get(&ip)?;
        Some((fact.name.as_deref()?, fact.certainty?))
    }

    /// Where the machine called `name` is, as far as it was proved.
    pub(crate) fn address(&self, name: &str) -> Option<IpAddr> {
        self.addresses.get(name).copied()
    }

    /// The one account that logged on from `ip` lately: the only person, or else the only machine.
    pub(super) fn only_account(&self, ip: IpAddr, now: Timestamp) -> Option<&Account> {
        let one = |machine: bool| {
            let mut recent = self
                .logons(ip, now - RECENT)
                .filter(move |account| account.is_machine() == machine);
            (recent.next(), recent.next())
        };
        match one(false) {
            (Some(person), None) => Some(person),
            (None, None) => match one(true) {
                (Some(machine), None) => Some(machine),
                _ => None,
            },
            _ => None,
        }
    }

    /// Accounts that logged on from `ip` at or after `since`.
    pub(crate) fn logons(&self, ip: IpAddr, since: Timestamp) -> impl Iterator<Item = &Account> {
        self.facts
            .get(&ip)
            .into_iter()
            .flat_map(|fact| &fact.accounts)
            .filter(move |logons| logons.last >= since)
            .map(|logons| &logons.account)
    }

    /// Whether several computers speak from `ip`: it stands for a network behind it.
    pub(crate) fn is_shared(&self, ip: IpAddr) -> bool {
        let computers = self.logons(ip, Timestamp::ZERO);
        computers.filter(|account| account.is_machine()).count() > 1
    }

    /// Whether both addresses are called the same.
    pub(crate) fn are_one(&self, a: IpAddr, b: IpAddr) -> bool {
        match (self.name(a), self.name(b)) {
            (Some((a, _)), Some((b, _))) => a == b,
            _ => false,
        }
    }

    /// Whether the addresses are of two computers: one has proved its name, and the other's is different.
    pub(crate) fn are_two(&self, a: IpAddr, b: IpAddr) -> bool {
        match (self.name(a), self.name(b)) {
            (Some((a, sure)), Some((b, other))) => {
                a != b && sure.max(other) == Confidence::High && sure.min(other) > Confidence::Low
            }
            _ => false,
        }
    }

    /// How many people logged on from `ip`, as far as is remembered.
    pub(crate) fn people(&self, ip: IpAddr) -> usize {
        let logons = self.logons(ip, Timestamp::ZERO);
        logons.filter(|account| !account.is_machine()).count()
    }

    /// Accounts that logged on from `ip` for the first time at or after `since`.
    pub(crate) fn newcomers(&self, ip: IpAddr, since: Timestamp) -> impl Iterator<Item = &Account> {
        self.facts
            .get(&ip)
            .into_iter()
            .flat_map(|fact| &fact.accounts)
            .filter(move |logons| logons.first >= since)
            .map(|logons| &logons.account)
    }

    /// Learns from `activity`; returns whether an account logged on where it was not seen lately.
    pub(super) fn learn(
        &mut self,
        activity: &Activity,
        (tickets, realms): (&Tickets, &Realms),
        now: Timestamp,
    ) -> bool {
        let client = activity.client.ip;
        match &activity.kind {
            Kind::Sighting(sighting) => {
                self.sighted(sighting, activity.confidence, realms, now);
            }
            Kind::As(exchange) => {
                let proved = exchange
                    .request
                    .as_ref()
                    .is_some_and(|request| crate::detections::proves_identity(&request.padata));
                if proved
                    && matches!(exchange.answer, Answer::Issued { .. })
                    && let Some(account) = &exchange.client
                {
                    return self.logged_on(client, account, now);
                }
            }
            Kind::Tgs(exchange) => {
                let presented = exchange.request.as_ref().and_then(|r| r.presented.as_ref());
                if matches!(exchange.answer, Answer::Issued { .. })
                    && let Some(account) = presented.and_then(|p| tickets.get(p)?.owner.as_ref())
                {
                    return self.logged_on(client, account, now);
                }
            }
            _ => {}
        }
        false
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.facts.expire(now - FORGET);
        self.addresses.expire(now - FORGET);
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("hosts", self.facts.stats()),
            ("host-names", self.addresses.stats()),
        ]
    }

    fn logged_on(&mut self, ip: IpAddr, account: &Account, now: Timestamp) -> bool {
        let is_news = self.seen_at(ip, account, now);
        if let Some(name) = account.name().strip_suffix('$') {
            let lives = *self.addresses.touch(name.into(), now, || ip);
            if lives == ip {
                self.called(ip, name, Confidence::High, now);
            }
        }
        is_news
    }

    /// An account logged on from `ip`; returns whether it had not been seen there lately. That proves no
    /// machine's name where it was said by NTLM or in a bind, which may be relayed.
    pub(super) fn seen_at(&mut self, ip: IpAddr, account: &Account, now: Timestamp) -> bool {
        let fact = self.facts.touch(ip, now, HostFact::default);
        let known = fact
            .accounts
            .iter()
            .rposition(|known| known.account == *account);
        if let Some(known) = known {
            let is_news = fact.accounts[known].last + RECENT < now;
            fact.accounts[known].last = now;
            fact.accounts[known..].rotate_left(1);
            is_news
        } else {
            if fact.accounts.len() >= ACCOUNTS {
                fact.accounts.remove(0);
            }
            fact.accounts.push(Logons {
                account: account.clone(),
                first: now,
                last: now,
            });
            true
        }
    }

    /// A computer was recognised by the decoder.
    fn sighted(
        &mut self,
        sighting: &Sighting,
        certainty: Confidence,
        realms: &Realms,
        now: Timestamp,
    ) {
        let Some(name) = sighting.name.as_deref() else {
            return;
        };
        // A domain's own name has addresses in DNS, those of its controllers.
        let domain = sighting.domain.as_deref().unwrap_or_default();
        if realms.knows(&format!("{name}.{domain}")) {
            return;
        }
        let certainty = match sighting.source {
            SightingSource::ServiceTicket if certainty == Confidence::High => {
                *self.addresses.touch(name.into(), now, || sighting.ip) = sighting.ip;
                certainty
            }
            SightingSource::MachineLogon => {
                let lives = *self.addresses.touch(name.into(), now, || sighting.ip);
                if lives != sighting.ip {
                    return;
                }
                certainty
            }
            // Who relays NTLM says on both sides what the other side said.
            SightingSource::NtlmServer | SightingSource::NtlmWorkstation
                if self.address(name).is_some_and(|home| home != sighting.ip) =>
            {
                return;
            }
            _ => certainty.min(Confidence::Medium),
        };
        self.called(sighting.ip, name, certainty, now);
    }

    fn called(&mut self, ip: IpAddr, name: &str, certainty: Confidence, now: Timestamp) {
        let short = short(name);
        if short.is_empty() || short.len() > 63 {
            return;
        }
        let fact = self.facts.touch(ip, now, HostFact::default);
        if fact.certainty > Some(certainty) {
            return;
        }
        let same = fact
            .name
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(short));
        if same && certainty < Confidence::High {
            return;
        }
        let contested = !same && fact.name.is_some() && certainty < Confidence::High;
        if !same {
            fact.name = Some(short.to_lowercase().into());
        }
        fact.certainty = Some(if contested {
            Confidence::Low
        } else {
            certainty
        });
        if certainty == Confidence::High {
            *self
                .addresses
                .touch(short.to_lowercase().into(), now, || ip) = ip;
        }
    }
}

/// A machine's name without padding, domain, port and whatever else may follow it.
fn short(name: &str) -> &str {
    let name = name.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    name.split(['.', ':', '/']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at, ip};

    fn learn(hosts: &mut Hosts, activity: &Activity, when: u64) {
        let known = (&Tickets::default(), &Realms::default());
        hosts.learn(activity, known, at(when));
    }

    #[test]
    fn a_service_ticket_accepted_proves_the_name_and_moves_it() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        for ip in ["10.0.0.7", "10.0.0.8"] {
            let accepted = net.sighting(ip, "srv", SightingSource::ServiceTicket);
            learn(&mut hosts, &accepted, 1);
        }
        let logon = net.sighting("10.0.0.9", "srv", SightingSource::MachineLogon);
        learn(&mut hosts, &logon, 2);
        assert_eq!(hosts.address("srv"), Some(ip("10.0.0.8")));
        assert_eq!(hosts.name(ip("10.0.0.8")), Some(("srv", Confidence::High)));
        assert_eq!(
            hosts.name(ip("10.0.0.9")),
            None,
            "a stolen account moves nothing"
        );
    }

    #[test]
    fn a_domains_name_is_no_computers() {
        let net = Net::default();
        let (mut hosts, mut realms) = (Hosts::default(), Realms::default());
        realms.learn(&net.logon("alice", "10.0.0.7", "tgt"), at(1));
        let mut apex = net.sighting("10.0.0.1", "corp", SightingSource::DnsAddress);
        if let Kind::Sighting(sighting) = &mut apex.kind {
            sighting.domain = Some("example".into());
        }
        hosts.learn(&apex, (&Tickets::default(), &realms), at(2));
        assert_eq!(hosts.name(ip("10.0.0.1")), None);
    }

    #[test]
    fn a_machine_account_that_logs_on_proves_the_name() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        let said = net.sighting("10.0.0.7", "kiosk", SightingSource::KerberosAddress);
        learn(&mut hosts, &said, 1);
        assert_eq!(
            hosts.name(ip("10.0.0.7")),
            Some(("kiosk", Confidence::Medium))
        );
        learn(&mut hosts, &net.logon("WS7$", "10.0.0.7", "tgt-2"), 2);
        assert_eq!(hosts.name(ip("10.0.0.7")), Some(("ws7", Confidence::High)));
        assert_eq!(hosts.address("ws7"), Some(ip("10.0.0.7")));
        learn(&mut hosts, &said, 3);
        assert_eq!(hosts.name(ip("10.0.0.7")), Some(("ws7", Confidence::High)));
    }

    #[test]
    fn a_relays_words_do_not_rename_it() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        let proved = net.sighting("10.0.0.1", "dc1", SightingSource::ServiceTicket);
        learn(&mut hosts, &proved, 1);
        for source in [SightingSource::NtlmServer, SightingSource::NtlmWorkstation] {
            learn(&mut hosts, &net.sighting("10.0.0.9", "dc1", source), 2);
        }
        assert_eq!(hosts.name(ip("10.0.0.9")), None);
    }

    #[test]
    fn several_computers_share_an_address() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        for (account, shared) in [("ws7$", false), ("alice", false), ("ws8$", true)] {
            learn(&mut hosts, &net.logon(account, "192.0.2.1", account), 1);
            assert_eq!(hosts.is_shared(ip("192.0.2.1")), shared, "{account}");
        }
    }

    #[test]
    fn two_names_said_for_one_address_are_doubtful() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        for name in ["a", "b"] {
            let said = net.sighting("10.0.0.7", name, SightingSource::NtlmWorkstation);
            learn(&mut hosts, &said, 1);
        }
        assert_eq!(hosts.name(ip("10.0.0.7")), Some(("b", Confidence::Low)));
    }

    #[test]
    fn the_only_account_is_the_only_person() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        let learn = |hosts: &mut Hosts, account: &str| {
            learn(hosts, &net.logon(account, "10.0.0.7", account), 1);
        };
        let only = |hosts: &Hosts, when: u64| hosts.only_account(ip("10.0.0.7"), at(when)).cloned();
        learn(&mut hosts, "ws7$");
        assert_eq!(only(&hosts, 2), Some(Account::new("ws7$", "corp.example")));
        learn(&mut hosts, "alice");
        assert_eq!(only(&hosts, 2), Some(Account::new("alice", "corp.example")));
        assert_eq!(only(&hosts, 9000), None, "long ago");
        learn(&mut hosts, "bob");
        assert_eq!(only(&hosts, 2), None);
    }

    #[test]
    fn holds_no_more_than_its_limits() {
        let net = Net::default();
        let mut hosts = Hosts::default();
        for n in 0..=HOSTS as u32 {
            let mut logon = net.logon("alice", "10.0.0.7", "tgt");
            logon.client.ip = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            learn(&mut hosts, &logon, 1);
        }
        for n in 0..=ACCOUNTS {
            let logon = net.logon(&format!("user{n}"), "10.0.0.7", "tgt");
            learn(&mut hosts, &logon, 1);
        }
        assert_eq!(hosts.stats()[0].1.len, HOSTS);
        assert_eq!(hosts.logons(ip("10.0.0.7"), at(0)).count(), ACCOUNTS);
    }
}
