//! What the tests share: captures read into memory, and a decoder run over them.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod ldap;
pub(crate) mod messages;
pub(crate) mod ntlm;
pub(crate) mod smb;
pub(crate) mod story;
pub(crate) mod wire;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goshawk_decode::{Decoded, Decoder, Frame, Limits, LinkType, Sharder, Stats, Tunnels};
use goshawk_model::{Kind, Timestamp};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// A packet that owns its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) time: Timestamp,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    pub(crate) data: Vec<u8>,
}

impl Packet {
    pub(crate) fn frame(&self, origin: u64) -> Frame<'_> {
        Frame {
            time: self.time,
            origin,
            link: self.link,
            wire_len: self.wire_len,
            data: &self.data,
        }
    }
}

/// All captures that are at hand: those of these tests, those of the project's own lab, and a
/// collection beside the project where there is one.
pub(crate) fn captures() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "tests/captures",
        "../../../tests/captures",
        "../../../../shared/captures",
    ];
    captures_in(folders.map(|folder| own.join(folder)))
}

/// The captures in these folders and all folders in them.
pub(crate) fn captures_in(folders: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&folder, &mut found);
    }
    found.sort();
    found
}

/// The captures whose path contains `name`.
pub(crate) fn captures_of(name: &str) -> Vec<PathBuf> {
    let mut found = captures();
    found.retain(|path| path.to_string_lossy().contains(name));
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if is_capture(&path) {
            found.push(path);
        }
    }
}

fn is_capture(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".pcap", ".pcapng", ".cap"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Reads the packets of a capture; one that is broken ends where it breaks.
pub(crate) fn read(path: &Path) -> Result<Vec<Packet>, String> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let file: Box<dyn std::io::Read + Send> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut reader = create_reader(1 << 20, file).map_err(|error| failed(&error))?;
    let mut packets = Vec::new();
    // Link type and time resolution of each interface.
    let mut interfaces: Vec<(Option<LinkType>, u64, i64)> = Vec::new();
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        let resolution = if header.is_nanosecond_precision() {
                            1_000_000_000
                        } else {
                            1_000_000
                        };
                        interfaces = vec![(link_type(header.network), resolution, 0)];
                    }
                    PcapBlockOwned::Legacy(block) => {
                        let (link, resolution, _) = interfaces[0];
                        let nanos = u64::from(block.ts_usec) * (1_000_000_000 / resolution);
                        packets.extend(link.map(|link| Packet {
                            time: Timestamp::from_parts(block.ts_sec.into(), nanos as u32),
                            link,
                            wire_len: block.origlen,
                            data: block.data.to_vec(),
                        }));
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        interfaces.push((
                            link_type(interface.linktype),
                            interface.ts_resolution().unwrap_or(1_000_000),
                            interface.ts_offset(),
                        ));
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        let (link, resolution, offset) = interfaces[block.if_id as usize];
                        let units = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                        let fraction = (units % resolution) * (1_000_000_000 / resolution);
                        let seconds = (units / resolution).saturating_add_signed(offset);
                        packets.extend(link.map(|link| Packet {
                            time: Timestamp::from_parts(seconds, fraction as u32),
                            link,
                            wire_len: block.origlen,
                            data: block.data[..block.caplen as usize].to_vec(),
                        }));
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(offset);
            }
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() || reader.refill().is_err() {
                    return Ok(packets);
                }
            }
            Err(_) => return Ok(packets),
        }
    }
}

fn link_type(link: Linktype) -> Option<LinkType> {
    match link.0 {
        1 => Some(LinkType::Ethernet),
        113 => Some(LinkType::LinuxSll),
        276 => Some(LinkType::LinuxSll2),
        12 | 14 | 101 | 228 | 229 => Some(LinkType::RawIp),
        0 | 108 => Some(LinkType::Null),
        _ => None,
    }
}

/// As a replay looks into them.
const TUNNELS: Tunnels = Tunnels::Open {
    vxlan_port: Tunnels::VXLAN_PORT,
};

/// Runs one decoder over packets in their order, a tick each second. Sightings, which come with
/// other activities, are left out.
pub(crate) fn decode(packets: &[Packet]) -> (Vec<Decoded>, Stats) {
    decode_with(packets, Limits::default())
}

pub(crate) fn decode_with(packets: &[Packet], limits: Limits) -> (Vec<Decoded>, Stats) {
    let (mut all, stats) = decode_all(packets, limits);
    all.retain(|it| !matches!(it.activity.kind, Kind::Sighting(_)));
    (all, stats)
}

/// The same with the sightings.
pub(crate) fn decode_all(packets: &[Packet], limits: Limits) -> (Vec<Decoded>, Stats) {
    let mut decoder = Decoder::new(Arc::from("test"), limits).with_tunnels(TUNNELS);
    let mut out = Vec::new();
    let mut second = 0;
    for (origin, packet) in packets.iter().enumerate() {
        let now = packet.time.as_nanos() / 1_000_000_000;
        if now > second {
            second = now;
            decoder.tick(packet.time, &mut out);
        }
        decoder.frame(&packet.frame(origin as u64), &mut out);
    }
    decoder.finish(&mut out);
    sort(&mut out);
    (out, decoder.stats().clone())
}

/// Runs `shards` decoders that share the packets, and merges what they say, sightings left out.
pub(crate) fn decode_sharded(packets: &[Packet], shards: u32) -> Vec<Decoded> {
    let mut all = decode_all_sharded(packets, shards);
    all.retain(|it| !matches!(it.activity.kind, Kind::Sighting(_)));
    all
}

/// The same with the sightings.
pub(crate) fn decode_all_sharded(packets: &[Packet], shards: u32) -> Vec<Decoded> {
    let mut all = Vec::new();
    for own in 0..shards {
        let mut decoder = Decoder::new(Arc::from("test"), Limits::default()).with_tunnels(TUNNELS);
        let mut sharder = Sharder::new(shards, TUNNELS);
        let mut second = 0;
        for (origin, packet) in packets.iter().enumerate() {
            let now = packet.time.as_nanos() / 1_000_000_000;
            if now > second {
                second = now;
                decoder.tick(packet.time, &mut all);
            }
            let frame = packet.frame(origin as u64);
            if sharder.shard(&frame) == own {
                decoder.frame(&frame, &mut all);
            }
        }
        decoder.finish(&mut all);
    }
    sort(&mut all);
    all
}

fn sort(out: &mut [Decoded]) {
    out.sort_by_key(|decoded| (decoded.activity.time, decoded.origin, decoded.sub));
}
