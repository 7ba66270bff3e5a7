//! NTLM relay: somebody between client and server hands an authentication on.
//!
//! **The attack.** NTLM does not say where the one who proves himself wants to go, unless both sides
//! insist on signatures. Whoever makes a machine connect to him (poisoned names, coercion over RPC)
//! passes its messages on to a server of his choice, and has a session there in its name: impacket
//! `ntlmrelayx`, Inveigh, krbrelayx' NTLM side. A controller's account relayed is the domain lost.
//!
//! **On the wire.** The same challenge, a random number, or the same response on two connections:
//! certain, wherever both are seen. Where only the second is, the one who authenticates gives it
//! away: a client says in its sealed response which service it means to reach ([MS-NLMP] 2.2.2.1
//! `MsvAvTargetName`), and that is another protocol's, or the very machine that is now sending; or
//! it is a computer's account, and the computer is known to be elsewhere or to be called otherwise.
//!
//! **Look-alikes.** Reverse proxies hand on HTTP authentications all day; HTTP to HTTP is silent.
//! Translated addresses change one end of a connection, a relay both. A gateway that forwards a
//! port of its own and hides who comes is what the client meant and what sends, so that this is
//! less sure. Computers with several addresses log on from each of them with Kerberos as well. A
//! computer's account with a wrong password is a guess and no relay. Only machines' accounts are
//! told by their place: people move.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use goshawk_model::ntlm::{NtlmAuthenticate, NtlmLogon};
use goshawk_model::{
    Account, Activity, Carrier, Confidence, Digest, Kind, Outcome, Party, Severity, Status,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::services::Service;
use super::{Detection, Mark};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2037,
    name: "ntlm-relay",
    title: "An NTLM authentication handed on by another machine (relay)",
    severity: Severity::Medium,
    techniques: &["T1557.001"],
    learning: None,
    meaning: "A machine's or person's NTLM authentication arrived from somebody else's machine. \
        Whoever hands it on has a session in that name, without knowing any secret.",
    help: "Seen are challenges, responses and the names within that clients seal. Where only the \
        second connection is seen, people's accounts are told only if the client named another \
        service.",
    look_alikes: "Proxies that hand on authentications in protocols other than HTTP; computers \
        with an address of which nothing is known yet.",
    remediation: &[
        "Isolate the source: it stands between client and server.",
        "Undo what was done in the session that was opened: computers added, rights to delegate, \
         certificates requested.",
        "Require signatures for SMB and LDAP, channel binding for LDAPS and HTTP.",
        "Find out how the client was made to connect: name poisoning (LLMNR, NBT-NS, IPv6), or a \
         call that coerces (print spooler, EFS, DFS).",
        "Forbid NTLM where it can be forbidden, first to domain controllers.",
    ],
};

/// Challenges and responses remembered.
const SEEN: usize = 32_768;
/// A relay passes on at once; the client waits for its answer.
const PASSED_ON: Duration = Duration::from_secs(120);
/// NTSTATUS of wrong names and passwords ([MS-ERREF] 2.3.1): `NO_SUCH_USER`, `WRONG_PASSWORD`,
/// `LOGON_FAILURE`.
const NOT_BELIEVED: [u32; 3] = [0xc000_0064, 0xc000_006a, 0xc000_006d];
/// `invalidCredentials` (RFC 4511 4.1.9).
const INVALID_CREDENTIALS: u32 = 49;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct NtlmRelay {
    /// Challenges and responses → the connection they were seen on first.
    seen: Table<Digest, Leg, SEEN>,
}

/// A connection on which an authentication was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leg {
    mark: Mark,
    client: SocketAddr,
    server: SocketAddr,
    carrier: Carrier,
    account: Option<Account>,
    believed: bool,
}

/// What tells that the authentication was handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Why {
    /// The computer is called otherwise than its account.
    OtherName,
    /// The computer is known to be elsewhere.
    Elsewhere,
    /// The client meant another kind of service.
    OtherService,
    /// The client meant the machine that sends.
    MeantSender,
    /// The same challenge or response was seen on another connection.
    TwoConnections,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    why: BTreeSet<Why>,
    account: Option<Account>,
    /// Where authentications came from before they were handed on.
    victims: BTreeSet<IpAddr>,
    refused: u64,
    /// A controller's account.
    controller: bool,
}

impl Detection for NtlmRelay {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Kind::Ntlm(logon) = &activity.kind else {
            return;
        };
        let leg = Leg {
            mark: Mark::new(activity, scene),
            client: activity.flow.client,
            server: activity.flow.server,
            carrier: logon.carrier,
            account: activity
                .actor
                .as_ref()
                .map(|actor| scene.knowledge.complete(actor.account.clone())),
            believed: activity.outcome == Outcome::Success,
        };
        let response = logon.authenticate.as_ref().and_then(|it| it.digest);
        let challenge = logon.challenge.as_ref().map(|it| it.digest);
        let mut handed_on = false;
        for digest in [response, challenge].into_iter().flatten() {
            let first = self.seen.touch(digest, scene.now, || leg.clone());
            if !handed_on && let Some((from, to)) = in_order(first, &leg) {
                let (from, to) = (from.clone(), to.clone());
                handed_on = true;
                record(
                    (&to, Some(&from)),
                    Why::TwoConnections,
                    logon,
                    scene,
                    campaigns,
                );
            }
        }
        if let Some(authenticate) = &logon.authenticate
            && !handed_on
            && !guessed(logon)
            && let Some(why) = alone(activity, logon, authenticate, &leg, scene)
        {
            record((&leg, None), why, logon, scene, campaigns);
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.seen.expire(scene.now - PASSED_ON);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let strongest = facts.why.iter().next_back();
        Judgement {
            severity: if facts.controller {
                Severity::High
            } else {
                Severity::Medium
            },
            confidence: match strongest {
                Some(Why::OtherName | Why::MeantSender) | None => Confidence::Medium,
                _ => Confidence::High,
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let whose = match &facts.account {
            Some(account) => format!("the NTLM authentication of {account}"),
            None => "somebody's NTLM authentication".to_owned(),
        };
        let mut reason = String::from("A proof by NTLM says who, and not to whom.");
        for why in &facts.why {
            reason += match why {
                Why::TwoConnections => {
                    " The same challenge or response was seen on two connections, one into the \
                     source and one out of it; servers choose challenges at random."
                }
                Why::MeantSender => {
                    " The client's sealed response names the source as the service that it means \
                     to reach."
                }
                Why::OtherService => {
                    " The client's sealed response names a service of another protocol than the \
                     one it arrived in."
                }
                Why::Elsewhere => {
                    " It is a computer's account, and that computer is known at another address."
                }
                Why::OtherName => {
                    " It is a computer's account, and the machine at the source is called otherwise."
                }
            };
        }
        for &victim in &facts.victims {
            reason += &format!(" It came from {}.", scene.place(victim));
        }
        if facts.refused == campaign.count {
            reason += " The server refused; the attempt shows the intent.";
        }
        Story {
            // A relay shows the server's name to the client and the client's to the server, so that
            // what its machine is called is doubtful.
            summary: match campaign.source.ip {
                Some(ip) => format!("The machine at {ip} handed on {whose}."),
                None => format!("Somebody handed on {whose}."),
            },
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("ntlm-relay-messages", self.seen.stats());
    }
}

/// Which of two connections with the same message hands on the other's, first the one into the
/// machine that does; `None` if none does.
///
/// Servers that use the same challenge always, and translators, which change one end of a
/// connection, have no machine that is the server of one and the client of the other.
fn in_order<'a>(first: &'a Leg, second: &'a Leg) -> Option<(&'a Leg, &'a Leg)> {
    if first.carrier == Carrier::Http && second.carrier == Carrier::Http {
        return None;
    }
    let hands_on = |into: &Leg, out: &Leg| {
        into.server.ip() == out.client.ip()
            && into.client.ip() != out.client.ip()
            && into.server != out.server
    };
    if hands_on(first, second) {
        Some((first, second))
    } else if hands_on(second, first) {
        Some((second, first))
    } else {
        None
    }
}

/// What gives away a message that was handed on where it is seen once only.
fn alone(
    activity: &Activity,
    logon: &NtlmLogon,
    authenticate: &NtlmAuthenticate,
    leg: &Leg,
    scene: &Scene<'_>,
) -> Option<Why> {
    let (client, server) = (activity.client.ip, activity.server.ip);
    let hosts = &scene.knowledge.hosts;
    if let Some(meant) = authenticate.target_info.target_name.as_deref() {
        let meant = Service::new(meant);
        if let Some(host) = meant.instance()
            && client != server
        {
            let named = host.split(':').next().unwrap_or(host);
            let address = named.parse().ok().or_else(|| {
                let short = named.split('.').next().unwrap_or(named).to_lowercase();
                hosts.address(&short)
            });
            // A port that a gateway forwards looks the same until the server believes.
            if address == Some(client) && leg.believed {
                return Some(Why::MeantSender);
            }
            if is_other(meant, logon.carrier) {
                return Some(Why::OtherService);
            }
        }
    }
    let account = leg.account.as_ref()?;
    let name = account.name().strip_suffix('$')?;
    if scene.standing(client).is_trusted() || hosts.is_shared(client) || client == server {
        return None;
    }
    // With Kerberos it takes the computer's own secret, so it is at home here too.
    if hosts
        .logons(client, Timestamp::ZERO)
        .any(|here| here == account)
    {
        return None;
    }
    match (hosts.address(name), scene.knowledge.name(client)) {
        (Some(home), _) if home != client && home.is_ipv4() == client.is_ipv4() => {
            Some(Why::Elsewhere)
        }
        (None, Some((other, Confidence::High))) if other != name => Some(Why::OtherName),
        _ => None,
    }
}

/// Whether a client that means `service` would not speak `carrier`.
fn is_other(service: Service<'_>, carrier: Carrier) -> bool {
    match carrier {
        Carrier::Ldap => service.is_class("cifs") || service.is_class("http"),
        Carrier::Smb => service.is_class("http"),
        Carrier::Http => service.is_class("cifs") || service.is_class("ldap"),
        _ => false,
    }
}

/// Whether the server says that name or password is wrong.
fn guessed(logon: &NtlmLogon) -> bool {
    match logon.status {
        Some(Status::Ntstatus(status)) => NOT_BELIEVED.contains(&status),
        Some(Status::Ldap(code)) => code == INVALID_CREDENTIALS,
        _ => false,
    }
}

fn record(
    (to, from): (&Leg, Option<&Leg>),
    why: Why,
    logon: &NtlmLogon,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    let account = to.account.clone().or_else(|| from?.account.clone());
    let key = Asker {
        ip: to.client.ip(),
        account: account.clone(),
    };
    let source = Party {
        account: account.clone().filter(|_| to.believed),
        ..scene.machine(&to.client.ip().into())
    };
    let named = account
        .as_ref()
        .map_or_else(|| "somebody".to_owned(), Account::to_string);
    let arrived = match from {
        Some(from) => format!(
            "; it had come from {} over {}",
            scene.place(from.client.ip()),
            from.carrier.name()
        ),
        None => String::new(),
    };
    let meant = logon
        .authenticate
        .as_ref()
        .and_then(|it| it.target_info.target_name.as_deref())
        .map(|meant| format!("; the client meant {meant}"))
        .unwrap_or_default();
    let event = Event {
        at: to.mark.at,
        evidence: to.mark.evidence(format!(
            "{named} authenticated to {} over {}{arrived}{meant}",
            scene.place(to.server.ip()),
            to.carrier.name()
        )),
        target: Some(scene.machine(&to.server.ip().into())),
    };
    let Some(facts) = campaigns.record::<NtlmRelay>(scene, &key, &source, [event]) else {
        return;
    };
    facts.why.insert(why);
    facts.victims.extend(from.map(|from| from.client.ip()));
    facts.refused += u64::from(!to.believed);
    facts.controller |= account
        .as_ref()
        .and_then(|account| account.name().strip_suffix('$'))
        .and_then(|name| scene.knowledge.hosts.address(name))
        .is_some_and(|home| scene.standing(home) != crate::knowledge::Standing::Unknown);
    facts.account = account;
}
