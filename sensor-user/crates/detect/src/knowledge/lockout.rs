//! After how many wrong passwords an account is locked, as far as it is said or shows.
//!
//! A controller counts an account's wrong passwords and, at the policy's threshold, locks it
//! ([MS-SAMR] 3.1.1.8.5): from then on it answers so. How many were seen before is the threshold, unless
//! some of them were tried where nobody looks; so the most that were ever seen is nearest to it.

use std::time::Duration;

use goshawk_model::kerberos::{Answer, error};
use goshawk_model::{Account, Activity, Kind, Outcome, Status, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detections::proves_identity;
use crate::settings::Policy;
use crate::table::{Table, TableStats};

/// Accounts remembered that failed and did not log on since.
const ACCOUNTS: usize = 16_384;
/// Failures that were not continued are forgotten by the controller as well.
const FORGET: Duration = Duration::from_secs(24 * 3600);
/// Fewer failures before a lock say nothing: a disabled account is refused so as well.
const FEW: u32 = 3;
/// More than any domain allows.
const MANY: u32 = 100;

/// `STATUS_WRONG_PASSWORD`, `STATUS_LOGON_FAILURE`, `STATUS_ACCOUNT_LOCKED_OUT` ([MS-ERREF] 2.3.1).
const WRONG: [u32; 2] = [0xc000_006a, 0xc000_006d];
const LOCKED: u32 = 0xc000_0234;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lockout {
    failures: Table<Account, u32, ACCOUNTS>,
    /// The most failures after which an account was seen locked.
    threshold: Option<u32>,
}

/// What became of a password.
enum Tried {
    Right,
    Wrong,
    Locked,
}

impl Lockout {
    /// How many wrong passwords lock an account; `None` if that is not known, or none do.
    pub(crate) fn threshold(&self, told: &Policy) -> Option<u32> {
        match told.lockout_after {
            Some(0) => None,
            Some(told) => Some(told),
            None => self.threshold,
        }
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Some((account, tried)) = tried(activity) else {
            return;
        };
        match tried {
            Tried::Right => drop(self.failures.remove(account)),
            Tried::Wrong => match self.failures.get_mut(account) {
                Some(failures) => *failures = failures.saturating_add(1),
                None => *self.failures.touch(account.clone(), now, || 0) = 1,
            },
            Tried::Locked => {
                let failures = self.failures.remove(account).unwrap_or_default();
                if (FEW..=MANY).contains(&failures) {
                    self.threshold = self.threshold.max(Some(failures));
                }
            }
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.failures.expire(now - FORGET);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.failures.stats()
    }
}

/// Whose password was tried in `activity`, and what became of it.
fn tried(activity: &Activity) -> Option<(&Account, Tried)> {
    match &activity.kind {
        Kind::As(exchange) => {
            let tried = match exchange.answer {
                Answer::Refused(error::PREAUTH_FAILED) => Tried::Wrong,
                Answer::Refused(error::CLIENT_REVOKED) => Tried::Locked,
                Answer::Issued { .. } => {
                    let request = exchange.request.as_ref()?;
                    proves_identity(&request.padata).then_some(Tried::Right)?
                }
                _ => return None,
            };
            Some((exchange.client.as_ref()?, tried))
        }
        Kind::Ntlm(logon) => {
            let account = activity.credentials.as_ref()?.account.as_ref()?;
            let tried = match (activity.outcome, logon.status) {
                (Outcome::Success, _) => Tried::Right,
                (_, Some(Status::Ntstatus(LOCKED))) => Tried::Locked,
                (_, Some(Status::Ntstatus(code))) if WRONG.contains(&code) => Tried::Wrong,
                _ => return None,
            };
            Some((account, tried))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    /// What is known after so many wrong passwords, and a lock.
    fn locked_after(failures: usize, told: Option<u32>) -> Option<u32> {
        let net = Net::default();
        let mut lockout = Lockout::default();
        for _ in 0..failures {
            lockout.learn(&net.refused("alice", "10.0.0.7", 24), at(1));
        }
        lockout.learn(&net.refused("alice", "10.0.0.7", 18), at(1));
        let policy = Policy {
            lockout_after: told,
            ..Policy::default()
        };
        lockout.threshold(&policy)
    }

    #[test]
    fn a_lock_shows_the_threshold() {
        assert_eq!(locked_after(5, None), Some(5));
        assert_eq!(locked_after(0, None), None, "disabled");
        assert_eq!(locked_after(1_000, None), None, "locked by hand");
        assert_eq!(locked_after(5, Some(10)), Some(10));
        assert_eq!(locked_after(5, Some(0)), None, "never");
    }

    #[test]
    fn the_right_password_begins_anew() {
        let net = Net::default();
        let mut lockout = Lockout::default();
        let wrong = || net.refused("alice", "10.0.0.7", 24);
        for activity in [
            wrong(),
            wrong(),
            net.logon("alice", "10.0.0.7", "tgt"),
            wrong(),
            wrong(),
            net.refused("alice", "10.0.0.7", 18),
        ] {
            lockout.learn(&activity, at(1));
        }
        assert_eq!(lockout.threshold(&Policy::default()), None);
    }

    #[test]
    fn ntlm_counts_as_well() {
        let net = Net::default();
        let mut lockout = Lockout::default();
        for code in [WRONG[0], WRONG[1], WRONG[1], LOCKED] {
            let status = Some(Status::Ntstatus(code));
            let carrier = goshawk_model::Carrier::Smb;
            lockout.learn(&net.ntlm("alice", "10.0.0.7", carrier, status), at(1));
        }
        assert_eq!(lockout.threshold(&Policy::default()), Some(3));
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut lockout = Lockout::default();
        for n in 0..=ACCOUNTS {
            lockout.learn(&net.refused(&format!("u{n}"), "10.0.0.7", 24), at(1));
        }
        let stats = lockout.stats();
        assert_eq!((stats.len, stats.evicted), (ACCOUNTS, 1));
    }
}
