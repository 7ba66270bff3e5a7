//! Packets out of the records of a capture: pcap's, and the blocks of pcapng (draft-ietf-opsawg-pcapng).

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;
use pcap_parser::pcapng::UnknownBlock;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, InterfaceDescriptionBlock, LegacyPcapBlock, Linktype, PcapBlockOwned};

use super::Packet;

/// The longest record taken, bytes. libpcap's own limit is 262,144; generic segmentation offload
/// makes packets of 131,072 and IPv6 jumbograms of 524,288 (`GSO_MAX_SIZE`).
pub(super) const MAX_RECORD: usize = 1 << 20;

/// Interfaces a section may describe before it is taken for an attack on our memory.
const MAX_INTERFACES: usize = 4096;

/// What must be known to read a record.
pub(super) enum Format {
    /// What the file's header says.
    Pcap {
        big_endian: bool,
        nanoseconds: bool,
        link: LinkType,
    },
    /// What the blocks before it in its section say.
    PcapNg {
        big_endian: bool,
        interfaces: Vec<Interface>,
    },
}

/// What a record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// A packet whose link layer is one we do not read: the `LINKTYPE_` value.
    Unreadable(i32),
    /// Something else.
    Other,
}

/// An interface of a pcapng section.
pub(super) struct Interface {
    link: Result<LinkType, i32>,
    /// Bytes captured of a packet at the most; `0` for no limit.
    snaplen: u32,
    /// Units of a timestamp in a second.
    resolution: u64,
    /// Seconds to add to a timestamp.
    offset: i64,
}

impl Format {
    /// Reads a record; `before` is the time of the packet before it.
    ///
    /// # Errors
    /// Why it is corrupt.
    pub(super) fn read<'a>(
        &mut self,
        record: &'a PcapBlockOwned<'_>,
        before: Timestamp,
    ) -> Result<Record<'a>, &'static str> {
        match (self, record) {
            (
                &mut Self::Pcap {
                    nanoseconds, link, ..
                },
                PcapBlockOwned::Legacy(record),
            ) => legacy(record, nanoseconds, link),
            (
                Self::PcapNg {
                    big_endian,
                    interfaces,
                },
                PcapBlockOwned::NG(block),
            ) => match block {
                Block::SectionHeader(section) => {
                    *big_endian = section.big_endian();
                    interfaces.clear();
                    Ok(Record::Other)
                }
                Block::InterfaceDescription(_) if interfaces.len() >= MAX_INTERFACES => {
                    Err("too many interfaces")
                }
                Block::InterfaceDescription(interface) => {
                    interfaces.push(Interface::new(interface));
                    Ok(Record::Other)
                }
                block => in_block(block, *big_endian, interfaces, before),
            },
            _ => Ok(Record::Other),
        }
    }
}

fn legacy<'a>(
    record: &'a LegacyPcapBlock<'_>,
    nanoseconds: bool,
    link: LinkType,
) -> Result<Record<'a>, &'static str> {
    let nanos = if nanoseconds {
        record.ts_usec
    } else {
        record.ts_usec.saturating_mul(1000)
    };
    if record.data.len() > MAX_RECORD || nanos >= 2_000_000_000 {
        return Err("a record with an impossible length or time");
    }
    let time = Timestamp::from_parts(record.ts_sec.into(), nanos);
    Ok(packet(time, link, record.origlen, record.data))
}

/// Reads a block that may hold a packet.
fn in_block<'a>(
    block: &'a Block<'_>,
    big_endian: bool,
    interfaces: &[Interface],
    before: Timestamp,
) -> Result<Record<'a>, &'static str> {
    let (id, time, wire_len, data) = match block {
        Block::EnhancedPacket(record) => (
            record.if_id,
            Some((record.ts_high, record.ts_low)),
            record.origlen,
            record.packet_data(),
        ),
        Block::SimplePacket(record) => (0, None, record.origlen, record.packet_data()),
        Block::Unknown(record) if PacketBlock::is_in(record, big_endian) => {
            let old =
                PacketBlock::parse(record, big_endian).ok_or("a block shorter than it says")?;
            (old.interface.into(), Some(old.time), old.wire_len, old.data)
        }
        _ => return Ok(Record::Other),
    };
    let interface = usize::try_from(id).ok().and_then(|id| interfaces.get(id));
    let interface = interface.ok_or("a packet of an unknown interface")?;
    let link = match interface.link {
        Ok(link) => link,
        Err(link) => return Ok(Record::Unreadable(link)),
    };
    let (time, data) = match time {
        Some((high, low)) => (interface.time(u64::from(high) << 32 | u64::from(low)), data),
        // A simple packet has no time: it happened with the one before. Nor has it a length, and
        // may be padded.
        None => (before, interface.cut(data)),
    };
    Ok(packet(time, link, wire_len, data))
}

fn packet(time: Timestamp, link: LinkType, wire_len: u32, data: &[u8]) -> Record<'_> {
    Record::Packet(Packet {
        time,
        link,
        wire_len: wire_len.max(u32::try_from(data.len()).unwrap_or(u32::MAX)),
        data,
    })
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>) -> Self {
        Self {
            link: link_type(block.linktype),
            snaplen: block.snaplen,
            resolution: block
                .ts_resolution()
                .filter(|&units| units > 0)
                .unwrap_or(1_000_000),
            offset: block.ts_offset(),
        }
    }

    fn time(&self, units: u64) -> Timestamp {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.resolution);
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let nanos = nanos.saturating_add(i128::from(self.offset) * 1_000_000_000);
        Timestamp::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    fn cut<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        match usize::try_from(self.snaplen) {
            Ok(1..) => data.get(..self.snaplen as usize).unwrap_or(data),
            _ => data,
        }
    }
}

/// The Packet Block, the predecessor of the Enhanced Packet Block; old captures have it (appendix
/// A of the draft).
const PACKET_BLOCK: u32 = 2;

struct PacketBlock<'a> {
    interface: u16,
    /// The upper and the lower half of the timestamp.
    time: (u32, u32),
    wire_len: u32,
    data: &'a [u8],
}

impl<'a> PacketBlock<'a> {
    /// Whether the block is one. pcap-parser leaves the types of unknown blocks in the wrong order
    /// where a section is big-endian.
    fn is_in(block: &UnknownBlock<'_>, big_endian: bool) -> bool {
        let kind = block.block_type;
        PACKET_BLOCK == if big_endian { kind.swap_bytes() } else { kind }
    }

    fn parse(block: &UnknownBlock<'a>, big_endian: bool) -> Option<Self> {
        let (interface, rest) = block.data.split_first_chunk::<2>()?;
        let (_drops, mut rest) = rest.split_first_chunk::<2>()?;
        let mut word = || {
            let (word, behind) = rest.split_first_chunk::<4>()?;
            rest = behind;
            Some(if big_endian {
                u32::from_be_bytes(*word)
            } else {
                u32::from_le_bytes(*word)
            })
        };
        let time = (word()?, word()?);
        let (captured, wire_len) = (word()?, word()?);
        Some(Self {
            interface: if big_endian {
                u16::from_be_bytes(*interface)
            } else {
                u16::from_le_bytes(*interface)
            },
            time,
            wire_len,
            data: rest.get(..usize::try_from(captured).ok()?)?,
        })
    }
}

/// The upper half of the field tells of frame check sequences, which the lengths in the packets'
/// own headers leave out anyway (pcap's file header, draft-ietf-opsawg-pcap).
pub(super) fn link_type(link: Linktype) -> Result<LinkType, i32> {
    match link.0 & 0xffff {
        0 | 108 => Ok(LinkType::Null),
        1 => Ok(LinkType::Ethernet),
        12 | 14 | 101 | 228 | 229 => Ok(LinkType::RawIp),
        113 => Ok(LinkType::LinuxSll),
        276 => Ok(LinkType::LinuxSll2),
        other => Err(other),
    }
}
