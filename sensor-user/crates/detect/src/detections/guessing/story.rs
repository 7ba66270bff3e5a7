//! How bad guessing is, how sure, and how it is told.

use goshawk_model::{Confidence, Severity};

use super::Facts;
use crate::campaign::{Campaign, Judgement, Story};
use crate::scene::Scene;
use crate::words::{count, list};

/// Numbers that leave little doubt.
const MANY_ACCOUNTS: usize = 10;
const MANY_TRIES: u64 = 30;

pub(super) fn judge(campaign: &Campaign<Facts>) -> Judgement {
    let facts = &campaign.facts;
    let hit = !facts.found.is_empty() || (facts.is_spray() && !facts.newcomers.is_empty());
    let is_stale = facts.is_loop() || facts.at_home && !facts.is_spray();
    let severity = match (is_stale, hit || facts.sensitive) {
        (false, true) => Severity::High,
        (false, false) | (true, true) => Severity::Medium,
        (true, false) => Severity::Low,
    };
    let many = facts.failed.len() >= MANY_ACCOUNTS || campaign.count >= MANY_TRIES;
    let confidence = if is_stale {
        Confidence::Low
    } else if !facts.found.is_empty() || many {
        Confidence::High
    } else {
        Confidence::Medium
    };
    Judgement {
        severity,
        confidence,
    }
}

pub(super) fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
    let facts = &campaign.facts;
    let place = match campaign.source.ip {
        Some(ip) => scene.place(ip),
        None => count(facts.sharers.len() as u64, "machine"),
    };
    let accounts = list(
        campaign
            .targets
            .iter()
            .filter_map(|target| target.account.as_ref()),
        campaign.targets_total(),
    );
    let over = list(&facts.over, facts.over.len() as u64);
    let tries = count(campaign.count, "wrong password");
    let mut summary = format!("Somebody at {place} tried {tries} for {accounts} over {over}.");
    if !facts.found.is_empty() {
        let found = list(&facts.found, facts.found.len() as u64);
        summary += &format!(" Then the password of {found} was right.");
    }
    let mut reason = String::from(if facts.is_spray() {
        "So many accounts do not fail from one place by mistyping; they were tried one after the \
         other."
    } else {
        "That is more than somebody tries who has mistyped a password."
    });
    if let Some(tool) = facts.tools.first() {
        reason += &format!(" The client is no ordinary one: {}.", tool.told());
    }
    if facts.found.is_empty() && facts.is_spray() && !facts.newcomers.is_empty() {
        let newcomers = list(&facts.newcomers, facts.newcomers.len() as u64);
        reason += &format!(
            " Meanwhile {newcomers} logged on from there for the first time, maybe with a password \
             that was found."
        );
    }
    if !facts.sharers.is_empty() {
        reason += " Several machines took part, each with few tries.";
    }
    if let Some(threshold) = facts.careful {
        reason += &format!(
            " The tries come in rounds that end one short of the {threshold} that lock an account, and \
             wait until they are forgotten."
        );
    }
    if facts.locked {
        reason += " Tries went on after the account was locked.";
    }
    if facts.is_loop() {
        reason += " Against it speaks the pace, as of a service that keeps an old password: either \
                   that, or somebody guesses slowly.";
    } else if facts.at_home && !facts.is_spray() {
        reason += " Against it speaks that the account has logged on from there before, so that a \
                   program there may keep its old password.";
    }
    Story { summary, reason }
}
