//! Security contexts of a DCE/RPC connection ([MS-RPCE] 2.2.1.1.7, 3.3.1.5.2).

use goshawk_model::kerberos::Ticket;
use goshawk_model::rpc::RpcAuth;

use super::pdu::Verifier;
use crate::protocol::{gss, kerberos, ntlm};
use crate::stats::{Drop, Protocol, Stats};

/// The security contexts of one connection, by `auth_context_id`.
#[derive(Debug, Default)]
pub(super) struct SecurityContexts {
    contexts: Vec<(u32, Security)>,
}

/// What one security context is known to be.
#[derive(Clone, Debug)]
pub(super) struct Security {
    pub(super) auth: RpcAuth,
    /// Whether the server has answered under it, which it does only to those it believes.
    pub(super) proven: bool,
}

/// What a token showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// An AP-REQ with this ticket.
    Ticket(Ticket),
    /// A KRB-ERROR with this code.
    Error(i32),
    /// Nothing to tell.
    Nothing,
}

impl SecurityContexts {
    /// Learns from the token in a client's bind, alter_context or auth3.
    pub(super) fn learn(
        &mut self,
        verifier: &Verifier<'_>,
        room: usize,
        stats: &mut Stats,
    ) -> Shown {
        let Some(security) = self.open(verifier, room) else {
            stats.drop(Drop::ContextRefused);
            return Shown::Nothing;
        };
        match gss::unwrap(verifier.token) {
            gss::Token::Kerberos(message) => {
                let shown = kerberos_token(message, stats);
                if let Shown::Ticket(ticket) = &shown {
                    security.auth.ticket = Some(ticket.clone());
                }
                shown
            }
            gss::Token::Ntlm(message) => {
                let message = ntlm::parse(message);
                stats.message(Protocol::Ntlm, message.is_some());
                if let Some(ntlm::Message::Authenticate(names)) = message {
                    security.auth.ntlm_account = names.account;
                    security.auth.workstation = names.workstation;
                }
                Shown::Nothing
            }
            gss::Token::Other => Shown::Nothing,
        }
    }

    /// Index of the context that a PDU with this trailer belongs to; without one, of the latest.
    pub(super) fn find(&self, verifier: Option<&Verifier<'_>>) -> Option<usize> {
        match verifier {
            Some(verifier) => self
                .contexts
                .iter()
                .position(|(id, _)| *id == verifier.context_id),
            None => self.contexts.len().checked_sub(1),
        }
    }

    /// The context with this index; it keeps it as long as the connection lives.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Security> {
        self.contexts.get_mut(index).map(|(_, security)| security)
    }

    /// The context of a client's trailer, made if need be; `None` if there is no room.
    fn open(&mut self, verifier: &Verifier<'_>, room: usize) -> Option<&mut Security> {
        let index = match self.find(Some(verifier)) {
            Some(index) => index,
            None if self.contexts.len() < room => {
                let auth = RpcAuth {
                    auth_type: verifier.auth_type,
                    level: verifier.level,
                    ticket: None,
                    ntlm_account: None,
                    workstation: None,
                };
                let security = Security {
                    auth,
                    proven: false,
                };
                self.contexts.push((verifier.context_id, security));
                self.contexts.len() - 1
            }
            None => return None,
        };
        self.get_mut(index)
    }
}

/// The KRB-ERROR code in a server's token, if it is one.
pub(super) fn refusal(verifier: &Verifier<'_>, stats: &mut Stats) -> Option<i32> {
    let gss::Token::Kerberos(message) = gss::unwrap(verifier.token) else {
        return None;
    };
    match kerberos_token(message, stats) {
        Shown::Error(code) => Some(code),
        Shown::Ticket(_) | Shown::Nothing => None,
    }
}

fn kerberos_token(message: &[u8], stats: &mut Stats) -> Shown {
    let message = kerberos::parse(message);
    stats.message(Protocol::Kerberos, message.is_some());
    match message {
        Some(kerberos::Message::ApReq(ticket)) => Shown::Ticket(ticket),
        Some(kerberos::Message::Error(error)) => Shown::Error(error.code),
        _ => Shown::Nothing,
    }
}
