//! Passwords changed over Kerberos (RFC 3244).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ticket, error_name};

/// An exchange with the change-password service, port 464. Whose password, and which, is sealed:
/// who asks is known from where the ticket was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordExchange {
    /// What was asked; `None` when only the answer was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<PasswordOperation>,
    /// The ticket presented, for `kadmin/changepw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// How it ended.
    pub answer: PasswordAnswer,
}

/// What is asked of the change-password service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordOperation {
    /// Protocol version 1: the asker's own password.
    Change,
    /// Protocol version 0xff80: anybody's, the asker's own included.
    Set,
}

/// How the change-password service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordAnswer {
    /// The service took the ticket; whether it took the password too is sealed.
    Sealed,
    /// It had no key to answer with, or did not want to.
    Refused {
        /// `error-code` of the KRB-ERROR.
        error: i32,
        /// `result code` in its `e-data`: 3 is a failed authentication, 5 is access denied.
        result: Option<u16>,
    },
    /// No answer was seen.
    Unseen,
}

impl fmt::Display for PasswordExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.operation {
            Some(PasswordOperation::Change) => "kerberos password change: ",
            Some(PasswordOperation::Set) => "kerberos password set: ",
            None => "kerberos password: ",
        })?;
        match self.answer {
            PasswordAnswer::Sealed => f.write_str("answered under seal"),
            PasswordAnswer::Refused { error, .. } => {
                write!(f, "{} ({error})", error_name(error))
            }
            PasswordAnswer::Unseen => f.write_str("no answer seen"),
        }
    }
}
