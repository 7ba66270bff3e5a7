//! One capture file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{PcapBlockOwned, PcapError, create_reader};

use super::input::{FullReads, ReadState, decompress, take_error};
use super::records::{Format, MAX_RECORD, Record, link_type};
use super::{FileError, Packet};

/// The reader's buffer, bytes: little enough that what is read ahead stays in the processor's cache.
const BUFFER: usize = 256 << 10;
/// What it grows to for a record that is longer: the longest one, with its header and options.
const LARGEST_BUFFER: usize = 2 * MAX_RECORD;

/// A capture file, read packet by packet.
pub struct CaptureFile {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    /// Bytes of its buffer.
    buffer: usize,
    state: Arc<Mutex<ReadState>>,
    format: Format,
    packets: u64,
    /// The packet that was read last.
    current: Option<Current>,
    /// Bytes of the buffer up to its record's end, which are kept while it is looked at.
    passed: usize,
    /// Its time, or that of the one before it.
    time: Timestamp,
    /// Packets skipped because of their link layer, and the last one's `LINKTYPE_` value.
    unreadable: u64,
    unreadable_link: i32,
    /// Set when the last record was incomplete.
    cut: bool,
}

/// A packet in the reader's buffer.
struct Current {
    link: LinkType,
    wire_len: u32,
    range: Range<usize>,
}

impl CaptureFile {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// If it cannot be opened, is no capture, or has a link layer we do not read.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        if path == Path::new("-") {
            return Self::new(path, Box::new(io::stdin()));
        }
        let io = |source| FileError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(ErrorKind::IsADirectory.into()));
        }
        Self::new(path, Box::new(file))
    }

    /// Reads a capture from `input`; `path` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(path: &Path, input: Box<dyn Read + Send>) -> Result<Self, FileError> {
        let io = |source| FileError::Io {
            path: path.to_owned(),
            source,
        };
        let state = Arc::new(Mutex::new(ReadState::default()));
        let input = decompress(input).map_err(io)?;
        let full = FullReads {
            input,
            state: Arc::clone(&state),
        };
        let reader = create_reader(BUFFER, full).map_err(|_| match take_error(&state) {
            Some(source) => io(source),
            None => FileError::NotACapture {
                path: path.to_owned(),
            },
        })?;
        let mut file = Self {
            path: path.to_owned(),
            reader,
            buffer: BUFFER,
            state,
            format: Format::PcapNg {
                big_endian: false,
                interfaces: Vec::new(),
            },
            packets: 0,
            current: None,
            passed: 0,
            time: Timestamp::ZERO,
            unreadable: 0,
            unreadable_link: 0,
            cut: false,
        };
        file.read_pcap_header()?;
        Ok(file)
    }

    /// Goes on to the next packet; `false` at the end.
    ///
    /// # Errors
    /// [`FileError::Corrupt`] if what follows is no packet, [`FileError::Io`] if reading fails,
    /// [`FileError::LinkType`] at the end of a file of which no packet's link layer is one we read.
    pub fn read(&mut self) -> Result<bool, FileError> {
        self.current = None;
        loop {
            self.reader
                .consume_noshift(std::mem::take(&mut self.passed));
            let buffer = self.reader.data().as_ptr().addr();
            let ended = match self.reader.next() {
                Ok((length, block)) => {
                    self.passed = length;
                    match self.format.read(&block, self.time) {
                        Ok(Record::Packet(packet)) => {
                            let start = packet.data.as_ptr().addr().saturating_sub(buffer);
                            self.time = packet.time;
                            self.current = Some(Current {
                                link: packet.link,
                                wire_len: packet.wire_len,
                                range: start..start + packet.data.len(),
                            });
                            self.packets += 1;
                            return Ok(true);
                        }
                        Ok(Record::Unreadable(link)) => {
                            self.unreadable += 1;
                            self.unreadable_link = link;
                            continue;
                        }
                        Ok(Record::Other) => continue,
                        Err(why) => return Err(self.corrupt(why)),
                    }
                }
                Err(error) => error.to_owned_vec(),
            };
            match ended {
                PcapError::Incomplete(_) => {
                    // A failure to read is kept in `state`, where it has a name.
                    let _ = self.reader.refill();
                    if let Some(source) = take_error(&self.state) {
                        return Err(FileError::Io {
                            path: self.path.clone(),
                            source,
                        });
                    }
                }
                PcapError::Eof => return self.end(),
                PcapError::UnexpectedEof if self.rest_is_a_record_begun() => {
                    self.cut = true;
                    return self.end();
                }
                PcapError::UnexpectedEof => {
                    return Err(self.corrupt("the last record's length is impossible"));
                }
                PcapError::BufferTooSmall if self.buffer < LARGEST_BUFFER => {
                    self.buffer = LARGEST_BUFFER;
                    self.reader.grow(self.buffer);
                }
                PcapError::BufferTooSmall => {
                    return Err(self.corrupt("a record longer than any packet"));
                }
                _ => return Err(self.corrupt("what follows is no record")),
            }
        }
    }

    /// The packet that was read last; `None` at the end.
    pub fn packet(&self) -> Option<Packet<'_>> {
        let current = self.current.as_ref()?;
        Some(Packet {
            time: self.time,
            link: current.link,
            wire_len: current.wire_len,
            data: self.reader.data().get(current.range.clone())?,
        })
    }

    /// When it was captured, as the file says.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Whether the capture ended in the middle of a record; worth a warning.
    pub fn was_cut(&self) -> bool {
        self.cut
    }

    /// Packets that were skipped because their link layer is one we do not read. A pcapng file may
    /// hold those of several interfaces.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The file's name, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn end(&mut self) -> Result<bool, FileError> {
        // A compressed file that stops in its middle was cut too.
        self.cut |= self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cut;
        if self.packets == 0 && self.unreadable > 0 {
            return Err(self.unreadable_file(self.unreadable_link));
        }
        Ok(false)
    }

    fn unreadable_file(&self, link: i32) -> FileError {
        FileError::LinkType {
            path: self.path.clone(),
            link,
        }
    }

    fn corrupt(&self, why: &'static str) -> FileError {
        FileError::Corrupt {
            path: self.path.clone(),
            packets: self.packets,
            why,
        }
    }

    /// Takes a pcap file's header; pcapng's comes as blocks.
    fn read_pcap_header(&mut self) -> Result<(), FileError> {
        if let Ok((offset, PcapBlockOwned::LegacyHeader(header))) = self.reader.next() {
            let link = link_type(header.network).map_err(|link| self.unreadable_file(link))?;
            self.format = Format::Pcap {
                big_endian: header.is_bigendian(),
                nanoseconds: header.is_nanosecond_precision(),
                link,
            };
            self.reader.consume_noshift(offset);
        }
        Ok(())
    }

    /// The length that the record at the buffer's front claims, header included; `None` if not even
    /// its header is there.
    fn claimed_length(&self) -> Option<usize> {
        let rest = self.reader.data();
        let word = |at: usize, big_endian: bool| {
            let bytes: [u8; 4] = rest.get(at..at + 4)?.try_into().ok()?;
            let value = if big_endian {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            };
            usize::try_from(value).ok()
        };
        match self.format {
            Format::Pcap { big_endian, .. } => {
                word(8, big_endian).map(|length| length.saturating_add(16))
            }
            // Either order may be in force; the plausible one is the right one.
            Format::PcapNg { .. } => Some(word(4, false)?.min(word(4, true)?)),
        }
    }

    fn rest_is_a_record_begun(&self) -> bool {
        self.claimed_length()
            .is_none_or(|length| length <= MAX_RECORD)
    }
}

#[cfg(test)]
mod tests;
