//! Decides whether a frame is identity traffic.

use sensor_ebpf::parse::{Datagram, Frame, GRE, Part, TCP, UDP, Unread, parse};
use sensor_ebpf::recognise::{Server, WINDOW, recognise};
use sensor_ebpf::tunnel::{MAX_TUNNELS, inside};
use sensor_ebpf::{CLOSED, Counter, Endpoint, connection, endpoint, worker};

use crate::frames::{KernelFrame, Source};
use crate::notes::Notes;
use crate::program::{Counters, FRAGMENTS, LEARNED, PORTS, SHUNT, SHUNTS, VXLAN_PORT, WORKERS};

/// Names a fragmented datagram: source, destination, identification, protocol.
pub(crate) type FragmentKey = [u32; 10];

/// TCP flags (RFC 9293 3.1) that open or end a flow: FIN, SYN, RST.
const FLOW_EDGE: u8 = 0x01 | 0x02 | 0x04;

/// The worker that gets the frame, if it is to be copied. Behind a tap, what is inside of tunnels
/// takes the frame's place.
#[inline(always)]
pub(crate) fn choose<S: Source>(frame: &mut KernelFrame<S>, counters: &Counters) -> Option<u32> {
    let datagram = read(frame, counters)?;
    if VXLAN_PORT.load() == CLOSED {
        judge(frame, &datagram, counters)
    } else {
        choose_inside(frame, datagram, counters)
    }
}

/// The same for the innermost datagram. Where the outside was cut into fragments it is copied as it
/// is, for the daemon to put together; the later fragments follow the first.
#[inline(always)]
fn choose_inside<S: Source>(
    frame: &mut KernelFrame<S>,
    datagram: Datagram,
    counters: &Counters,
) -> Option<u32> {
    let notes = Notes::begin()?;
    let mut datagram = notes.recall_datagram(datagram);
    for _ in 0..MAX_TUNNELS {
        let Some(inside) = inside(frame, &datagram, VXLAN_PORT.load() as u16) else {
            break;
        };
        counters.add(Counter::Unwrapped, 1);
        if let Part::First(id) = datagram.part {
            notes.cut(frame.extent(), fragment_key(&datagram, id));
        }
        let Some(extent) = frame.extent().behind(inside) else {
            counters.add(Counter::Truncated, 1);
            return None;
        };
        if frame.enter(notes.recall_extent(extent)).is_none() {
            counters.add(Counter::Truncated, 1);
            return None;
        }
        datagram = notes.recall_datagram(read(frame, counters)?);
    }
    let worker = judge(frame, &datagram, counters)?;
    if let Some((extent, key)) = notes.outermost_cut() {
        remember(key, worker, counters);
        frame.reach(extent);
    }
    Some(worker)
}

/// The IP datagram in the frame.
#[inline(always)]
fn read<S: Source>(frame: &KernelFrame<S>, counters: &Counters) -> Option<Datagram> {
    match parse(frame, frame.link()) {
        Ok(datagram) => Some(datagram),
        Err(Unread::NotIp) => None,
        Err(Unread::Truncated) => {
            counters.add(Counter::Truncated, 1);
            None
        }
        Err(Unread::Extensions) => {
            counters.add(Counter::Extensions, 1);
            None
        }
    }
}

/// The worker that gets the datagram, if it is identity traffic.
#[inline(always)]
fn judge<F: Frame>(frame: &F, datagram: &Datagram, counters: &Counters) -> Option<u32> {
    if let Part::Later(id) = datagram.part {
        return follow(datagram, id, counters);
    }
    if datagram.protocol != TCP && datagram.protocol != UDP {
        return None;
    }
    if !is_watched(frame, datagram, counters) {
        return None;
    }
    let worker = worker(datagram.source, datagram.destination, WORKERS.load());
    if let Part::First(id) = datagram.part {
        remember(&fragment_key(datagram, id), worker, counters);
    }
    Some(worker)
}

/// The worker that got the first fragment of this later one's datagram.
#[inline(always)]
fn follow(datagram: &Datagram, id: u32, counters: &Counters) -> Option<u32> {
    let is_tunnel = datagram.protocol == GRE && VXLAN_PORT.load() != CLOSED;
    if datagram.protocol != TCP && datagram.protocol != UDP && !is_tunnel {
        return None;
    }
    let Some(worker) = FRAGMENTS.get_ptr(fragment_key(datagram, id)) else {
        counters.add(Counter::LateFragments, 1);
        return None;
    };
    counters.add(Counter::Fragments, 1);
    // SAFETY: a value of the map lives as long as the program runs on this packet.
    Some(unsafe { *worker })
}

#[inline(always)]
fn remember(key: &FragmentKey, worker: u32, counters: &Counters) {
    if FRAGMENTS.insert(key, worker, 0).is_err() {
        counters.add(Counter::Forgotten, 1);
    }
}

/// Whether the datagram belongs to a listed port, to a learned endpoint, or shows a protocol by
/// which its endpoint is learned.
#[inline(always)]
fn is_watched<F: Frame>(frame: &F, datagram: &Datagram, counters: &Counters) -> bool {
    let Some([s0, s1, d0, d1]) = frame.read(datagram.transport) else {
        counters.add(Counter::Truncated, 1);
        return false;
    };
    let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let listed = is_listed(source) || is_listed(destination);
    if datagram.protocol == UDP {
        return listed;
    }
    let Some([offset, flags]) = frame.read(datagram.transport + 12) else {
        // A first fragment may be cut here; its ports say enough.
        counters.add(Counter::Truncated, 1);
        return listed;
    };
    let payload = datagram.transport + u32::from(offset >> 4) * 4;
    let len = datagram.end.saturating_sub(payload);
    let ends = [
        endpoint(datagram.source, source),
        endpoint(datagram.destination, destination),
    ];
    let watched =
        listed || LEARNED.get_ptr(ends[1]).is_some() || LEARNED.get_ptr(ends[0]).is_some();
    if !watched {
        return len != 0
            && learns(
                frame,
                datagram,
                (source, destination),
                (payload, len),
                counters,
            );
    }
    let is_edge = flags & FLOW_EDGE != 0;
    if len == 0 && !is_edge {
        counters.add(Counter::BareAcks, 1);
        return false;
    }
    if SHUNT.load() != 0 && is_shunted(ends, is_edge) {
        counters.add(Counter::Shunted, 1);
        counters.add(Counter::ShuntedBytes, u64::from(frame.size()));
        return false;
    }
    true
}

/// Whether the daemon needs nothing of the connection but its edges. With one of them it may be
/// another connection, so that the shunt is over.
#[inline(always)]
fn is_shunted(ends: [Endpoint; 2], is_edge: bool) -> bool {
    let key = connection(ends[0], ends[1]);
    if is_edge {
        // Nearly always there is none.
        let _ = SHUNTS.remove(key);
        return false;
    }
    SHUNTS.get_ptr(key).is_some()
}

/// Looks at the payload; if it is a protocol of ours, remembers the endpoint that serves it.
#[inline(always)]
fn learns<F: Frame>(
    frame: &F,
    datagram: &Datagram,
    (source, destination): (u16, u16),
    (payload, len): (u32, u32),
    counters: &Counters,
) -> bool {
    let Some(server) = recognise(&window(frame, payload, len), len) else {
        return false;
    };
    let server_is_source = match server {
        Server::Source => true,
        Server::Destination => false,
        // Services listen on ports below those that clients are given.
        Server::Unsure => source < destination,
    };
    let key = if server_is_source {
        endpoint(datagram.source, source)
    } else {
        endpoint(datagram.destination, destination)
    };
    let outcome = match LEARNED.insert(key, 1, 0) {
        Ok(()) => Counter::Learned,
        Err(_) => Counter::Forgotten,
    };
    counters.add(outcome, 1);
    true
}

/// The first bytes of the payload, in steps of eight: the shortest messages end between steps.
#[inline(always)]
fn window<F: Frame>(frame: &F, payload: u32, len: u32) -> [u8; WINDOW] {
    const STEP: usize = 8;
    let mut window = [0; WINDOW];
    let mut at = 0;
    while at < WINDOW {
        if len < (at + STEP) as u32 {
            break;
        }
        let Some(bytes) = frame.read::<STEP>(payload + at as u32) else {
            break;
        };
        let mut i = 0;
        while i < STEP {
            window[at + i] = bytes[i];
            i += 1;
        }
        at += STEP;
    }
    window
}

#[inline(always)]
fn is_listed(port: u16) -> bool {
    // SAFETY: a port divided by 64 is below the 1024 words. Volatile, because the daemon
    // overwrites the words before loading and the compiler must not fold in the defaults.
    let word = unsafe { PORTS.as_ptr().add(port as usize / 64).read_volatile() };
    word >> (port % 64) & 1 == 1
}

#[inline(always)]
const fn fragment_key(datagram: &Datagram, id: u32) -> FragmentKey {
    let ([a, b, c, d], [e, f, g, h]) = (datagram.source, datagram.destination);
    [a, b, c, d, e, f, g, h, id, datagram.protocol as u32]
}
