//! Kerberos relay: a ticket meant for one service arrives at another, handed on by somebody between.
//!
//! **The attack.** A victim is made to ask for a ticket to a name of the attacker's choice and to
//! show it to the attacker, who passes the message on: to the machine that the name really is of,
//! or to another service under the same account. It works where no signatures are asked for:
//! krbrelayx, KrbRelay, mitm6. KrbRelayUp does it inside one machine, and ends in a ticket to that
//! very machine in an administrator's name.
//!
//! **On the wire.** An AP-REQ from another address than its ticket was issued to, and one of these:
//! it was shown to that address just before; the ticket is for another kind of service than the
//! protocol it arrives in; or its service's name carries a marshalled target, which DNS names for
//! coercion are made of (CVE-2025-33073). And S4U2proxy for a service of the very machine that asks,
//! by another computer's account.
//!
//! **Look-alikes.** `host/` tickets serve many protocols and are not told. A stolen ticket in the
//! protocol it was made for is pass-the-ticket. Load balancers hand on whole connections to web
//! servers, so a relay from one web server to another is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{ApExchange, OPTION_CNAME_IN_ADDL_TKT, TgsExchange, Ticket};
use goshawk_model::{
    Account, Activity, Carrier, Confidence, Digest, Kind, Outcome, Party, Severity,
};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::services::Service;
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2418,
    name: "kerberos-relay",
    title: "A Kerberos authentication handed on by another machine (relay)",
    severity: Severity::High,
    techniques: &["T1557.001"],
    learning: None,
    meaning: "A ticket that one machine asked for was shown by another to a service that it was \
        not meant for. Whoever hands it on has a session in the first one's name.",
    help: "Seen are tickets issued, where they are shown, and over which protocol. Relays inside \
        one machine are seen only by what is asked for afterwards.",
    look_alikes: "Gateways that hand on connections of one protocol inside another.",
    remediation: &[
        "Isolate the source: it stands between client and server.",
        "Undo what was done in the session: rights to delegate, computers added, certificates.",
        "Require signatures and channel binding for LDAP, and signatures for SMB.",
        "Find out how the victim was made to connect: DNS records that were added, IPv6 routers \
         that announce themselves, calls that coerce.",
    ],
};

/// Tickets remembered that were shown lately.
const SHOWN: usize = 32_768;
/// A relay passes on at once.
const PASSED_ON: Duration = Duration::from_secs(120);
/// How a marshalled `CREDENTIAL_TARGET_INFORMATION` begins, lower case: its size and zeros, in base64.
const MARSHALLED: &str = "1uwhrc";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KerberosRelay {
    /// Ticket → whom it was shown to, by the machine that asked for it.
    shown: Table<Digest, IpAddr, SHOWN>,
}

/// What tells that it was handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Why {
    /// Another computer's account asks for the very machine that it asks from.
    OwnMachine,
    /// The ticket is for another kind of service.
    OtherService,
    /// Its service's name carries a marshalled target.
    Marshalled,
    /// It was shown to the sender just before.
    TwoConnections,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    why: BTreeSet<Why>,
    issued_to: BTreeSet<IpAddr>,
}

impl Detection for KerberosRelay {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AP.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        match &activity.kind {
            Kind::Ap(exchange) => self.presented(activity, exchange, scene, campaigns),
            Kind::Tgs(exchange) => own_machine(activity, exchange, scene, campaigns),
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.shown.expire(scene.now - PASSED_ON);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let strongest = campaign.facts.why.iter().next_back();
        Judgement {
            severity: Severity::High,
            confidence: match strongest {
                Some(Why::Marshalled | Why::TwoConnections) => Confidence::High,
                _ => Confidence::Medium,
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let own = facts.why.iter().eq([&Why::OwnMachine]);
        let mut reason = String::from(if own {
            "It ends a relay inside one machine:"
        } else {
            "The ticket was issued to another machine than the one that shows it."
        });
        for why in &facts.why {
            reason += match why {
                Why::TwoConnections => {
                    " Just before, its owner showed it to the source, which passed it on."
                }
                Why::Marshalled => {
                    " Its service's name carries a marshalled target, which only names made for \
                     coercion have."
                }
                Why::OtherService => {
                    " It is for another kind of service than the protocol it arrived in."
                }
                Why::OwnMachine => {
                    " another computer's account asked, in a user's name, for a service of the \
                     very machine that it asks from."
                }
            };
        }
        for &home in &facts.issued_to {
            reason += &format!(" It was issued to {}.", scene.place(home));
        }
        let source = Party {
            account: campaign.source.account.clone().filter(|_| own),
            ..campaign.source.clone()
        };
        Story {
            summary: if own {
                format!(
                    "{} asked in somebody's name for a service of its own machine.",
                    who(&source, scene)
                )
            } else {
                format!(
                    "{} handed on a Kerberos authentication.",
                    who(&source, scene)
                )
            },
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("kerberos-relay-tickets", self.shown.stats());
    }
}

impl KerberosRelay {
    fn presented(
        &mut self,
        activity: &Activity,
        exchange: &ApExchange,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let ticket = &exchange.ticket;
        let from = activity.client.ip;
        let Some(fact) = scene.knowledge.tickets.get(ticket) else {
            return;
        };
        if fact.asked_from == from {
            self.shown
                .touch(ticket.id, scene.now, || activity.server.ip);
            return;
        }
        if fact.forwarded || fact.relayed || scene.standing(from).is_trusted() {
            return;
        }
        let why = if self.shown.get(&ticket.id) == Some(&from) && !is_web(exchange) {
            Why::TwoConnections
        } else if is_marshalled(&ticket.service) {
            Why::Marshalled
        } else if is_other(Service::new(&ticket.service), exchange.carrier) {
            Why::OtherService
        } else {
            return;
        };
        let account = fact.owner.clone();
        let key = Asker {
            ip: from,
            account: account.clone(),
        };
        let believed = exchange.error.is_none() && activity.outcome != Outcome::Failure;
        let source = Party {
            account: account.filter(|_| believed),
            ..scene.machine(&activity.client)
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(
                activity,
                format!("{exchange}, issued to {}", fact.asked_from),
            ),
            target: Some(scene.machine(&activity.server)),
        };
        if let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) {
            facts.why.insert(why);
            facts.issued_to.insert(fact.asked_from);
        }
    }
}

/// S4U2proxy for the machine that asks, by an account that is not the machine's own.
fn own_machine(
    activity: &Activity,
    exchange: &TgsExchange,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    let Some(request) = &exchange.request else {
        return;
    };
    if request.kdc_options & OPTION_CNAME_IN_ADDL_TKT == 0 {
        return;
    }
    let Some(asked) = exchange.service.as_deref().map(Service::new) else {
        return;
    };
    let host = asked
        .instance()
        .map(|host| host.split(['.', ':', '/']).next().unwrap_or(host));
    let Some(host) = host.map(str::to_lowercase) else {
        return;
    };
    let from = activity.client.ip;
    let Some(account) = scene.knowledge.asker(activity).filter(|it| it.is_machine()) else {
        return;
    };
    let is_own = account.name().trim_end_matches('$') == host;
    if is_own || scene.knowledge.hosts.address(&host) != Some(from) {
        return;
    }
    let key = Asker {
        ip: from,
        account: Some(account.clone()),
    };
    let source = Party {
        account: Some(account.clone()),
        ..scene.machine(&activity.client)
    };
    let event = Event {
        at: scene.at,
        evidence: evidence(activity, format!("{exchange}, in somebody's name")),
        target: Some(Party {
            account: Some(Account::new(&format!("{host}$"), asked.realm())),
            ..scene.machine(&from.into())
        }),
    };
    if let Some(facts) = campaigns.record::<KerberosRelay>(scene, &key, &source, [event]) {
        facts.why.insert(Why::OwnMachine);
    }
}

/// Whether the ticket itself tells that who shows it in `carrier` was not meant to.
pub(super) fn is_handed_on(ticket: &Ticket, carrier: Carrier) -> bool {
    is_marshalled(&ticket.service) || is_other(Service::new(&ticket.service), carrier)
}

/// A web server's ticket, shown to a web server.
fn is_web(exchange: &ApExchange) -> bool {
    exchange.carrier == Carrier::Http && Service::new(&exchange.ticket.service).is_web()
}

fn is_marshalled(service: &str) -> bool {
    service.len() > MARSHALLED.len() && service.to_lowercase().contains(MARSHALLED)
}

/// Whether a ticket for `service` has no business in `carrier`.
fn is_other(service: Service<'_>, carrier: Carrier) -> bool {
    match carrier {
        Carrier::Ldap => service.is_class("cifs") || service.is_web() || service.is_class("dns"),
        Carrier::Smb => service.is_web() || service.is_class("ldap") || service.is_class("dns"),
        Carrier::Http => {
            service.is_class("cifs") || service.is_class("ldap") || service.is_class("dns")
        }
        _ => false,
    }
}
