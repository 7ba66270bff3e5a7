//! What every protocol offers: a reader of its flows.

use std::fmt;

use goshawk_model::Timestamp;

use super::Context;
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};

/// One flow as a protocol reads it: its state, and what waits for an answer.
///
/// Of [`read`](Self::read) and [`datagram`](Self::datagram), a protocol implements what it travels
/// on; the other has nothing to read.
pub(crate) trait Conversation: fmt::Debug + Send {
    /// Whether a message starts with these bytes, which begin a segment: asked behind a gap. The
    /// segments behind one that is too short to tell are then offered together with it.
    fn starts_message(&self, _bytes: &[u8], _cx: &Context<'_>) -> Verdict {
        Verdict::No
    }

    /// Reads messages of a TCP stream from `bytes`, which begin with one.
    fn read(&mut self, _side: Side, _bytes: &[u8], _cx: &mut Context<'_>) -> Progress {
        Progress::Astray
    }

    /// Reads what there is of a message of a TCP stream whose rest was lost.
    fn read_cut(&mut self, _side: Side, _head: &[u8], _cx: &mut Context<'_>) {}

    /// Something of the TCP stream from `side` was lost: a message may be missing.
    fn lost(&mut self, _side: Side) {}

    /// Takes a UDP datagram.
    fn datagram(&mut self, _side: Side, _bytes: &[u8], _cx: &mut Context<'_>) {}

    /// Whether it is worth a place among the conversations. What is not, a plain web server's
    /// visitors, must not push out those that are.
    fn matters(&self) -> bool {
        true
    }

    /// Whether nothing is kept that a later message could need.
    fn is_spent(&self) -> bool {
        false
    }

    /// Whether nothing that may still come on the TCP connection tells anything, whatever it is: not
    /// only what is sealed now, but what could follow it. The kernel may then keep it.
    fn is_opaque(&self) -> bool {
        false
    }

    /// Bytes held of messages that are not complete, beside those of the stream itself.
    fn held(&self) -> usize {
        0
    }

    /// When the next thing will have waited long enough.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Ends what has waited until `now`, each at its own deadline.
    fn expire(&mut self, _now: Timestamp, _cx: &mut Context<'_>) {}

    /// Ends everything now: nothing more will come.
    fn close(&mut self, _cx: &mut Context<'_>) {}
}
