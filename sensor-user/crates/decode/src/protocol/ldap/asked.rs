//! What every request has, whatever it asks for.

use goshawk_model::Kind;
use goshawk_model::ldap::{
    Attribute, Authentication, LdapOperation, LdapResult, Operation, Protection, extension,
};

use super::attribute;
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
        let request_bytes = if has_secret(&operation) {
            0
        } else {
            self.bytes
        };
        Kind::Ldap(Box::new(LdapOperation {
            message_id: self.id,
            operation,
            controls: self.controls,
            protection: self.protection,
            result,
            request_bytes,
            response_bytes: self.response_bytes,
        }))
    }
}

/// Whether a password is in a request: with the name beside it known, its length would tell the
/// password's.
fn has_secret(operation: &Operation) -> bool {
    let is_secret = |attribute: &Attribute| attribute::is_secret(&attribute.name);
    match operation {
        Operation::Bind(bind) => bind
            .request
            .as_ref()
            .is_some_and(|request| request.authentication == Authentication::Simple),
        Operation::Search(search) => search.request.iter().any(|asked| {
            let mut conditions = asked.conditions.iter();
            conditions.any(|condition| attribute::is_secret(&condition.attribute))
        }),
        Operation::Modify(Some(asked)) => {
            let mut changes = asked.changes.iter();
            changes.any(|change| is_secret(&change.modification))
        }
        Operation::Add(Some(asked)) => asked.attributes.iter().any(is_secret),
        Operation::Compare(Some(asked)) => attribute::is_secret(&asked.attribute),
        Operation::Extended(Some(asked)) => *asked.request_name == *extension::PASSWORD_MODIFY,
        _ => false,
    }
}
