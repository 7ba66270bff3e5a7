//! Where a message's body ends, and the next one begins (RFC 9112 6, 7.1). Nothing of a body is
//! kept or looked at.

use super::exchange::Asked;
use super::head::{self, MAX_HEAD};

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`; `0` where there is no body.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Nothing in the head tells.
    Unsaid,
    /// The connection's end ends it.
    Rest,
}

/// What comes next in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A head, of which so many bytes have been searched for its end.
    Head { searched: usize },
    /// The size of a chunk.
    Chunk,
    /// The fields behind the last chunk, of which so many bytes have been searched.
    Trailer { searched: usize },
    /// Nothing that is of interest.
    Rest,
}

/// What can be done with the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many of them are a head.
    Head(usize),
    /// So many of them, and of those that will come, are of no interest.
    Skip(usize),
    /// Nothing before more have come.
    More,
}

/// A chunk's size and its extensions are no longer, bytes.
const MAX_CHUNK_LINE: usize = 1024;

impl Default for Part {
    fn default() -> Self {
        Self::Head { searched: 0 }
    }
}

impl Framing {
    /// Of a request, which has no body unless it says so (RFC 9112 6.3).
    pub(super) fn of_request(self) -> Self {
        match self {
            Self::Unsaid => Self::Length(0),
            said => said,
        }
    }

    /// Of an answer, which some statuses, and some requests, rule a body out of (RFC 9112 6.3).
    pub(super) fn of_response(self, status: u16, asked: Asked) -> Self {
        match (status, self) {
            (100..=199 | 204 | 304, _) => Self::Length(0),
            _ if asked == Asked::Head => Self::Length(0),
            (_, Self::Unsaid) => Self::Rest,
            (_, said) => said,
        }
    }
}

/// What follows a head, and how many bytes behind it are of no interest.
pub(super) fn start(framing: Framing) -> (Part, usize) {
    match framing {
        Framing::Length(length) => (Part::default(), clamp(length)),
        Framing::Chunked => (Part::Chunk, 0),
        Framing::Unsaid | Framing::Rest => (Part::Rest, usize::MAX),
    }
}

impl Part {
    /// Goes on with `bytes`; `None` if they cannot be what is expected.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Option<Step> {
        match self {
            Self::Head { searched: 0 } if bytes.starts_with(b"\r\n") => Some(Step::Skip(2)),
            Self::Head { searched } => match head::end(bytes, searched) {
                Some(length) => {
                    *self = Self::default();
                    Some(Step::Head(length))
                }
                None => (bytes.len() < MAX_HEAD).then_some(Step::More),
            },
            Self::Chunk => match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((line, 0))) => {
                    *self = Self::Trailer { searched: 0 };
                    Some(Step::Skip(line))
                }
                Ok(httparse::Status::Complete((line, size))) => {
                    // The chunk, and the line's end behind it.
                    Some(Step::Skip(clamp(size).saturating_add(line + 2)))
                }
                Ok(httparse::Status::Partial) => {
                    (bytes.len() < MAX_CHUNK_LINE).then_some(Step::More)
                }
                Err(_) => None,
            },
            Self::Trailer { searched: 0 } if bytes.starts_with(b"\r\n") => {
                *self = Self::default();
                Some(Step::Skip(2))
            }
            Self::Trailer { searched } => match head::end(bytes, searched) {
                Some(length) => {
                    *self = Self::default();
                    Some(Step::Skip(length))
                }
                None => (bytes.len() < MAX_HEAD).then_some(Step::More),
            },
            Self::Rest => Some(Step::Skip(usize::MAX)),
        }
    }
}

fn clamp(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
