//! Makes a recording of bulk replication small: sealed reply stubs become zeros.
//!
//! A joining controller fetches megabytes of directory under encryption. To a sensor these bytes are
//! noise, and noise does not compress. Headers, lengths, fragments, verifiers and timing stay as
//! recorded; only the ciphertext of DCE/RPC responses ([C706] 12.6.4.10) is blanked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

use crate::capture::Capture;

/// The common header: version, type, flags, representation, fragment length, verifier length, call.
const HEADER: usize = 16;
/// Common header, allocation hint, context, cancel count: where a response's stub begins.
const STUB: usize = 24;
/// The verifier's own header, before the `auth_length` bytes.
const VERIFIER_HEADER: usize = 8;
/// The PDU type of a response.
const RESPONSE: u8 = 2;

/// One direction of a TCP connection.
type Direction = (SocketAddr, SocketAddr);

/// Blanks the sealed stubs of all responses in `capture`, in connections that speak DCE/RPC from
/// their first byte on. A direction with a gap is left alone from there on.
pub fn blank_sealed_replies(capture: &mut Capture) {
    let mut directions: HashMap<Direction, Option<Stream>> = HashMap::new();
    for packet in &mut capture.packets {
        let Some((direction, sequence, payload)) = tcp_payload(&packet.frame) else {
            continue;
        };
        let bytes = &mut packet.frame[payload];
        let stream = directions
            .entry(direction)
            .or_insert_with(|| Stream::begin(sequence, bytes));
        if let Some(open) = stream
            && !open.advance(sequence, bytes)
        {
            *stream = None;
        }
    }
}

fn tcp_payload(frame: &[u8]) -> Option<(Direction, u32, Range<usize>)> {
    let packet = PacketHeaders::from_ethernet_slice(frame).ok()?;
    let Some(NetHeaders::Ipv4(ip, _)) = packet.net else {
        return None;
    };
    let Some(TransportHeader::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let payload = packet.payload.slice();
    if payload.is_empty() {
        return None;
    }
    let begin = payload.as_ptr().addr() - frame.as_ptr().addr();
    let source = SocketAddr::from((ip.source, tcp.source_port));
    let destination = SocketAddr::from((ip.destination, tcp.destination_port));
    Some((
        (source, destination),
        tcp.sequence_number,
        begin..begin + payload.len(),
    ))
}

/// The PDUs of one direction, followed byte by byte.
struct Stream {
    next: u32,
    header: Vec<u8>,
    position: usize,
}

impl Stream {
    fn begin(sequence: u32, bytes: &[u8]) -> Option<Self> {
        let rpc = bytes.len() >= HEADER && bytes[0] == 5 && bytes[1] <= 1 && bytes[4] == 0x10;
        rpc.then(|| Self {
            next: sequence,
            header: Vec::new(),
            position: 0,
        })
    }

    /// Blanks what is sealed in the stream's next bytes; false if these are not the next ones.
    fn advance(&mut self, sequence: u32, bytes: &mut [u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else {
            return false;
        };
        if sequence != self.next {
            return false;
        }
        self.next = self.next.wrapping_add(length);
        let mut at = 0;
        while at < bytes.len() {
            if self.header.len() < HEADER {
                self.header.push(bytes[at]);
                self.position += 1;
                at += 1;
                continue;
            }
            let fragment = self.field(8);
            if fragment < HEADER {
                return false;
            }
            let run = (fragment - self.position).min(bytes.len() - at);
            let sealed = self.sealed(fragment);
            let from = sealed.start.clamp(self.position, self.position + run) - self.position;
            let to = sealed.end.clamp(self.position, self.position + run) - self.position;
            bytes[at + from..at + to.max(from)].fill(0);
            at += run;
            self.position += run;
            if self.position == fragment {
                self.header.clear();
                self.position = 0;
            }
        }
        true
    }

    fn sealed(&self, fragment: usize) -> Range<usize> {
        let verifier = self.field(10);
        if self.header[2] == RESPONSE && verifier > 0 {
            STUB..fragment.saturating_sub(verifier + VERIFIER_HEADER)
        } else {
            0..0
        }
    }

    fn field(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.header[at], self.header[at + 1]]))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use etherparse::PacketBuilder;

    use super::*;
    use crate::capture::Packet;

    fn pdu(kind: u8, stub: &[u8], verifier: &[u8]) -> Vec<u8> {
        let length = u16::try_from(STUB + stub.len() + VERIFIER_HEADER + verifier.len()).unwrap();
        let mut bytes = vec![5, 0, kind, 3, 0x10, 0, 0, 0];
        bytes.extend(length.to_le_bytes());
        bytes.extend(u16::try_from(verifier.len()).unwrap().to_le_bytes());
        bytes.extend([7; STUB - 12]);
        bytes.extend(stub);
        bytes.extend([9; VERIFIER_HEADER]);
        bytes.extend(verifier);
        bytes
    }

    fn capture(stream: &[u8], cut: usize) -> Capture {
        let mut sequence = u32::MAX - 50;
        let mut packets = Vec::new();
        for chunk in stream.chunks(cut) {
            let mut frame = Vec::new();
            PacketBuilder::ethernet2([2; 6], [4; 6])
                .ipv4([10, 83, 0, 10], [10, 83, 0, 11], 64)
                .tcp(49153, 40000, sequence, 512)
                .write(&mut frame, chunk)
                .unwrap();
            packets.push(Packet {
                time: Duration::ZERO,
                frame,
            });
            sequence = sequence.wrapping_add(u32::try_from(chunk.len()).unwrap());
        }
        Capture { packets }
    }

    #[test]
    fn stubs_of_sealed_responses_are_blanked_however_segments_cut_them() {
        let request = pdu(0, &[1; 90], &[2; 16]);
        let stream = [
            pdu(RESPONSE, &[1; 300], &[2; 16]),
            request.clone(),
            pdu(2, &[1; 40], &[2; 16]),
        ];
        let blanked = [
            pdu(RESPONSE, &[0; 300], &[2; 16]),
            request,
            pdu(2, &[0; 40], &[2; 16]),
        ];
        for cut in [16, 17, 100, 1_460] {
            let mut recorded = capture(&stream.concat(), cut);
            blank_sealed_replies(&mut recorded);
            let payloads: Vec<&[u8]> = recorded
                .packets
                .iter()
                .map(|packet| &packet.frame[54..])
                .collect();
            assert_eq!(payloads.concat(), blanked.concat(), "segments of {cut}");
        }
    }

    #[test]
    fn unprotected_replies_stay() {
        let stream = pdu(RESPONSE, &[1; 300], &[]);
        let mut recorded = capture(&stream, 1_460);
        blank_sealed_replies(&mut recorded);
        assert_eq!(recorded, capture(&stream, 1_460));
    }
}
