//! Large captures out of small ones, for measuring: the recordings one after another, again and again,
//! each time with other people behind other addresses.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::capture::{Capture, Packet, write_header};
use crate::labels::{self, Labels};

/// Silence between two recordings.
const PAUSE: Duration = Duration::from_secs(1);

/// Silence in a recording that is longer, hours that pass in a scene, is cut.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// When the composed capture begins (2026-01-01T00:00:00Z).
pub(crate) const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How many times the recordings can repeat before addresses would: 10.84.0.0 to 10.255.0.0 holds 172
/// networks of 256 hosts for each value of the third byte.
pub(crate) const MOST_ROUNDS: usize = 172 * 256;

/// Writes a capture of at least `packets` packets to `path`, composed of every labelled recording of
/// the project and repeated as often as it takes. Controllers keep their addresses; all other hosts move
/// to a network of their own in each round, so that no flow of one round continues one of another.
/// Returns how many packets were written.
///
/// # Errors
/// If there is no recording, one cannot be read, or `path` cannot be written.
pub fn compose(packets: u64, path: &Path) -> Result<u64> {
    let mut recordings = Vec::new();
    for label in Labels::load(&labels::folder())?.captures {
        recordings.push((Capture::load(&label.path())?, label.controllers));
    }
    if recordings
        .iter()
        .all(|(capture, _)| capture.packets.is_empty())
    {
        bail!("there are no recordings; `cargo xtask lab record` makes them");
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::new(file);
    write_header(&mut file)?;
    let mut written = 0;
    let mut now = BEGINNING;
    for round in 0..MOST_ROUNDS {
        for (capture, controllers) in &recordings {
            let mut cast = Cast::new(round, controllers);
            now = append(&mut file, capture, now, &mut cast)? + PAUSE;
            written += u64::try_from(capture.packets.len())?;
            if written >= packets {
                file.flush()?;
                return Ok(written);
            }
        }
    }
    bail!("{packets} packets are more than the recordings can give without repeating an address")
}

/// Writes `part` as if it had begun at `start`; returns when it ends.
fn append(
    file: &mut impl Write,
    part: &Capture,
    start: Duration,
    cast: &mut Cast<'_>,
) -> Result<Duration> {
    let Some(first) = part.packets.first() else {
        return Ok(start);
    };
    let (mut end, mut last) = (start, first.time);
    for packet in &part.packets {
        // Two processors may stamp neighbours out of order by microseconds.
        end += packet.time.saturating_sub(last).min(LONGEST_SILENCE);
        last = last.max(packet.time);
        let mut frame = packet.frame.clone();
        cast.dress(&mut frame);
        Packet { time: end, frame }.write(file)?;
    }
    Ok(end)
}

/// Who plays whom in one round.
pub(crate) struct Cast<'a> {
    round: usize,
    controllers: &'a [Ipv4Addr],
    parts: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

/// Where IPv4's source and destination addresses are in an untagged Ethernet frame.
const ADDRESSES: [usize; 2] = [26, 30];
/// Where an untagged Ethernet frame says what it carries, and IPv4's number there.
const ETHERTYPE: usize = 12;
const IPV4: [u8; 2] = [8, 0];
/// Where IPv4's header checksum is in an untagged Ethernet frame.
const IP_CHECKSUM: usize = 24;

impl<'a> Cast<'a> {
    /// Everybody but the controllers plays somebody else in each round.
    pub(crate) fn new(round: usize, controllers: &'a [Ipv4Addr]) -> Self {
        Self {
            round,
            controllers,
            parts: BTreeMap::new(),
        }
    }

    /// Moves the frame's addresses. The header checksum follows; the transport's is left as recorded,
    /// which on a virtual link is unfinished anyway.
    pub(crate) fn dress(&mut self, frame: &mut [u8]) {
        if frame.len() < 34 || frame[ETHERTYPE..ETHERTYPE + 2] != IPV4 {
            return;
        }
        for at in ADDRESSES {
            let old = Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
            let new = self.part(old).octets();
            for pair in [0, 2] {
                let was = u16::from_be_bytes([frame[at + pair], frame[at + pair + 1]]);
                let is = u16::from_be_bytes([new[pair], new[pair + 1]]);
                let sum = u16::from_be_bytes([frame[IP_CHECKSUM], frame[IP_CHECKSUM + 1]]);
                let sum = replace(sum, was, is).to_be_bytes();
                frame[IP_CHECKSUM..IP_CHECKSUM + 2].copy_from_slice(&sum);
            }
            frame[at..at + 4].copy_from_slice(&new);
        }
    }

    fn part(&mut self, real: Ipv4Addr) -> Ipv4Addr {
        if self.controllers.contains(&real) {
            return real;
        }
        let [network, host] = [self.round % 172 + 84, self.round / 172].map(|n| n.to_le_bytes()[0]);
        let last = real.octets()[3];
        *self
            .parts
            .entry(real)
            .or_insert_with(|| Ipv4Addr::new(10, network, host, last))
    }
}

/// An internet checksum after one 16-bit word has changed (RFC 1624, equation 3).
fn replace(checksum: u16, was: u16, is: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!was) + u32::from(is);
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let folded = (folded & 0xFFFF) + (folded >> 16);
    // Folded twice, the sum of three words fits one.
    !(folded as u16)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use etherparse::{NetSlice, SlicedPacket};

    use super::*;

    #[test]
    fn rounds_are_as_long_as_asked_in_order_and_of_different_people() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("large.pcap");
        let labels = Labels::load(&labels::folder()).unwrap().captures;
        let packets = |label: &labels::Label| Capture::load(&label.path()).unwrap().packets.len();
        let one_round: usize = labels.iter().map(packets).sum();
        let asked = u64::try_from(one_round).unwrap() + 1;
        let written = compose(asked, &path).unwrap();
        let capture = Capture::load(&path).unwrap();
        assert!(written >= asked);
        assert_eq!(u64::try_from(capture.packets.len()).unwrap(), written);
        assert!(capture.packets.is_sorted_by_key(|packet| packet.time));

        let mut attackers = BTreeSet::new();
        for packet in &capture.packets {
            let sliced = SlicedPacket::from_ethernet(&packet.frame).unwrap();
            if let Some(NetSlice::Ipv4(ip)) = sliced.net {
                let header = ip.header().to_header();
                assert_eq!(header.header_checksum, header.calc_header_checksum());
                if header.source[3] == 66 {
                    attackers.insert(header.source);
                }
            }
        }
        assert!(attackers.len() == 2, "{attackers:?}");
    }
}
