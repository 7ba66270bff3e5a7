//! The detections: one file each, all of one shape. What a rule weighs or counts by may have a file
//! of its own in a folder of the rule's name.
//!
//! A detection's file opens with what the attack does, what is seen of it on the wire, and what
//! looks like it without being one. It holds one [`Description`] and one small state machine that
//! implements [`Detection`]. To add one: write its file after the model of the shortest
//! (`dcsync.rs`), and add a line to the list below.

mod account_enumeration;
mod asker;
mod asrep_roasting;
mod bait;
mod brute_force;
mod certificates;
mod dcsync;
mod delegation;
mod enumeration;
mod exposure;
mod forged;
mod guessing;
mod honeytoken_ldap;
mod honeytoken_samr;
mod honeytoken_used;
mod kerberoasting;
mod kerberos_relay;
mod key_list;
mod ldap_brute_force;
mod managed_accounts;
mod netsync;
mod ntlm_relay;
mod ntlm_tampering;
mod overpass;
mod pass_the_hash;
mod pass_the_ticket;
mod ping_enumeration;
pub(crate) mod services;
mod skeleton_key;
mod smb_brute_force;
mod timeroasting;
mod zerologon;

use delegation::{bronze_bit, krbtgt, new_computer, rbcd, sam_name};
use forged::{
    downgrade as golden_downgrade, nobody as golden_nobody, odd as golden_odd,
    overlong as golden_time, refused as forged_authorization, sapphire as sapphire_ticket,
    silver as silver_ticket,
};
use overpass::{etype as overpass_etype, stack as overpass_stack};

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{ETYPE_RC4_HMAC, padata};
use goshawk_model::{Activity, Digest, Evidence, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use certificates::{odd_certificate, rogue_certificate, shadow_credentials};
use exposure::{anonymous, clear_passwords, ntlmv1, smb1, unsigned_ldap, weak_tickets};

use crate::campaign::{Campaign, CampaignStats, Campaigns, Judgement, Readiness, Story};
use crate::description::Description;
use crate::engine::Output;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::TableStats;

/// A rule: activities in, campaigns recorded.
pub(crate) trait Detection: Default + Serialize + DeserializeOwned {
    /// What groups events into one campaign; its text is part of the alert's identity.
    type Key: Ord + Clone + Display + Serialize + DeserializeOwned;
    /// What is remembered of a campaign beside its events, to judge it and to tell of it.
    type Facts: Default + Serialize + DeserializeOwned;

    /// What it says about itself.
    const DESCRIPTION: &'static Description;
    /// The kinds of activities that it looks at; it is shown no other.
    const LISTENS: Kinds;

    /// Looks at one activity.
    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Self::Key, Self::Facts>,
    );

    /// Time has passed: decides what waited for it and forgets what is too old. A rule whose facts
    /// stand for themselves has nothing of either.
    fn tick(&mut self, _scene: &Scene<'_>, _campaigns: &mut Campaigns<Self::Key, Self::Facts>) {}

    /// Nothing more will come: decides what still waits.
    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Self::Key, Self::Facts>) {
        self.tick(scene, campaigns);
    }

    /// Whether a campaign that was not told yet is to be told.
    fn readiness(_campaign: &Campaign<Self::Facts>, _scene: &Scene<'_>) -> Readiness {
        Readiness::Tell
    }

    /// How bad a campaign is, and how likely; asked at every event, so it is cheap.
    fn judge(campaign: &Campaign<Self::Facts>, scene: &Scene<'_>) -> Judgement;

    /// What to tell people about it; asked only when it is told.
    fn tell(campaign: &Campaign<Self::Facts>, scene: &Scene<'_>) -> Story;

    /// The techniques it shows.
    fn techniques(_campaign: &Campaign<Self::Facts>) -> &'static [&'static str] {
        Self::DESCRIPTION.techniques
    }

    /// Its bounded tables, if it has any.
    fn tables(&self, _into: &mut BTreeMap<&'static str, TableStats>) {}
}

/// Makes of a list of rules what concerns them all, so that a rule is added by one line.
macro_rules! detections {
    ($($module:ident: $rule:ident,)*) => {
        /// Every detection's description, in the order of the list.
        pub(crate) const CATALOGUE: &[Description] = &[$($module::DESCRIPTION),*];

        /// Every detection, with its state. The fields' names are those in a snapshot.
        #[derive(Default, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct Detections {
            $($module: Running<$module::$rule>,)*
        }

        impl Detections {
            pub(crate) fn each(&mut self) -> [&mut dyn Run; CATALOGUE.len()] {
                [$(&mut self.$module),*]
            }

            pub(crate) fn all(&self) -> [&dyn Run; CATALOGUE.len()] {
                [$(&self.$module),*]
            }

            /// Lets the rules that listen to its kind look at an activity.
            pub(crate) fn observe(
                &mut self,
                activity: &Activity,
                scene: &Scene<'_>,
                out: &mut Vec<Output>,
            ) {
                let kind = Kinds::of(&activity.kind);
                $(
                    if $module::$rule::LISTENS.has(kind) {
                        self.$module.observe(activity, scene, out);
                    }
                )*
            }
        }
    };
}

// By number.
detections! {
    overpass_stack: OverpassStack,
    account_enumeration: AccountEnumeration,
    ldap_brute_force: LdapBruteForce,
    dcsync: DcSync,
    overpass_etype: OverpassEtype,
    golden_downgrade: GoldenDowngrade,
    skeleton_key: SkeletonKey,
    forged_authorization: ForgedAuthorization,
    honeytoken_used: HoneytokenUsed,
    pass_the_hash: PassTheHash,
    pass_the_ticket: PassTheTicket,
    golden_time: GoldenTime,
    brute_force: BruteForce,
    golden_nobody: GoldenNobody,
    golden_odd: GoldenOdd,
    smb_brute_force: SmbBruteForce,
    ntlm_relay: NtlmRelay,
    ntlm_tampering: NtlmTampering,
    krbtgt: KrbtgtDelegation,
    rogue_certificate: RogueCertificate,
    bronze_bit: BronzeBit,
    kerberoasting: Kerberoasting,
    zerologon: Zerologon,
    asrep_roasting: AsrepRoasting,
    kerberos_relay: KerberosRelay,
    sam_name: SamName,
    new_computer: NewComputer,
    rbcd: Rbcd,
    odd_certificate: OddCertificate,
    honeytoken_ldap: HoneytokenLdap,
    shadow_credentials: ShadowCredentials,
    ping_enumeration: PingEnumeration,
    honeytoken_samr: HoneytokenSamr,
    timeroasting: Timeroasting,
    netsync: NetSync,
    key_list: KeyList,
    managed_accounts: ManagedAccounts,
    silver_ticket: SilverTicket,
    sapphire_ticket: SapphireTicket,
    clear_passwords: ClearPasswords,
    ntlmv1: Ntlmv1,
    weak_tickets: WeakTickets,
    smb1: Smb1Spoken,
    unsigned_ldap: UnsignedLdap,
    anonymous: AnonymousSessions,
}

/// A rule with its campaigns.
#[derive(Serialize, Deserialize)]
#[serde(bound = "", default)]
pub(crate) struct Running<D: Detection> {
    rule: D,
    campaigns: Campaigns<D::Key, D::Facts>,
}

impl<D: Detection> Default for Running<D> {
    fn default() -> Self {
        Self {
            rule: D::default(),
            campaigns: Campaigns::default(),
        }
    }
}

/// What the engine does with every detection alike.
pub(crate) trait Run {
    fn tick(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>);
    fn finish(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>);
    fn stats(&self, into: &mut BTreeMap<&'static str, TableStats>) -> (u16, usize, CampaignStats);
}

impl<D: Detection> Running<D> {
    fn observe(&mut self, activity: &Activity, scene: &Scene<'_>, out: &mut Vec<Output>) {
        self.rule.observe(activity, scene, &mut self.campaigns);
        if !self.campaigns.is_settled() {
            self.campaigns.settle::<D>(scene, out);
        }
    }
}

impl<D: Detection> Run for Running<D> {
    fn tick(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>) {
        self.rule.tick(scene, &mut self.campaigns);
        self.campaigns.settle::<D>(scene, out);
        self.campaigns.sweep::<D>(scene, out);
    }

    fn finish(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>) {
        self.rule.finish(scene, &mut self.campaigns);
        self.campaigns.settle::<D>(scene, out);
        self.campaigns.close_all::<D>(scene, out);
    }

    fn stats(&self, into: &mut BTreeMap<&'static str, TableStats>) -> (u16, usize, CampaignStats) {
        self.rule.tables(into);
        (
            D::DESCRIPTION.external_id,
            self.campaigns.open_count(),
            self.campaigns.stats(),
        )
    }
}

/// Whether an AS-REQ with these pre-authentication elements shows that its sender knows the
/// account's secret, or may show it under FAST's armour.
pub(crate) fn proves_identity(padata: &[i32]) -> bool {
    padata.iter().any(|&kind| {
        matches!(
            kind,
            padata::ENC_TIMESTAMP
                | padata::PK_AS_REQ_OLD
                | padata::PK_AS_REQ
                | padata::FX_FAST
                | padata::ENCRYPTED_CHALLENGE
                | padata::SPAKE
        )
    })
}

/// Whether so many people log on from `ip` that `odd` ones among them are to be expected: a
/// terminal server, a gateway with NAT.
fn is_busy(ip: IpAddr, odd: usize, within: Duration, scene: &Scene<'_>) -> bool {
    /// Logons for each odd one.
    const RATIO: usize = 3;
    /// So many are odd anywhere.
    const TOO_MANY: usize = 20;
    let logons = scene.knowledge.hosts.logons(ip, scene.now - within);
    odd < TOO_MANY && logons.take(RATIO * odd).count() >= RATIO * odd
}

/// Errors with which a KDC says that a ticket was shown by somebody who lacks the key within, or
/// was forged: `KRB_AP_ERR_BAD_INTEGRITY`, `_BADMATCH`, `_MODIFIED`, `_BADKEYVER` (RFC 4120 3.2.3).
fn shown_without_key(code: i32) -> bool {
    matches!(code, 31 | 36 | 41 | 44)
}

/// RC4 by any of its numbers (RFC 4757 and its forerunners).
pub(crate) fn is_rc4(etype: i32) -> bool {
    matches!(etype, ETYPE_RC4_HMAC | 24 | -128 | -133 | -135)
}

/// Whether RC4 is all that is offered.
pub(crate) fn is_rc4_only(offered: &[i32]) -> bool {
    !offered.is_empty() && offered.iter().all(|&etype| is_rc4(etype))
}

/// An activity in words.
fn evidence(activity: &Activity, detail: String) -> Evidence {
    Evidence {
        time: activity.time,
        activity: activity.id,
        detail,
    }
}

/// An activity kept for evidence until its detection is convinced; words are made only then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// By the engine's clock.
    now: Timestamp,
    /// The engine's time of the activity.
    at: Timestamp,
    /// The packet's stamp.
    time: Timestamp,
    activity: Digest,
}

impl Mark {
    fn new(activity: &Activity, scene: &Scene<'_>) -> Self {
        Self {
            now: scene.now,
            at: scene.at,
            time: activity.time,
            activity: activity.id,
        }
    }

    fn evidence(&self, detail: String) -> Evidence {
        Evidence {
            time: self.time,
            activity: self.activity,
            detail,
        }
    }
}
