//! What a rule sees beside the activity itself.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Account, Host, Party, Timestamp};

use crate::knowledge::{Knowledge, Standing};
use crate::settings::Settings;

/// The world at the moment of an activity.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The clock, by which windows close.
    pub(crate) now: Timestamp,
    /// When the engine began to learn.
    pub(crate) began: Timestamp,
    /// The activity's own time.
    pub(crate) at: Timestamp,
    /// Whether the activity repeats a request that was answered the same way before.
    pub(crate) repeated: bool,
    /// What is known.
    pub(crate) knowledge: &'a Knowledge,
    /// What the administrator said.
    pub(crate) settings: &'a Settings,
}

impl Scene<'_> {
    /// How sure it is that `ip` is a domain controller.
    pub(crate) fn standing(&self, ip: IpAddr) -> Standing {
        self.knowledge.controllers.standing(ip, self.settings)
    }

    /// A machine as a party, with the best name known.
    pub(crate) fn machine(&self, host: &Host) -> Party {
        Party {
            ip: Some(host.ip),
            host: self
                .host_name(host.ip)
                .or_else(|| host.name.as_deref().map(str::to_owned)),
            account: None,
        }
    }

    /// The name of the machine at `ip`.
    pub(crate) fn host_name(&self, ip: IpAddr) -> Option<String> {
        self.knowledge.name(ip).map(|(name, _)| name.to_owned())
    }

    /// The machine at `ip`, for a sentence: `ws7 (10.0.0.7)`.
    pub(crate) fn place(&self, ip: IpAddr) -> String {
        match self.host_name(ip) {
            Some(name) => format!("{name} ({ip})"),
            None => ip.to_string(),
        }
    }

    /// Whether what is relative to a baseline of this length is still being learned.
    pub(crate) fn learns(&self, baseline: Duration) -> bool {
        self.settings.learning.enabled && self.now < self.began + baseline
    }

    /// Whether the administrator set `account` up as bait.
    pub(crate) fn is_honeytoken(&self, account: &Account) -> bool {
        self.settings
            .honeytokens
            .iter()
            .any(|bait| bait.may_be(account))
    }
}
