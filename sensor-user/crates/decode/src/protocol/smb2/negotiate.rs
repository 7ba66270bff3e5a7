//! NEGOTIATE ([MS-SMB2] 2.2.3 and 2.2.4).

use std::borrow::Cow;

use goshawk_model::smb::{Negotiate, Terms};

use super::header::HEADER;
use crate::protocol::smb::{Piece, utf16};
use crate::wire::{Order, Wire};

/// Dialects, and negotiate contexts, that are kept.
const MAX_OFFERED: usize = 16;
/// Algorithms of one kind that are kept.
const MAX_ALGORITHMS: usize = 8;
/// The dialect whose messages have negotiate contexts.
const DIALECT_311: u16 = 0x0311;

/// Reads a request.
pub(super) fn request(piece: &Piece<'_>) -> Option<Negotiate> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let count = wire.u16()?;
    let security_mode = wire.u16()?;
    wire.take(2)?;
    let capabilities = wire.u32()?;
    let guid = wire.uuid()?;
    let offset = wire.u32()? as usize;
    let contexts = wire.u16()?;
    wire.take(2)?;
    let mut dialects = Vec::new();
    for _ in 0..count.min(MAX_OFFERED as u16) {
        dialects.push(wire.u16()?);
    }
    let mut terms = Terms {
        guid: Some(guid),
        security_mode,
        capabilities,
        ..Terms::default()
    };
    // Of clients that do not know this dialect, a time stands there.
    if dialects.contains(&DIALECT_311) {
        read_contexts(piece.bytes.get(offset..)?, contexts, &mut terms);
    }
    Some(Negotiate {
        offered: dialects.into_iter().map(dialect).collect(),
        client: Some(terms),
        ..Negotiate::default()
    })
}

/// Reads an answer: the dialect chosen, and the server's terms.
pub(super) fn answer(piece: &Piece<'_>) -> Option<(Cow<'static, str>, Terms)> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let security_mode = wire.u16()?;
    let revision = wire.u16()?;
    let contexts = wire.u16()?;
    let guid = wire.uuid()?;
    let capabilities = wire.u32()?;
    // MaxTransactSize, MaxReadSize, MaxWriteSize, SystemTime, ServerStartTime, and where the
    // security buffer lies, whose only content is what the server supports.
    wire.take(3 * 4 + 2 * 8 + 2 * 2)?;
    let offset = wire.u32()? as usize;
    let mut terms = Terms {
        guid: Some(guid),
        security_mode,
        capabilities,
        ..Terms::default()
    };
    if revision == DIALECT_311 {
        read_contexts(piece.bytes.get(offset..)?, contexts, &mut terms);
    }
    Some((dialect(revision), terms))
}

/// A dialect's name.
fn dialect(revision: u16) -> Cow<'static, str> {
    match revision {
        0x0202 => "2.0.2".into(),
        0x0210 => "2.1".into(),
        0x0300 => "3.0".into(),
        0x0302 => "3.0.2".into(),
        DIALECT_311 => "3.1.1".into(),
        // Asks for a second negotiation, in SMB 2 ([MS-SMB2] 3.3.5.3.2).
        0x02ff => "2.?".into(),
        other => format!("{other:#06x}").into(),
    }
}

/// Negotiate contexts, each at a multiple of 8 bytes ([MS-SMB2] 2.2.3.1).
fn read_contexts(bytes: &[u8], count: u16, terms: &mut Terms) {
    let mut rest = bytes;
    for _ in 0..count.min(MAX_OFFERED as u16) {
        let mut wire = Wire::new(rest, Order::Little);
        let (Some(kind), Some(length), Some(_)) = (wire.u16(), wire.u16(), wire.u32()) else {
            return;
        };
        let Some(data) = wire.take(length.into()) else {
            return;
        };
        match kind {
            1 => terms.hashes = algorithms(data, 2),
            2 => terms.ciphers = algorithms(data, 0),
            3 => terms.compression = algorithms(data, 6),
            5 => terms.name = Some(utf16(data)).filter(|name| !name.is_empty()),
            8 => terms.signing = algorithms(data, 0),
            _ => {}
        }
        let padding = usize::from(length).next_multiple_of(8) - usize::from(length);
        rest = wire.rest().get(padding..).unwrap_or_default();
    }
}

/// A count, `between` bytes of something else, and as many identifiers.
fn algorithms(data: &[u8], between: usize) -> Vec<u16> {
    let mut wire = Wire::new(data, Order::Little);
    let count = usize::from(wire.u16().unwrap_or(0)).min(MAX_ALGORITHMS);
    wire.take(between);
    std::iter::from_fn(|| wire.u16()).take(count).collect()
}
