//! The mirror port: every frame of every conversation, both directions, once.
//!
//! Needs root, as namespaces do; without it there is nothing to try, and the test says so.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests unwrap fails the test that called them"
)]

use std::net::{Ipv4Addr, UdpSocket};

use goshawk_lab::{Capture, Host, INTERFACE, Network, Recorder};

const DC: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 10);
const WORKSTATION: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 21);

/// Where an Ethernet frame of IPv4 says what it carries. The answer to a datagram that nobody waits for
/// is one of ICMP, which repeats it.
const PROTOCOL: usize = 14 + 9;
const UDP: u8 = 17;

/// A datagram from one host to the other that nobody waits for.
fn say(from: &Host, to: &Host, text: &str) {
    from.namespace()
        .inside(|| {
            let socket = UdpSocket::bind((from.address(), 0))?;
            socket.send_to(text.as_bytes(), (to.address(), 9))?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_either_side_says_is_mirrored_once() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tried: network namespaces need root");
        return;
    }
    let network = Network::new().unwrap();
    let dc = Host::new(&network, "dc1", DC, DC).unwrap();
    let mirror = network.mirror().unwrap();
    let late = Host::new(&network, "ws1", WORKSTATION, DC).unwrap();
    let addresses = mirror.sh("ip -oneline address show dev eth0").unwrap();
    assert_eq!(addresses, "", "a mirror port has no address");
    let place = tempfile::tempdir().unwrap();
    let seen = place.path().join("seen.pcap");
    let recorder = Recorder::on(&mirror, INTERFACE, &seen).unwrap();
    say(&dc, &late, "from before the mirror");
    say(&late, &dc, "from after the mirror");
    recorder.stop().unwrap();
    let packets = Capture::load(&seen).unwrap().packets;
    for text in ["from before the mirror", "from after the mirror"] {
        let copies = packets
            .iter()
            .filter(|packet| {
                packet.frame[PROTOCOL] == UDP && packet.frame.ends_with(text.as_bytes())
            })
            .count();
        assert_eq!(copies, 1, "{text}");
    }
}
