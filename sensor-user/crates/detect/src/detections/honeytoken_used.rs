//! A honeytoken used: an account that is bait, and that nobody has reason to log on with.
//!
//! **The attack.** Stolen or guessed credentials are tried. An account with a tempting name, a
//! password in its description or an old hash left on a machine is used by those who steal, and by
//! nobody else.
//!
//! **On the wire.** The account's name in an AS-REQ or in the ticket that came back (RFC 4120
//! 5.4), a ticket of its used for another one or shown to a service, NTLM's AUTHENTICATE message
//! ([MS-NLMP] 2.2.1.3) whatever carries it, a simple bind's name (RFC 4513 5.1.3), HTTP's Basic, a
//! password change ([MS-SAMR] 3.1.5.10, RFC 3244), and tickets that somebody asks for in its name
//! ([MS-SFU] 2.2.1). An attempt that fails counts: the name alone had to be found. NTLM that a
//! member server passes on travels sealed in its secure channel and is not seen.
//!
//! **Look-alikes.** None that are innocent by design; a scanner that logs on as everybody, or an
//! administrator who looks whether the bait still works. Lookups of the name are told apart
//! (`honeytoken_samr.rs`, `honeytoken_ldap.rs`), tickets for its service under Kerberoasting.

use std::borrow::Cow;
use std::collections::BTreeSet;

use goshawk_model::kerberos::{Answer, PasswordAnswer, TgsExchange, error_name};
use goshawk_model::ldap::Operation;
use goshawk_model::rpc::{RpcArguments, SamrArguments};
use goshawk_model::smb::SmbOperation;
use goshawk_model::{Account, Activity, Confidence, Kind, Mechanism, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::bait::bait;
use super::{Detection, evidence, proves_identity};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::on_behalf;
use crate::scene::Scene;
use crate::words::{count, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2014,
    name: "honeytoken-used",
    title: "Honeytoken account used, or tried",
    severity: Severity::Medium,
    techniques: &["T1078.002", "T1087.002"],
    learning: None,
    meaning: "Somebody used, or tried to use, an account that is bait. Nobody has reason to: \
        whoever does has gone looking for credentials.",
    help: "Seen is every use that names the account in clear text or by a ticket that was seen \
        being issued: Kerberos, NTLM, LDAP, HTTP, password changes, tickets in its name. NTLM that \
        a member server passes on to a controller is sealed and not seen.",
    look_alikes: "Vulnerability scanners that try every account; an administrator who tests the \
        bait.",
    remediation: &[
        "Isolate the source, and find out who worked on it and what ran there.",
        "Find out where the honeytoken's name and secret could be read; what lies beside it is \
         known to the attacker as well.",
        "Follow what else the same machine and the same accounts did around that time.",
        "Change the honeytoken's password, and leave it in place.",
    ],
};

/// Remembers nothing of its own: each use stands for itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HoneytokenUsed {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    accepted: u64,
    refused: u64,
    unproved: u64,
    ways: BTreeSet<Way>,
}

/// How it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Way {
    Kerberos,
    Ntlm,
    Ldap,
    Http,
    Smb,
    PasswordChange,
    OnBehalf,
}

/// One use of an account.
struct Use<'a> {
    account: Cow<'a, Account>,
    way: Way,
    /// How it ended: `Unknown` also where nothing was proved.
    outcome: Outcome,
    detail: String,
}

impl Detection for HoneytokenUsed {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS
        .and(Kinds::TGS)
        .and(Kinds::AP)
        .and(Kinds::NTLM)
        .and(Kinds::PASSWORD)
        .and(Kinds::HTTP)
        .and(Kinds::LDAP)
        .and(Kinds::RPC)
        .and(Kinds::SMB);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        if scene.settings.honeytokens.is_empty() {
            return;
        }
        let Some(used) = used(activity, scene) else {
            return;
        };
        let Some(token) = bait(&used.account, activity, scene) else {
            return;
        };
        let asker = Asker::of(activity, scene);
        let source = match (used.way, used.outcome) {
            (Way::OnBehalf, _) => asker.party(activity, scene),
            (_, Outcome::Success) => Party {
                account: Some(token.clone()),
                ..scene.machine(&activity.client)
            },
            _ => scene.machine(&activity.client),
        };
        let key = Asker {
            ip: activity.client.ip,
            account: Some(token.clone()),
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, used.detail),
            target: Some(Party {
                account: Some(token),
                ..Party::default()
            }),
        };
        let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) else {
            return;
        };
        facts.ways.insert(used.way);
        match used.outcome {
            Outcome::Success => facts.accepted += 1,
            Outcome::Failure => facts.refused += 1,
            Outcome::Unknown => facts.unproved += 1,
        }
        if let (Outcome::Success, Some(account)) = (used.outcome, &source.account) {
            campaigns.acts_as(&key, account);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: if campaign.facts.accepted > 0 {
                Severity::High
            } else {
                Severity::Medium
            },
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let targets = campaign.targets.iter();
        let tokens = list(
            targets.filter_map(|target| target.account.as_ref()),
            campaign.targets_total(),
        );
        let ways = list(
            facts.ways.iter().map(|way| way.name()),
            facts.ways.len() as u64,
        );
        let did = if facts.accepted > 0 { "used" } else { "tried" };
        let tries = facts.accepted + facts.refused + facts.unproved;
        let mut reason = format!(
            "The account is bait and has no honest use. {}, by {ways}: {} accepted, {} refused, {} \
             that proved nothing or whose answer was not seen.",
            count(tries, "use"),
            facts.accepted,
            facts.refused,
            facts.unproved
        );
        if facts.accepted > 0 {
            reason += " Whoever did it holds the account's secret, or may act in its name.";
        }
        Story {
            summary: format!(
                "{} {did} the honeytoken {tokens}.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Kerberos => "Kerberos",
            Self::Ntlm => "NTLM",
            Self::Ldap => "LDAP bind",
            Self::Http => "HTTP",
            Self::Smb => "SMB",
            Self::PasswordChange => "password change",
            Self::OnBehalf => "a ticket in its name",
        }
    }
}

/// Which account is used in `activity`, and how; `None` if none is. Only what names an account by
/// itself counts, and not what is done later on the same connection.
fn used<'a>(activity: &'a Activity, scene: &'a Scene<'_>) -> Option<Use<'a>> {
    let server = activity.server.ip;
    let named = || activity.credentials.as_ref()?.account.as_ref();
    match &activity.kind {
        Kind::As(exchange) => {
            let account = exchange.client.as_ref()?;
            let request = exchange.request.as_ref();
            let proved = request.is_none_or(|request| proves_identity(&request.padata));
            let (outcome, how) = match exchange.answer {
                Answer::Issued { .. } => {
                    (Outcome::Success, "a first ticket, and got it".to_owned())
                }
                Answer::Refused(code) if proved => {
                    let name = error_name(code);
                    (Outcome::Failure, format!("a first ticket: {name}"))
                }
                Answer::Refused(code) => {
                    let name = error_name(code);
                    (
                        Outcome::Unknown,
                        format!("a first ticket without proof: {name}"),
                    )
                }
                Answer::Unseen => (
                    Outcome::Unknown,
                    "a first ticket; no answer seen".to_owned(),
                ),
            };
            Some(Use {
                account: Cow::Borrowed(account),
                way: Way::Kerberos,
                outcome,
                detail: format!("Kerberos: {account} asked {server} for {how}"),
            })
        }
        Kind::Tgs(exchange) => ticket_used(exchange, activity, scene),
        Kind::Ap(exchange) => {
            let account = scene.knowledge.asker(activity)?;
            let service = &exchange.ticket.service;
            Some(Use {
                account: Cow::Borrowed(account),
                way: Way::Kerberos,
                outcome: activity.outcome,
                detail: format!("Kerberos: {account} showed {server} a ticket for {service}"),
            })
        }
        Kind::Ntlm(logon) => {
            let account = &activity.actor.as_ref()?.account;
            Some(Use {
                account: Cow::Borrowed(account),
                way: Way::Ntlm,
                outcome: activity.outcome,
                detail: format!("{logon}, at {server}"),
            })
        }
        Kind::Password(exchange) => {
            let account = scene.knowledge.asker(activity)?;
            let outcome = match exchange.answer {
                PasswordAnswer::Sealed => Outcome::Success,
                PasswordAnswer::Refused { .. } => Outcome::Failure,
                PasswordAnswer::Unseen => Outcome::Unknown,
            };
            Some(Use {
                account: Cow::Borrowed(account),
                way: Way::PasswordChange,
                outcome,
                detail: format!("{exchange}, with a ticket of {account}"),
            })
        }
        Kind::Ldap(operation) => {
            let Operation::Bind(_) = &operation.operation else {
                return None;
            };
            is_password(activity).then_some(())?;
            Some(Use {
                account: Cow::Borrowed(named()?),
                way: Way::Ldap,
                outcome: activity.outcome,
                detail: format!("{operation}, at {server}"),
            })
        }
        Kind::Http(logon) => {
            is_password(activity).then_some(())?;
            Some(Use {
                account: Cow::Borrowed(named()?),
                way: Way::Http,
                outcome: activity.outcome,
                detail: format!("{logon}, at {server}"),
            })
        }
        // SMB 1 without NTLMSSP names the account in its own session setup.
        Kind::Smb(operation @ SmbOperation::Session(setup)) => {
            setup
                .smb1
                .as_ref()
                .filter(|client| client.nt_response || client.lm_response)?;
            Some(Use {
                account: Cow::Borrowed(named()?),
                way: Way::Smb,
                outcome: activity.outcome,
                detail: format!("{operation}, at {server}"),
            })
        }
        Kind::Rpc(call) => {
            let Some(RpcArguments::Samr(SamrArguments::ChangePassword {
                user: Some(user), ..
            })) = &call.arguments
            else {
                return None;
            };
            Some(Use {
                account: Cow::Owned(Account::new(user, "")),
                way: Way::PasswordChange,
                outcome: match call.status {
                    Some(0) => Outcome::Success,
                    Some(_) => Outcome::Failure,
                    None => Outcome::Unknown,
                },
                detail: format!("SAMR: the password of {user} was to be changed, at {server}"),
            })
        }
        _ => None,
    }
}

/// An account's ticket shown for another one, or a ticket asked for in its name.
fn ticket_used<'a>(
    exchange: &'a TgsExchange,
    activity: &Activity,
    scene: &'a Scene<'_>,
) -> Option<Use<'a>> {
    let server = activity.server.ip;
    let service = exchange.service.as_deref().unwrap_or("a service");
    let request = exchange.request.as_ref();
    let in_name_of = request.and_then(|request| {
        let by_name = request.data.for_user.as_ref().map(|it| &it.user);
        let by_both = request.data.s4u_x509_user.as_ref();
        by_name.or_else(|| by_both?.user.as_ref())
    });
    // The client named in an answer to S4U2proxy is whom the ticket is for, not who asked.
    let delegated = request.is_some_and(on_behalf);
    let way = if delegated {
        Way::OnBehalf
    } else {
        Way::Kerberos
    };
    let account = in_name_of
        .or(exchange.client.as_ref())
        .or_else(|| scene.knowledge.asker(activity))?;
    let detail = if delegated {
        format!("Kerberos: a ticket for {service} in the name of {account} was asked of {server}")
    } else {
        format!("Kerberos: {account} asked {server} for a ticket for {service}")
    };
    Some(Use {
        account: Cow::Borrowed(account),
        way,
        outcome: activity.outcome,
        detail,
    })
}

/// Whether the connection shows a password itself.
fn is_password(activity: &Activity) -> bool {
    activity
        .credentials
        .as_ref()
        .is_some_and(|shown| shown.mechanism == Mechanism::Password)
}
