//! Frames for the tests, as their senders would build them.

use etherparse::{
    EtherType, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions,
    Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, Ipv6RoutingExtensions, PacketBuilder, VlanId,
};

pub(crate) const CLIENT: [u8; 4] = [10, 0, 0, 9];
pub(crate) const SERVER: [u8; 4] = [10, 0, 0, 1];
const CLIENT_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const SERVER_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);

/// A UDP datagram from the client to the server.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(CLIENT, SERVER, 64);
    let builder = builder.udp(source, destination);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// The TCP flags that the tests need.
#[derive(Clone, Copy)]
pub(crate) enum Flags {
    Syn,
    Ack,
    Fin,
    Rst,
}

/// A TCP segment between two ends.
pub(crate) fn tcp(
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: Flags,
    payload: &[u8],
) -> Vec<u8> {
    tcp_at(1000, from, to, flags, payload)
}

/// The same with a sequence number.
pub(crate) fn tcp_at(
    sequence: u32,
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: Flags,
    payload: &[u8],
) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(from.0, to.0, 64);
    let builder = builder.tcp(from.1, to.1, sequence, 8192);
    let builder = match flags {
        Flags::Syn => builder.syn(),
        Flags::Ack => builder.ack(1),
        Flags::Fin => builder.ack(1).fin(),
        Flags::Rst => builder.rst(),
    };
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// A Kerberos-port datagram behind one or two VLAN tags.
pub(crate) fn vlan(tags: &[u16]) -> Vec<u8> {
    let id = |tag: u16| VlanId::try_new(tag).unwrap();
    let start = PacketBuilder::ethernet2(MACS.0, MACS.1);
    let builder = match *tags {
        [one] => start.single_vlan(id(one)),
        [outer, inner] => start.double_vlan(id(outer), id(inner)),
        _ => panic!("one tag or two"),
    };
    let builder = builder.ipv4(CLIENT, SERVER, 64).udp(40_000, 88);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"tagged").unwrap();
    frame
}

/// A Kerberos-port datagram whose IPv4 header has 40 bytes of options.
pub(crate) fn ipv4_options() -> Vec<u8> {
    let mut header = Ipv4Header::new(0, 64, IpNumber::UDP, CLIENT, SERVER).unwrap();
    header.options = [1; 40].into();
    ip(IpHeaders::Ipv4(header, Ipv4Extensions::default()), 88)
}

/// A Kerberos-port datagram behind hop-by-hop options, destination options and a routing header.
pub(crate) fn ipv6_extensions() -> Vec<u8> {
    let options = || Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[1; 14]).unwrap();
    let extensions = Ipv6Extensions {
        hop_by_hop_options: Some(options()),
        destination_options: Some(options()),
        routing: Some(Ipv6RoutingExtensions {
            routing: options(),
            final_destination_options: None,
        }),
        fragment: None,
        auth: None,
    };
    ip(IpHeaders::Ipv6(ipv6(), extensions), 88)
}

/// A datagram behind `count` destination options headers, which no honest sender would build.
pub(crate) fn ipv6_chain(count: usize) -> Vec<u8> {
    const DESTINATION_OPTIONS: u8 = 60;
    let mut payload = Vec::new();
    for left in (0..count).rev() {
        payload.extend([
            if left == 0 { 17 } else { DESTINATION_OPTIONS },
            0,
            1,
            4,
            0,
            0,
            0,
            0,
        ]);
    }
    payload.extend([0x9c, 0x40, 0, 88, 0, 8, 0, 0]);
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1);
    let builder = builder.ip(IpHeaders::Ipv6(ipv6(), Ipv6Extensions::default()));
    let mut frame = Vec::new();
    builder
        .write(&mut frame, IpNumber(DESTINATION_OPTIONS), &payload)
        .unwrap();
    frame
}

/// The first fragment of an IPv4 datagram to `port`, and a later one.
pub(crate) fn ipv4_fragments(id: u16, port: u16) -> (Vec<u8>, Vec<u8>) {
    let mut header = Ipv4Header::new(0, 64, IpNumber::UDP, CLIENT, SERVER).unwrap();
    header.identification = id;
    header.dont_fragment = false;
    header.more_fragments = true;
    let first = ip(
        IpHeaders::Ipv4(header.clone(), Ipv4Extensions::default()),
        port,
    );
    header.more_fragments = false;
    header.fragment_offset = IpFragOffset::try_new(2).unwrap();
    (
        first,
        rest(IpHeaders::Ipv4(header, Ipv4Extensions::default())),
    )
}

/// The first fragment of an IPv6 datagram to `port`, and a later one.
pub(crate) fn ipv6_fragments(id: u32, port: u16) -> (Vec<u8>, Vec<u8>) {
    let fragment = |offset: u16, more: bool| Ipv6Extensions {
        fragment: Some(Ipv6FragmentHeader::new(
            IpNumber::UDP,
            IpFragOffset::try_new(offset).unwrap(),
            more,
            id,
        )),
        ..Ipv6Extensions::default()
    };
    let first = ip(IpHeaders::Ipv6(ipv6(), fragment(0, true)), port);
    (first, rest(IpHeaders::Ipv6(ipv6(), fragment(2, false))))
}

/// An Ethernet frame of an IPv4 packet around `payload`, between the ends of a tunnel.
pub(crate) fn outside(protocol: IpNumber, payload: &[u8]) -> Vec<u8> {
    let mut header = Ipv4Header::new(0, 64, protocol, [192, 0, 2, 1], [192, 0, 2, 2]).unwrap();
    header.dont_fragment = false;
    framed(
        IpHeaders::Ipv4(header, Ipv4Extensions::default()),
        protocol,
        payload,
    )
}

/// The same over IPv6.
pub(crate) fn outside_v6(protocol: IpNumber, payload: &[u8]) -> Vec<u8> {
    framed(
        IpHeaders::Ipv6(ipv6(), Ipv6Extensions::default()),
        protocol,
        payload,
    )
}

/// The payload of a VXLAN packet, from its UDP header on, around a frame.
pub(crate) fn vxlan(port: u16, frame: &[u8]) -> Vec<u8> {
    let [p0, p1] = port.to_be_bytes();
    let [l0, l1] = (16 + frame.len() as u16).to_be_bytes();
    let headers = [0x9c, 0x40, p0, p1, l0, l1, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0];
    [&headers, frame].concat()
}

/// The fragments of a frame's IPv4 packet, of at most `size` bytes of its payload each.
pub(crate) fn cut(frame: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let (header, payload) = frame.split_at(34);
    let count = payload.len().div_ceil(size);
    let parts = payload.chunks(size).enumerate().map(|(index, part)| {
        let place = (index * size / 8) as u16 | u16::from(index + 1 < count) << 13;
        let mut fragment = [header, part].concat();
        fragment[16..18].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        fragment[18..20].copy_from_slice(&id.to_be_bytes());
        fragment[20..22].copy_from_slice(&place.to_be_bytes());
        fragment
    });
    parts.collect()
}

fn framed(headers: IpHeaders, protocol: IpNumber, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1).ip(headers);
    let mut frame = Vec::new();
    builder.write(&mut frame, protocol, payload).unwrap();
    frame
}

/// Sets the IPv4 total length to zero and the checksum to nonsense, as a frame looks that is
/// still to be segmented.
pub(crate) fn unfinished(mut frame: Vec<u8>) -> Vec<u8> {
    frame[16..18].fill(0);
    frame[24..26].fill(0xee);
    frame
}

fn ip(headers: IpHeaders, port: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1)
        .ip(headers)
        .udp(40_000, port);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"payload!").unwrap();
    frame
}

/// A packet whose payload is the middle of a UDP datagram.
fn rest(headers: IpHeaders) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1).ip(headers);
    let mut frame = Vec::new();
    builder
        .write(&mut frame, IpNumber::UDP, b"the rest of the datagram")
        .unwrap();
    frame
}

fn ipv6() -> Ipv6Header {
    Ipv6Header {
        hop_limit: 64,
        source: CLIENT_V6,
        destination: SERVER_V6,
        ..Ipv6Header::default()
    }
}

/// An ARP request: traffic of no interest.
pub(crate) fn arp() -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[12..14].copy_from_slice(&EtherType::ARP.0.to_be_bytes());
    frame
}
