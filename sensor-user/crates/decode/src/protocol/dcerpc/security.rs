//! Security contexts of a DCE/RPC connection ([MS-RPCE] 2.2.1.1.7, 3.3.1.5.2).

use std::borrow::Cow;
use std::sync::Arc;

use goshawk_model::rpc::RpcAuth;
use goshawk_model::{Carrier, Credentials, Mechanism, Status, Timestamp};

use super::pdu::{Pdu, Verifier};
use super::secure_channel;
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::security::{Ending, Handshake};
use crate::stats::Drop;

/// The security contexts of one connection.
#[derive(Debug, Default)]
pub(super) struct SecurityContexts {
    contexts: Vec<Security>,
}

/// One of them.
#[derive(Debug)]
struct Security {
    /// `auth_context_id`
    id: u32,
    auth: RpcAuth,
    handshake: Handshake,
    /// The PDU whose token waits for an answer.
    asked: Option<(Side, u32)>,
    /// The beginning of a token, whose rest comes with the next PDU.
    partial: Vec<u8>,
}

/// By whom a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Whoever opened what carries it: of a named pipe, SMB's session.
    Session,
    /// Who showed the context with this index; with the level that the request itself names.
    Context { index: usize, level: Option<u8> },
    /// Somebody who cannot be told.
    Unknown,
}

/// Bytes of a token that comes in several PDUs. The largest are Kerberos tickets of accounts in
/// very many groups ([MS-KILE] 3.1.1.2: MaxTokenSize, 64 KiB).
const MAX_TOKEN: usize = 64 << 10;

/// `RPC_C_AUTHN_LEVEL_CONNECT` ([MS-RPCE] 2.2.1.1.8): only who opens the connection is proven.
const LEVEL_CONNECT: u8 = 2;

/// What a server says to a call under a context that did not convince it: `ERROR_ACCESS_DENIED` and
/// `RPC_S_SEC_PKG_ERROR`, as Windows does ([MS-ERREF] 2.2), `nca_s_proto_error`, as Samba does
/// ([C706] appendix E).
const UNCONVINCED: [u32; 3] = [5, 0x721, 0x1c01_000b];

impl SecurityContexts {
    /// Learns from the token in a client's bind, alter_context or auth3.
    pub(super) fn present(&mut self, pdu: &Pdu<'_>, verifier: &Verifier<'_>, cx: &mut Context<'_>) {
        let Some(security) = self.open(verifier, cx.limits.max_contexts) else {
            cx.stats.drop(Drop::ContextRefused);
            return;
        };
        security.asked = Some((pdu.client, pdu.header.call_id));
        if let Some(token) = security.whole(pdu, verifier.token) {
            match secure_channel::machine(&token) {
                Some(machine) if security.is_secure_channel() => {
                    let (account, name) = (machine.account, machine.name);
                    security
                        .handshake
                        .claim(Mechanism::Netlogon, account, Some(name));
                }
                _ => security.handshake.client(pdu.client, &token, cx),
            }
        }
    }

    /// The server has answered, with `pdu`, the one with the same id.
    pub(super) fn settle(&mut self, pdu: &Pdu<'_>, ending: Ending, cx: &mut Context<'_>) {
        let question = Some((pdu.client, pdu.header.call_id));
        let asked = |security: &&mut Security| security.asked == question;
        let Some(security) = self.contexts.iter_mut().find(asked) else {
            return;
        };
        let token = pdu.verifier.map_or(&[][..], |verifier| verifier.token);
        let Some(token) = security.whole(pdu, token) else {
            return;
        };
        security.asked = None;
        if !token.is_empty() {
            security.handshake.server(pdu.client, &token, cx);
        }
        // That a machine knows its key shows in its first request.
        if !(security.is_secure_channel() && ending == Ending::Accepted) {
            security.handshake.end(ending, cx);
        }
    }

    /// The server has done what was asked under the context with this index, which it does only for
    /// those it believes.
    pub(super) fn prove(&mut self, index: usize, cx: &mut Context<'_>) {
        if let Some(security) = self.contexts.get_mut(index) {
            security.handshake.end(Ending::Accepted, cx);
        }
    }

    /// The server refuses a call under the context with this index. The last message of NTLM has no
    /// answer of its own ([MS-RPCE] 3.3.1.5.2.2): that it did not convince shows in the first call.
    pub(super) fn refute(&mut self, index: usize, status: u32, cx: &mut Context<'_>) {
        if let Some(security) = self.contexts.get_mut(index)
            && UNCONVINCED.contains(&status)
            && security.handshake.credentials().mechanism == Mechanism::Ntlm
            && !security.handshake.credentials().proven
        {
            let refused = Ending::Refused(Some(Status::Rpc(status)));
            security.handshake.end(refused, cx);
        }
    }

    /// By whom a request is made: as its trailer says. Without one it is of the connection's only
    /// context, if that has the level that needs none; where there are several, clients must say
    /// which ([MS-RPCE] 3.3.1.5.4).
    pub(super) fn caller(&self, request: &Pdu<'_>) -> Caller {
        if let Some(verifier) = &request.verifier {
            let level = Some(verifier.level);
            return self
                .position(verifier.context_id)
                .map_or(Caller::Unknown, |index| Caller::Context { index, level });
        }
        let needs_none = |security: &Security| security.auth.level <= LEVEL_CONNECT;
        let is_cut = request.lacks_verifier();
        match &self.contexts[..] {
            [only] if is_cut || needs_none(only) => Caller::Context {
                index: 0,
                level: None,
            },
            several if is_cut || several.iter().any(needs_none) => Caller::Unknown,
            _ => Caller::Session,
        }
    }

    /// How calls under the context with this index are protected, and by whom they are made.
    pub(super) fn get(&self, index: usize) -> Option<(RpcAuth, &Arc<Credentials>)> {
        let security = self.contexts.get(index)?;
        Some((security.auth, security.handshake.credentials()))
    }

    /// Bytes held of tokens that are not complete.
    pub(super) fn held(&self) -> usize {
        let partial = |security: &Security| security.partial.len();
        self.contexts.iter().map(partial).sum()
    }

    /// When the next token will have waited long enough.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let waiting = |security: &Security| security.handshake.deadline();
        self.contexts.iter().filter_map(waiting).min()
    }

    /// Ends what has waited until `now`.
    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        for security in &mut self.contexts {
            security.handshake.expire(now, cx);
        }
    }

    /// Ends everything now: nothing more will come.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        for security in &mut self.contexts {
            security.handshake.close(cx);
        }
    }

    fn position(&self, id: u32) -> Option<usize> {
        self.contexts.iter().position(|security| security.id == id)
    }

    /// The context of a client's trailer, made if need be; `None` if there is no room.
    fn open(&mut self, verifier: &Verifier<'_>, room: usize) -> Option<&mut Security> {
        let index = match self.position(verifier.context_id) {
            Some(index) => index,
            None if self.contexts.len() < room => {
                // As a rule there will be no other.
                self.contexts.reserve_exact(1);
                self.contexts.push(Security {
                    id: verifier.context_id,
                    auth: RpcAuth {
                        auth_type: verifier.auth_type,
                        level: verifier.level,
                    },
                    handshake: Handshake::new(Carrier::Dcerpc),
                    asked: None,
                    partial: Vec::new(),
                });
                self.contexts.len() - 1
            }
            None => return None,
        };
        self.contexts.get_mut(index)
    }
}

impl Security {
    fn is_secure_channel(&self) -> bool {
        self.auth.auth_type == secure_channel::AUTH_TYPE
    }

    /// The token of a PDU, put together with those of the PDUs before it; `None` if more follows
    /// ([C706] 12.6.3.1: `pfc_flags`).
    fn whole<'a>(&mut self, pdu: &Pdu<'_>, token: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if pdu.header.is_first() {
            self.partial.clear();
            if pdu.header.is_last() {
                return Some(Cow::Borrowed(token));
            }
        }
        let room = MAX_TOKEN.saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(token.get(..room).unwrap_or(token));
        let complete = pdu.header.is_last();
        complete.then(|| Cow::Owned(std::mem::take(&mut self.partial)))
    }
}
