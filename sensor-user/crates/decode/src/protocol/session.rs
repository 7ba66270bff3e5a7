//! What a flow is known to be, and who reads it.

use goshawk_model::Timestamp;

use super::recognise::{self, DatagramProtocol, Recognised};
use super::{Context, Conversation};
use crate::flow::Side;
use crate::flow::stream::{Loss, Progress, Reader, Verdict};
use crate::stats::Drop;

/// What a flow is known to be.
#[derive(Debug, Default)]
pub(crate) enum Session {
    /// No message was seen yet.
    #[default]
    Undecided,
    /// Nothing that is decoded here.
    Ignored,
    /// A TCP connection of a protocol that is.
    Stream(Box<dyn Conversation>),
    /// Datagrams of one that is.
    Datagrams(DatagramProtocol, Box<dyn Conversation>),
    /// It was a conversation and has ended; what still comes are repetitions.
    Over,
}

/// A TCP stream's reader: the session, and what surrounds the packet at hand.
pub(crate) struct Reading<'a, 'b> {
    pub(crate) session: &'a mut Session,
    pub(crate) cx: &'a mut Context<'b>,
}

impl Session {
    /// Whether messages of this flow are decoded, and matter.
    pub(crate) fn is_conversation(&self) -> bool {
        self.conversation().is_some_and(Conversation::matters)
    }

    /// Takes a UDP datagram of `protocol`.
    pub(crate) fn datagram(
        &mut self,
        protocol: DatagramProtocol,
        side: Side,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) {
        let goes_on = matches!(self, Self::Datagrams(known, _) if *known == protocol);
        if !goes_on && let Some(conversation) = protocol.open() {
            self.close(cx);
            *self = Self::Datagrams(protocol, conversation);
        }
        if let Self::Datagrams(_, conversation) = self {
            conversation.datagram(side, bytes, cx);
        }
    }

    /// Whether nothing is kept that a later message could need.
    pub(crate) fn is_spent(&self) -> bool {
        self.conversation().is_none_or(Conversation::is_spent)
    }

    /// Whether nothing that may still come on the connection tells anything.
    pub(crate) fn is_opaque(&self) -> bool {
        match self {
            Self::Ignored => true,
            Self::Stream(conversation) => conversation.is_opaque(),
            Self::Undecided | Self::Datagrams(..) | Self::Over => false,
        }
    }

    /// Bytes held of incomplete messages.
    pub(crate) fn held(&self) -> usize {
        self.conversation().map_or(0, Conversation::held)
    }

    /// When the next request will have waited long enough for its answer.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.conversation()?.deadline()
    }

    /// Ends the requests that have waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(conversation) = self.conversation_mut() {
            conversation.expire(now, cx);
        }
    }

    /// Ends everything: nothing more will come.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        if let Some(conversation) = self.conversation_mut() {
            conversation.close(cx);
        }
        *self = Self::Over;
    }

    fn conversation(&self) -> Option<&dyn Conversation> {
        match self {
            Self::Stream(conversation) | Self::Datagrams(_, conversation) => Some(&**conversation),
            Self::Undecided | Self::Ignored | Self::Over => None,
        }
    }

    fn conversation_mut(&mut self) -> Option<&mut dyn Conversation> {
        match self {
            Self::Stream(conversation) | Self::Datagrams(_, conversation) => {
                Some(&mut **conversation)
            }
            Self::Undecided | Self::Ignored | Self::Over => None,
        }
    }
}

impl Reader for Reading<'_, '_> {
    fn starts_message(&mut self, _side: Side, bytes: &[u8]) -> Verdict {
        match self.session {
            Session::Undecided => match recognise::stream(bytes, &self.cx.flow, self.cx.limits) {
                Recognised::Conversation(_) => Verdict::Yes,
                Recognised::Nothing => Verdict::No,
                Recognised::Need(need) => Verdict::Need(need),
            },
            Session::Stream(conversation) => conversation.starts_message(bytes, self.cx),
            Session::Datagrams(..) | Session::Ignored | Session::Over => Verdict::No,
        }
    }

    fn read(&mut self, side: Side, bytes: &[u8]) -> Progress {
        if matches!(self.session, Session::Undecided) {
            *self.session = match recognise::stream(bytes, &self.cx.flow, self.cx.limits) {
                Recognised::Conversation(conversation) => Session::Stream(conversation),
                Recognised::Nothing => Session::Ignored,
                Recognised::Need(need) => {
                    return Progress::Read {
                        taken: 0,
                        need,
                        length: 0,
                    };
                }
            };
        }
        match self.session {
            Session::Stream(conversation) => conversation.read(side, bytes, self.cx),
            _ => Progress::Astray,
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8]) {
        if let Session::Stream(conversation) = self.session {
            conversation.read_cut(side, head, self.cx);
        }
    }

    fn lost(&mut self, side: Side, loss: Loss) {
        self.cx.stats.drop(match loss {
            Loss::Gap => Drop::StreamGap,
            Loss::Stray => Drop::StreamStray,
        });
        if let Session::Stream(conversation) = self.session {
            conversation.lost(side);
        }
    }
}
