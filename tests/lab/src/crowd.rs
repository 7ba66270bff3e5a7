//! A capture of very many connections that are all open at once, for measuring memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use crate::capture::{Capture, Packet, write_header};
use crate::compose::{BEGINNING, Cast, MOST_ROUNDS};
use crate::labels::{self, Labels};

/// Packets of each connection: the handshake, and what it says at first, which is who it is.
const FIRST: usize = 12;
/// Time between two packets.
const STEP: Duration = Duration::from_micros(20);

/// Writes a capture in which at least `connections` TCP connections begin as those of the recordings
/// do, and none ends. Returns how many connections there are.
///
/// # Errors
/// If there is no recording, one cannot be read, or `path` cannot be written.
pub fn crowd(connections: usize, path: &Path) -> Result<usize> {
    let mut beginnings = Vec::new();
    let mut known = BTreeSet::new();
    for label in Labels::load(&labels::folder())?.captures {
        let capture = Capture::load(&label.path())?;
        for (ends, beginning) in beginnings_of(capture) {
            // Between controllers, whose addresses stay, it would be the same one in each round.
            let moves = ends.iter().any(|end| !label.controllers.contains(end.ip()));
            if moves && known.insert(ends) {
                beginnings.push((beginning, label.controllers.clone()));
            }
        }
    }
    if beginnings.is_empty() {
        bail!("there are no recordings; `cargo xtask lab record` makes them");
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::new(file);
    write_header(&mut file)?;
    let mut now = BEGINNING;
    let mut written = 0;
    for round in 0..MOST_ROUNDS {
        for (beginning, controllers) in &beginnings {
            let mut cast = Cast::new(round, controllers);
            for packet in beginning {
                now += STEP;
                let mut frame = packet.frame.clone();
                cast.dress(&mut frame);
                Packet { time: now, frame }.write(&mut file)?;
            }
            written += 1;
            if written >= connections {
                file.flush()?;
                return Ok(written);
            }
        }
    }
    bail!("{connections} connections are more than the recordings can give")
}

/// The first packets of each TCP connection whose first packet opens it.
fn beginnings_of(capture: Capture) -> Vec<([SocketAddrV4; 2], Vec<Packet>)> {
    let mut order = Vec::new();
    let mut flows: BTreeMap<[SocketAddrV4; 2], Vec<Packet>> = BTreeMap::new();
    for packet in capture.packets {
        let Some((ends, kind)) = tcp(&packet.frame) else {
            continue;
        };
        let first = flows.entry(ends).or_insert_with(|| {
            order.push(ends);
            Vec::new()
        });
        let begins = !first.is_empty() || kind == Kind::Opening;
        if begins && first.len() < FIRST && kind != Kind::Ending {
            first.push(packet);
        }
    }
    let beginnings = order
        .into_iter()
        .filter_map(|ends| Some((ends, flows.remove(&ends)?)));
    beginnings
        .filter(|(_, packets)| packets.len() > 3)
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opening,
    Going,
    Ending,
}

/// The two ends of a TCP segment's connection, in one order for both directions.
fn tcp(frame: &[u8]) -> Option<([SocketAddrV4; 2], Kind)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(NetSlice::Ipv4(ip)) = packet.net else {
        return None;
    };
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let end = |address: Ipv4Addr, port| SocketAddrV4::new(address, port);
    let mut ends = [
        end(ip.header().source_addr(), tcp.source_port()),
        end(ip.header().destination_addr(), tcp.destination_port()),
    ];
    ends.sort_unstable();
    let kind = if tcp.fin() || tcp.rst() {
        Kind::Ending
    } else if tcp.syn() && !tcp.ack() {
        Kind::Opening
    } else {
        Kind::Going
    };
    Some((ends, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_begin_and_do_not_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("crowd.pcap");
        let written = crowd(3_000, &path).unwrap();
        let capture = Capture::load(&path).unwrap();
        let mut seen = BTreeSet::new();
        for packet in &capture.packets {
            let (ends, kind) = tcp(&packet.frame).unwrap();
            assert!(kind != Kind::Ending);
            seen.insert(ends);
        }
        assert_eq!(seen.len(), written);
    }
}
