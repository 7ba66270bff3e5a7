//! Frames on a QUIC stream.

use std::time::Duration;

use goshawk_model::frame::{Frame, FrameError, MAX_FRAME};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, WriteError};

/// A console that takes no bytes for so long is stuck.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the length field before a frame.
const LENGTH: usize = 4;

/// Why the stream is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The connection is gone.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The console ended the stream.
    #[error("the console ended the conversation")]
    Ended,
    /// The console sent what is no frame.
    #[error("the console sent {0}")]
    Frame(#[from] FrameError),
    /// The console does not read.
    #[error("the console takes no data")]
    Stuck,
}

/// Writes a frame.
pub(crate) async fn send(stream: &mut SendStream, frame: &Frame) -> Result<(), WireError> {
    let bytes = frame.encode()?;
    match tokio::time::timeout(WRITE_PATIENCE, stream.write_all(&bytes)).await {
        Err(_) => Err(WireError::Stuck),
        Ok(Err(WriteError::ConnectionLost(error))) => Err(error.into()),
        Ok(Err(_)) => Err(WireError::Ended),
        Ok(Ok(())) => Ok(()),
    }
}

/// Reads frames; at most one frame and one read's worth of bytes wait in it.
pub(crate) struct FrameReader {
    stream: RecvStream,
    buffer: Vec<u8>,
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next frame of a kind this build knows. Loses nothing when dropped half-way.
    pub(crate) async fn next(&mut self) -> Result<Frame, WireError> {
        let mut chunk = [0; 16 << 10];
        loop {
            while let Some(bytes) = self.take()? {
                if let Some(frame) = Frame::decode(&bytes)? {
                    return Ok(frame);
                }
            }
            match self.stream.read(&mut chunk).await {
                Ok(Some(read)) => self.buffer.extend_from_slice(&chunk[..read]),
                Ok(None) => return Err(WireError::Ended),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                Err(_) => return Err(WireError::Ended),
            }
        }
    }

    /// Whether a whole frame has come already.
    pub(crate) fn has_frame(&self) -> bool {
        self.frame_length()
            .is_ok_and(|length| length.is_some_and(|length| self.buffer.len() >= LENGTH + length))
    }

    fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        match self.frame_length()? {
            Some(length) if self.buffer.len() >= LENGTH + length => {
                let frame = self.buffer[LENGTH..LENGTH + length].to_vec();
                self.buffer.drain(..LENGTH + length);
                Ok(Some(frame))
            }
            _ => Ok(None),
        }
    }

    fn frame_length(&self) -> Result<Option<usize>, FrameError> {
        let Some(field) = self.buffer.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        // A u32 fits wherever Linux runs Rust.
        let length = u32::from_be_bytes(*field) as usize;
        if length > MAX_FRAME {
            return Err(FrameError::Length(length));
        }
        Ok(Some(length))
    }
}
