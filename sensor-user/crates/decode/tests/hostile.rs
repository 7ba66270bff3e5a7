//! Bytes that nobody sends by accident: whatever they are, the decoder survives and stays bounded.

mod support;

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use support::{Packet, captures_of, decode, read};

const LINKS: [LinkType; 5] = [
    LinkType::Ethernet,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::RawIp,
    LinkType::Null,
];

/// What leads to the deeper layers, so that random bytes get there: a header for each link, IPv4
/// or IPv6, TCP or UDP, and the first bytes of a message.
fn prefix() -> impl Strategy<Value = Vec<u8>> {
    let tcp_head = |port: u16| {
        let mut head = vec![0xc0, 0, (port >> 8) as u8, port as u8];
        head.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        head
    };
    let ipv4 = |protocol: u8| {
        let mut head = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
        head.extend([10, 0, 0, 9, 10, 0, 0, 1]);
        head
    };
    let ipv6 = |next: u8| {
        let mut head = vec![0x60, 0, 0, 0, 0, 0, next, 64];
        head.extend([0xfe; 32]);
        head
    };
    let udp = [0xc0, 0, 0, 88, 0, 0, 0, 0].to_vec();
    let kerberos = [0x6a, 0x82, 1, 0, 0x30, 0x82, 0, 0xfc].to_vec();
    let dcerpc = [5, 0, 11, 3, 0x10, 0, 0, 0, 0x48, 0, 0, 0, 1, 0, 0, 0].to_vec();
    let ldap = [0x30, 0x81, 0x90, 2, 1, 3, 0x63, 0x81, 0x8a].to_vec();
    let signed = [0, 0, 0, 0x60, 5, 4, 0, 0xff, 0, 12, 0, 12].to_vec();
    prop_oneof![
        Just(Vec::new()),
        Just(ipv4(6)),
        Just([ipv4(17), udp.clone()].concat()),
        Just([ipv4(17), udp.clone(), kerberos.clone()].concat()),
        Just([ipv6(17), udp, kerberos].concat()),
        Just([ipv4(6), tcp_head(88)].concat()),
        Just([ipv4(6), tcp_head(135), dcerpc.clone()].concat()),
        Just([ipv6(6), tcp_head(49_667), dcerpc].concat()),
        Just([ipv4(6), tcp_head(389), ldap].concat()),
        Just([ipv4(6), tcp_head(3268), signed].concat()),
        Just(ipv6(44)),
    ]
}

fn link_header(link: LinkType, v6: bool) -> Vec<u8> {
    let ether_type: [u8; 2] = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
    match link {
        LinkType::Ethernet => [&[0; 12][..], &ether_type].concat(),
        LinkType::LinuxSll => [&[0; 14][..], &ether_type].concat(),
        LinkType::LinuxSll2 => [&ether_type[..], &[0; 18]].concat(),
        LinkType::RawIp => Vec::new(),
        LinkType::Null => vec![2, 0, 0, 0],
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_in_every_link_layer_are_survived(
        packets in vec((prefix(), vec(any::<u8>(), 0..200), 0..5usize, 0..100u32), 1..20),
    ) {
        let packets: Vec<_> = packets
            .into_iter()
            .enumerate()
            .map(|(at, (prefix, bytes, link, cut))| {
                let link = LINKS[link];
                let v6 = prefix.first().is_some_and(|first| first >> 4 == 6);
                let data = [link_header(link, v6), prefix, bytes].concat();
                Packet {
                    time: Timestamp::from_parts(at as u64, 0),
                    link,
                    wire_len: data.len() as u32 + cut,
                    data,
                }
            })
            .collect();
        let (_, stats) = decode(&packets);
        prop_assert_eq!(stats.packets, packets.len() as u64);
    }

    #[test]
    fn mutated_captures_are_survived(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        // The tests' own story, and real ones where they are at hand.
        let mut stories = vec![support::story::packets()];
        for path in [captures_of("dce"), captures_of("krb"), captures_of("dcsync"), captures_of("ldap"), captures_of("http-"), captures_of("smb1")].concat() {
            stories.push(read(&path).unwrap());
        }
        // Some are of links that are not decoded.
        stories.retain(|story| !story.is_empty());
        let mut packets = which.get(&stories).clone();
        packets.truncate(400);
        for (packet, at, value) in changes {
            let data = &mut packet.get_mut(&mut packets).data;
            if !data.is_empty() {
                *at.get_mut(data) = value;
            }
        }
        decode(&packets);
    }
}

#[test]
fn captures_cut_at_every_length_are_survived() {
    let mut stories = vec![support::story::packets()];
    for path in [
        captures_of("krb"),
        captures_of("dce-rpc"),
        captures_of("zeek/ldap"),
        captures_of("http-"),
    ]
    .concat()
    {
        stories.push(read(&path).unwrap());
    }
    for (story, packets) in stories.iter().enumerate() {
        let whole = decode(packets).0.len();
        for length in (0..300).chain((300..1500).step_by(100)) {
            let mut cut = packets.clone();
            for packet in &mut cut {
                packet.data.truncate(length);
            }
            let found = decode(&cut).0.len();
            // What is cut may turn one exchange into an unanswered request and a lone answer.
            assert!(found <= 2 * whole, "story {story}: {found} at {length}");
        }
    }
}
