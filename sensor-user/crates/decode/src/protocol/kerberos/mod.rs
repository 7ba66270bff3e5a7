//! Kerberos v5 (RFC 4120) over UDP and TCP, and its change-password protocol (RFC 3244).

mod certificate;
mod conversation;
mod early;
mod field;
mod kpasswd;
mod message;
mod opened;
mod padata;
mod pending;
mod pkinit;
mod reply;

pub(crate) use conversation::Conversation;
pub(crate) use message::{ApReq, Message, parse};

use super::Verdict;
use crate::flow::FlowKey;
use crate::flow::stream::Progress;
use crate::limits::Limits;

/// Length of the record mark in front of each message over TCP (RFC 4120 7.2.2).
const MARK: usize = 4;
/// Bytes that tell whether a Kerberos message starts with them: the record mark, the longest header
/// of a DER value, and the tag inside.
const TELLING: usize = MARK + 7;

/// The well-known ports: of the KDC and of the change-password service.
const PORTS: [u16; 2] = [88, 464];

/// Whether a UDP datagram is a Kerberos message. On its own ports bytes behind the message do no
/// harm, nor does an end that the capture cut off; elsewhere they make it something else.
pub(crate) fn tells_datagram(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    let is_message = match message::length(bytes) {
        Some(length) => length == bytes.len() || PORTS.into_iter().any(|port| flow.has_port(port)),
        None => kpasswd::open(bytes).is_some(),
    };
    if is_message {
        Verdict::Yes
    } else {
        Verdict::No
    }
}

/// Whether a record of a TCP stream starts here.
pub(crate) fn tells_stream(bytes: &[u8], _flow: &FlowKey, limits: &Limits) -> Verdict {
    starts_record(bytes, limits.max_message)
}

/// Whether a record of a TCP stream starts here.
fn starts_record(bytes: &[u8], max_message: usize) -> Verdict {
    let Some((mark, rest)) = bytes.split_first_chunk() else {
        return Verdict::Need(TELLING);
    };
    let Some(record) = record_length(*mark, max_message) else {
        return Verdict::No;
    };
    let is_message = message::length(rest)
        .is_some_and(|length| length <= record && record - length < 16)
        || kpasswd::starts(rest, record);
    if is_message {
        Verdict::Yes
    } else if bytes.len() < TELLING {
        Verdict::Need(TELLING)
    } else {
        Verdict::No
    }
}

/// The length of the record behind this mark, if it is one that may be taken. Its highest bit is
/// reserved and must be zero.
fn record_length(mark: [u8; MARK], max_message: usize) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(mark)).ok()?;
    (1..=max_message).contains(&length).then_some(length)
}

/// Cuts a TCP stream into records and hands each to `take`.
pub(super) fn read_records(
    bytes: &[u8],
    max_message: usize,
    mut take: impl FnMut(&[u8]),
) -> Progress {
    let mut rest = bytes;
    loop {
        let taken = bytes.len() - rest.len();
        let Some((mark, behind)) = rest.split_first_chunk() else {
            return Progress::Read {
                taken,
                need: MARK,
                length: 0,
            };
        };
        let Some(record) = record_length(*mark, max_message) else {
            return Progress::Astray;
        };
        let Some((message, next)) = behind.split_at_checked(record) else {
            return Progress::Read {
                taken,
                need: MARK + record,
                length: MARK + record,
            };
        };
        take(message);
        rest = next;
    }
}
