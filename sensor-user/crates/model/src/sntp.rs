//! Authenticated time as activities ([MS-SNTP]).
//!
//! Members of a domain ask a controller for the time and name the account whose key is to sign the
//! answer; the controller signs for whoever asks. Timeroasting asks for one account after another
//! and cracks the answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A request for the time, to be signed with an account's key, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SntpExchange {
    /// The relative identifier of the account; the domain's SID in front of it is not on the wire.
    pub rid: u32,
    /// Whether the key before the last change of the account's password is asked for.
    pub old_key: bool,
    /// How the request names the account.
    pub form: SntpForm,
    /// Whether the answer was signed; `None` when no answer was seen. Of the signature nothing is
    /// kept: it cracks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
}

/// The two ways to ask for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SntpForm {
    /// `Authenticator`, [MS-SNTP] 2.2.1.
    Basic,
    /// `ExtendedAuthenticator`, [MS-SNTP] 2.2.3.
    Extended,
}

impl fmt::Display for SntpExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.old_key { "old key" } else { "key" };
        let answer = match self.signed {
            Some(true) => "signed",
            Some(false) => "not signed",
            None => "no answer seen",
        };
        write!(
            f,
            "time signed with the {key} of RID {}: {answer}",
            self.rid
        )
    }
}
