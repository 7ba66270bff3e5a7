//! A controller that has forgotten AES: a skeleton key in its memory.
//!
//! **The attack.** mimikatz `misc::skeleton` patches a controller's LSASS so that one more password
//! opens every account. The patch works for RC4 alone, so it takes the AES keys out of sight.
//!
//! **On the wire.** A KDC tells with which encryption types a client's key may be used, in
//! `ETYPE-INFO2` beside `KDC_ERR_PREAUTH_REQUIRED` (RFC 4120 5.2.7.5). Of accounts for which this
//! controller had listed AES it lists none all of a sudden, though the clients offer it, and that of
//! one account after the other.
//!
//! **Look-alikes.** An administrator who allows an account RC4 alone changes that one account; so one
//! account is not enough. What clients offer says nothing of the controller, and a request that
//! offers no AES does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::etype_name;
use goshawk_model::{Account, Activity, Confidence, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2010,
    name: "skeleton-key",
    title: "Controller that no longer offers AES (skeleton key)",
    severity: Severity::Medium,
    techniques: &["T1556.001"],
    learning: None,
    meaning: "A controller offered AES to accounts and stopped doing so. Malware in its memory that lets \
        one password open every account has this effect.",
    help: "Seen is which encryption types the controller lists for an account, now and before.",
    look_alikes: "Several accounts limited to RC4 by an administrator at a time.",
    remediation: &[
        "Ask whether somebody has limited these accounts to RC4; if so, that is a weakness to mend.",
        "If not, isolate the controller, keep an image of its memory, and restart it: the patch does \
         not survive that.",
        "Treat the controller as taken: whoever patched it was its administrator.",
    ],
};

/// Accounts of a controller for which AES was listed.
const LISTED: usize = 65_536;
/// Controllers that are looked at.
const CONTROLLERS: usize = 256;
/// So many accounts are no administrator's choice.
const ENOUGH: usize = 3;
/// Accounts kept per controller.
const KEPT: usize = 64;
/// They count together within this time.
const TOGETHER: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SkeletonKey {
    listed: Table<(IpAddr, Account), (), LISTED>,
    /// Accounts that AES is not listed for any more.
    weakened: Table<IpAddr, BTreeSet<Account>, CONTROLLERS>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    accounts: BTreeSet<Account>,
}

impl Detection for SkeletonKey {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let told = &exchange.answer_data.etype_info;
        let (Some(account), Some(request)) = (&exchange.client, &exchange.request) else {
            return;
        };
        // `PA-PW-SALT` lists nothing.
        if !told.iter().any(|entry| entry.etype.is_some()) {
            return;
        }
        let controller = activity.server.ip;
        if told.iter().filter_map(|entry| entry.etype).any(is_aes) {
            self.listed
                .touch((controller, account.clone()), scene.now, || ());
            if let Some(weakened) = self.weakened.get_mut(&controller) {
                weakened.remove(account);
            }
            return;
        }
        let asked_for = request.etypes.iter().copied().any(is_aes);
        let had = || self.listed.get(&(controller, account.clone())).is_some();
        if !asked_for || !had() {
            return;
        }
        let weakened = self
            .weakened
            .touch(controller, scene.now, BTreeSet::default);
        if weakened.len() < KEPT {
            weakened.insert(account.clone());
        }
        if weakened.len() < ENOUGH {
            return;
        }
        let etypes = told.iter().filter_map(|entry| entry.etype).map(etype_name);
        let detail = format!(
            "for {account} the controller lists {}; it had listed AES before",
            list(etypes, told.len() as u64)
        );
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, detail),
            target: Some(scene.machine(&activity.server)),
        };
        let accounts = weakened.clone();
        // Who did it to the controller is not seen; it speaks for itself.
        let source = Party {
            account: None,
            ..scene.machine(&activity.server)
        };
        if let Some(facts) = campaigns.record::<Self>(scene, &controller, &source, [event]) {
            facts.accounts = accounts;
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.weakened.expire(scene.now - TOGETHER);
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Medium,
            confidence: Confidence::Medium,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let accounts = &campaign.facts.accounts;
        let place = campaign
            .source
            .ip
            .map_or_else(|| "a controller".to_owned(), |ip| scene.place(ip));
        let total = accounts.len() as u64;
        Story {
            summary: format!("{place} offers AES no longer to {}.", list(accounts, total)),
            reason: format!(
                "Of {} for which the controller had listed AES it lists none any more, though the \
                 clients offer it. Changes of single accounts look otherwise. Who did it to the \
                 controller cannot be seen.",
                count(total, "account")
            ),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("skeleton-key-accounts", self.listed.stats());
        into.insert("skeleton-key-controllers", self.weakened.stats());
    }
}

/// AES, with SHA-1 or SHA-2 (RFC 3962, RFC 8009).
fn is_aes(etype: i32) -> bool {
    matches!(etype, 17..=20)
}
