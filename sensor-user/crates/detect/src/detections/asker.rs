//! Who asks from where: what the campaigns of those who use an account are grouped by.

use std::fmt;
use std::net::IpAddr;

use goshawk_model::{Account, Activity, Party};
use serde::{Deserialize, Serialize};

use crate::scene::Scene;

/// An account at a machine. One person's attack from one place is one campaign; where the account
/// is not known, the place alone decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Asker {
    pub(super) ip: IpAddr,
    pub(super) account: Option<Account>,
}

impl Asker {
    /// Who acts in `activity`, if the server was convinced of who that is: the owner of the ticket
    /// that the connection came with, or whom its credentials name.
    pub(super) fn of(activity: &Activity, scene: &Scene<'_>) -> Self {
        let credentials = activity.credentials.as_ref().filter(|one| one.proven);
        let account = match credentials {
            Some(credentials) => scene
                .knowledge
                .asker(activity)
                .cloned()
                .or_else(|| credentials.account.clone()),
            None => activity
                .actor
                .as_ref()
                .filter(|actor| actor.authenticated)
                .map(|actor| actor.account.clone()),
        };
        Self {
            ip: activity.client.ip,
            account: account.map(|account| scene.knowledge.complete(account)),
        }
    }

    /// The acting side of an alert.
    pub(super) fn party(&self, activity: &Activity, scene: &Scene<'_>) -> Party {
        Party {
            account: self.account.clone(),
            ..scene.machine(&activity.client)
        }
    }
}

/// The acting side in a sentence: `alice@corp.example, from ws7 (10.0.0.7),`.
pub(super) fn who(source: &Party, scene: &Scene<'_>) -> String {
    let place = source
        .ip
        .map_or_else(|| "an unknown machine".to_owned(), |ip| scene.place(ip));
    match &source.account {
        Some(account) => format!("{account}, from {place},"),
        None => format!("Somebody at {place}"),
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_ref().map_or("-", Account::as_str);
        write!(f, "{} {account}", self.ip)
    }
}
