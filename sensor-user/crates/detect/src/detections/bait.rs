//! Honeytokens: accounts set up as bait, by whatever name the wire calls them.

use goshawk_model::{Account, Activity, Outcome, Party};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Story};
use crate::knowledge::Standing;
use crate::scene::Scene;
use crate::words::{count, list};

/// Accounts in a query beyond which it is a list of everybody, and none of them is meant.
pub(super) const LIST: u32 = 32;

/// What is remembered of somebody who asks about bait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Queries {
    pub(super) answered: u64,
    pub(super) unanswered: u64,
}

/// The whole name of `account` if it is bait.
///
/// A domain controller has no accounts but its domain's, so a name that NTLM puts into a domain
/// nobody knows, such as `WORKGROUP\name`, is looked up among them all the same.
pub(super) fn bait(account: &Account, activity: &Activity, scene: &Scene<'_>) -> Option<Account> {
    let tokens = &scene.settings.honeytokens;
    if !tokens.iter().any(|token| token.name() == account.name()) {
        return None;
    }
    let whole = scene.knowledge.complete(account.clone());
    if scene.is_honeytoken(&whole) {
        return Some(whole);
    }
    let bare = Account::new(account.name(), "");
    let lost = !whole.realm().contains('.');
    (lost && scene.standing(activity.server.ip) != Standing::Unknown)
        .then(|| scene.knowledge.complete(bare))
}

/// The bait that a name means which somebody asks a directory about: `name`, `name@realm`,
/// `DOMAIN\name`, a distinguished name.
pub(super) fn named(text: &str, scene: &Scene<'_>) -> Option<Account> {
    let contains = |token: &Account| {
        let name = token.name();
        text.len() >= name.len()
            && text
                .as_bytes()
                .windows(name.len().max(1))
                .any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
    };
    if !scene.settings.honeytokens.iter().any(contains) {
        return None;
    }
    let account = Account::from_dn(text).unwrap_or_else(|| Account::new(text, ""));
    let whole = scene.knowledge.complete(account);
    scene.is_honeytoken(&whole).then_some(whole)
}

/// Records that somebody asked about bait.
pub(super) fn queried<D: Detection<Key = Asker, Facts = Queries>>(
    activity: &Activity,
    found: Vec<Account>,
    detail: &str,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Queries>,
) {
    let asker = Asker::of(activity, scene);
    let source = asker.party(activity, scene);
    let server = scene.place(activity.server.ip);
    let events = found.into_iter().map(|account| Event {
        at: scene.at,
        evidence: evidence(activity, format!("{detail} to {server} names {account}")),
        target: Some(Party {
            account: Some(account),
            ..Party::default()
        }),
    });
    if let Some(facts) = campaigns.record::<D>(scene, &asker, &source, events) {
        match activity.outcome {
            Outcome::Success => facts.answered += 1,
            _ => facts.unanswered += 1,
        }
    }
}

/// What to tell of somebody who asked about bait.
pub(super) fn story(campaign: &Campaign<Queries>, by: &str, scene: &Scene<'_>) -> Story {
    let accounts = campaign
        .targets
        .iter()
        .filter_map(|target| target.account.as_ref());
    let accounts = list(accounts, campaign.targets_total());
    let facts = &campaign.facts;
    let queries = count(facts.answered + facts.unanswered, "query");
    let mut reason = format!(
        "The account is bait: nobody has reason to ask about it by its name. {queries} named it"
    );
    reason += match (facts.answered, facts.unanswered) {
        (_, 0) => ", and the server answered.",
        (0, _) => "; the server refused, or its answer was not seen.",
        _ => "; the server answered some of them.",
    };
    reason += " Lists of all accounts are not counted, for they name nobody.";
    Story {
        summary: format!(
            "{} asked about {accounts} {by}.",
            who(&campaign.source, scene)
        ),
        reason,
    }
}
