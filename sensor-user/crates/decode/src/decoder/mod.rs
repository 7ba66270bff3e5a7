//! The layers tied together: frames in, activities out.

mod connection;
mod flows;
mod shunt;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;

use etherparse::{IpNumber, TcpSlice, UdpSlice};
use goshawk_model::{Activity, Timestamp, Transport};

use crate::flow::duplicates::Duplicates;
use crate::flow::fragments::Fragments;
use crate::flow::stream::Segment;
use crate::flow::{FlowKey, Side};
use crate::frame::Frame;
use crate::keytab::Keytab;
use crate::limits::Limits;
use crate::link::{self, IpPacket, MAX_DEPTH, Tunnels};
use crate::protocol;
use crate::stats::{Drop, Stats};

use connection::{Flags, Shared};
use shunt::Shunts;
use table::Table;

/// Makes activities of the frames of one stream of packets.
///
/// What comes out depends on nothing but the frames and ticks that went in, so several decoders
/// that share the work by [`shard`](crate::shard) give the same activities however they are spread
/// over threads.
pub struct Decoder {
    shared: Shared,
    tunnels: Tunnels,
    duplicates: Duplicates,
    fragments: Fragments,
    table: Table,
}

/// An activity and its place in the order of all activities: (`activity.time`, `origin`, `sub`).
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// [`Frame::origin`] of the packet that it came with. For one whose time ran out: of the packet
    /// that it had begun with.
    pub origin: u64,
    /// Which of that packet's activities.
    pub sub: u32,
    /// What was done.
    pub activity: Activity,
}

/// When and where a packet was captured.
#[derive(Clone, Copy)]
struct Stamp {
    time: Timestamp,
    origin: u64,
}

impl Decoder {
    /// A decoder for what `sensor` captures.
    pub fn new(sensor: Arc<str>, limits: Limits) -> Self {
        Self {
            duplicates: Duplicates::new(limits.max_copies),
            shared: Shared::new(sensor, limits),
            tunnels: Tunnels::Closed,
            fragments: Fragments::new(),
            table: Table::new(),
        }
    }

    /// Also looks into tunnels, if these are open.
    #[must_use]
    pub fn with_tunnels(mut self, tunnels: Tunnels) -> Self {
        self.tunnels = tunnels;
        self
    }

    /// Opens tickets with these keys from now on, or none.
    pub fn set_keytab(&mut self, keytab: Option<Arc<Keytab>>) {
        self.shared.keytab = keytab;
    }

    /// Also says what it needs no more, to be asked for with [`Self::take_shunts`].
    #[must_use]
    pub fn with_shunts(mut self) -> Self {
        self.shared.shunts = Some(Shunts::default());
        self
    }

    /// The TCP connections of which, since it was asked last, nothing more was found to be needed
    /// but SYN, FIN and RST. What is left out of them is no loss, and changes no activity; if
    /// nothing is, they are told again.
    pub fn take_shunts(&mut self) -> Vec<[SocketAddr; 2]> {
        let shunts = self.shared.shunts.as_mut();
        shunts.map(Shunts::take).unwrap_or_default()
    }

    /// Takes a packet; what it completes is appended to `out`.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<Decoded>) {
        let Shared { stats, sub, .. } = &mut self.shared;
        *sub = 0;
        stats.packets += 1;
        stats.bytes += u64::from(frame.wire_len);
        if (frame.wire_len as usize) > frame.data.len() {
            stats.drop(Drop::CutPacket);
        }
        self.packet(frame, MAX_DEPTH, out);
    }

    /// Lets time pass up to `now`: what has waited long enough is appended to `out`, each at the
    /// time when its wait ended. To be called about once a second.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Decoded>) {
        let Shared { stats, limits, .. } = &mut self.shared;
        self.fragments.expire(now, limits, stats);
        self.shared.sub = 0;
        self.table.expire(now, &mut self.shared, out);
    }

    /// Ends: everything that still waits is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<Decoded>) {
        let Shared { stats, limits, .. } = &mut self.shared;
        self.fragments.expire(Timestamp::MAX, limits, stats);
        self.shared.sub = 0;
        self.table.finish(&mut self.shared, out);
    }

    /// What was counted so far.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Takes what is in a frame, or in a tunnel; that may be another one, `depth` times.
    fn packet(&mut self, frame: &Frame<'_>, depth: usize, out: &mut Vec<Decoded>) {
        let packet = match link::ip_packet(frame) {
            Ok(packet) => packet,
            Err(reason) => return self.shared.stats.drop(reason),
        };
        let Some(fragment) = packet.fragment else {
            return self.whole(&packet, frame, depth, out);
        };
        if self.is_copy(&packet, frame.time) {
            return;
        }
        // The datagram will never be whole. Its first fragment is read as a datagram that was cut.
        if packet.missing > 0 && fragment.offset == 0 {
            return self.whole(&packet, frame, depth, out);
        }
        let Shared { stats, limits, .. } = &mut self.shared;
        let payload = self
            .fragments
            .add(&packet, fragment, frame.time, limits, stats);
        if let Some(payload) = payload {
            let packet = IpPacket {
                payload: &payload,
                ..packet
            };
            self.whole(&packet, frame, depth, out);
        }
    }

    /// Takes a whole packet: one that came so, or the fragments of one together.
    fn whole(
        &mut self,
        packet: &IpPacket<'_>,
        frame: &Frame<'_>,
        depth: usize,
        out: &mut Vec<Decoded>,
    ) {
        let inside = Some(self.tunnels)
            .filter(|_| depth > 0)
            .and_then(|tunnels| tunnels.inside(packet));
        if let Some((link, data)) = inside {
            let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let inner = Frame {
                link,
                data,
                wire_len: length.saturating_add(packet.missing),
                ..*frame
            };
            return self.packet(&inner, depth - 1, out);
        }
        // Fragments were looked at one by one, and of TCP each byte counts once anyway.
        let may_be_copy = packet.fragment.is_none() && packet.protocol == IpNumber::UDP;
        if may_be_copy && self.is_copy(packet, frame.time) {
            return;
        }
        let stamp = Stamp {
            time: frame.time,
            origin: frame.origin,
        };
        self.datagram(packet, stamp, out);
    }

    /// Whether the packet was seen before; that is counted. Nobody reads but TCP, UDP and GRE.
    fn is_copy(&mut self, packet: &IpPacket<'_>, time: Timestamp) -> bool {
        let Shared { stats, limits, .. } = &mut self.shared;
        let is_copy = matches!(
            packet.protocol,
            IpNumber::TCP | IpNumber::UDP | IpNumber::GRE
        ) && self.duplicates.is_copy(packet, time, limits.copy_wait);
        if is_copy {
            stats.drop(Drop::Duplicate);
        }
        is_copy
    }

    /// Takes a whole datagram: what an IP packet carries, or the fragments of one together.
    fn datagram(&mut self, packet: &IpPacket<'_>, stamp: Stamp, out: &mut Vec<Decoded>) {
        let understood = match packet.protocol {
            IpNumber::TCP => self.tcp(packet, stamp, out),
            IpNumber::UDP => self.udp(packet, stamp, out),
            _ => Some(()),
        };
        if understood.is_none() {
            self.shared.stats.drop(Drop::BadTransport);
        }
    }

    fn tcp(&mut self, packet: &IpPacket<'_>, stamp: Stamp, out: &mut Vec<Decoded>) -> Option<()> {
        let tcp = TcpSlice::from_slice(packet.payload).ok()?;
        let segment = Segment {
            sequence: tcp.sequence_number(),
            data: tcp.payload(),
            missing: packet.missing,
            acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
            fin: tcp.fin(),
            time: stamp.time,
            origin: stamp.origin,
        };
        let flags = Flags {
            syn: tcp.syn(),
            ack: tcp.ack(),
            rst: tcp.rst(),
        };
        // A bare acknowledgement says nothing; the kernel's filter may not even pass it on.
        let is_bare = segment.data.is_empty() && segment.missing == 0;
        if is_bare && !(segment.fin || flags.syn || flags.rst) {
            return Some(());
        }
        let (key, side) = flow_key(
            Transport::Tcp,
            packet,
            [tcp.source_port(), tcp.destination_port()],
        );
        // Only data and SYNs are worth an entry of their own.
        let is_worth = flags.syn || !is_bare;
        self.table
            .with(key, is_worth, stamp, &mut self.shared, out, |flow, cx| {
                flow.segment(side, &segment, flags, cx);
            });
        Some(())
    }

    fn udp(&mut self, packet: &IpPacket<'_>, stamp: Stamp, out: &mut Vec<Decoded>) -> Option<()> {
        let udp = UdpSlice::from_slice_lax(packet.payload).ok()?;
        let ports = [udp.source_port(), udp.destination_port()];
        let (key, side) = flow_key(Transport::Udp, packet, ports);
        if let Some(protocol) = protocol::datagram(udp.payload(), &key, &self.shared.limits) {
            self.table
                .with(key, true, stamp, &mut self.shared, out, |flow, cx| {
                    let errors = cx.stats.errors();
                    flow.datagram(protocol, side, udp.payload(), cx);
                    if packet.missing > 0 {
                        // What ends early because it was not captured contradicts nothing.
                        cx.stats.forgive(errors);
                    }
                });
        }
        Some(())
    }
}

fn flow_key(
    transport: Transport,
    packet: &IpPacket<'_>,
    [source, destination]: [u16; 2],
) -> (FlowKey, Side) {
    FlowKey::new(
        transport,
        (packet.source, source),
        (packet.destination, destination),
    )
}
