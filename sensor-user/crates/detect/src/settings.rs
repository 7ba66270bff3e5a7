//! What the administrator tells the engine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use goshawk_model::Account;

use crate::Exclusion;

/// What the administrator tells the engine. Everything here can be changed by
/// [`Engine::reload`](crate::Engine::reload) while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that alerts carry.
    pub sensor: Arc<str>,
    /// Addresses of the domain's controllers; they may ask for replication.
    pub controllers: Vec<IpAddr>,
    /// This machine's addresses, when it is a controller itself.
    pub own_addresses: Vec<IpAddr>,
    /// Accounts that nobody should use; touching one is certain to be wrong.
    pub honeytokens: Vec<Account>,
    /// Accounts that matter more than others.
    pub sensitive: Vec<Account>,
    /// The domain's policy, as far as it is said.
    pub policy: Policy,
    /// Whether baselines mute what is relative to them while they are learned.
    pub learning: Learning,
    /// What to keep silent about.
    pub exclusions: Vec<Exclusion>,
    /// How much to remember and to say.
    pub limits: Limits,
}

/// The domain's policy; what is not said is what domains begin with, unless traffic shows otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How long a ticket lives (`MaxTicketAge`).
    pub ticket_age: Option<Duration>,
    /// How long it can be renewed (`MaxRenewAge`).
    pub renew_age: Option<Duration>,
    /// After how many wrong passwords an account is locked (`LockoutThreshold`); 0: never.
    pub lockout_after: Option<u32>,
    /// How long wrong passwords are counted together (`LockoutObservationWindow`).
    pub lockout_window: Option<Duration>,
}

/// Whether baselines mute what is relative to them while they are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learning {
    /// Off in a replay: a recording has no past to learn from.
    pub enabled: bool,
}

/// How much the engine says, per detection; so that one flood does not bury the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Campaigns open at once; beyond, the quietest is closed early.
    pub open_campaigns: usize,
    /// Alerts raised in any hour; beyond, findings are only counted.
    pub alerts_per_hour: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sensor: "goshawk".into(),
            controllers: Vec::new(),
            own_addresses: Vec::new(),
            honeytokens: Vec::new(),
            sensitive: Vec::new(),
            policy: Policy::default(),
            learning: Learning::default(),
            exclusions: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_campaigns: 1_000,
            alerts_per_hour: 200,
        }
    }
}
