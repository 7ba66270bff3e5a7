//! Frames on a QUIC stream.

use std::time::Duration;

use goshawk_model::frame::{Frame, FrameError, Refused};
use quinn::{Connection, ReadError, RecvStream, SendStream, WriteError};
use tokio::time::timeout;

use super::{Close, close_connection};

/// How long a refused peer may take to read why.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Bytes asked of the stream at once.
const CHUNK: usize = 64 * 1024;
/// Bytes of the length field.
const LENGTH: usize = 4;

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The peer or the network ended the stream.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// An answer could not be sent.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// The peer does not speak our protocol.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The stream ended within a frame.
    #[error("the stream ended in the middle of a frame")]
    Cut,
}

/// Reads frames; what was read of an unfinished one is kept, so a read may be given up at any
/// `await` and begun again.
pub(super) struct FrameReader {
    stream: RecvStream,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
}

impl FrameReader {
    /// Takes frames of up to `limit` bytes.
    pub(super) const fn new(stream: RecvStream, limit: usize) -> Self {
        Self {
            stream,
            limit,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// The next frame of a kind that we know; `None` at the stream's end.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, WireError> {
        loop {
            while let Some(body) = take(&self.buffer, &mut self.start, self.limit)? {
                if let Some(frame) = Frame::decode(&self.buffer[body])? {
                    return Ok(Some(frame));
                }
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            match self.stream.read_chunk(CHUNK, true).await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk.bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(WireError::Cut),
            }
        }
    }
}

/// The place of the next whole frame's body in `buffer`, moving `start` past it.
fn take(
    buffer: &[u8],
    start: &mut usize,
    limit: usize,
) -> Result<Option<std::ops::Range<usize>>, FrameError> {
    let Some((length, rest)) = buffer[*start..].split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(2..=limit).contains(&length) {
        return Err(FrameError::Length(length));
    }
    if rest.len() < length {
        return Ok(None);
    }
    let body = *start + LENGTH..*start + LENGTH + length;
    *start = body.end;
    Ok(Some(body))
}

/// Sends a frame.
pub(super) async fn send(stream: &mut SendStream, frame: &Frame) -> Result<(), WireError> {
    stream.write_all(&frame.encode()?).await?;
    Ok(())
}

/// Sends a refusal, gives the peer a moment to read it, and closes the connection.
pub(super) async fn refuse(
    connection: &Connection,
    stream: &mut SendStream,
    permanent: bool,
    reason: &str,
) {
    let refused = Frame::Refused(Refused {
        reason: reason.to_owned(),
        permanent,
    });
    // A peer that is gone needs no last word.
    if send(stream, &refused).await.is_ok() {
        farewell(connection, stream).await;
    }
    close_connection(connection, Close::Refused, reason);
}

/// Ends our side of the stream and gives the peer a moment to read it and close.
pub(super) async fn farewell(connection: &Connection, stream: &mut SendStream) {
    // Only fails where the stream has ended already.
    let _ = stream.finish();
    let _ = timeout(LAST_WORD, connection.closed()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(buffer: &[u8], limit: usize) -> Result<Vec<std::ops::Range<usize>>, FrameError> {
        let (mut start, mut frames) = (0, Vec::new());
        while let Some(body) = take(buffer, &mut start, limit)? {
            frames.push(body);
        }
        Ok(frames)
    }

    #[test]
    fn frames_are_cut_where_their_lengths_say() {
        let buffer = b"\0\0\0\x02ab\0\0\0\x03cde\0\0\0\x09f";
        assert_eq!(walk(buffer, 100).unwrap(), [4..6, 10..13]);
        assert!(walk(b"\0\0", 100).unwrap().is_empty());
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_it_is_awaited() {
        for length in [0_u32, 1, 101, u32::MAX] {
            assert!(walk(&length.to_be_bytes(), 100).is_err(), "{length}");
        }
    }
}
