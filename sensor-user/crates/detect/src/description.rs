//! What a detection says about itself.

use std::time::Duration;

use goshawk_model::Severity;

/// A detection's own account of itself: from it come the alert's fixed words, the portal's help
/// and the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The permanent number of the kind of attack.
    pub external_id: u16,
    /// A short name for configuration and metrics, `dcsync`.
    pub name: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// How bad it usually is.
    pub severity: Severity,
    /// MITRE ATT&CK technique ids.
    pub techniques: &'static [&'static str],
    /// How long a baseline is learned before it fires; `None`: it fires from the first packet.
    pub learning: Option<Duration>,
    /// What the attack gives the attacker.
    pub meaning: &'static str,
    /// What is seen of it, and what cannot be seen.
    pub help: &'static str,
    /// What looks like it and is harmless.
    pub look_alikes: &'static str,
    /// What to do, one step each.
    pub remediation: &'static [&'static str],
}
