//! The datagram service (RFC 1002 4.4).

use goshawk_model::netbios::{NetbiosDatagram, NetbiosName};
use goshawk_model::{Kind, Outcome};

use super::{mailslot, name};
use crate::flow::Side;
use crate::protocol::{self, Context, Draft};
use crate::stats::Protocol;
use crate::wire::{Order, Wire};

/// What is sent on one flow; nothing is answered on it.
#[derive(Debug, Default)]
pub(crate) struct Datagrams;

/// `MSG_TYPE` (RFC 1002 4.4.1): up to `BROADCAST` datagrams with names; behind them errors, and the
/// questions and answers of distribution servers.
const DIRECT_UNIQUE: u8 = 0x10;
const BROADCAST: u8 = 0x12;
const LAST: u8 = 0x16;
/// From `MSG_TYPE` to `SOURCE_PORT`.
const HEADER: usize = 10;
/// `F` of `FLAGS`: the first fragment, which alone has what is sent from its beginning.
const FIRST: u8 = 2;

/// Whether `bytes` look like a datagram: its type and the flags in use.
pub(super) fn starts(bytes: &[u8]) -> bool {
    match bytes {
        [msg_type, flags, ..] if bytes.len() >= HEADER => {
            (DIRECT_UNIQUE..=LAST).contains(msg_type) && flags & 0xf0 == 0
        }
        _ => false,
    }
}

impl protocol::Conversation for Datagrams {
    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let is_named = bytes.first().is_some_and(|&it| it <= BROADCAST);
        let read = parse(bytes);
        cx.stats
            .message(Protocol::Netbios, read.is_some() || !is_named);
        if let Some(Read { datagram, is_smb }) = read {
            if is_smb {
                cx.stats.message(Protocol::Smb1, true);
            }
            let moment = cx.moment();
            let kind = Kind::Datagram(Box::new(datagram));
            cx.emit(moment, side, Draft::new(kind, Outcome::Success));
        }
    }

    fn is_spent(&self) -> bool {
        true
    }
}

/// A datagram, and whether SMB is in it.
struct Read {
    datagram: NetbiosDatagram,
    is_smb: bool,
}

fn parse(bytes: &[u8]) -> Option<Read> {
    let mut wire = Wire::new(bytes, Order::Big);
    let msg_type = wire.u8()?;
    let flags = wire.u8()?;
    if msg_type > BROADCAST {
        return None;
    }
    // DGM_ID, SOURCE_IP, SOURCE_PORT, DGM_LENGTH, PACKET_OFFSET.
    wire.take(HEADER - 2 + 4)?;
    let source = encoded(&mut wire)?;
    let destination = encoded(&mut wire)?;
    let data = wire.rest();
    let is_smb = flags & FIRST != 0 && mailslot::is_smb(data);
    let written = is_smb.then(|| mailslot::read(data)).flatten();
    let (mailslot, message) = match written {
        Some(written) => (Some(written.name), written.message),
        None => (None, None),
    };
    Some(Read {
        datagram: NetbiosDatagram {
            source,
            destination,
            mailslot,
            message,
        },
        is_smb,
    })
}

/// An encoded name with its scope, which is not compressed here (RFC 1002 4.4.2).
fn encoded(wire: &mut Wire<'_>) -> Option<NetbiosName> {
    let length = wire.u8()?;
    let name = name::decode_label(wire.take(length.into())?)?;
    loop {
        match wire.u8()? {
            0 => return Some(name),
            length => wire.take(length.into())?,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes).is_none() || bytes.len() > HEADER);
            starts(&bytes);
        }
    }
}
