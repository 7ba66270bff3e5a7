//! NEGOTIATE ([MS-CIFS] 2.2.4.52, [MS-SMB] 2.2.4.5).

use goshawk_model::smb::{Negotiate, Terms};

use super::block::Block;
use crate::protocol::smb::{oem, utf16};
use crate::wire::{Order, Wire};

/// Dialects that are kept.
const MAX_OFFERED: usize = 16;
/// Bytes of a dialect's name that are kept.
const MAX_DIALECT: usize = 64;
/// `CAP_UNICODE`
const UNICODE: u32 = 4;
/// `CAP_EXTENDED_SECURITY`
const EXTENDED_SECURITY: u32 = 0x8000_0000;

pub(super) fn request(block: &Block<'_>) -> Negotiate {
    let dialects = block.bytes.split(|&byte| byte == 0);
    // Each is marked as one by its first byte.
    let dialects = dialects.filter_map(|dialect| dialect.strip_prefix(&[2]));
    let name = |dialect: &[u8]| {
        let dialect = dialect.get(..MAX_DIALECT).unwrap_or(dialect);
        String::from(oem(dialect)).into()
    };
    Negotiate {
        smb1: true,
        offered: dialects.take(MAX_OFFERED).map(name).collect(),
        ..Negotiate::default()
    }
}

/// Adds to a negotiation what the server answers; `None` if it is malformed.
pub(super) fn answer(block: &Block<'_>, negotiate: &mut Negotiate) -> Option<()> {
    let mut wire = block.words();
    let index = usize::from(wire.u16()?);
    negotiate.smb1 = true;
    negotiate.chosen = negotiate.offered.get(index).cloned();
    // Older dialects answer in fewer words, and without a name.
    if block.word_count < 17 {
        return Some(());
    }
    let mode = wire.u8()?;
    // MaxMpxCount, MaxNumberVcs, MaxBufferSize, MaxRawSize, SessionKey.
    wire.take(2 + 2 + 4 + 4 + 4)?;
    let capabilities = wire.u32()?;
    // SystemTime and ServerTimeZone.
    wire.take(8 + 2)?;
    let challenge = usize::from(wire.u8()?);
    let mut terms = Terms {
        // Enabled and required are the third and the fourth bit here.
        security_mode: u16::from(mode >> 2 & 3),
        capabilities,
        ..Terms::default()
    };
    if capabilities & EXTENDED_SECURITY != 0 {
        terms.guid = Wire::new(block.bytes, Order::Little).uuid();
    } else {
        // Names follow the challenge, wherever that ends.
        let names = block.bytes.get(challenge..).unwrap_or_default();
        let mut names = names_of(names, capabilities & UNICODE != 0).into_iter();
        terms.domain = names.next();
        terms.name = names.next();
    }
    negotiate.server = Some(terms);
    Some(())
}

/// Domain and server, where told.
fn names_of(bytes: &[u8], is_unicode: bool) -> Vec<Box<str>> {
    let mut rest = bytes;
    let mut names = Vec::new();
    while names.len() < 2 && !rest.is_empty() {
        let (name, length) = if is_unicode {
            let units = rest.as_chunks::<2>().0;
            let count = units
                .iter()
                .position(|unit| *unit == [0, 0])
                .unwrap_or(units.len());
            (utf16(rest), 2 * count + 2)
        } else {
            let count = rest
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(rest.len());
            (oem(rest), count + 1)
        };
        names.push(name);
        rest = rest.get(length..).unwrap_or_default();
    }
    names.retain(|name| !name.is_empty());
    names
}
