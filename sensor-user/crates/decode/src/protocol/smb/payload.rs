//! What is done with open files: bytes of pipes and files, and changes.

use super::answered::Answer;
use super::files::FileKey;
use super::open::{Change, Nature, Open};
use super::piece::{Extent, Piece};
use super::requests::{Asked, Request, Target};
use super::state::State;
use crate::flow::Side;
use crate::protocol::{Context, Verdict, dcerpc};

/// Bytes of a payload that tell whether it is DCE/RPC.
pub(crate) const TELLING_RPC: usize = 16;

impl State {
    /// What a file is whose bytes are to be read or passed over.
    pub(crate) fn nature(&mut self, client: Side, target: Target) -> Nature {
        match target {
            Target::File(key) => self.files.nature(key),
            Target::OpenedBy(id) => {
                match self
                    .requests
                    .peek(client, id, |asked| matches!(asked, Asked::Create(_)))
                {
                    Some(Request {
                        asked: Asked::Create(open),
                        ..
                    }) => open.nature(),
                    _ => Nature::Unknown,
                }
            }
        }
    }

    /// Whether these are bytes of a pipe, and not of a file.
    pub(crate) fn is_pipe(
        &mut self,
        client: Side,
        target: Target,
        payload: &[u8],
        cx: &Context<'_>,
    ) -> bool {
        match self.nature(client, target) {
            Nature::Pipe => true,
            Nature::Unknown => is_rpc(payload, cx),
            Nature::Other => false,
        }
    }

    /// `from` has sent `count` bytes of a pipe, of which these are there.
    pub(crate) fn piped(
        &mut self,
        client: Side,
        target: Target,
        from: Side,
        count: u32,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) {
        let payload = Some(payload);
        self.carried(
            client,
            target,
            |open, cx| open.carried(from, count.into(), payload, cx),
            cx,
        );
    }

    /// The answer to a read has come; `extent` reads where it says that the bytes lie. `None` if that
    /// is malformed.
    pub(crate) fn read_answered(
        &mut self,
        answer: &Answer,
        piece: &Piece<'_>,
        extent: impl FnOnce() -> Option<Extent>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let is_read = |asked: &Asked| matches!(asked, Asked::Read(_));
        let request = self.requests.take(answer.client, answer.id, is_read);
        if answer.refusal.is_some() {
            return Some(());
        }
        let Extent { offset, length } = extent()?;
        if let Some(Request {
            asked: Asked::Read(target),
            ..
        }) = request
        {
            let payload = piece.payload(offset, length as usize);
            self.read(answer.client, target, length, payload, cx);
        }
        Some(())
    }

    /// A read was answered with so many bytes, of which these are there.
    fn read(
        &mut self,
        client: Side,
        target: Target,
        count: u32,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) {
        let payload = self.is_pipe(client, target, payload, cx).then_some(payload);
        let from = client.other();
        self.carried(
            client,
            target,
            |open, cx| open.carried(from, count.into(), payload, cx),
            cx,
        );
    }

    pub(super) fn wrote(&mut self, client: Side, target: Target, count: u32, cx: &mut Context<'_>) {
        self.carried(
            client,
            target,
            |open, cx| open.carried(client, count.into(), None, cx),
            cx,
        );
    }

    pub(super) fn change(
        &mut self,
        client: Side,
        target: Target,
        change: Change,
        cx: &mut Context<'_>,
    ) {
        if let Target::File(key) = target {
            self.meet(client, key, cx);
            self.files.with(key, |open| open.changed(change));
        }
    }

    /// Bytes of a file, or of one that is about to be opened, have gone by.
    fn carried(
        &mut self,
        client: Side,
        target: Target,
        act: impl FnOnce(&mut Open, &mut Context<'_>),
        cx: &mut Context<'_>,
    ) {
        match target {
            Target::File(key) => {
                self.meet(client, key, cx);
                self.files.with(key, |open| act(open, cx));
            }
            Target::OpenedBy(id) => {
                let request = self
                    .requests
                    .peek(client, id, |asked| matches!(asked, Asked::Create(_)));
                if let Some(Request {
                    asked: Asked::Create(open),
                    ..
                }) = request
                {
                    act(open, cx);
                }
            }
        }
    }

    /// A file is used; one whose opening was not seen is known from now on.
    fn meet(&mut self, client: Side, key: FileKey, cx: &mut Context<'_>) {
        if !self.files.contains(key) {
            let open = Open::new(client, Default::default(), None, cx);
            let credentials = self.sessions.credentials(key.session);
            let open = open.within(key.session, 0, credentials);
            self.files.insert(key, Box::new(open), cx);
        }
    }
}

/// Whether a payload begins with a PDU of DCE/RPC.
pub(crate) fn is_rpc(payload: &[u8], cx: &Context<'_>) -> bool {
    dcerpc::tells_stream(payload, &cx.flow, cx.limits) == Verdict::Yes
}
