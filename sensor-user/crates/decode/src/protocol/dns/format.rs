//! The message format that DNS, mDNS, LLMNR and NetBIOS names share (RFC 1035 4.1).
//!
//! Records are walked without following the pointers in their names, so that a message full of
//! pointers (RFC 1035 4.1.4) costs no more than its length; who wants a name asks for it.

use std::fmt::Write;

use domain::base::Message;
use domain::base::name::{ParsedName, ToName};
use domain::dep::octseq::Parser;
use goshawk_model::dns::rtype;

/// What a message begins with (section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) is_response: bool,
    pub(crate) opcode: u8,
    /// `AA`
    pub(crate) authoritative: bool,
    /// `TC`
    pub(crate) truncated: bool,
    /// `RD`
    pub(crate) recursion_desired: bool,
    pub(crate) rcode: u8,
    pub(crate) counts: Counts,
}

/// How much follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) questions: u16,
    pub(crate) answers: u16,
    pub(crate) authorities: u16,
    pub(crate) additionals: u16,
}

/// A cursor over the sections behind the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a>(Parser<'a, [u8]>);

/// An entry of the question section (section 4.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) name: ParsedName<&'a [u8]>,
    pub(crate) qtype: u16,
    pub(crate) qclass: u16,
}

/// A resource record (section 4.1.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// At its owner's name.
    start: Parser<'a, [u8]>,
    /// At its data.
    behind: Parser<'a, [u8]>,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    /// Of OPT, the upper bits of `RCODE` and more (RFC 6891 6.1.3).
    pub(crate) ttl: u32,
    pub(crate) data: &'a [u8],
}

/// Length of a header, and so of the shortest message.
pub(crate) const HEADER: usize = 12;
const CLASS_IN: u16 = 1;
/// The shortest question: the root's name, type and class.
const MIN_QUESTION: usize = 5;
/// The shortest record: the root's name, type, class, TTL and length.
const MIN_RECORD: usize = 11;

impl Header {
    /// The header of the message that `bytes` begins with, and a cursor behind it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, Sections<'_>)> {
        let message = Message::from_slice(bytes).ok()?;
        let (header, counts) = (message.header(), message.header_counts());
        let mut sections = Parser::from_ref(bytes);
        sections.advance(HEADER).ok()?;
        let header = Self {
            id: header.id(),
            is_response: header.qr(),
            opcode: header.opcode().to_int(),
            authoritative: header.aa(),
            truncated: header.tc(),
            recursion_desired: header.rd(),
            rcode: header.rcode().to_int(),
            counts: Counts {
                questions: counts.qdcount(),
                answers: counts.ancount(),
                authorities: counts.nscount(),
                additionals: counts.arcount(),
            },
        };
        Some((header, Sections(sections)))
    }

    /// The least that a whole message with this header measures.
    pub(crate) fn least(&self) -> usize {
        let Counts {
            questions,
            answers,
            authorities,
            additionals,
        } = self.counts;
        let records = [answers, authorities, additionals];
        let records: usize = records.into_iter().map(usize::from).sum();
        HEADER + usize::from(questions) * MIN_QUESTION + records * MIN_RECORD
    }
}

/// Whether `bytes` are a message beyond doubt: a question or an answer with one question, of the
/// Internet's class, that ends where its last record does.
pub(crate) fn is_certain(bytes: &[u8]) -> bool {
    let Some((header, mut sections)) = Header::read(bytes) else {
        return false;
    };
    let Counts {
        questions,
        answers,
        authorities,
        additionals,
    } = header.counts;
    let fits = questions == 1 && header.opcode == 0 && header.least() <= bytes.len();
    let is_question = header.is_response || (answers == 0 && authorities == 0);
    if !fits || !is_question || sections.question().is_none_or(|it| it.qclass != CLASS_IN) {
        return false;
    }
    let mut records = [answers, authorities, additionals]
        .into_iter()
        .flat_map(|count| 0..count);
    records.all(|_| sections.record().is_some()) && sections.0.remaining() == 0
}

impl<'a> Sections<'a> {
    pub(crate) fn question(&mut self) -> Option<Question<'a>> {
        Some(Question {
            name: ParsedName::parse_ref(&mut self.0).ok()?.deref_octets(),
            qtype: self.0.parse_u16_be().ok()?,
            qclass: self.0.parse_u16_be().ok()?,
        })
    }

    pub(crate) fn record(&mut self) -> Option<Record<'a>> {
        let start = self.0;
        ParsedName::skip(&mut self.0).ok()?;
        let rtype = self.0.parse_u16_be().ok()?;
        let class = self.0.parse_u16_be().ok()?;
        let ttl = self.0.parse_u32_be().ok()?;
        let length = usize::from(self.0.parse_u16_be().ok()?);
        let behind = self.0;
        let data = self.0.parse_octets(length).ok()?;
        Some(Record {
            start,
            behind,
            rtype,
            class,
            ttl,
            data,
        })
    }
}

impl<'a> Record<'a> {
    /// Whose record it is.
    pub(crate) fn owner(&self) -> Option<ParsedName<&'a [u8]>> {
        let mut at = self.start;
        Some(ParsedName::parse_ref(&mut at).ok()?.deref_octets())
    }

    /// The name `skipped` bytes into the data.
    pub(crate) fn name_at(&self, skipped: usize) -> Option<ParsedName<&'a [u8]>> {
        let mut at = self.behind;
        at.advance(skipped).ok()?;
        let name = ParsedName::parse_ref(&mut at).ok()?;
        (at.pos() - self.behind.pos() <= self.data.len()).then(|| name.deref_octets())
    }

    /// The bytes of the data behind `count` names, which it begins with.
    pub(crate) fn behind_names(&self, count: usize) -> Option<&'a [u8]> {
        let mut at = self.behind;
        for _ in 0..count {
            ParsedName::skip(&mut at).ok()?;
        }
        self.data.get(at.pos() - self.behind.pos()..)
    }

    /// The data's length as it came.
    pub(crate) fn length(&self) -> u16 {
        // It was read from 16 bits.
        u16::try_from(self.data.len()).unwrap_or(u16::MAX)
    }

    /// Whether it is a signature (RFC 2535 4.1, RFC 4034 3.1) whose signer's name has a pointer.
    pub(crate) fn has_compressed_signer(&self) -> bool {
        /// From `type covered` to `key tag`.
        const BEFORE_SIGNER: usize = 18;
        const POINTER: u8 = 0xc0;
        let mut rest = self.data.get(BEFORE_SIGNER..).unwrap_or_default();
        if !matches!(self.rtype, rtype::SIG | rtype::RRSIG) {
            return false;
        }
        while let Some((&length, behind)) = rest.split_first() {
            match length {
                0 => return false,
                length if length & POINTER == POINTER => return true,
                length => rest = behind.get(usize::from(length)..).unwrap_or_default(),
            }
        }
        false
    }
}

/// A name as it is kept: lower case, without the last dot; bytes that are no letters as `\DDD`
/// (RFC 1035 5.1).
pub(crate) fn text(name: &ParsedName<&[u8]>) -> Box<str> {
    let flat = name.as_flat_slice();
    flat.and_then(plain_text).unwrap_or_else(|| any_text(name))
}

/// The text of a name without pointers in which there is nothing to escape, as most are: its bytes
/// on the wire with dots where the labels' lengths stand.
fn plain_text(wire: &[u8]) -> Option<Box<str>> {
    let [first, labels @ .., 0] = wire else {
        return None;
    };
    let mut text = labels.to_vec();
    let mut label = usize::from(*first);
    let mut rest = text.as_mut_slice();
    loop {
        let (letters, behind) = rest.split_at_mut_checked(label)?;
        if !letters.iter().copied().all(is_plain) {
            return None;
        }
        let Some((dot, behind)) = behind.split_first_mut() else {
            break;
        };
        label = usize::from(std::mem::replace(dot, b'.'));
        rest = behind;
    }
    text.make_ascii_lowercase();
    String::from_utf8(text).ok().map(String::into_boxed_str)
}

/// The text of any name.
fn any_text(name: &ParsedName<&[u8]>) -> Box<str> {
    let mut text = String::with_capacity(64);
    for label in name.iter().filter(|label| !label.is_root()) {
        if !text.is_empty() {
            text.push('.');
        }
        push_label(&mut text, label.as_slice());
    }
    text.into()
}

/// Appends a label; mDNS's hold UTF-8 (RFC 6762 16).
fn push_label(text: &mut String, label: &[u8]) {
    for chunk in label.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '.' | '\\' => text.extend(['\\', letter]),
                letter if letter.is_control() => push_escaped(text, letter as u8),
                letter => text.extend(letter.to_lowercase()),
            }
        }
        for &byte in chunk.invalid() {
            push_escaped(text, byte);
        }
    }
}

fn push_escaped(text: &mut String, byte: u8) {
    // Writing to a string does not fail.
    let _ = write!(text, "\\{byte:03}");
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'.' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A message with these names one after another, the header in front.
    fn names(bytes: &[u8]) -> Vec<u8> {
        [&[0; HEADER][..], bytes].concat()
    }

    fn first_name(bytes: &[u8]) -> Option<Box<str>> {
        let (_, mut sections) = Header::read(bytes)?;
        sections.question().map(|question| text(&question.name))
    }

    #[test]
    fn names_are_normal() {
        let message = names(b"\x03WWW\x07Example\x00\x00\x01\x00\x01");
        assert_eq!(first_name(&message).as_deref(), Some("www.example"));
        let odd = names("\x07a.B\\\x01\u{c9}\x00\x00\x01\x00\x01".as_bytes());
        assert_eq!(first_name(&odd).as_deref(), Some("a\\.b\\\\\\001\u{e9}"));
        assert_eq!(first_name(&names(&[0; 5])).as_deref(), Some(""));
    }

    #[test]
    fn pointers_forward_or_in_circles_are_refused() {
        assert_eq!(first_name(&names(b"\xc0\x0c\x00\x01\x00\x01")), None);
        assert_eq!(
            first_name(&names(b"\xc0\x14\x00\x01\x00\x01\x00\x00\x00")),
            None
        );
    }

    #[test]
    fn a_signers_pointer_is_seen() {
        let record = |signer: &[u8]| {
            let length = 18 + signer.len() as u8;
            let head = [0, 0, rtype::SIG as u8, 0, 1, 0, 0, 0, 0, 0, length];
            names(&[&head[..], &[0; 18], signer].concat())
        };
        for (signer, expected) in [
            (&b"\x01a\x00"[..], false),
            (b"\xc0\x0c", true),
            (b"\x01a\xc0\x0c", true),
            (b"", false),
        ] {
            let message = record(signer);
            let (_, mut sections) = Header::read(&message).unwrap();
            let record = sections.record().unwrap();
            assert_eq!(record.has_compressed_signer(), expected, "{signer:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_is_written_alike(
            labels in vec("[a-zA-Z0-9_-]{1,9}|[ -~é]{1,6}", 0..6),
        ) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend(label.as_bytes());
            }
            wire.extend([0, 0, 1, 0, 1]);
            let message = names(&wire);
            let (_, mut sections) = Header::read(&message).unwrap();
            let name = sections.question().unwrap().name;
            let flat = name.as_flat_slice().unwrap();
            let plain = plain_text(flat);
            let is_letter = |letter: char| letter.is_ascii_graphic() && !".\\".contains(letter);
            let all_plain = labels.iter().all(|label| label.chars().all(is_letter));
            prop_assert_eq!(plain.is_some(), all_plain && !labels.is_empty());
            prop_assert!(plain.is_none() || plain == Some(any_text(&name)));
        }

        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200)) {
            let Some((header, mut sections)) = Header::read(&bytes) else {
                return Ok(());
            };
            prop_assert!(header.least() >= HEADER);
            let _ = sections.question().map(|question| text(&question.name));
            while let Some(record) = sections.record() {
                prop_assert!(usize::from(record.length()) <= bytes.len());
                let name = record.owner().map(|name| text(&name));
                prop_assert!(name.is_none_or(|name| name.len() <= 4 * 255));
                let _ = (record.name_at(6), record.behind_names(2), record.has_compressed_signer());
            }
        }
    }
}
