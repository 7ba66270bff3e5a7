//! Who asks from where: what the campaigns of those who use an account are grouped by.

use std::fmt;
use std::net::IpAddr;

use goshawk_model::Account;
use serde::{Deserialize, Serialize};

/// An account at a machine. One person's attack from one place is one campaign; where the account
/// is not known, the place alone decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Asker {
    pub(super) ip: IpAddr,
    pub(super) account: Option<Account>,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_ref().map_or("-", Account::as_str);
        write!(f, "{} {account}", self.ip)
    }
}
