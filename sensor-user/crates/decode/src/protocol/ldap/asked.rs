//! What every request has, whatever it asks for.

use goshawk_model::Kind;
use goshawk_model::ldap::{LdapOperation, LdapResult, Operation, Protection};

use crate::flow::Side;
use crate::protocol::Moment;

/// A request's, or a lone answer's, place and surroundings.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) moment: Moment,
    pub(super) client: Side,
    /// `messageID`
    pub(super) id: u32,
    pub(super) controls: Vec<Box<str>>,
    pub(super) protection: Protection,
    pub(super) bytes: u32,
    pub(super) response_bytes: u64,
}

impl Asked {
    /// For what no message of LDAP said.
    pub(super) fn unsaid(moment: Moment, client: Side, protection: Protection) -> Self {
        Self {
            moment,
            client,
            id: 0,
            controls: Vec::new(),
            protection,
            bytes: 0,
            response_bytes: 0,
        }
    }

    /// The activity that it turned out to be.
    pub(super) fn told(self, operation: Operation, result: Option<LdapResult>) -> Kind {
        Kind::Ldap(Box::new(LdapOperation {
            message_id: self.id,
            operation,
            controls: self.controls,
            protection: self.protection,
            result,
            request_bytes: self.bytes,
            response_bytes: self.response_bytes,
        }))
    }
}
