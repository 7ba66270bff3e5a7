//! Sessions of other protocols than Kerberos: NTLM, LDAP, the account database, SMB.

use std::sync::Arc;

use goshawk_model::ldap::{
    Authentication, Bind, BindRequest, Comparison, Condition, LdapOperation, LdapResult, Operation,
    Protection, Scope, Search, SearchRequest,
};
use goshawk_model::ntlm::{AvPairs, LmResponse, NtResponse, NtlmAuthenticate, NtlmLogon};
use goshawk_model::rpc::{Excerpt, RpcArguments, RpcCall, RpcTransport, SAMR, SamrArguments};
use goshawk_model::{
    Account, Activity, Actor, Carrier, Credentials, Kind, Mechanism, Outcome, Status,
};

use super::Net;

impl Net {
    /// The activity, done on a connection that authenticated so.
    pub(crate) fn by(activity: Activity, credentials: Credentials) -> Activity {
        Activity {
            actor: credentials.actor(),
            credentials: Some(Arc::new(credentials)),
            ..activity
        }
    }

    /// NTLM over SMB with these responses.
    pub(crate) fn ntlm_logon(
        &self,
        account: Option<(&str, &str)>,
        from: &str,
        (lm_response, nt_response): (LmResponse, NtResponse),
        accepted: bool,
    ) -> Activity {
        let logon = NtlmLogon {
            authenticate: Some(NtlmAuthenticate {
                flags: 0,
                version: None,
                user: account.map(|(name, _)| name.into()),
                domain: account.map(|(_, domain)| domain.into()),
                workstation: None,
                lm_response,
                nt_response,
                mic: true,
                session_key: true,
                timestamp: None,
                target_info: AvPairs::default(),
                digest: None,
            }),
            status: (!accepted).then_some(Status::Ntstatus(0xc000_006d)),
            ..NtlmLogon::new(Carrier::Smb)
        };
        let outcome = if accepted {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        Activity {
            actor: account.map(|(name, domain)| Actor {
                account: Account::new(name, domain),
                aliases: Vec::new(),
                authenticated: accepted,
            }),
            ..self.activity(from, outcome, Kind::Ntlm(Box::new(logon)))
        }
    }

    /// An LDAP operation without any protection.
    pub(crate) fn ldap(&self, from: &str, operation: Operation, code: u32) -> Activity {
        let outcome = match code {
            0 => Outcome::Success,
            _ => Outcome::Failure,
        };
        let kind = Kind::Ldap(Box::new(LdapOperation {
            message_id: 1,
            operation,
            controls: Vec::new(),
            protection: Protection::None,
            result: Some(LdapResult {
                result_code: code,
                ..LdapResult::default()
            }),
            request_bytes: 50,
            response_bytes: 14,
        }));
        self.activity(from, outcome, kind)
    }

    /// A simple bind.
    pub(crate) fn simple_bind(&self, name: &str, from: &str, accepted: bool) -> Activity {
        let request = BindRequest {
            version: 3,
            name: name.into(),
            authentication: Authentication::Simple,
        };
        let operation = Operation::Bind(Bind {
            request: Some(request),
            rounds: 1,
        });
        let code = if accepted { 0 } else { 49 };
        let account = Account::from_dn(name).unwrap_or_else(|| Account::new(name, ""));
        Self::by(
            self.ldap(from, operation, code),
            Credentials {
                account: Some(account),
                proven: accepted,
                ..Credentials::new(Mechanism::Password)
            },
        )
    }

    /// A search below `base` for objects that have these values.
    pub(crate) fn search(&self, from: &str, base: &str, conditions: &[(&str, &str)]) -> Activity {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(attribute, value)| Condition {
                attribute: (*attribute).into(),
                comparison: match *value {
                    "*" => Comparison::Present,
                    value if value.contains('*') => Comparison::Substrings,
                    _ => Comparison::Equal,
                },
                value: (*value).into(),
                negated: false,
            })
            .collect();
        let request = SearchRequest {
            base_object: base.into(),
            scope: Scope::Subtree,
            size_limit: 0,
            time_limit: 0,
            filter: "(...)".into(),
            conditions_total: conditions.len() as u32,
            conditions,
            filter_depth: 1,
            filter_cut: false,
            attributes: Vec::new(),
        };
        let search = Search {
            request: Some(request),
            entries: 1,
            ..Search::default()
        };
        self.ldap(from, Operation::Search(search), 0)
    }

    /// A call of the account database with these arguments.
    pub(crate) fn samr(&self, from: &str, opnum: u16, arguments: SamrArguments) -> Activity {
        let kind = Kind::Rpc(Box::new(RpcCall {
            transport: RpcTransport::Pipe("samr".into()),
            interface: Some(SAMR),
            name: Some("samr".into()),
            opnum,
            operation: None,
            object: None,
            auth: None,
            arguments: Some(RpcArguments::Samr(arguments)),
            status: Some(0),
            fault: None,
            request_bytes: 50,
            response_bytes: 50,
        }));
        self.activity(from, Outcome::Success, kind)
    }

    /// Names looked up in the account database.
    pub(crate) fn lookup(&self, from: &str, names: &[&str]) -> Activity {
        let names = Excerpt {
            first: names.iter().map(|&name| name.into()).collect(),
            total: names.len() as u32,
        };
        let arguments = SamrArguments::LookupNames {
            domain: None,
            names,
        };
        self.samr(from, 17, arguments)
    }
}
