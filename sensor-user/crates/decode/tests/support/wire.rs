//! Packets written by the tests.

use std::time::Duration;

use etherparse::{PacketBuilder, TcpHeader};
use goshawk_decode::LinkType;
use goshawk_model::Timestamp;

use super::Packet;

/// A wire with one client and one server, and a clock that a millisecond passes on with each
/// packet.
pub(crate) struct Wire {
    pub(crate) packets: Vec<Packet>,
    pub(crate) time: Timestamp,
    opened: u32,
}

pub(crate) const CLIENT: [u8; 4] = [10, 0, 0, 9];
pub(crate) const SERVER: [u8; 4] = [10, 0, 0, 1];

/// A TCP connection on the wire.
#[derive(Clone, Copy)]
pub(crate) struct Tcp {
    client: (u16, u32),
    server: (u16, u32),
}

impl Tcp {
    /// As it is when the server took none of the `length` bytes that the client sent last.
    pub(crate) fn unsent(mut self, length: usize) -> Self {
        self.client.1 = self.client.1.wrapping_sub(length as u32);
        self
    }
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            packets: Vec::new(),
            time: Timestamp::from_parts(1_772_359_200, 0),
            opened: 0,
        }
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.time = self.time + duration;
    }

    fn push(&mut self, data: Vec<u8>) {
        self.time = self.time + Duration::from_millis(1);
        self.packets.push(Packet {
            time: self.time,
            link: LinkType::Ethernet,
            wire_len: data.len() as u32,
            data,
        });
    }

    pub(crate) fn udp(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) {
        let mut data = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from.0, to.0, 64)
            .udp(from.1, to.1)
            .write(&mut data, payload)
            .unwrap_or_default();
        self.push(data);
    }

    fn segment(
        &mut self,
        tcp: &Tcp,
        from_client: bool,
        payload: &[u8],
        flags: impl FnOnce(&mut TcpHeader),
    ) {
        let (source, destination) = if from_client {
            ((CLIENT, tcp.client), (SERVER, tcp.server))
        } else {
            ((SERVER, tcp.server), (CLIENT, tcp.client))
        };
        let mut header = TcpHeader::new(source.1.0, destination.1.0, source.1.1, 64_000);
        header.acknowledgment_number = destination.1.1;
        header.ack = true;
        flags(&mut header);
        let mut data = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(source.0, destination.0, 64)
            .tcp_header(header)
            .write(&mut data, payload)
            .unwrap_or_default();
        self.push(data);
    }

    /// Opens a connection: SYN and SYN-ACK.
    pub(crate) fn open(&mut self, client_port: u16, server_port: u16) -> Tcp {
        // The client's numbers wrap in the middle of the conversation.
        let initial = self.opened * 700_000;
        self.opened += 1;
        let mut tcp = Tcp {
            client: (client_port, (u32::MAX - 1000).wrapping_add(initial)),
            server: (server_port, 7_000_000 + initial),
        };
        self.segment(&tcp, true, &[], |header| {
            header.syn = true;
            header.ack = false;
        });
        tcp.client.1 = tcp.client.1.wrapping_add(1);
        self.segment(&tcp, false, &[], |header| header.syn = true);
        tcp.server.1 = tcp.server.1.wrapping_add(1);
        tcp
    }

    /// Opens a connection whose SYN carries the first request (RFC 7413): SYN and SYN-ACK.
    pub(crate) fn open_fast(&mut self, ports: (u16, u16), payload: &[u8]) -> Tcp {
        let mut tcp = Tcp {
            client: (ports.0, 9_000_000),
            server: (ports.1, 7_000_000),
        };
        self.segment(&tcp, true, payload, |header| {
            header.syn = true;
            header.ack = false;
        });
        tcp.client.1 += 1 + payload.len() as u32;
        self.segment(&tcp, false, &[], |header| header.syn = true);
        tcp.server.1 += 1;
        tcp
    }

    pub(crate) fn ask(&mut self, tcp: &mut Tcp, payload: &[u8]) {
        for part in payload.chunks(1400) {
            self.segment(tcp, true, part, |header| header.psh = true);
            tcp.client.1 = tcp.client.1.wrapping_add(part.len() as u32);
        }
    }

    pub(crate) fn answer(&mut self, tcp: &mut Tcp, payload: &[u8]) {
        for part in payload.chunks(1400) {
            self.segment(tcp, false, part, |header| header.psh = true);
            tcp.server.1 = tcp.server.1.wrapping_add(part.len() as u32);
        }
    }

    /// Both sides send their FIN.
    pub(crate) fn close(&mut self, tcp: &Tcp) {
        self.segment(tcp, true, &[], |header| header.fin = true);
        self.segment(tcp, false, &[], |header| header.fin = true);
    }

    pub(crate) fn reset(&mut self, tcp: &Tcp, off_by: u32) {
        let mut tcp = *tcp;
        tcp.client.1 = tcp.client.1.wrapping_add(off_by);
        self.segment(&tcp, true, &[], |header| header.rst = true);
    }
}

/// Where the payload of an Ethernet, IPv4, TCP packet begins; `None` if there is none.
pub(crate) fn payload_start(packet: &Packet) -> Option<usize> {
    let sliced = etherparse::SlicedPacket::from_ethernet(&packet.data).ok()?;
    let Some(etherparse::TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return None;
    };
    let padding = packet.data.len()
        - 14
        - usize::from(u16::from_be_bytes([packet.data[16], packet.data[17]]));
    let start = packet.data.len() - padding - tcp.payload().len();
    let is_plain = !(tcp.syn() || tcp.fin() || tcp.rst());
    (!tcp.payload().is_empty() && is_plain && packet.data.get(14)? >> 4 == 4).then_some(start)
}

/// The bytes `from..to` of a TCP packet's payload as a packet of their own. An IP length of 0, as
/// segmentation offload leaves it, must do.
pub(crate) fn slice(packet: &Packet, start: usize, from: usize, to: usize) -> Packet {
    let mut data = packet.data[..start].to_vec();
    data.extend(&packet.data[start + from..start + to]);
    data[16..18].fill(0);
    let sequence = 14 + usize::from(data[14] & 0x0f) * 4 + 4;
    let number = u32::from_be_bytes(data[sequence..sequence + 4].try_into().unwrap_or_default());
    data[sequence..sequence + 4].copy_from_slice(&number.wrapping_add(from as u32).to_be_bytes());
    Packet {
        wire_len: data.len() as u32,
        data,
        ..packet.clone()
    }
}
