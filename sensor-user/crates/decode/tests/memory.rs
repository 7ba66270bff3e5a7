//! What an idle connection takes, by every protocol: a controller has very many of them.
#![expect(unsafe_code, reason = "an allocator that counts is one")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use goshawk_decode::{Decoder, Limits};

use support::ldap;
use support::messages::{Pdu, as_req, record};
use support::smb::logon;
use support::wire::Wire;

/// Counts the bytes that this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is done by the system's allocator, which is one; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Connections that are open at once; beside so many, what a decoder has once weighs little.
const CONNECTIONS: u16 = 4096;

/// Bytes that each of many connections takes once nothing waits on it any more.
fn held_by_each(talk: impl Fn(&mut Wire, u16)) -> usize {
    let mut wire = Wire::new();
    for port in 0..CONNECTIONS {
        talk(&mut wire, 10_000 + port);
    }
    let mut decoder = Decoder::new(Arc::from("test"), Limits::default());
    let before = HELD.get();
    let mut out = Vec::new();
    for (origin, packet) in wire.packets.iter().enumerate() {
        decoder.frame(&packet.frame(origin as u64), &mut out);
        out.clear();
    }
    decoder.tick(wire.time + Duration::from_secs(61), &mut out);
    drop(out);
    (HELD.get() - before) / usize::from(CONNECTIONS)
}

/// Every bound is what was measured, and a fifth.
#[test]
fn an_idle_connection_takes_little() {
    let stranger = held_by_each(|wire, port| {
        let mut tcp = wire.open(port, 445);
        wire.ask(&mut tcp, b"SSH-2.0-OpenSSH_9.2");
    });
    let kerberos = held_by_each(|wire, port| {
        let mut tcp = wire.open(port, 88);
        wire.ask(&mut tcp, &record(&as_req("alice", &[], &[18])));
    });
    let ldap = held_by_each(|wire, port| {
        let mut tcp = wire.open(port, 389);
        let filter = ldap::equals("cn", b"bob");
        wire.ask(&mut tcp, &ldap::search(1, "DC=corp", &filter, &[]));
        wire.answer(&mut tcp, &ldap::result(1, 0x65, 0, ""));
    });
    let dcerpc = held_by_each(|wire, port| {
        let mut tcp = wire.open(port, 1025);
        wire.ask(&mut tcp, &Pdu::request(1, 3, &[]).bytes());
    });
    let smb = held_by_each(|wire, port| {
        let mut tcp = wire.open(port, 445);
        logon(wire, &mut tcp, r"\\dc1\IPC$", 2);
    });
    let held = [
        ("a stranger", stranger, 260),
        ("Kerberos", kerberos, 370),
        ("LDAP", ldap, 500),
        ("DCE/RPC", dcerpc, 475),
        ("SMB", smb, 1000),
    ];
    for (_, bytes, bound) in held {
        assert!(bytes <= bound, "{held:?}");
    }
}
