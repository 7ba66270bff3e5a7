//! Alerts: what a detection found, written so that it explains itself.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Account, Confidence, Digest, Timestamp};

/// A detection's finding: a campaign, not an event.
///
/// Raised at the threshold with revision 1 and updated under the same [`id`](Self::id) with rising
/// revisions; the highest revision is the truth. Field names in JSON are a fixed contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Hash of sensor, detection, grouping key and the campaign's first event time.
    pub id: AlertId,
    /// Rises from 1 with every change.
    pub revision: u32,
    /// The permanent number of the kind of attack.
    pub external_id: u16,
    /// What happened, in a few words.
    pub title: String,
    /// How bad it is if true.
    pub severity: Severity,
    /// How likely it is true.
    pub confidence: Confidence,
    /// The campaign's first event.
    pub start: Timestamp,
    /// The campaign's latest event.
    pub end: Timestamp,
    /// MITRE ATT&CK technique ids.
    pub techniques: Vec<Technique>,
    /// Who acts.
    pub source: Party,
    /// Those acted on, at most [`Alert::MAX_TARGETS`].
    pub targets: Vec<Party>,
    /// How many targets there were in all.
    pub targets_total: u64,
    /// Events in the campaign.
    pub count: u64,
    /// One sentence for people: who did what to whom.
    pub summary: String,
    /// Why this is bad, and what speaks for and against it in this case.
    pub reason: String,
    /// What to do, one step each.
    pub remediation: Vec<String>,
    /// The sensor that raised it.
    pub sensor: String,
    /// The activities it rests on, at most [`Alert::MAX_EVIDENCE`]: the first and the latest.
    pub evidence: Vec<Evidence>,
}

impl Alert {
    /// Targets listed by name; `targets_total` counts on.
    pub const MAX_TARGETS: usize = 100;
    /// Pieces of evidence kept.
    pub const MAX_EVIDENCE: usize = 50;
}

/// The alert's identity.
pub type AlertId = Digest;

/// A MITRE ATT&CK technique id, `T1003.006`.
pub type Technique = String;

/// How bad an alert is if true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth waking somebody.
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// One side of an alert: a machine, an account, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Party {
    /// The machine's address.
    pub ip: Option<IpAddr>,
    /// The machine's name.
    pub host: Option<String>,
    /// The account. On the acting side only where it authenticated.
    pub account: Option<Account>,
}

/// One activity an alert rests on, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When.
    pub time: Timestamp,
    /// The activity's id.
    pub activity: Digest,
    /// What it showed.
    pub detail: String,
}
