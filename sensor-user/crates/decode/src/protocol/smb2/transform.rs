//! Messages in disguise: encrypted ([MS-SMB2] 2.2.41) and compressed ([MS-SMB2] 2.2.42).

use goshawk_model::smb::{Compressed, SmbOperation};
use goshawk_model::{Kind, Outcome};

use crate::flow::Side;
use crate::protocol::smb::State;
use crate::protocol::{Context, Draft};
use crate::wire::{Order, Wire};

/// Length of a transform header.
pub(super) const SEALED: usize = 52;
/// Length of a compression transform header.
pub(super) const COMPRESSED: usize = 16;
/// `SMB2_COMPRESSION_FLAG_CHAINED`
const CHAINED: u16 = 1;
/// `CompressionAlgorithm` NONE: the payload lies there as it is.
const NONE: u16 = 0;

/// The session whose message is sealed.
pub(super) fn sealed_session(bytes: &[u8]) -> Option<u64> {
    let mut wire = Wire::new(bytes, Order::Little);
    // Up to Flags or EncryptionAlgorithm.
    wire.take(4 + 16 + 16 + 4 + 2 + 2)?;
    wire.u64()
}

/// A compression header, in front of so many bytes.
pub(super) fn compressed(bytes: &[u8], length: usize) -> Option<Compressed> {
    let mut wire = Wire::new(bytes, Order::Little);
    wire.take(4)?;
    let original_size = wire.u32()?;
    let algorithm = wire.u16()?;
    let chained = wire.u16()? & CHAINED != 0;
    let offset = wire.u32()?;
    let outside = offset as usize > length;
    Some(Compressed {
        from_server: false,
        original_size,
        offset,
        algorithm,
        chained,
        length: u32::try_from(length).unwrap_or(u32::MAX),
        negotiated: None,
        contradictory: outside || !chained && original_size.checked_add(offset).is_none(),
    })
}

/// How many bytes behind the header lie there as they were, for they were not worth compressing:
/// often the header of the message.
pub(super) fn plain(header: &Compressed) -> usize {
    if header.contradictory || header.chained && header.algorithm != NONE {
        0
    } else {
        header.offset as usize
    }
}

/// Emits what a header from `side` says.
pub(super) fn tell(header: Compressed, side: Side, state: &State, cx: &mut Context<'_>) {
    let client = state.client(cx);
    let compressed = Compressed {
        from_server: side != client,
        negotiated: state.compression,
        ..header
    };
    let operation = SmbOperation::Compressed(compressed);
    let moment = cx.moment();
    cx.emit(
        moment,
        client,
        Draft::new(Kind::Smb(operation), Outcome::Unknown),
    );
}
