//! DCSync: somebody who is no domain controller asks one to replicate its secrets to him.
//!
//! **The attack.** Controllers keep each other up to date by asking for changes with
//! `IDL_DRSGetNCChanges` ([MS-DRSR] 4.1.10). The reply holds the objects with their password
//! hashes. An account with the rights *Replicating Directory Changes (All)* can ask from anywhere:
//! mimikatz `lsadump::dcsync`, impacket `secretsdump`, DSInternals. With krbtgt's hash the domain
//! is lost.
//!
//! **On the wire.** A DCE/RPC bind to interface `e3514235-4b06-11d1-ab04-00c04fc2dcd2`
//! ([MS-DRSR] 1.9), then requests with operation number 3. The stubs are sealed; interface and
//! number stay readable ([MS-RPCE] 2.2.2.11). An attempt that is refused, or whose answer was not
//! seen, is a finding as well. `IDL_DRSBind` and `IDL_DRSCrackNames` before it go into the
//! evidence.
//!
//! **Look-alikes.** Controllers do nothing else all day. Exempt are, by address: the configured
//! ones, this machine, and those with proof (`knowledge::controllers`); so `secretsdump` run on a
//! controller itself is not seen here. A machine that merely acts as a controller is reported with
//! less certainty, and so is a machine account from its own address: a controller that nobody told
//! us of looks like that. The account of a controller used from *another* address is a stolen or
//! relayed identity and loses nothing. Directory synchronisation (Entra Connect, some identity
//! managers) replicates by design: exclude its source and account.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use goshawk_model::rpc::{DRSUAPI, RpcCall, drsuapi};
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::{Detection, Mark, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Standing;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2006,
    name: "dcsync",
    title: "Directory secrets asked for by replication (DCSync)",
    severity: Severity::High,
    techniques: &["T1003.006"],
    learning: None,
    meaning: "A machine that is no domain controller asked one to replicate directory objects. The \
        reply holds the password hashes of the accounts asked for, up to those of krbtgt, with \
        which any ticket of the domain can be forged.",
    help: "Seen is the call itself: interface drsuapi, operation 3. What was asked for is sealed. \
        A refused attempt counts as well: it takes an account that believes to have the right.",
    look_alikes: "Replication between domain controllers; list them as controllers. Directory \
        synchronisation such as Entra Connect; exclude its machine and account.",
    remediation: &[
        "Find out whether the source is a domain controller or a directory synchronisation server; \
         if so, add it to the controllers, or exclude it with its account.",
        "If not, isolate the machine and disable the account that was used.",
        "Remove the rights 'Replicating Directory Changes' and 'Replicating Directory Changes All' \
         from every account that does not need them.",
        "If the reply was given, treat every password hash of the domain as known to the attacker: \
         reset the accounts concerned, and krbtgt twice, with the time of a ticket's life between.",
    ],
};

/// Sources whose preparing calls are remembered.
const SOURCES: usize = 4_096;
/// Preparing calls remembered per source.
const HELPERS: usize = 4;
/// Preparing calls belong to what follows within this time.
const HELPS_FOR: Duration = Duration::from_secs(600);
/// Endpoints remembered that the endpoint mapper named for `drsuapi`.
const ENDPOINTS: usize = 1_024;
/// Status codes with which a server says that it did not believe who called: `RPC_S_SEC_PKG_ERROR`
/// and `RPC_S_ACCESS_DENIED` as faults ([MS-RPCE] 2.2.2.11, [MS-ERREF] 2.2).
const NOT_BELIEVED: [u32; 2] = [0x721, 5];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DcSync {
    helpers: Table<IpAddr, VecDeque<(u16, Mark)>, SOURCES>,
    endpoints: Table<SocketAddr, (), ENDPOINTS>,
}

/// How we know who asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Known {
    /// The ticket presented was issued to the account.
    Ticket,
    /// NTLM named it.
    Ntlm,
    /// Nobody else logged on from there.
    Only,
    #[default]
    Nothing,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    account: Option<Account>,
    known: Known,
    granted: u64,
    refused: u64,
    unanswered: u64,
    /// The best reading of a call so far.
    reading: Option<Confidence>,
}

impl Detection for DcSync {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::RPC.and(Kinds::ENDPOINT);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let call = match &activity.kind {
            Kind::Rpc(call) => call,
            Kind::Endpoint(mapped) if mapped.interface == DRSUAPI => {
                self.endpoints.touch(mapped.endpoint, scene.now, || ());
                return;
            }
            _ => return,
        };
        let Some(reading) = self.reading(call, activity) else {
            return;
        };
        let client = activity.client.ip;
        if scene.standing(client).is_trusted() {
            return;
        }
        if call.opnum != drsuapi::DRS_GET_NC_CHANGES {
            if matches!(call.opnum, drsuapi::DRS_BIND | drsuapi::DRS_CRACK_NAMES) {
                let helpers = self.helpers.touch(client, scene.now, VecDeque::new);
                if helpers.len() >= HELPERS {
                    helpers.pop_front();
                }
                helpers.push_back((call.opnum, Mark::new(activity, scene)));
            }
            return;
        }
        let (account, known) = who(activity, scene);
        let believed = believed(activity, call, known);
        let source = Party {
            account: account.clone().filter(|_| believed),
            ..scene.machine(&activity.client)
        };
        let key = Asker {
            ip: client,
            account: account.clone(),
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, detail(call, activity.outcome)),
            target: Some(scene.machine(&activity.server)),
        };
        if campaigns
            .record::<Self>(scene, &key, &source, [event])
            .is_none()
        {
            return;
        }
        let helpers = self.helpers.remove(&client).unwrap_or_default();
        campaigns.attach(
            &key,
            helpers
                .iter()
                .map(|(opnum, mark)| mark.evidence(format!("{} prepared it", operation(*opnum)))),
        );
        let Some(facts) = campaigns.change(&key) else {
            return;
        };
        facts.account = account;
        facts.known = known;
        facts.reading = facts.reading.max(Some(reading));
        match activity.outcome {
            Outcome::Success => facts.granted += 1,
            Outcome::Failure => facts.refused += 1,
            Outcome::Unknown => facts.unanswered += 1,
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.helpers.expire(scene.now - HELPS_FOR);
    }

    fn judge(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Judgement {
        let reading = campaign.facts.reading.unwrap_or(Confidence::Low);
        let (severity, most) = match doubt(campaign, scene) {
            Doubt::None => (Severity::High, Confidence::High),
            Doubt::OwnMachineAccount => (Severity::High, Confidence::Low),
            Doubt::ActsAsController | Doubt::Controller => (Severity::Medium, Confidence::Low),
        };
        Judgement {
            severity,
            confidence: reading.min(most),
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let place = campaign
            .source
            .ip
            .map_or_else(|| "an unknown machine".to_owned(), |ip| scene.place(ip));
        let who = match (&facts.account, &campaign.source.account, facts.known) {
            (_, Some(account), Known::Only) => format!("Probably {account}, from {place},"),
            (_, Some(account), _) => format!("{account}, from {place},"),
            (Some(claimed), None, _) => format!("Somebody as {claimed}, from {place},"),
            (None, None, _) => format!("Somebody at {place}"),
        };
        let servers = list(
            campaign
                .targets
                .iter()
                .map(|target| target.ip.map_or_else(String::new, |ip| scene.place(ip))),
            campaign.targets_total(),
        );
        let mut reason = String::from(
            "The source is not known as a domain controller, and only those have reason to ask for \
             replication; the reply holds password hashes. ",
        );
        reason += &outcome(facts);
        reason += match facts.known {
            Known::Ticket => " The account is the owner of the ticket that was presented.",
            Known::Ntlm => " The account is the one that NTLM named.",
            Known::Only => {
                " Who called could not be read; the account is the only one that logged on from \
                 there within the hour."
            }
            Known::Nothing => " Which account was used could not be seen.",
        };
        reason += match doubt(campaign, scene) {
            Doubt::None => "",
            Doubt::OwnMachineAccount => {
                " Against it speaks that a machine account was used, which may be a domain \
                 controller that is not configured: if it is one, add it to the controllers."
            }
            Doubt::ActsAsController => {
                " Against it speaks that the source was seen acting as a domain controller itself: \
                 if it is one, add it to the controllers. Acting like one proves nothing."
            }
            Doubt::Controller => {
                " Since then the source turned out to be a domain controller: a trusted one \
                 accepted a ticket that it issued."
            }
        };
        if facts.reading < Some(Confidence::High) {
            reason += " The start of the connection was not seen; that the call belongs to \
                       replication is inferred.";
        }
        Story {
            summary: format!(
                "{who} asked {servers} to replicate directory objects with their secrets."
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("dcsync-sources", self.helpers.stats());
        into.insert("dcsync-endpoints", self.endpoints.stats());
    }
}

impl DcSync {
    /// How sure it is that `call` belongs to `drsuapi`; `None` if it does not.
    ///
    /// Where the bind was not seen, the endpoint that the mapper named for the interface is a
    /// hint; other interfaces of the same process share it, so only sealed calls count.
    fn reading(&self, call: &RpcCall, activity: &Activity) -> Option<Confidence> {
        const PRIVACY: u8 = 6;
        match call.interface {
            Some(DRSUAPI) => Some(activity.confidence),
            Some(_) => None,
            None if call.name.as_deref() == Some("drsuapi") => {
                Some(activity.confidence.min(Confidence::Medium))
            }
            None => {
                let named = self.endpoints.get(&activity.flow.server).is_some();
                let sealed = call.auth.as_ref().is_none_or(|auth| auth.level == PRIVACY);
                (named && sealed).then_some(Confidence::Low)
            }
        }
    }
}

/// What speaks against an attack.
enum Doubt {
    None,
    /// A machine account, from where that machine may well be.
    OwnMachineAccount,
    /// The source was seen acting as a controller.
    ActsAsController,
    /// The source proved to be a controller after the alert.
    Controller,
}

fn doubt(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Doubt {
    let Some(ip) = campaign.source.ip else {
        return Doubt::None;
    };
    match scene.standing(ip) {
        Standing::Unknown => {}
        Standing::Seen => return Doubt::ActsAsController,
        Standing::Proven | Standing::Own | Standing::Configured => return Doubt::Controller,
    }
    let machine = campaign.facts.account.as_ref();
    let Some(name) = machine.and_then(|account| account.name().strip_suffix('$')) else {
        return Doubt::None;
    };
    // A machine whose own address is known does not call from another one.
    let lives = scene.knowledge.hosts.address(name);
    if lives.is_some_and(|lives| lives != ip) {
        Doubt::None
    } else {
        Doubt::OwnMachineAccount
    }
}

/// Who called: the ticket's owner, else the account NTLM named, else who the decoder says, else
/// the only one who logged on from there.
fn who(activity: &Activity, scene: &Scene<'_>) -> (Option<Account>, Known) {
    if let Some(owner) = scene.knowledge.asker(activity) {
        return (Some(owner.clone()), Known::Ticket);
    }
    let named = activity.credentials.as_ref();
    if let Some(account) = named.and_then(|named| named.account.clone()) {
        let account = scene.knowledge.complete(account);
        return (Some(account), Known::Ntlm);
    }
    if let Some(actor) = activity.actor.as_ref().filter(|actor| actor.authenticated) {
        return (Some(actor.account.clone()), Known::Ticket);
    }
    match scene.knowledge.only_account(activity.client.ip, scene.now) {
        Some(account) => (Some(account.clone()), Known::Only),
        None => (None, Known::Nothing),
    }
}

/// Whether the account proved itself. A Kerberos client sends its request after the server has
/// accepted its ticket; NTLM's proof is judged only with the first request.
fn believed(activity: &Activity, call: &RpcCall, known: Known) -> bool {
    let doubted = call
        .fault
        .is_some_and(|fault| NOT_BELIEVED.contains(&fault));
    match known {
        Known::Ticket => call.fault != Some(NOT_BELIEVED[0]),
        Known::Ntlm => match activity.outcome {
            Outcome::Success => true,
            Outcome::Failure => !doubted,
            Outcome::Unknown => false,
        },
        Known::Only => true,
        Known::Nothing => false,
    }
}

fn operation(opnum: u16) -> &'static str {
    match opnum {
        drsuapi::DRS_BIND => "IDL_DRSBind",
        drsuapi::DRS_CRACK_NAMES => "IDL_DRSCrackNames",
        _ => "IDL_DRSGetNCChanges",
    }
}

fn detail(call: &RpcCall, outcome: Outcome) -> String {
    let call_name = operation(call.opnum);
    match (outcome, call.fault) {
        (Outcome::Success, _) => {
            format!(
                "{call_name} was answered with {} bytes",
                call.response_bytes
            )
        }
        (Outcome::Failure, Some(fault)) => format!("{call_name} was refused with fault {fault:#x}"),
        (Outcome::Failure, None) => format!("{call_name} was refused"),
        (Outcome::Unknown, _) => format!("{call_name} was sent; its answer was not seen"),
    }
}

fn outcome(facts: &Facts) -> String {
    let calls = count(facts.granted + facts.refused + facts.unanswered, "request");
    match (facts.granted, facts.refused, facts.unanswered) {
        (_, 0, 0) => format!("{calls}, answered."),
        (0, _, 0) => format!("{calls}, refused; the attempt shows the intent."),
        (0, 0, _) => format!("{calls}, whose answers were not seen."),
        (granted, refused, unanswered) => format!(
            "{calls}: {granted} answered, {refused} refused, {unanswered} without a seen answer."
        ),
    }
}
