//! DCE/RPC over a named pipe, as SMB carries it ([MS-RPCE] 2.1.1.2).

use std::sync::Arc;

use goshawk_model::rpc::RpcTransport;
use goshawk_model::{Credentials, Timestamp};

use super::association::Association;
use super::pdu::{HEADER, Header, Pdu};
use crate::flow::Side;
use crate::protocol::Context;
use crate::stats::Protocol;

/// Bytes of a pipe's name that are kept.
const MAX_NAME: usize = 256;

/// One open pipe.
///
/// A pipe that carries something else is quietly passed over: what is counted as an error is only
/// what breaks off a conversation that had begun.
#[derive(Debug)]
pub(crate) struct Pipe {
    association: Association,
    low: Inbox,
    high: Inbox,
}

/// One direction: the beginning of a PDU whose rest comes with the next write or read.
///
/// What it holds is less than one PDU, so less than the 64 KiB that `frag_length` can say.
#[derive(Debug, Default)]
struct Inbox {
    held: Vec<u8>,
    /// Whether a PDU was read.
    speaks: bool,
}

impl Pipe {
    /// The pipe `name`, with or without `\pipe\`, opened in a session of `credentials`.
    pub(crate) fn new(name: &str, credentials: Arc<Credentials>) -> Self {
        let name = name.trim_start_matches('\\').to_lowercase();
        let name = name.strip_prefix("pipe\\").unwrap_or(&name);
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        let transport = RpcTransport::Pipe(name.into());
        Self {
            association: Association::new(transport, Some(credentials)),
            low: Inbox::default(),
            high: Inbox::default(),
        }
    }

    /// `from` has sent these bytes through the pipe, which `client` has opened.
    pub(crate) fn bytes(&mut self, client: Side, from: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let (inbox, association) = match from {
            Side::Low => (&mut self.low, &mut self.association),
            Side::High => (&mut self.high, &mut self.association),
        };
        inbox.take(bytes, cx, |header, bytes, cx| {
            let pdu = Pdu::new(header, from, bytes);
            if pdu.client == client {
                association.pdu(&pdu, cx);
            } else {
                cx.stats.message(Protocol::Dcerpc, false);
            }
        });
    }

    /// Something that `side` sent was lost: what comes next begins with a PDU or is passed over.
    pub(crate) fn lost(&mut self, side: Side) {
        match side {
            Side::Low => self.low = Inbox::default(),
            Side::High => self.high = Inbox::default(),
        }
        self.association.lost(side);
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.low.held.len() + self.high.held.len() + self.association.held()
    }

    /// When the next call will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.association.deadline()
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.association.expire(now, cx);
    }

    /// Ends everything now: the pipe is closed.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.association.close(cx);
    }
}

impl Inbox {
    /// Takes what one write or read carried, and hands on each PDU that is complete.
    fn take(
        &mut self,
        bytes: &[u8],
        cx: &mut Context<'_>,
        mut each: impl FnMut(Header, &[u8], &mut Context<'_>),
    ) {
        let mut rest = bytes;
        while !self.held.is_empty() {
            // Only as much is moved as this one PDU lacks.
            let need = Header::parse(&self.held).map_or(HEADER, |header| header.frag_length);
            let lacks = need.saturating_sub(self.held.len());
            let (part, next) = rest.split_at_checked(lacks).unwrap_or((rest, &[]));
            self.held.extend_from_slice(part);
            rest = next;
            if self.held.len() < need {
                return;
            }
            match Header::parse(&self.held) {
                Some(header) if self.held.len() < header.frag_length => {}
                Some(header) => {
                    let pdu = std::mem::take(&mut self.held);
                    each(header, &pdu, cx);
                }
                None => return self.astray(cx),
            }
        }
        while rest.len() >= HEADER {
            let Some(header) = Header::parse(rest) else {
                return self.astray(cx);
            };
            self.speaks = true;
            let Some((pdu, next)) = rest.split_at_checked(header.frag_length) else {
                break;
            };
            each(header, pdu, cx);
            rest = next;
        }
        // Less than a header is held only where PDUs are expected.
        if self.speaks {
            self.held = rest.to_vec();
        }
    }

    /// What came is no PDU.
    fn astray(&mut self, cx: &mut Context<'_>) {
        if self.speaks {
            cx.stats.message(Protocol::Dcerpc, false);
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::{DRSUAPI, RpcCall};
    use goshawk_model::{Kind, Mechanism, Outcome};
    use proptest::prelude::*;

    use super::super::payload::MAX_STUB;
    use super::*;
    use crate::decoder::Decoded;
    use crate::protocol;
    use crate::stats::Stats;

    /// A pipe, and all that surrounds it.
    struct Bench {
        pipe: Pipe,
        around: protocol::Bench,
    }

    impl Bench {
        fn new() -> Self {
            let credentials = Arc::new(Credentials::new(Mechanism::Ntlm));
            Self {
                pipe: Pipe::new("\\PIPE\\LSARPC", credentials),
                around: protocol::Bench::new(),
            }
        }

        fn with(&mut self, act: impl FnOnce(&mut Pipe, &mut Context<'_>)) {
            act(&mut self.pipe, &mut self.around.context());
        }

        fn say(&mut self, from: Side, bytes: &[u8]) {
            self.with(|pipe, cx| pipe.bytes(Side::High, from, bytes, cx));
        }

        fn calls(&self) -> Vec<(&RpcCall, Outcome)> {
            let calls = self
                .around
                .out
                .iter()
                .filter_map(|it| match &it.activity.kind {
                    Kind::Rpc(call) => Some((&**call, it.activity.outcome)),
                    _ => None,
                });
            calls.collect()
        }
    }

    fn pdu(ptype: u8, call_id: u8, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u8;
        let header = [
            5, 0, ptype, 3, 16, 0, 0, 0, length, 0, 0, 0, call_id, 0, 0, 0,
        ];
        [&header[..], body].concat()
    }

    /// A bind, two calls, and what the server sends.
    fn dialogue() -> [(Side, Vec<u8>); 2] {
        let mut bind = vec![0; 8];
        bind.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        bind.extend(DRSUAPI.to_bytes_le());
        bind.extend([4, 0, 0, 0]);
        let asked = [
            pdu(11, 1, &bind),
            pdu(0, 2, &[0, 0, 0, 0, 0, 0, 3, 0, 1, 2, 3, 4]),
            pdu(0, 3, &[0, 0, 0, 0, 0, 0, 1, 0]),
        ];
        let answered = [pdu(2, 2, &[0; 60]), pdu(3, 3, &[5; 16])];
        [(Side::High, asked.concat()), (Side::Low, answered.concat())]
    }

    #[test]
    fn calls_over_a_pipe_are_made_by_its_session() {
        let mut bench = Bench::new();
        for (from, bytes) in dialogue() {
            bench.say(from, &bytes);
        }
        let calls = bench.calls();
        let [(changes, Outcome::Success), (_, Outcome::Failure)] = calls[..] else {
            panic!("{calls:?}");
        };
        assert_eq!(changes.transport, RpcTransport::Pipe("lsarpc".into()));
        assert_eq!((changes.interface, changes.opnum), (Some(DRSUAPI), 3));
        let is_call = |it: &&Decoded| matches!(it.activity.kind, Kind::Rpc(_));
        let call = &bench.around.out.iter().find(is_call).unwrap().activity;
        let credentials = call.credentials.as_ref().unwrap();
        assert_eq!(credentials.mechanism, Mechanism::Ntlm);
    }

    #[test]
    fn a_trailer_of_a_context_that_was_not_seen_names_nobody() {
        // NTLM at the level of packets, with a context that some other bind has opened.
        let trailer = [10, 4, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0];
        let mut call = pdu(0, 2, &[&[0, 0, 0, 0, 0, 0, 3, 0][..], &trailer].concat());
        call[10] = 4;
        let mut bench = Bench::new();
        bench.say(Side::High, &call);
        bench.with(Pipe::close);
        let [call] = &bench.around.out[..] else {
            panic!("{:?}", bench.around.out);
        };
        assert_eq!(
            (&call.activity.actor, &call.activity.credentials),
            (&None, &None)
        );
    }

    #[test]
    fn a_pipe_of_something_else_is_no_error() {
        let mut bench = Bench::new();
        bench.say(Side::High, b"some text that is longer than any header");
        bench.say(Side::Low, &[5, 0]);
        assert_eq!(bench.around.stats, Stats::default());
        assert_eq!(bench.pipe.held(), 0);
    }

    #[test]
    fn what_is_behind_a_loss_is_read_again() {
        let mut bench = Bench::new();
        let [(client, asked), _] = dialogue();
        bench.say(client, &asked[..asked.len() - 4]);
        assert!(bench.pipe.held() > 0);
        bench.with(|pipe, _| pipe.lost(client));
        assert_eq!(bench.pipe.held(), 0);
        bench.say(client, &pdu(0, 4, &[0, 0, 0, 0, 0, 0, 2, 0]));
        bench.with(Pipe::close);
        let opnums: Vec<_> = bench.calls().iter().map(|(call, _)| call.opnum).collect();
        assert_eq!(opnums, [3, 2]);
        assert_eq!(bench.around.stats.protocol(Protocol::Dcerpc).errors, 0);
    }

    #[test]
    fn a_flood_of_stubs_stays_within_its_bound() {
        const CALLS: u8 = 200;
        let mut bench = Bench::new();
        let [(client, asked), _] = dialogue();
        // The bind alone.
        bench.say(client, &asked[..asked.len() - 28 - 24]);
        for call_id in 0..CALLS {
            // `IDL_DRSGetNCChanges`, whose stub is read: a first fragment, and no more.
            let mut fragment = pdu(0, call_id, &[0, 0, 0, 0, 0, 0, 3, 0]);
            fragment[3] = 1;
            fragment[8..10].copy_from_slice(&4024_u16.to_le_bytes());
            fragment.resize(4024, 7);
            bench.say(client, &fragment);
            assert!(bench.pipe.held() <= 4 * MAX_STUB);
        }
        assert_eq!(bench.pipe.held(), 4 * MAX_STUB);
        bench.with(Pipe::close);
        assert_eq!(bench.calls().len(), usize::from(CALLS));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_tell_the_same(size in 1..40usize) {
            let mut whole = Bench::new();
            let mut pieces = Bench::new();
            for (from, bytes) in dialogue() {
                whole.say(from, &bytes);
                // The first piece tells what the pipe carries.
                let (head, rest) = bytes.split_at(HEADER);
                pieces.say(from, head);
                rest.chunks(size).for_each(|piece| pieces.say(from, piece));
            }
            prop_assert_eq!(whole.calls(), pieces.calls());
            prop_assert_eq!(whole.around.stats, pieces.around.stats);
            prop_assert_eq!(pieces.pipe.held(), 0);
        }

        #[test]
        fn any_bytes_are_survived(
            parts in proptest::collection::vec((any::<bool>(), any::<usize>(), any::<u8>()), 1..30),
        ) {
            let mut bench = Bench::new();
            for (is_client, at, value) in parts {
                let [(client, asked), (server, answered)] = dialogue();
                let (from, mut bytes) = if is_client { (client, asked) } else { (server, answered) };
                let at = at % bytes.len();
                bytes[at] = value;
                bench.say(from, &bytes);
                prop_assert!(bench.pipe.held() < 2 * usize::from(u16::MAX));
            }
        }
    }
}
