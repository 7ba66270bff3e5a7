//! A fuzzer's bytes as packets: what two hosts say to each other, told to a decoder as a sensor
//! would.
//!
//! A story is a row of scenes: one byte of [flags](self#constants), the length of the payload (two
//! bytes, little-endian), and the payload. What is wrong with it in the eyes of the protocol is for
//! the decoder to find out; what must hold whatever it says is asserted here.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;
use goshawk_decode::{Decoder, Frame, Limits, LinkType};
use goshawk_model::Timestamp;

/// The server speaks; else the client.
pub const FROM_SERVER: u8 = 1;
/// A stretch of the stream before this scene is lost.
pub const AFTER_A_LOSS: u8 = 2;
/// Long enough passes before this scene that whatever waits is given up.
pub const MUCH_LATER: u8 = 4;

/// What carries the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// A TCP connection to this port.
    Tcp(u16),
    /// Datagrams to and from this port.
    Udp(u16),
    /// Ethernet frames, whatever is in them.
    Frames,
}

/// No activity is longer than this when it is written down, bytes: an attacker may send megabytes,
/// and none of them may reach the console.
const MAX_ACTIVITY: usize = 96 << 10;
/// How much is lost where something is lost, bytes.
const LOSS: u32 = 200;

/// Tells `story` to a decoder.
///
/// # Panics
/// Where something does not hold that must hold for any story.
pub fn run(speech: Speech, story: &[u8]) {
    let decoder = Decoder::new(Arc::from("fuzz"), Limits::default());
    tell(decoder, speech, story);
}

/// The same, to this decoder.
pub(crate) fn tell(mut decoder: Decoder, speech: Speech, story: &[u8]) {
    let mut out = Vec::new();
    let mut now = Timestamp::from_parts(1_772_359_200, 0);
    let mut sent = [1_u32, 1];
    for (index, (flags, payload)) in scenes(story).enumerate() {
        now = now + Duration::from_millis(1);
        if flags & MUCH_LATER != 0 {
            now = now + Duration::from_secs(60);
            decoder.tick(now, &mut out);
        }
        let from_server = flags & FROM_SERVER != 0;
        let sequence = &mut sent[usize::from(from_server)];
        if flags & AFTER_A_LOSS != 0 {
            *sequence = sequence.wrapping_add(LOSS);
        }
        let data = packet(speech, from_server, *sequence, payload);
        *sequence = sequence.wrapping_add(payload.len() as u32);
        let frame = Frame {
            time: now,
            origin: index as u64,
            link: LinkType::Ethernet,
            wire_len: data.len() as u32,
            data: &data,
        };
        decoder.frame(&frame, &mut out);
    }
    decoder.finish(&mut out);

    assert!(
        out.len() <= story.len() + 16,
        "{} activities of {} bytes",
        out.len(),
        story.len()
    );
    let mut written = Vec::new();
    for decoded in &out {
        written.clear();
        ciborium::into_writer(&decoded.activity, &mut written).expect("an activity can be written");
        assert!(
            written.len() <= MAX_ACTIVITY,
            "an activity of {} bytes",
            written.len()
        );
    }
    let stats = decoder.stats();
    for (name, counts) in stats.protocols() {
        assert!(
            counts.errors <= counts.messages,
            "{name}: more errors than messages"
        );
    }
}

fn scenes(mut story: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[flags, low, high], rest) = story.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        story = rest;
        Some((flags, payload))
    })
}

fn packet(speech: Speech, from_server: bool, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let (client, server) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 1));
    let ends = |port| {
        if from_server {
            ((server, port), (client, 50_000))
        } else {
            ((client, 50_000), (server, port))
        }
    };
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);
    let mut packet = Vec::new();
    let written = match speech {
        Speech::Frames => return payload.to_vec(),
        Speech::Tcp(port) => {
            let ((from, from_port), (to, to_port)) = ends(port);
            ethernet
                .ipv4(from.octets(), to.octets(), 64)
                .tcp(from_port, to_port, sequence, u16::MAX)
                .ack(0)
                .write(&mut packet, payload)
        }
        Speech::Udp(port) => {
            let ((from, from_port), (to, to_port)) = ends(port);
            ethernet
                .ipv4(from.octets(), to.octets(), 64)
                .udp(from_port, to_port)
                .write(&mut packet, payload)
        }
    };
    // Longer than an IP packet may be: it cannot occur.
    written.map_or_else(|_| Vec::new(), |()| packet)
}
