//! Decides whether a frame is identity traffic.

use sensor_ebpf::parse::{Datagram, Frame, Part, TCP, UDP, Unread, parse};
use sensor_ebpf::recognise::{Server, WINDOW, recognise};
use sensor_ebpf::{Address, Counter, endpoint};

use crate::program::{Counters, FRAGMENTS, LEARNED, PORTS};

/// Names a fragmented datagram: source, destination, identification, protocol.
pub(crate) type FragmentKey = [u32; 10];

/// TCP flags (RFC 9293 3.1) that open or end a flow: FIN, SYN, RST.
const FLOW_EDGE: u8 = 0x01 | 0x02 | 0x04;

/// The addresses of the frame's datagram if it is to be copied.
#[inline(always)]
pub(crate) fn choose<F: Frame>(frame: &F, counters: &Counters) -> Option<(Address, Address)> {
    let datagram = match parse(frame) {
        Ok(datagram) => datagram,
        Err(Unread::NotIp) => return None,
        Err(Unread::Truncated) => {
            counters.add(Counter::Truncated, 1);
            return None;
        }
        Err(Unread::Extensions) => {
            counters.add(Counter::Extensions, 1);
            return None;
        }
    };
    if datagram.protocol != TCP && datagram.protocol != UDP {
        return None;
    }
    let chosen = match datagram.part {
        Part::Whole => is_watched(frame, &datagram, counters),
        Part::First(id) => {
            let chosen = is_watched(frame, &datagram, counters);
            if chosen && FRAGMENTS.insert(fragment_key(&datagram, id), 1, 0).is_err() {
                counters.add(Counter::Forgotten, 1);
            }
            chosen
        }
        Part::Later(id) => {
            let follows = FRAGMENTS.get_ptr(fragment_key(&datagram, id)).is_some();
            counters.add(
                if follows {
                    Counter::Fragments
                } else {
                    Counter::LateFragments
                },
                1,
            );
            follows
        }
    };
    chosen.then_some((datagram.source, datagram.destination))
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
    let watched = listed
        || LEARNED
            .get_ptr(endpoint(datagram.destination, destination))
            .is_some()
        || LEARNED.get_ptr(endpoint(datagram.source, source)).is_some();
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
    if len == 0 && flags & FLOW_EDGE == 0 {
        counters.add(Counter::BareAcks, 1);
        return false;
    }
    true
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
