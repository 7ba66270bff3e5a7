//! The bytes of a capture file, unpacked.

use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Unpacks gzip (RFC 1952) and zstd (RFC 8878), told by their first bytes.
pub(super) fn decompress(mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut magic)?;
    let packed = magic.clone();
    let input = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(input));
    Ok(match packed.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
        _ => Box::new(input),
    })
}

/// How reading went, as pcap-parser would not tell.
#[derive(Default)]
pub(super) struct ReadState {
    pub(super) error: Option<io::Error>,
    /// Set when a compressed input stopped early.
    pub(super) cut: bool,
}

/// Fills each read to the brim, since pcap-parser takes a short first read for a short file, and
/// keeps the error that pcap-parser would throw away.
pub(super) struct FullReads<R> {
    pub(super) input: R,
    pub(super) state: Arc<Mutex<ReadState>>,
}

impl<R: Read> Read for FullReads<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                    // A decompressor says so when its input stops early.
                    if error.kind() == ErrorKind::UnexpectedEof {
                        state.cut = true;
                    } else {
                        state.error = Some(error);
                    }
                    break;
                }
            }
        }
        Ok(filled)
    }
}

pub(super) fn take_error(state: &Mutex<ReadState>) -> Option<io::Error> {
    state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .error
        .take()
}
