//! One capture file.

use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::{FileError, Packet};

/// The longest record taken, bytes. libpcap's own limit is 262,144; generic segmentation offload
/// makes packets of 131,072 and IPv6 jumbograms of 524,288 (`GSO_MAX_SIZE`).
const MAX_RECORD: usize = 1 << 20;
/// The reader's buffer: a record with its header and options, and room to read ahead.
const BUFFER: usize = 2 * MAX_RECORD;

/// A capture file, read packet by packet.
pub struct CaptureFile {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    state: Arc<Mutex<ReadState>>,
    format: Format,
    interfaces: Vec<Interface>,
    packets: u64,
    /// Set when the last record was incomplete.
    cut: bool,
}

/// What distinguishes one file from another once its header is read.
#[derive(Clone, Copy)]
enum Format {
    Pcap {
        big_endian: bool,
        nanoseconds: bool,
        link: LinkType,
    },
    PcapNg,
}

/// An interface of a pcapng section.
#[derive(Clone, Copy)]
struct Interface {
    link: Result<LinkType, i32>,
    /// Units of a timestamp in a second.
    resolution: u64,
    /// Seconds to add to a timestamp.
    offset: i64,
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
            state,
            format: Format::PcapNg,
            interfaces: Vec::new(),
            packets: 0,
            cut: false,
        };
        file.read_pcap_header()?;
        Ok(file)
    }

    /// Reads the next packet into `packet`; `false` at the end.
    ///
    /// # Errors
    /// [`FileError::Corrupt`] if what follows is no packet, [`FileError::Io`] if reading fails,
    /// [`FileError::LinkType`] for a packet of an interface whose link layer we do not read.
    pub fn read(&mut self, packet: &mut Packet) -> Result<bool, FileError> {
        loop {
            let ended = match self.reader.next() {
                Ok((offset, block)) => {
                    let taken = take(&block, self.format, &mut self.interfaces, packet);
                    self.reader.consume_noshift(offset);
                    match taken {
                        Ok(true) => {
                            self.packets += 1;
                            return Ok(true);
                        }
                        Ok(false) => continue,
                        Err(Refusal::Corrupt(why)) => return Err(self.corrupt(why)),
                        Err(Refusal::LinkType(link)) => {
                            return Err(FileError::LinkType {
                                path: self.path.clone(),
                                link,
                            });
                        }
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
                    return Ok(false);
                }
                PcapError::UnexpectedEof => {
                    return Err(self.corrupt("the last record's length is impossible"));
                }
                PcapError::BufferTooSmall => {
                    return Err(self.corrupt("a record longer than any packet"));
                }
                _ => return Err(self.corrupt("what follows is no record")),
            }
        }
    }

    /// Whether the capture ended in the middle of a record; worth a warning.
    pub fn was_cut(&self) -> bool {
        self.cut
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
        Ok(false)
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
            let link = link_type(header.network).map_err(|link| FileError::LinkType {
                path: self.path.clone(),
                link,
            })?;
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
            Format::PcapNg => Some(word(4, false)?.min(word(4, true)?)),
        }
    }

    fn rest_is_a_record_begun(&self) -> bool {
        self.claimed_length()
            .is_none_or(|length| length <= MAX_RECORD)
    }
}

/// Why a block was not taken.
enum Refusal {
    Corrupt(&'static str),
    LinkType(i32),
}

/// Copies a packet out of `block`; `false` for blocks that hold none.
fn take(
    block: &PcapBlockOwned<'_>,
    format: Format,
    interfaces: &mut Vec<Interface>,
    packet: &mut Packet,
) -> Result<bool, Refusal> {
    /// Interfaces a section may describe before it is taken for an attack on our memory.
    const MAX_INTERFACES: usize = 4096;
    match block {
        PcapBlockOwned::Legacy(record) => {
            let Format::Pcap {
                nanoseconds, link, ..
            } = format
            else {
                return Ok(false);
            };
            let nanos = if nanoseconds {
                record.ts_usec
            } else {
                record.ts_usec.saturating_mul(1000)
            };
            if record.data.len() > MAX_RECORD || nanos >= 2_000_000_000 {
                return Err(Refusal::Corrupt(
                    "a record with an impossible length or time",
                ));
            }
            let time = Timestamp::from_parts(record.ts_sec.into(), nanos);
            fill(packet, time, link, record.origlen, record.data);
            Ok(true)
        }
        PcapBlockOwned::LegacyHeader(_) => Ok(false),
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(false)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            if interfaces.len() >= MAX_INTERFACES {
                return Err(Refusal::Corrupt("too many interfaces"));
            }
            interfaces.push(Interface {
                link: link_type(interface.linktype),
                resolution: interface
                    .ts_resolution()
                    .filter(|&units| units > 0)
                    .unwrap_or(1_000_000),
                offset: interface.ts_offset(),
            });
            Ok(false)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(record)) => {
            let interface = usize::try_from(record.if_id)
                .ok()
                .and_then(|id| interfaces.get(id));
            let interface =
                interface.ok_or(Refusal::Corrupt("a packet of an unknown interface"))?;
            let link = interface.link.map_err(Refusal::LinkType)?;
            let units = u64::from(record.ts_high) << 32 | u64::from(record.ts_low);
            fill(
                packet,
                interface.time(units),
                link,
                record.origlen,
                record.packet_data(),
            );
            Ok(true)
        }
        PcapBlockOwned::NG(Block::SimplePacket(record)) => {
            let interface = interfaces.first();
            let interface =
                interface.ok_or(Refusal::Corrupt("a packet of an unknown interface"))?;
            let link = interface.link.map_err(Refusal::LinkType)?;
            // A simple packet has no time; it happened with the one before.
            fill(
                packet,
                packet.time,
                link,
                record.origlen,
                record.packet_data(),
            );
            Ok(true)
        }
        PcapBlockOwned::NG(_) => Ok(false),
    }
}

fn fill(packet: &mut Packet, time: Timestamp, link: LinkType, wire_len: u32, data: &[u8]) {
    packet.time = time;
    packet.link = link;
    packet.wire_len = wire_len.max(u32::try_from(data.len()).unwrap_or(u32::MAX));
    packet.data.clear();
    packet.data.extend_from_slice(data);
}

impl Interface {
    fn time(self, units: u64) -> Timestamp {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.resolution);
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let nanos = nanos.saturating_add(i128::from(self.offset) * 1_000_000_000);
        Timestamp::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

/// The upper half of the field tells of frame check sequences, which the lengths in the packets'
/// own headers leave out anyway (pcap's file header, draft-ietf-opsawg-pcap).
fn link_type(link: Linktype) -> Result<LinkType, i32> {
    match link.0 & 0xffff {
        0 | 108 => Ok(LinkType::Null),
        1 => Ok(LinkType::Ethernet),
        12 | 14 | 101 | 228 | 229 => Ok(LinkType::RawIp),
        113 => Ok(LinkType::LinuxSll),
        276 => Ok(LinkType::LinuxSll2),
        other => Err(other),
    }
}

/// Unpacks gzip (RFC 1952) and zstd (RFC 8878), told by their first bytes.
fn decompress(mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
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

#[derive(Default)]
struct ReadState {
    error: Option<io::Error>,
    cut: bool,
}

/// Fills each read to the brim, since pcap-parser takes a short first read for a short file, and
/// keeps the error that pcap-parser would throw away.
struct FullReads<R> {
    input: R,
    state: Arc<Mutex<ReadState>>,
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

fn take_error(state: &Mutex<ReadState>) -> Option<io::Error> {
    state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .error
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcap(records: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            bytes.extend(word.to_le_bytes());
        }
        for (seconds, data) in records {
            let length = data.len() as u32;
            for word in [*seconds, 5, length, length] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(*data);
        }
        bytes
    }

    fn read_all(bytes: Vec<u8>) -> (Vec<Packet>, Result<bool, FileError>) {
        let mut file = CaptureFile::new(Path::new("test"), Box::new(Cursor::new(bytes))).unwrap();
        let (mut packet, mut packets) = (Packet::default(), Vec::new());
        loop {
            match file.read(&mut packet) {
                Ok(true) => packets.push(packet.clone()),
                Ok(false) => return (packets, Ok(file.was_cut())),
                Err(error) => return (packets, Err(error)),
            }
        }
    }

    #[test]
    fn reads_packets_with_their_times() {
        let (packets, end) = read_all(pcap(&[(7, b"one"), (8, b"three")]));
        assert!(!end.unwrap());
        assert_eq!(packets[0].time, Timestamp::from_parts(7, 5000));
        assert_eq!(packets[1].data, b"three");
    }

    #[test]
    fn a_frame_check_sequence_is_no_other_link_layer() {
        let mut bytes = pcap(&[(7, b"one")]);
        bytes[20..24].copy_from_slice(&0x1400_0001_u32.to_le_bytes());
        let (packets, _) = read_all(bytes);
        assert_eq!(packets[0].link, LinkType::Ethernet);
    }

    #[test]
    fn a_cut_last_record_is_no_error_wherever_the_cut() {
        let whole = pcap(&[(7, b"one"), (8, b"three")]);
        for end in whole.len() - 20..whole.len() {
            let (packets, cut) = read_all(whole[..end].to_vec());
            assert_eq!((packets.len(), cut.unwrap()), (1, true), "cut at {end}");
        }
    }

    #[test]
    fn a_record_longer_than_any_packet_is_corruption() {
        let mut bytes = pcap(&[(7, b"one"), (8, b"three"), (9, &[0; 64])]);
        bytes[24 + 19 + 8..24 + 19 + 12].copy_from_slice(&0x7f00_0000_u32.to_le_bytes());
        let (packets, end) = read_all(bytes);
        assert_eq!(packets.len(), 1);
        assert!(
            matches!(end, Err(FileError::Corrupt { packets: 1, .. })),
            "{end:?}"
        );
    }

    #[test]
    fn compressed_captures_read_the_same_and_may_be_cut() {
        use std::io::Write;
        let plain = pcap(&[(7, &[1; 9000]), (8, b"three")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(read_all(gzip.clone()).0.len(), 2);
        assert!(read_all(gzip[..gzip.len() - 9].to_vec()).1.unwrap());
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        assert_eq!(read_all(zstd).0.len(), 2);
    }

    #[test]
    fn what_is_no_capture_is_said_so() {
        for bytes in [&b""[..], b"hello, world, this is a text", &[0xd4, 0xc3]] {
            let opened = CaptureFile::new(Path::new("x"), Box::new(Cursor::new(bytes.to_vec())));
            assert!(matches!(opened, Err(FileError::NotACapture { .. })));
        }
    }

    #[test]
    fn records_around_the_edge_of_the_buffer_are_whole() {
        let big = vec![7_u8; 60_000];
        let records: Vec<(u32, &[u8])> = (0..200).map(|second| (second, big.as_slice())).collect();
        let (packets, end) = read_all(pcap(&records));
        assert_eq!(packets.len(), 200);
        assert!(!end.unwrap());
        assert!(packets.iter().all(|packet| packet.data == big));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let mut bytes = bytes;
            let mut with_header = pcap(&[]);
            with_header.append(&mut bytes.clone());
            read_all(with_header).1.ok();
            bytes.splice(0..0, [0x0a, 0x0d, 0x0d, 0x0a]);
            if let Ok(mut file) = CaptureFile::new(Path::new("x"), Box::new(Cursor::new(bytes))) {
                let mut packet = Packet::default();
                while let Ok(true) = file.read(&mut packet) {}
            }
        }
    }
}
