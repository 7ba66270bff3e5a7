//! DNS messages, as far as anybody reads them (RFC 1035, RFC 2136, RFC 6891, RFC 8945).

use goshawk_model::dns::{
    DnsAction, DnsChange, DnsData, DnsRecord, DnsUpdate, LongestRecord, opcode, rtype,
};

use super::format::{self, Header, Record, Sections};
use super::rdata;

/// A message on the wire.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) header: Header,
    pub(super) questions: Vec<Question>,
    /// Of a response: what its answer section holds.
    pub(super) answers: Answers,
    /// Of a request: what it asks to change.
    pub(super) update: Option<DnsUpdate>,
    /// `RCODE` with EDNS's upper bits.
    pub(super) rcode: u16,
    /// The name of the key that signs it.
    pub(super) tsig: Option<Box<str>>,
    pub(super) tkey: Option<Tkey<'a>>,
    /// Whether it is all there and does not contradict itself.
    pub(super) is_whole: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Box<str>,
    pub(super) qtype: u16,
    pub(super) qclass: u16,
}

/// An answer section.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) total: u32,
    /// The first of them, and the addresses of services.
    pub(super) records: Vec<DnsRecord>,
    pub(super) longest: Option<LongestRecord>,
    pub(super) authority: Authority,
}

/// The SOA records that frame a zone transfer (RFC 5936 2.2, RFC 1995 4).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Authority {
    /// How many there are.
    pub(super) count: u32,
    /// The serial number of the first.
    pub(super) first: Option<u32>,
    /// The serial number of the last record, if it is one.
    pub(super) last: Option<u32>,
}

/// A TKEY record that carries a security token (RFC 2930 2, RFC 3645 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tkey<'a> {
    pub(super) error: u16,
    pub(super) token: &'a [u8],
}

/// Records kept of a section.
const MAX_RECORDS: usize = 16;
/// Questions taken of one message; only mDNS asks several (RFC 6762 5.3).
const MAX_QUESTIONS: usize = 16;
/// mDNS marks questions that want a unicast answer, and records that replace others, with the
/// topmost bit of their class (RFC 6762 18.12, 18.13).
const CLASS: u16 = 0x7fff;
const CLASS_IN: u16 = 1;
/// `CLASS` ANY and NONE in an update (RFC 2136 2.5).
const CLASS_ANY: u16 = 255;
const CLASS_NONE: u16 = 254;

/// Reads a message; `None` if not even its questions can be read.
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let (header, mut sections) = Header::read(bytes)?;
    let mut message = Message {
        rcode: header.rcode.into(),
        header,
        questions: Vec::new(),
        answers: Answers::default(),
        update: None,
        tsig: None,
        tkey: None,
        is_whole: false,
    };
    for _ in 0..header.counts.questions {
        let question = sections.question()?;
        if message.questions.len() < MAX_QUESTIONS {
            message.questions.push(Question {
                name: format::text(&question.name),
                qtype: question.qtype,
                qclass: question.qclass & CLASS,
            });
        }
    }
    message.is_whole = message.records(sections).is_some();
    if message.questions.is_empty() {
        let implied = message.implied();
        message.questions.extend(implied);
    }
    Some(message)
}

impl<'a> Message<'a> {
    /// What a message without a question is about: an answer of mDNS about its first record (RFC
    /// 6762 6), a request about nothing that has a name.
    fn implied(&mut self) -> Option<Question> {
        if !self.header.is_response {
            return Some(Question {
                name: Box::default(),
                qtype: 0,
                qclass: 0,
            });
        }
        let first = self.answers.records.first_mut()?;
        Some(Question {
            name: first.name.take().unwrap_or_default(),
            qtype: first.rtype,
            qclass: CLASS_IN,
        })
    }

    /// Reads the sections behind the questions; `None` where they end early.
    fn records(&mut self, mut sections: Sections<'a>) -> Option<()> {
        let counts = self.header.counts;
        let is_update = self.header.opcode == opcode::UPDATE;
        if is_update && !self.header.is_response {
            self.update = Some(DnsUpdate {
                prerequisites: counts.answers,
                total: counts.authorities,
                changes: Vec::new(),
            });
        }
        for _ in 0..counts.answers {
            let record = sections.record()?;
            self.tkey(&record);
            if !is_update && self.header.is_response {
                self.answer(&record);
            }
        }
        for _ in 0..counts.authorities {
            let record = sections.record()?;
            if let Some(update) = &mut self.update
                && update.changes.len() < MAX_RECORDS
            {
                update.changes.extend(change(&record));
            }
        }
        for _ in 0..counts.additionals {
            let record = sections.record()?;
            self.additional(&record);
        }
        Some(())
    }

    fn answer(&mut self, record: &Record<'a>) {
        let answers = &mut self.answers;
        answers.total += 1;
        answers.authority.take(record);
        let length = record.length();
        if answers
            .longest
            .is_none_or(|longest| longest.length < length)
        {
            answers.longest = Some(LongestRecord {
                rtype: record.rtype,
                length,
                compressed_signer: record.has_compressed_signer(),
            });
        }
        if answers.records.len() < MAX_RECORDS {
            self.keep(record);
        }
    }

    fn keep(&mut self, record: &Record<'a>) {
        let asked = self.questions.first().map(|question| &*question.name);
        let name = record.owner().map(|name| format::text(&name));
        self.answers.records.push(DnsRecord {
            name: name.filter(|name| asked != Some(&**name)),
            rtype: record.rtype,
            length: record.length(),
            data: rdata::read(record),
        });
    }

    fn additional(&mut self, record: &Record<'a>) {
        match record.rtype {
            rtype::OPT => {
                let upper = record
                    .ttl
                    .to_be_bytes()
                    .first()
                    .copied()
                    .unwrap_or_default();
                self.rcode |= u16::from(upper) << 4;
            }
            rtype::TSIG => self.tsig = record.owner().map(|name| format::text(&name)),
            rtype::TKEY => self.tkey(record),
            rtype::A | rtype::AAAA => {
                let records = &self.answers.records;
                let locates = |record: &DnsRecord| matches!(record.data, DnsData::Service { .. });
                if records.len() < 2 * MAX_RECORDS && records.iter().any(locates) {
                    self.keep(record);
                }
            }
            _ => {}
        }
    }

    /// Windows puts it into the additional section of a request, others into the answer section.
    fn tkey(&mut self, record: &Record<'a>) {
        if record.rtype == rtype::TKEY && self.tkey.is_none() {
            self.tkey = rdata::tkey(record);
        }
    }
}

impl Authority {
    fn take(&mut self, record: &Record<'_>) {
        self.last = None;
        if record.rtype == rtype::SOA {
            self.count += 1;
            self.last = rdata::serial(record);
            self.first = self.first.or(self.last);
        }
    }

    /// With the SOA records of the message that follows.
    pub(super) fn and(self, next: Self) -> Self {
        Self {
            count: self.count.saturating_add(next.count),
            first: self.first.or(next.first),
            last: next.last,
        }
    }

    /// Whether a transfer is over: it ends with the SOA record that it began with, and the
    /// differences in between have two each (RFC 1995 4).
    pub(super) fn is_complete(self) -> bool {
        self.last.is_some() && self.last == self.first && self.count.is_multiple_of(2)
    }
}

/// A record of an update section (RFC 2136 2.5).
fn change(record: &Record<'_>) -> Option<DnsChange> {
    let action = match record.class {
        CLASS_ANY if record.rtype == rtype::ANY => DnsAction::DeleteName,
        CLASS_ANY => DnsAction::DeleteSet,
        CLASS_NONE => DnsAction::DeleteRecord,
        _ => DnsAction::Add,
    };
    Some(DnsChange {
        action,
        name: format::text(&record.owner()?),
        rtype: record.rtype,
        data: rdata::read(record),
    })
}
