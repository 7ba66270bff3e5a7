//! A honeytoken looked up over SAMR or LSA.
//!
//! **The attack.** Before an account is used it is looked at: groups, last logon, whether it is
//! disabled. `net user NAME /domain`, rpcclient `lookupnames`, PowerView and impacket ask the
//! account database of a controller for it by its name.
//!
//! **On the wire.** `SamrLookupNamesInDomain` ([MS-SAMR] 3.1.5.11.2), `SamrOpenUser` after it, and
//! `LsarLookupNames` ([MS-LSAT] 3.1.4.5 to 3.1.4.8) hold the names in their stubs, which are
//! readable unless the client seals its calls or encrypts SMB. Who knows an account's number
//! already opens it by that, and names nobody.
//!
//! **Look-alikes.** An enumeration of all accounts does not name the bait and is silent here. So is
//! a list of many names: it is everybody's, as directory synchronisation sends it. A password
//! change ([MS-SAMR] 3.1.5.10) is a use of the account and is told as such.

use goshawk_model::rpc::{LsarpcArguments, RpcArguments, SamrArguments};
use goshawk_model::{Account, Activity, Confidence, Kind, Severity};
use serde::{Deserialize, Serialize};

use super::Detection;
use super::asker::Asker;
use super::bait::{LIST, Queries, named, queried, story};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2439,
    name: "honeytoken-samr",
    title: "Honeytoken looked up in the account database",
    severity: Severity::Low,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "Somebody asked a domain controller about an account that is bait. Whoever looks at \
        it is looking for accounts to take over.",
    help: "Seen are lookups by name over SAMR and LSA that are not sealed. Lookups by number, and \
        lists of all accounts, name nobody and are not counted.",
    look_alikes: "Inventories and administrators who look at every account one by one; exclude \
        their machine.",
    remediation: &[
        "Ask the owner of the account and of the machine what they were looking for.",
        "If nobody knows, treat the machine as taken over: find out what ran there at that time.",
        "Watch for what follows: use of the honeytoken, and of accounts looked up along with it.",
    ],
};

const BY: &str = "in the account database (SAMR, LSA)";

/// Remembers nothing of its own: each query stands for itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HoneytokenSamr {}

impl Detection for HoneytokenSamr {
    type Key = Asker;
    type Facts = Queries;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::RPC;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Queries>,
    ) {
        let Kind::Rpc(call) = &activity.kind else {
            return;
        };
        let names = match &call.arguments {
            Some(RpcArguments::Samr(SamrArguments::LookupNames { names, .. })) => names,
            Some(RpcArguments::Lsarpc(LsarpcArguments::LookupNames { names })) => names,
            _ => return,
        };
        if scene.settings.honeytokens.is_empty() || names.total > LIST {
            return;
        }
        let found: Vec<Account> = names
            .first
            .iter()
            .filter_map(|name| named(name, scene))
            .collect();
        if !found.is_empty() {
            let operation = call.operation.as_deref().unwrap_or("A lookup");
            queried::<Self>(activity, found, operation, scene, campaigns);
        }
    }

    fn judge(_campaign: &Campaign<Queries>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Low,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Queries>, scene: &Scene<'_>) -> Story {
        story(campaign, BY, scene)
    }
}
