//! What is there of a message.

/// The bytes at hand of a message, or of what is left of its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) bytes: &'a [u8],
    /// How long it is, with what is yet to come.
    pub(crate) length: usize,
    /// Nothing more will come: it must do.
    is_cut: bool,
}

/// How far a version came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes are done with, some of them perhaps yet to come.
    Taken(usize),
    /// So many bytes must be there.
    Need(usize),
}

/// Where the bytes of a READ's answer or of a WRITE lie, counted from the header, and how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) offset: usize,
    pub(crate) length: u32,
}

impl<'a> Piece<'a> {
    /// Bytes of a message of `length`, or more.
    pub(crate) fn new(bytes: &'a [u8], length: usize) -> Self {
        Self {
            bytes: bytes.get(..length).unwrap_or(bytes),
            length,
            is_cut: false,
        }
    }

    /// Bytes of a message whose rest was lost.
    pub(crate) fn cut(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            length: usize::MAX,
            is_cut: true,
        }
    }

    /// Its first `length` bytes.
    pub(crate) fn first(&self, length: usize) -> Self {
        Self {
            bytes: self.bytes.get(..length).unwrap_or(self.bytes),
            length: length.min(self.length),
            ..*self
        }
    }

    /// How many bytes to wait for, if not all of `wanted` that there will be are there.
    pub(crate) fn lacks(&self, wanted: usize) -> Option<usize> {
        let wanted = wanted.min(self.length);
        (!self.is_cut && self.bytes.len() < wanted).then_some(wanted)
    }

    /// Whether something of it was lost, so that it need not make sense.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The bytes from `offset` on, `length` of them or as many as are there.
    pub(crate) fn payload(&self, offset: usize, length: usize) -> &'a [u8] {
        let bytes = self.bytes.get(offset..).unwrap_or_default();
        bytes.get(..length).unwrap_or(bytes)
    }
}
