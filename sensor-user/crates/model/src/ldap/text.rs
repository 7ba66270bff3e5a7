//! Operations in one short line.

use std::fmt;

use super::names::{extension_name, result_name};
use super::{Authentication, LdapOperation, LdapResult, Operation};

impl fmt::Display for LdapOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ldap {}", self.operation)?;
        match &self.result {
            Some(result) => write!(f, ": {result}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, what: &str, name: Option<&str>| match name {
            Some(name) => write!(f, "{what} {name:?}"),
            None => f.write_str(what),
        };
        match self {
            Self::Bind(bind) => match &bind.request {
                Some(request) => {
                    write!(f, "bind of {:?}, {}", request.name, request.authentication)
                }
                None => f.write_str("bind"),
            },
            Self::Search(search) => {
                f.write_str("search")?;
                if let Some(request) = &search.request {
                    write!(f, " {} in {:?}", request.filter, request.base_object)?;
                }
                write!(f, ", {} entries", search.entries)
            }
            Self::Modify(request) => match request {
                Some(request) => {
                    let changes = request.changes_total;
                    write!(f, "modify {:?}, {changes} changes", request.object)
                }
                None => f.write_str("modify"),
            },
            Self::Add(request) => named(f, "add", request.as_ref().map(|request| &*request.entry)),
            Self::Delete(entry) => named(f, "delete", entry.as_deref()),
            Self::ModifyDn(request) => match request {
                Some(request) => write!(f, "rename {:?} to {:?}", request.entry, request.newrdn),
                None => f.write_str("rename"),
            },
            Self::Compare(request) => match request {
                Some(request) => write!(f, "compare {} of {:?}", request.attribute, request.entry),
                None => f.write_str("compare"),
            },
            Self::Extended(request) => {
                let name = request.as_ref().map(|it| extension_name(&it.request_name));
                write!(f, "extended operation {}", name.unwrap_or("?"))
            }
            Self::Notification(name) => write!(f, "notification: {}", extension_name(name)),
            Self::Tls(client) => named(f, "TLS to", client.server_name.as_deref()),
            Self::Sealed => f.write_str("sealed from here on"),
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple => f.write_str("simple"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Unauthenticated => f.write_str("unauthenticated"),
            Self::Sasl(mechanism) => f.write_str(mechanism),
            Self::Sicily => f.write_str("sicily"),
            Self::Other(tag) => write!(f, "[{tag}]"),
        }
    }
}

impl fmt::Display for LdapResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            result_name(self.result_code),
            self.result_code
        )
    }
}
