//! What the decoder needs no more may be left out on the way to it: that changes nothing it says.

mod support;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use goshawk_decode::{Decoded, Decoder, Drop, Limits, Stats};

use support::wire::Wire;
use support::{Packet, ldap};

/// A decoder behind a filter that leaves out what was asked to be, as the kernel's does.
struct Shunting {
    decoder: Decoder,
    shunted: HashSet<[SocketAddr; 2]>,
    /// How often a connection was asked for.
    asked: usize,
    left_out: usize,
    out: Vec<Decoded>,
}

/// What a connection's packet is to the filter.
struct Tcp {
    ends: [SocketAddr; 2],
    is_edge: bool,
    is_bare: bool,
}

impl Shunting {
    fn new() -> Self {
        Self {
            decoder: Decoder::new(Arc::from("test"), Limits::default()).with_shunts(),
            shunted: HashSet::new(),
            asked: 0,
            left_out: 0,
            out: Vec::new(),
        }
    }

    fn packet(&mut self, origin: usize, packet: &Packet) {
        if let Some(tcp) = tcp(packet) {
            if tcp.is_edge {
                self.shunted.remove(&tcp.ends);
            } else if self.shunted.contains(&tcp.ends) && !tcp.is_bare {
                self.left_out += 1;
                return;
            }
        }
        self.decoder
            .frame(&packet.frame(origin as u64), &mut self.out);
        let asked = self.decoder.take_shunts();
        self.asked += asked.len();
        self.shunted.extend(asked);
    }
}

fn tcp(packet: &Packet) -> Option<Tcp> {
    let sliced = SlicedPacket::from_ethernet(&packet.data).ok()?;
    let (source, destination): (IpAddr, IpAddr) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        Some(NetSlice::Ipv6(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        _ => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return None;
    };
    let mut ends = [
        SocketAddr::new(source, tcp.source_port()),
        SocketAddr::new(destination, tcp.destination_port()),
    ];
    ends.sort_unstable();
    Some(Tcp {
        ends,
        is_edge: tcp.syn() || tcp.fin() || tcp.rst(),
        is_bare: tcp.payload().is_empty(),
    })
}

/// What a decoder says with and without a filter before it; `true` for with.
fn decode(packets: &[Packet], is_filtered: bool) -> (Shunting, Stats) {
    let mut shunting = Shunting::new();
    if !is_filtered {
        shunting.decoder = Decoder::new(Arc::from("test"), Limits::default());
    }
    let mut second = 0;
    for (origin, packet) in packets.iter().enumerate() {
        let now = packet.time.as_nanos() / 1_000_000_000;
        if now > second {
            second = now;
            shunting.decoder.tick(packet.time, &mut shunting.out);
        }
        shunting.packet(origin, packet);
    }
    shunting.decoder.finish(&mut shunting.out);
    let stats = shunting.decoder.stats().clone();
    (shunting, stats)
}

fn sealed() -> Vec<u8> {
    ldap::tls_record(23, &[9; 1000])
}

/// LDAPS: both sides agree.
fn begin_tls(wire: &mut Wire, ports: (u16, u16)) -> support::wire::Tcp {
    let mut tcp = wire.open(ports.0, ports.1);
    wire.ask(&mut tcp, &ldap::client_hello("dc1"));
    wire.answer(&mut tcp, &ldap::tls_record(22, &[2, 0, 0, 0]));
    tcp
}

#[test]
fn recordings_say_the_same_without_what_is_left_out() {
    let mut left_out = 0;
    for path in support::captures() {
        let packets = support::read(&path).unwrap();
        let (whole, _) = decode(&packets, false);
        let (filtered, _) = decode(&packets, true);
        assert_eq!(whole.left_out, 0);
        assert_eq!(filtered.out, whole.out, "{}", path.display());
        left_out += filtered.left_out;
    }
    assert!(left_out >= 20, "{left_out}");
}

#[test]
fn what_is_left_out_is_no_loss_and_the_end_is_seen() {
    let mut wire = Wire::new();
    let mut tcp = begin_tls(&mut wire, (50_000, 636));
    for _ in 0..100 {
        wire.ask(&mut tcp, &sealed());
        wire.answer(&mut tcp, &sealed());
    }
    wire.close(&tcp);
    // The same ports are used again.
    let mut again = begin_tls(&mut wire, (50_000, 636));
    wire.ask(&mut again, &sealed());
    let (whole, _) = decode(&wire.packets, false);
    let (filtered, stats) = decode(&wire.packets, true);
    assert_eq!(whole.out.len(), 2);
    assert_eq!(filtered.out, whole.out);
    assert_eq!((filtered.asked, filtered.left_out), (2, 201));
    assert_eq!(stats.dropped(Drop::StreamGap), 0);
    assert_eq!(stats.dropped(Drop::StreamStray), 0);
}

#[test]
fn who_is_asked_in_vain_is_asked_again_and_not_with_every_packet() {
    let mut wire = Wire::new();
    let mut tcp = begin_tls(&mut wire, (50_000, 636));
    for _ in 0..200 {
        wire.ask(&mut tcp, &sealed());
    }
    let mut decoder = Decoder::new(Arc::from("test"), Limits::default()).with_shunts();
    let mut asked = 0;
    for (origin, packet) in wire.packets.iter().enumerate() {
        decoder.frame(&packet.frame(origin as u64), &mut Vec::new());
        asked += decoder.take_shunts().len();
    }
    assert_eq!(asked, 1 + 200 / 65);
}

#[test]
fn strangers_are_left_out() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_000, 445);
    for _ in 0..10 {
        wire.ask(&mut tcp, b"SSH-2.0-OpenSSH_9.2 and what follows");
    }
    assert_eq!(decode(&wire.packets, true).0.left_out, 9);
}

#[test]
fn what_may_go_on_in_the_clear_is_not_left_out() {
    let mut wire = Wire::new();
    // TLS that StartTLS has begun, or that is not where its server speaks nothing else.
    let mut tcp = begin_tls(&mut wire, (50_000, 389));
    wire.ask(&mut tcp, &sealed());
    // A client's port says nothing of what the server speaks.
    let mut tcp = begin_tls(&mut wire, (636, 389));
    wire.ask(&mut tcp, &sealed());
    // A SASL layer that seals.
    let mut tcp = wire.open(50_001, 389);
    for _ in 0..3 {
        wire.ask(&mut tcp, &ldap::krb5_wrapped(b"sealed", true));
    }
    // An encrypted session of SMB 3, beside which others may be set up.
    let mut tcp = wire.open(50_002, 445);
    let transform = [&[0xfd, b'S', b'M', b'B'][..], &[7; 200]].concat();
    for _ in 0..3 {
        wire.ask(&mut tcp, &support::smb::frame(&transform));
    }
    let (filtered, _) = decode(&wire.packets, true);
    assert_eq!((filtered.asked, filtered.left_out), (0, 0));
}

#[test]
fn a_beginning_that_was_not_seen_is_not_left_out() {
    let mut wire = Wire::new();
    let mut tcp = begin_tls(&mut wire, (50_000, 636));
    wire.ask(&mut tcp, &sealed());
    // Without the SYN, anybody could be the client.
    let (filtered, _) = decode(&wire.packets[2..], true);
    assert_eq!(filtered.asked, 0);
}

#[test]
fn more_than_can_wait_are_asked_for_later() {
    let mut wire = Wire::new();
    for port in 1000..4000 {
        let mut tcp = wire.open(port, 445);
        wire.ask(&mut tcp, b"SSH-2.0-OpenSSH_9.2");
    }
    let mut decoder = Decoder::new(Arc::from("test"), Limits::default()).with_shunts();
    for (origin, packet) in wire.packets.iter().enumerate() {
        decoder.frame(&packet.frame(origin as u64), &mut Vec::new());
    }
    assert_eq!(decoder.take_shunts().len(), 1024);
}
