//! What detections share: typed, bounded tables filled from every activity.
//!
//! Knowledge is updated before the detections look at an activity, so that they see the world with
//! the activity in it. What was learned only ever adds certainty to a finding or takes some away;
//! a finding that is certain is never silenced by it.

mod accounts;
mod aliases;
mod computers;
mod contents;
pub(crate) mod controllers;
mod domains;
mod hosts;
mod lockout;
mod mint;
mod offers;
mod policy;
mod realms;
mod requests;
mod rights;
pub(crate) mod stacks;
mod strangers;
mod suspects;
mod tickets;
mod tools;
mod watch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use goshawk_model::kerberos::{AP_OPTION_USE_SESSION_KEY, ApExchange};
use goshawk_model::ldap::Operation;
use goshawk_model::{Account, Activity, Confidence, Kind, Mechanism, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use accounts::Accounts;
pub(crate) use aliases::Aliases;
pub(crate) use computers::Computers;
pub(crate) use contents::{Contents, Usual, buffers, has_all_signatures, life};
pub(crate) use controllers::{Controllers, Standing};
pub(crate) use domains::Domains;
pub(crate) use hosts::Hosts;
pub(crate) use lockout::Lockout;
pub(crate) use mint::Mint;
pub(crate) use offers::{Offers, Secret};
pub(crate) use policy::{Policy, SKEW};
pub(crate) use realms::Realms;
pub(crate) use requests::Requests;
pub(crate) use rights::{Rights, is_powerful, powers, sid_of};
pub(crate) use stacks::{Stack, Stacks};
pub(crate) use strangers::{Absence, Stranger, Strangers};
pub(crate) use suspects::Suspects;
pub(crate) use tickets::{TicketFact, Tickets, on_behalf};
pub(crate) use tools::{Tool, Tools};
pub(crate) use watch::Watch;

use crate::detections::services::Service;
use crate::settings::Settings;
use crate::table::TableStats;

/// Everything that detections share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Knowledge {
    pub(crate) tickets: Tickets,
    pub(crate) strangers: Strangers,
    pub(crate) mint: Mint,
    pub(crate) contents: Contents,
    pub(crate) rights: Rights,
    pub(crate) accounts: Accounts,
    pub(crate) aliases: Aliases,
    pub(crate) hosts: Hosts,
    pub(crate) controllers: Controllers,
    pub(crate) realms: Realms,
    pub(crate) domains: Domains,
    pub(crate) requests: Requests,
    pub(crate) tools: Tools,
    pub(crate) stacks: Stacks,
    pub(crate) offers: Offers,
    pub(crate) computers: Computers,
    pub(crate) suspects: Suspects,
    pub(crate) policy: Policy,
    pub(crate) lockout: Lockout,
    pub(crate) watch: Watch,
}

impl Knowledge {
    /// Learns from `activity`; returns whether it repeats a request that was already answered so.
    pub(crate) fn learn(
        &mut self,
        activity: &Activity,
        now: Timestamp,
        settings: &Settings,
    ) -> bool {
        self.controllers
            .learn(activity, &self.tickets, settings, now);
        self.policy.learn(activity, &self.tickets, now);
        self.strangers.learn(activity, &self.tickets, now);
        self.tickets.learn(activity, now);
        self.mint.learn(activity, now);
        self.contents.learn(activity, now);
        self.rights.learn(activity, now);
        if self.shows_stranger(activity) && self.blindness(now, settings).is_none() {
            self.strangers.odd_machine(activity.client.ip, now);
        }
        self.realms.learn(activity, now);
        self.accounts.learn(activity, now);
        self.aliases.learn(activity, now);
        self.lockout.learn(activity, now);
        self.tools.learn(activity, now);
        let is_news = self
            .hosts
            .learn(activity, (&self.tickets, &self.realms), now);
        if is_news {
            self.ticket_used(activity, now);
        }
        let controllers = &self.controllers;
        let is_trusted = || {
            controllers
                .standing(activity.server.ip, settings)
                .is_trusted()
        };
        self.domains
            .learn(activity, |dns| self.realms.knows(dns) || is_trusted(), now);
        if let Some(account) = self.password_logon(activity) {
            self.hosts.seen_at(activity.client.ip, &account, now);
            if matches!(activity.kind, Kind::Ntlm(_)) && stacks::of_ntlm(activity).is_none() {
                self.accounts.seen_at(activity.client.ip, &account, now);
            }
        }
        self.stacks.learn(activity, &self.tools, now);
        self.offers.learn(activity, now);
        self.computers.learn(activity, now);
        self.requests.learn(activity, now)
    }

    /// Whether a ticket of a realm that is known comes from nowhere.
    fn shows_stranger(&self, activity: &Activity) -> bool {
        match &activity.kind {
            Kind::Tgs(tgs) => tgs
                .request
                .as_ref()
                .and_then(|request| request.presented.as_ref())
                .is_some_and(|ticket| self.strangers.get(&ticket.id).is_some()),
            Kind::Ap(ap) => self.is_strange_to_service(ap),
            _ => false,
        }
    }

    /// Whether a service ticket of a realm that is known was never seen issued.
    pub(crate) fn is_strange_to_service(&self, ap: &ApExchange) -> bool {
        let service = Service::new(&ap.ticket.service);
        ap.ap_options & AP_OPTION_USE_SESSION_KEY == 0
            && self.tickets.get(&ap.ticket).is_none()
            && !service.is_ticket_granting()
            && self.mint.coins(service.realm()).is_some()
    }

    /// An account uses its tickets where it was not seen lately: by an ordinary program, it is at home.
    fn ticket_used(&mut self, activity: &Activity, now: Timestamp) {
        let Kind::Tgs(exchange) = &activity.kind else {
            return;
        };
        let Some(request) = &exchange.request else {
            return;
        };
        if stacks::of_tgs(request).is_some_and(Stack::is_tool) {
            return;
        }
        let shown = request.presented.as_ref();
        if let Some(account) = shown.and_then(|it| self.tickets.get(it)?.owner.as_ref()) {
            self.accounts.seen_at(activity.client.ip, account, now);
        }
    }

    /// Who logged on with NTLM or in a bind with a password.
    fn password_logon(&self, activity: &Activity) -> Option<Account> {
        let server = match &activity.kind {
            Kind::Ntlm(logon) => logon.target_info(),
            Kind::Ldap(operation) if matches!(operation.operation, Operation::Bind(_)) => None,
            _ => return None,
        };
        let credentials = activity.credentials.as_ref()?;
        let with_password = matches!(credentials.mechanism, Mechanism::Ntlm | Mechanism::Password);
        if activity.outcome != Outcome::Success || !credentials.proven || !with_password {
            return None;
        }
        let account = credentials.account.as_ref()?;
        Some(self.canonical_at(account, server).into_owned())
    }

    /// Forgets what is too old to matter.
    pub(crate) fn expire(&mut self, now: Timestamp, settings: &Settings) {
        self.tickets.expire(now);
        let lifetime = self.policy.lifetime(&settings.policy);
        self.strangers.expire(lifetime, now);
        self.accounts.expire(now);
        self.hosts.expire(now);
        self.requests.expire(now);
        self.stacks.expire(now);
        self.offers.expire(now);
        self.computers.expire(now);
        self.suspects.expire(now);
        self.lockout.expire(now);
    }

    pub(crate) fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("tickets", self.tickets.stats());
        into.extend(self.accounts.stats());
        into.insert("account-names", self.aliases.stats());
        into.insert("tool-connections", self.tools.stats());
        into.insert("realms", self.realms.stats());
        into.insert("netbios-domains", self.domains.stats());
        into.insert("requests", self.requests.stats());
        into.insert("stacks", self.stacks.stats());
        into.insert("offers", self.offers.stats());
        into.insert("computers", self.computers.stats());
        into.insert("suspects", self.suspects.stats());
        into.insert("lockout-accounts", self.lockout.stats());
        into.extend(self.strangers.stats());
        into.extend(self.mint.stats());
        into.insert("ticket-contents", self.contents.stats());
        into.extend(self.rights.stats());
        into.extend(self.hosts.stats());
        into.extend(self.controllers.stats());
        into.insert("coverage", self.watch.stats());
    }

    /// Who asks in `activity`, as far as the ticket presented tells, and whether they proved it.
    ///
    /// A ticket's owner is known from where it was issued, also when the reply that is being
    /// looked at hides its client behind FAST (RFC 6113).
    pub(crate) fn asker(&self, activity: &Activity) -> Option<&Account> {
        let presented = match &activity.kind {
            Kind::Tgs(tgs) => tgs.request.as_ref()?.presented.as_ref()?,
            Kind::Ap(ap) => &ap.ticket,
            _ => activity.credentials.as_ref()?.ticket.as_ref()?,
        };
        self.tickets.get(presented)?.owner.as_ref()
    }

    /// Who does it, proven: the owner of the ticket presented, or the account that the connection
    /// convinced its server of.
    pub(crate) fn who<'a>(&'a self, activity: &'a Activity) -> Option<Cow<'a, Account>> {
        let credentials = activity.credentials.as_ref()?;
        if !credentials.proven {
            return None;
        }
        match self.asker(activity) {
            Some(owner) => Some(Cow::Borrowed(owner)),
            None => Some(self.canonical(credentials.account.as_ref()?)),
        }
    }

    /// The account with its whole realm, where what NTLM calls it leaves no doubt.
    pub(crate) fn complete(&self, account: Account) -> Account {
        let account = self.realms.complete(account);
        let dns = match account.realm() {
            "" => self.domains.only(),
            netbios => self.domains.dns(netbios),
        };
        match dns {
            Some(dns) => Account::new(account.name(), dns),
            None => account,
        }
    }

    /// The one account that logged on from `ip` in the last hour; `None` if several did.
    pub(crate) fn only_account(&self, ip: IpAddr, now: Timestamp) -> Option<&Account> {
        self.hosts.only_account(ip, now)
    }

    /// The machine's name and how sure that is.
    pub(crate) fn name(&self, ip: IpAddr) -> Option<(&str, Confidence)> {
        self.hosts.name(ip)
    }
}
