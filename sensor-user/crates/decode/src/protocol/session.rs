//! Which protocol a flow speaks, found out from its bytes and not from its ports.

use goshawk_model::Timestamp;

use super::{Context, dcerpc, kerberos};
use crate::flow::Side;
use crate::flow::stream::{Loss, Progress, Reader};
use crate::stats::Drop;

/// What a flow is known to be.
#[derive(Debug, Default)]
pub(crate) enum Session {
    /// No message was seen yet.
    #[default]
    Undecided,
    /// Nothing that is decoded here.
    Ignored,
    Kerberos(Box<kerberos::Conversation>),
    Dcerpc(Box<dcerpc::Association>),
    /// It was a conversation and has ended; what still comes are repetitions.
    Over,
}

/// A TCP stream's reader: the session, and what surrounds the packet at hand.
pub(crate) struct Reading<'a, 'b> {
    pub(crate) session: &'a mut Session,
    pub(crate) cx: &'a mut Context<'b>,
}

impl Session {
    /// Whether messages of this flow are decoded.
    pub(crate) fn is_conversation(&self) -> bool {
        matches!(self, Self::Kerberos(_) | Self::Dcerpc(_))
    }

    /// Takes a UDP datagram, which is one message.
    pub(crate) fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        if !self.is_conversation() {
            *self = Self::Kerberos(Box::default());
        }
        if let Self::Kerberos(conversation) = self {
            conversation.message(side, bytes, cx);
        }
    }

    /// Whether nothing is kept that a later message could need.
    pub(crate) fn is_spent(&self) -> bool {
        match self {
            Self::Kerberos(conversation) => conversation.deadline().is_none(),
            Self::Dcerpc(_) => false,
            Self::Undecided | Self::Ignored | Self::Over => true,
        }
    }

    /// When the next request will have waited long enough for its answer.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Kerberos(conversation) => conversation.deadline(),
            Self::Dcerpc(association) => association.deadline(),
            Self::Undecided | Self::Ignored | Self::Over => None,
        }
    }

    /// Ends the requests that have waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        match self {
            Self::Kerberos(conversation) => conversation.expire(now, cx),
            Self::Dcerpc(association) => association.expire(now, cx),
            Self::Undecided | Self::Ignored | Self::Over => {}
        }
    }

    /// Ends everything: nothing more will come.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Kerberos(conversation) => conversation.close(cx),
            Self::Dcerpc(association) => association.close(cx),
            Self::Undecided | Self::Ignored | Self::Over => {}
        }
        *self = Self::Over;
    }
}

/// Bytes that tell which protocol starts with them.
const TELLING: usize = if dcerpc::TELLING > kerberos::TELLING {
    dcerpc::TELLING
} else {
    kerberos::TELLING
};

impl Reader for Reading<'_, '_> {
    fn starts_message(&mut self, _side: Side, bytes: &[u8]) -> bool {
        let max_message = self.cx.limits.max_message;
        match self.session {
            Session::Undecided => {
                dcerpc::starts_pdu(bytes) || kerberos::starts_record(bytes, max_message)
            }
            Session::Kerberos(_) => kerberos::starts_record(bytes, max_message),
            Session::Dcerpc(_) => dcerpc::starts_pdu(bytes),
            Session::Ignored | Session::Over => false,
        }
    }

    fn read(&mut self, side: Side, bytes: &[u8]) -> Progress {
        if matches!(self.session, Session::Undecided) {
            *self.session = if dcerpc::starts_pdu(bytes) {
                Session::Dcerpc(Box::default())
            } else if kerberos::starts_record(bytes, self.cx.limits.max_message) {
                Session::Kerberos(Box::default())
            } else if bytes.len() < TELLING {
                return Progress::Read {
                    taken: 0,
                    need: TELLING,
                    length: 0,
                };
            } else {
                Session::Ignored
            };
        }
        match self.session {
            Session::Kerberos(conversation) => conversation.read(side, bytes, self.cx),
            Session::Dcerpc(association) => association.read(side, bytes, self.cx),
            Session::Undecided | Session::Ignored | Session::Over => Progress::Astray,
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8]) {
        // A cut Kerberos message has lost its ticket or its names; nothing to be had from it.
        if let Session::Dcerpc(association) = self.session {
            association.read_cut(side, head, self.cx);
        }
    }

    fn lost(&mut self, loss: Loss) {
        self.cx.stats.drop(match loss {
            Loss::Gap => Drop::StreamGap,
            Loss::Stray => Drop::StreamStray,
        });
    }
}
