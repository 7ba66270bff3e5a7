//! DCE/RPC over a TCP connection of its own ([MS-RPCE] 2.1.1.1), or what HTTP makes of one.

use goshawk_model::Timestamp;
use goshawk_model::rpc::RpcTransport;

use super::association::Association;
use super::pdu::{HEADER, Header, Pdu};
use super::starts_pdu;
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::Context;
use crate::stats::Protocol;

/// What a server says first over `ncacn_http` ([MS-RPCH] 2.1.1.1); PDUs follow as over TCP.
pub(super) const GREETING: &[u8] = b"ncacn_http/1.0";

/// A connection that carries one association.
#[derive(Debug)]
pub(crate) struct Conversation(Association);

impl Default for Conversation {
    fn default() -> Self {
        Self(Association::new(RpcTransport::Tcp, None))
    }
}

impl crate::protocol::Conversation for Conversation {
    fn starts_message(&self, bytes: &[u8], _cx: &Context<'_>) -> Verdict {
        starts_pdu(bytes)
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let mut rest = bytes;
        loop {
            if let Some(behind) = rest.strip_prefix(GREETING) {
                self.0.carried_by(RpcTransport::Http);
                rest = behind;
            }
            let taken = bytes.len() - rest.len();
            if rest.len() < HEADER {
                let greets = !rest.is_empty() && GREETING.starts_with(rest);
                return Progress::Read {
                    taken,
                    need: if greets { GREETING.len() } else { HEADER },
                    length: 0,
                };
            }
            let Some(header) = Header::parse(rest) else {
                cx.stats.message(Protocol::Dcerpc, false);
                return Progress::Astray;
            };
            let Some((pdu, next)) = rest.split_at_checked(header.frag_length) else {
                return Progress::Read {
                    taken,
                    need: header.frag_length,
                    length: header.frag_length,
                };
            };
            self.0.pdu(&Pdu::new(header, side, pdu), cx);
            rest = next;
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        if let Some(header) = Header::parse(head) {
            self.0.pdu(&Pdu::new(header, side, head), cx);
        }
    }

    fn lost(&mut self, side: Side) {
        self.0.lost(side);
    }

    fn held(&self) -> usize {
        self.0.held()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.0.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.0.close(cx);
    }
}
