//! What a tap sees in tunnels: the packet inside is judged, given to the worker of its own
//! addresses, and copied without what was around it.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;

use etherparse::IpNumber;
use goshawk_decode::{Decoder, Frame, Limits, LinkType, Protocol, Tunnels};
use goshawk_sensor::capture::attach::{Mode, Plan, Request};
use goshawk_sensor::capture::kernel::Settings;
use sensor_ebpf::Counter;

use crate::frames::{self, CLIENT, Flags, SERVER, tcp, udp};
use crate::live::{CLIENT as CLIENT_OUTSIDE, CONTROLLER, Cable, request};
use crate::{Captured, Sensor};

const VXLAN_PORT: u16 = 4789;

fn tap() -> Sensor {
    Sensor::load(&Settings {
        workers: 8,
        ring_bytes: 4 << 20,
        drop: true,
        vxlan_port: Some(VXLAN_PORT),
        ..Settings::default()
    })
}

/// What stands in front of the frame inside, for each tunnel that carries Ethernet.
fn gre_headers() -> [Vec<u8>; 6] {
    let erspan3 = |flags: u8| {
        let header = [
            0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 1, 0, 0, 0, 9, 0, 0, 0,
        ];
        [&header[..], &[flags]].concat()
    };
    [
        // Transparent Ethernet bridging; the same with a checksum, a key and a number.
        vec![0x00, 0, 0x65, 0x58],
        [&[0xb0, 0, 0x65, 0x58][..], &[7; 12]].concat(),
        // ERSPAN I, II, and III without and with a subheader.
        vec![0x00, 0, 0x88, 0xbe],
        vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 1, 0, 0, 0, 0],
        erspan3(0),
        [&erspan3(1)[..], &[9; 8]].concat(),
    ]
}

/// The frame in every kind of tunnel.
fn wrapped(inside: &[u8]) -> Vec<Vec<u8>> {
    let vxlan = frames::vxlan(VXLAN_PORT, inside);
    let mut all = vec![
        frames::outside(IpNumber::UDP, &vxlan),
        frames::outside_v6(IpNumber::UDP, &vxlan),
    ];
    for headers in gre_headers() {
        let payload = [&headers, inside].concat();
        all.push(frames::outside(IpNumber::GRE, &payload));
        all.push(frames::outside_v6(IpNumber::GRE, &payload));
    }
    all
}

fn one(mut captured: Vec<Captured>) -> Captured {
    assert_eq!(captured.len(), 1);
    captured.remove(0)
}

#[test]
fn the_packet_inside_takes_the_place_of_the_outside() {
    let mut sensor = tap();
    let mut tunnels = 0;
    for inside in [
        udp(40_000, 88, b"kerberos"),
        frames::vlan(&[5]),
        frames::vlan(&[100, 5]),
        frames::ipv4_options(),
        frames::ipv6_extensions(),
        tcp((CLIENT, 40_000), (SERVER, 445), Flags::Ack, &[7; 1_400]),
    ] {
        let plain = one(sensor.see(&inside).1);
        for outside in wrapped(&inside) {
            let copy = one(sensor.see(&outside).1);
            assert_eq!((&copy.data, copy.link), (&inside, LinkType::Ethernet));
            assert_eq!(copy.worker, plain.worker);
            tunnels += 1;
        }
        for outside in wrapped(&frames::outside(
            IpNumber::UDP,
            &frames::vxlan(VXLAN_PORT, &inside),
        )) {
            let copy = one(sensor.see(&outside).1);
            assert_eq!((copy.data, copy.worker), (inside.clone(), plain.worker));
            tunnels += 2;
        }
    }
    assert_eq!(sensor.count(Counter::Unwrapped), tunnels);
    assert!(
        sensor
            .counts()
            .iter()
            .all(|(counter, n)| !counter.is_loss() || n == 0)
    );
}

#[test]
fn ip_without_ethernet_is_told_from_ethernet() {
    let mut sensor = tap();
    for (protocol, frame) in [
        ([0x08, 0x00], udp(40_000, 88, b"kerberos")),
        ([0x86, 0xdd], frames::ipv6_extensions()),
    ] {
        let plain = one(sensor.see(&frame).1);
        let inside = &frame[14..];
        let payload = [&[0x20, 0], &protocol[..], &[0, 0, 0, 7], inside].concat();
        for outside in [frames::outside, frames::outside_v6] {
            let copy = one(sensor.see(&outside(IpNumber::GRE, &payload)).1);
            assert_eq!((&copy.data[..], copy.link), (inside, LinkType::RawIp));
            assert_eq!(copy.worker, plain.worker);
        }
    }
}

#[test]
fn what_is_inside_is_judged_like_any_packet() {
    let mut sensor = tap();
    let other = tcp((CLIENT, 40_000), (SERVER, 49_664), Flags::Ack, b"something");
    for inside in [&udp(40_000, 9, b"discard"), &other, &frames::arp()] {
        for outside in wrapped(inside) {
            assert_eq!(sensor.see(&outside).1.len(), 0);
        }
    }
    // An endpoint is learned inside, and known inside and outside.
    let mut bind = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
    bind.resize(72, 0);
    let bind = tcp((CLIENT, 40_000), (SERVER, 49_664), Flags::Ack, &bind);
    assert_eq!(sensor.see(&wrapped(&bind)[0]).1.len(), 1);
    assert!(sensor.takes(&other));
    for outside in wrapped(&other) {
        assert_eq!(sensor.see(&outside).1.len(), 1);
    }
    // A third tunnel inside two is not looked into.
    let mut deep = udp(40_000, 88, b"kerberos");
    for _ in 0..3 {
        deep = frames::outside(IpNumber::UDP, &frames::vxlan(VXLAN_PORT, &deep));
    }
    assert_eq!(sensor.see(&deep).1.len(), 0);
}

#[test]
fn only_a_tap_looks_into_tunnels_and_only_at_its_port() {
    let mut host = Sensor::new();
    let inside = udp(40_000, 88, b"forged");
    for outside in wrapped(&inside) {
        assert_eq!(host.see(&outside).1.len(), 0);
    }
    assert_eq!(host.count(Counter::Unwrapped), 0);
    let vxlan = |port| frames::outside(IpNumber::UDP, &frames::vxlan(port, &inside));
    let mut sensor = Sensor::load(&Settings {
        vxlan_port: Some(8_472),
        ..Settings::default()
    });
    assert_eq!(sensor.see(&vxlan(VXLAN_PORT)).1.len(), 0);
    assert_eq!(one(sensor.see(&vxlan(8_472)).1).data, inside);
}

#[test]
fn a_tunnel_s_fragments_go_whole_to_the_worker_of_what_is_inside() {
    let mut sensor = tap();
    for last in 0..32 {
        let client = ([10, 0, 0, last], 40_000);
        let inside = tcp(client, (SERVER, 445), Flags::Ack, &[7; 1_400]);
        let plain = one(sensor.see(&inside).1);
        for (id, outside) in (0..).zip(wrapped(&inside).iter().step_by(2)) {
            for fragment in frames::cut(outside, u16::from(last) << 8 | id, 600) {
                let copy = one(sensor.see(&fragment).1);
                assert_eq!((&copy.data, copy.worker), (&fragment, plain.worker));
            }
        }
    }
    // Those of no interest are counted, with all the others that nobody watches.
    let late = sensor.count(Counter::LateFragments);
    let outside = &wrapped(&udp(40_000, 9, &[7; 1_400]))[0];
    for fragment in frames::cut(outside, 9, 600) {
        assert_eq!(sensor.see(&fragment).1.len(), 0);
    }
    assert_eq!(sensor.count(Counter::LateFragments), late + 2);
}

#[test]
fn a_tunnel_s_packet_that_ends_in_a_header_is_counted() {
    let mut sensor = tap();
    let inside = udp(40_000, 88, b"");
    for mut outside in wrapped(&inside).into_iter().step_by(2) {
        let truncated = sensor.count(Counter::Truncated);
        outside.truncate(outside.len() - 6);
        assert_eq!(sensor.see(&outside).1.len(), 0);
        outside.truncate(outside.len() - inside.len() + 6);
        assert_eq!(sensor.see(&outside).1.len(), 0);
        assert_eq!(sensor.count(Counter::Truncated), truncated + 2);
    }
}

/// A VXLAN tunnel of the kernel's own from the client to the tap, as a hypervisor mirrors by: with
/// frames of 1,500 bytes, which it has to cut.
#[test]
fn a_real_tunnel_and_its_fragments_are_read() {
    let cable = Cable::new();
    let (inner_client, inner_server) = (Ipv4Addr::new(10, 99, 0, 9), Ipv4Addr::new(10, 99, 0, 1));
    let mac = cable
        .controller
        .sh("cat /sys/class/net/eth0/address")
        .unwrap();
    cable
        .client
        .sh(&format!(
            "ip neighbour add {CONTROLLER} lladdr {mac} dev eth0
             ip link add mirror type vxlan id 7 local {CLIENT_OUTSIDE} remote {CONTROLLER} \
                 dstport {VXLAN_PORT}
             ip link set mirror mtu 1500 up
             ip address add {inner_client}/24 dev mirror
             ip neighbour add {inner_server} lladdr 02:00:00:00:00:01 dev mirror",
            mac = mac.trim()
        ))
        .unwrap();
    let mut sensor = tap();
    let forced = Request {
        force_tap: true,
        ..request(Mode::Tap, &["eth0"])
    };
    cable.at_controller(|| sensor.kernel.attach(&Plan::make(&forced).unwrap()).unwrap());
    // A request of Kerberos, as far as its first bytes tell: short, and as long as fits the inside.
    let message = |length: u16| {
        let [outer, inner] = [length - 4, length - 8].map(u16::to_be_bytes);
        let mut bytes = [[0x6a, 0x82], outer, [0x30, 0x82], inner].concat();
        bytes.resize(length.into(), 0);
        bytes
    };
    cable
        .client
        .inside(|| {
            let socket = UdpSocket::bind((inner_client, 40_000))?;
            for length in [300, 1_472] {
                socket.send_to(&message(length), (inner_server, 88))?;
            }
            Ok(())
        })
        .unwrap();
    let captured = sensor.drain_until(|captured| captured.len() == 3);
    assert_eq!(sensor.count(Counter::Fragments), 1);
    let workers: Vec<_> = captured.iter().map(|copy| copy.worker).collect();
    assert!(
        workers.iter().all(|worker| *worker == workers[0]),
        "{workers:?}"
    );
    let tunnels = Tunnels::Open {
        vxlan_port: VXLAN_PORT,
    };
    let mut decoder = Decoder::new(Arc::from("tap"), Limits::default()).with_tunnels(tunnels);
    for (origin, copy) in (0..).zip(&captured) {
        let frame = Frame {
            time: copy.time,
            origin,
            link: copy.link,
            wire_len: copy.data.len() as u32,
            data: &copy.data,
        };
        decoder.frame(&frame, &mut Vec::new());
    }
    let messages = decoder.stats().protocol(Protocol::Kerberos).messages;
    assert_eq!(messages, 2);
}
