//! Security layers: after a SASL bind that agreed on one, each side sends buffers with a length in
//! front (RFC 4422 3.7), each a token of the mechanism. What is only signed is there to read.

use std::ops::Range;

use super::message::{self, Head, Start};
use crate::der;
use crate::protocol::Verdict;
use crate::wire::{Order, Wire};

/// Length of the length in front of a buffer.
pub(super) const MARK: usize = 4;
/// Bytes of a buffer, its mark included, in which its kind shows.
pub(super) const TELLING: usize = 80;

/// `TOK_ID` of a Wrap token (RFC 4121 4.2.6.2).
const WRAP: [u8; 2] = [5, 4];
/// Length of its header.
const WRAP_HEADER: usize = 16;
/// Flag `Sealed` of one.
const SEALED: u8 = 2;
/// `TOK_ID` of a Wrap token (RFC 1964 1.2.2), and no sealing algorithm.
const OLD_WRAP: [u8; 2] = [2, 1];
const NOT_SEALED: [u8; 2] = [0xff, 0xff];
/// `Version` of NTLMSSP_MESSAGE_SIGNATURE, which is 16 bytes long ([MS-NLMP] 2.2.2.9).
const NTLM_SIGNATURE: [u8; 4] = [1, 0, 0, 0];
/// Behind a message that DIGEST-MD5 only signs: 10 bytes of HMAC, type 1, a sequence number
/// (RFC 2831 2.3).
const DIGEST_TRAILER: usize = 16;

/// The length of the buffer that `bytes` begin with, its mark included; `None` if its mark is not
/// there yet. No message starts with a zero, and no buffer is so long that its mark does not.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let (mark, _) = bytes.split_first_chunk()?;
    Some(MARK + u32::from_be_bytes(*mark) as usize)
}

/// Whether a buffer begins here whose token is known: asked where no bind was seen. That of NTLM is
/// known by its version alone; numbers of other protocols look like it, so that something else must
/// have said that this is LDAP.
pub(super) fn tells(bytes: &[u8], is_ldap: bool) -> Verdict {
    if bytes.first().is_some_and(|&first| first != 0) {
        return Verdict::No;
    }
    let least = MARK + WRAP_HEADER + 1;
    if bytes.len() < least && length(bytes).is_none_or(|length| length >= least) {
        return Verdict::Need(least);
    }
    let token = bytes.get(MARK..).unwrap_or_default();
    let is_token = match token {
        // Flags beyond the three that are defined, or another filler, are none.
        [5, 4, flags, 0xff, ..] => *flags < 8,
        [0x60, ..] => old_wrap(token).is_some(),
        _ => is_ldap && token.starts_with(&NTLM_SIGNATURE) && token.len() > 16,
    };
    if is_token { Verdict::Yes } else { Verdict::No }
}

/// Whether the buffer that begins with these bytes is only signed. `before` says whether those
/// before it were: the rest of a message that began in them shows nothing of its own.
pub(super) fn is_signed(head: &[u8], before: bool) -> bool {
    let token = head.get(MARK..).unwrap_or_default();
    match token {
        [5, 4, flags, ..] => flags & SEALED == 0,
        [0x60, ..] => old_wrap(token).is_some_and(|(_, sealed)| !sealed),
        _ if token.starts_with(&NTLM_SIGNATURE) => {
            before || starts_message(token.get(16..).unwrap_or_default())
        }
        _ => starts_message(token),
    }
}

/// Where the text lies of a buffer that is only signed: the text, and what of its end was rotated to
/// the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) text: Range<usize>,
    pub(super) rotated: Range<usize>,
}

/// The layout of a buffer of this length, of which `buffer` has [`TELLING`] bytes at least.
pub(super) fn layout(buffer: &[u8], length: usize) -> Option<Layout> {
    let token = buffer.get(MARK..)?;
    let contiguous = |start: usize, end: usize| {
        (start <= end).then_some(Layout {
            text: start..end,
            rotated: 0..0,
        })
    };
    if token.starts_with(&WRAP) {
        return wrap(token, length);
    }
    if token.starts_with(&NTLM_SIGNATURE) {
        return contiguous(MARK + 16, length);
    }
    if token.first() == Some(&0x60) {
        let (behind, _) = old_wrap(token)?;
        // RFC 1964 1.2.2.1, RFC 4757 7.3: filler, SND_SEQ, an 8-byte SGN_CKSUM, a confounder, then
        // the text and a padding whose bytes say how long it is: one with RC4.
        let start = buffer.len() - behind.len() + 2 + 8 + 8 + 8;
        let padding = length
            .checked_sub(1)
            .and_then(|last| buffer.get(last))
            .copied()
            .unwrap_or(1);
        return contiguous(start, length.checked_sub(padding.into())?);
    }
    // The message comes first, and what proves it behind.
    contiguous(MARK, length.checked_sub(DIGEST_TRAILER)?)
}

fn starts_message(bytes: &[u8]) -> bool {
    message::tells(bytes) == Verdict::Yes
}

/// RFC 4121 4.2.4: the text and, `EC` bytes long, its checksum, both rotated right by `RRC`.
fn wrap(token: &[u8], length: usize) -> Option<Layout> {
    let mut wire = Wire::new(token, Order::Big);
    wire.take(4)?;
    let (checksum, rotation) = (usize::from(wire.u16()?), usize::from(wire.u16()?));
    let body = MARK + WRAP_HEADER;
    let whole = length.checked_sub(body)?;
    let text = whole.checked_sub(checksum)?;
    let rotation = rotation.checked_rem(whole)?;
    let start = body + rotation;
    let at_end = text.min(whole - rotation);
    Some(Layout {
        text: start..start + at_end,
        rotated: body..body + (text - at_end),
    })
}

/// What is behind the mechanism of a token framed by RFC 1964 1.1, if it is a Wrap token, and
/// whether it is sealed.
fn old_wrap(token: &[u8]) -> Option<(&[u8], bool)> {
    let (_, header, _) = der::header(token)?;
    let (mechanism, inner) = der::read(token.get(header..)?)?;
    mechanism.expect(der::OBJECT_IDENTIFIER)?;
    let behind = inner.strip_prefix(&OLD_WRAP)?;
    let (_signing, behind) = behind.split_first_chunk::<2>()?;
    let (sealing, behind) = behind.split_first_chunk::<2>()?;
    Some((behind, *sealing != NOT_SEALED))
}

/// What one side has sent inside its buffers, of a message that is not complete.
#[derive(Debug, Default)]
pub(super) struct Inside {
    partial: Vec<u8>,
    /// Bytes of a message that nobody wants.
    skip: usize,
    /// Bytes still to come of the text of a buffer that is too long to be held, and of what is
    /// behind it.
    text: usize,
    trailer: usize,
}

impl Inside {
    pub(super) fn held(&self) -> usize {
        self.partial.len()
    }

    /// A buffer has begun that is read as it comes.
    pub(super) fn begin(&mut self, layout: &Layout, length: usize) {
        self.text = layout.text.len();
        self.trailer = length.saturating_sub(layout.text.end);
    }

    /// Takes from `bytes` what belongs to such a buffer: its text, and the number of bytes to be
    /// skipped together with what is behind it.
    pub(super) fn go_on<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], usize) {
        let (text, behind) = bytes.split_at(self.text.min(bytes.len()));
        self.text -= text.len();
        let trailer = if self.text == 0 {
            self.trailer.min(behind.len())
        } else {
            0
        };
        self.trailer -= trailer;
        (text, text.len() + trailer)
    }

    /// Something was lost.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// Takes what a buffer held, and hands on each message: its head, and as much of it as is
    /// there, until that is enough for `message`. `false` if there is no message where one should
    /// be.
    pub(super) fn take(
        &mut self,
        pieces: [&[u8]; 2],
        mut message: impl FnMut(&Head, &[u8]) -> bool,
    ) -> bool {
        let [first, second] = pieces;
        if self.partial.is_empty() && second.is_empty() {
            let skipped = self.skip.min(first.len());
            self.skip -= skipped;
            let bytes = first.get(skipped..).unwrap_or_default();
            let (taken, found) = read(bytes, &mut message);
            self.keep(bytes, taken);
            return found;
        }
        let mut bytes = std::mem::take(&mut self.partial);
        for piece in pieces {
            let skipped = self.skip.min(piece.len());
            self.skip -= skipped;
            bytes.extend_from_slice(piece.get(skipped..).unwrap_or_default());
        }
        let (taken, found) = read(&bytes, &mut message);
        if taken == 0 {
            // Not copied: many small buffers may make up one large message.
            self.partial = bytes;
        } else {
            self.keep(&bytes, taken);
        }
        found
    }

    fn keep(&mut self, bytes: &[u8], taken: usize) {
        match bytes.get(taken..) {
            Some(rest) => self.partial = rest.to_vec(),
            None => self.skip = taken - bytes.len(),
        }
    }
}

/// Reads messages; how many bytes are done with, and whether all of them were messages.
fn read(bytes: &[u8], message: &mut impl FnMut(&Head, &[u8]) -> bool) -> (usize, bool) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match message::start(rest) {
            Start::Message(head) => {
                if !message(&head, rest.get(..head.length).unwrap_or(rest)) {
                    break;
                }
                at += head.length;
            }
            Start::Need(_) => break,
            Start::Nothing => return (bytes.len(), false),
        }
    }
    (at, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNBIND: [u8; 7] = [0x30, 5, 2, 1, 3, 0x42, 0];

    fn buffer(token: &[u8]) -> Vec<u8> {
        [&(token.len() as u32).to_be_bytes(), token].concat()
    }

    fn text(buffer: &[u8]) -> Vec<u8> {
        let layout = layout(buffer, buffer.len()).unwrap();
        [&buffer[layout.text], &buffer[layout.rotated]].concat()
    }

    #[test]
    fn tokens_of_every_mechanism_are_unwrapped() {
        let wrap = |rotation: u8| {
            let mut body = [&UNBIND[..], &[0xcc; 12]].concat();
            body.rotate_right(usize::from(rotation));
            let head = [5, 4, 1, 0xff, 0, 12, 0, rotation, 0, 0, 0, 0, 0, 0, 0, 9];
            buffer(&[&head[..], &body].concat())
        };
        let krb5 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];
        let mut old = [
            &krb5[..],
            &[2, 1, 0x11, 0, 0xff, 0xff, 0xff, 0xff],
            &[7; 24],
        ]
        .concat();
        old.extend([&UNBIND[..], &[1]].concat());
        let old = buffer(&[&[0x60, old.len() as u8][..], &old].concat());
        let ntlm = buffer(&[&[1, 0, 0, 0][..], &[8; 12], &UNBIND].concat());
        let digest = buffer(&[&UNBIND[..], &[8; 10], &[0, 1, 0, 0, 0, 0]].concat());
        for buffer in [
            wrap(0),
            wrap(12),
            wrap(3),
            wrap(15),
            old.clone(),
            ntlm.clone(),
            digest,
        ] {
            assert!(is_signed(&buffer, false), "{buffer:x?}");
            assert_eq!(text(&buffer), UNBIND, "{buffer:x?}");
        }
        for buffer in [wrap(12), old, ntlm] {
            assert_eq!(tells(&buffer, true), Verdict::Yes, "{buffer:x?}");
        }
    }

    #[test]
    fn sealed_tokens_are_not() {
        let sealed = buffer(&[5, 4, 2, 0xff, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3]);
        assert_eq!(tells(&sealed, false), Verdict::Yes);
        assert!(!is_signed(&sealed, false));
        let ntlm = buffer(&[&[1, 0, 0, 0][..], &[8; 32]].concat());
        assert!(!is_signed(&ntlm, false));
        assert!(is_signed(&ntlm, true));
        assert_eq!(tells(&ntlm, true), Verdict::Yes);
        assert_eq!(tells(&ntlm, false), Verdict::No);
    }

    #[test]
    fn messages_span_buffers() {
        let mut inside = Inside::default();
        let mut seen = Vec::new();
        let stream = UNBIND.repeat(3);
        for piece in stream.chunks(4) {
            assert!(inside.take([piece, &[]], |head, bytes| {
                let whole = head.length == bytes.len();
                seen.extend(whole.then_some((head.length, bytes.len())));
                whole
            }));
        }
        assert_eq!(seen, [(7, 7); 3]);
        assert_eq!(inside.held(), 0);
    }

    #[test]
    fn a_long_message_in_tiny_buffers_is_not_copied_with_each() {
        let mut inside = Inside::default();
        let long = [&[0x30, 0x82, 0x40, 0, 2, 1, 3, 0x64][..], &[0; 0x3ffc]].concat();
        let mut capacities = std::collections::BTreeSet::new();
        let mut whole = 0;
        for byte in &long {
            inside.take([std::slice::from_ref(byte), &[]], |head, bytes| {
                whole += usize::from(head.length == bytes.len());
                head.length == bytes.len()
            });
            capacities.insert(inside.partial.capacity());
        }
        assert_eq!((whole, inside.held()), (1, 0));
        // It grows by doubling, and not with each byte.
        assert!(capacities.len() < 32, "{}", capacities.len());
    }

    #[test]
    fn a_long_message_is_read_by_its_head_and_skipped() {
        let mut inside = Inside::default();
        let mut seen = Vec::new();
        let long = [
            &[0x30, 0x82, 1, 3, 2, 1, 3, 0x64, 0x81, 0xfd][..],
            &[0; 0xfd],
        ]
        .concat();
        let stream = [long, UNBIND.to_vec()].concat();
        for piece in stream.chunks(60) {
            let (first, second) = piece.split_at(20.min(piece.len()));
            inside.take([first, second], |head, bytes| {
                let enough = bytes.len() >= head.length.min(100);
                seen.extend(enough.then_some((head.length, bytes.len())));
                enough
            });
            assert!(inside.held() <= 100);
        }
        assert_eq!(seen, [(263, 120), (7, 7)]);
    }

    #[test]
    fn a_long_buffer_is_read_as_it_comes() {
        let mut inside = Inside::default();
        let layout = Layout {
            text: 20..34,
            rotated: 0..0,
        };
        inside.begin(&layout, 40);
        let stream = [&UNBIND.repeat(2)[..], &[0xcc; 6], &[1, 2]].concat();
        let (mut at, mut seen) = (0, Vec::new());
        while at < 20 {
            let (text, done) = inside.go_on(&stream[at..stream.len().min(at + 5)]);
            seen.extend(text);
            at += done;
        }
        assert_eq!((seen, at), (UNBIND.repeat(2), 20));
        assert_eq!(inside.go_on(&[1, 2]), (&[][..], 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            kind in 0..4usize,
        ) {
            let start: &[u8] = [&[5, 4][..], &[0x60], &NTLM_SIGNATURE, &[]][kind];
            let buffer = buffer(&[start, &bytes].concat());
            is_signed(&buffer, false);
            if let Some(layout) = layout(&buffer, buffer.len()) {
                let pieces = [&buffer[layout.text], &buffer[layout.rotated]];
                Inside::default().take(pieces, |_, bytes| bytes.len() > 20);
            }
        }
    }
}
