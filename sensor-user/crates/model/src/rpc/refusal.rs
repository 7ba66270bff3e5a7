//! Binds that a server refuses ([C706] 12.6.3.1, 12.6.4.5): what was asked for, and is not there or
//! not for this client.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RpcTransport;

/// A bind to an interface that was refused. Those that were not show in the calls that follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindRefused {
    /// What carried it.
    pub transport: RpcTransport,
    /// The interface that the client wanted to call.
    pub interface: Uuid,
    /// The interface's name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'static, str>>,
    /// Why.
    pub reason: BindReason,
}

/// Why a bind is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindReason {
    /// This context alone (`p_provider_reason_t`): 1 is an interface that the server does not have.
    Context(u16),
    /// The whole bind (`p_reject_reason_t`, [MS-RPCE] 2.2.2.5): 8 is an authentication that is not
    /// recognised.
    Bind(u16),
}

impl fmt::Display for BindRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "dcerpc bind to {name} refused")?,
            None => write!(f, "dcerpc bind to {} refused", self.interface)?,
        }
        match self.reason {
            BindReason::Context(reason) => write!(f, ", context reason {reason}"),
            BindReason::Bind(reason) => write!(f, ", reason {reason}"),
        }
    }
}
