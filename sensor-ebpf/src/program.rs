//! Maps, settings and entry points.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::btf_maps::{ArrayOfMaps, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::{btf_map, classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_ebpf::{EbpfContext, Global};
use aya_log_ebpf::warn;
use sensor_ebpf::parse::Frame;
use sensor_ebpf::{
    CLOSED, COUNTERS as ALL, Connection, Counter, DEFAULT_PORTS, Direction, Endpoint,
    FRAGMENTS_MAX, Header, LEARNED_MAX, MAX_WORKERS, PORT_WORDS, Ports, SHUNTS_MAX,
};

use crate::filter::{self, FragmentKey};
use crate::frames::{KernelFrame, Source};
use crate::record;

/// Per CPU, a count for each [`Counter`].
#[btf_map]
static COUNTERS: PerCpuArray<[u64; ALL.len()], 1> = PerCpuArray::new();

/// One ring for each worker. The inner map here is a template: the daemon makes the rings, as
/// many and as large as it is told.
#[btf_map]
static RINGS: ArrayOfMaps<RingBuf<Header, 4096>, { MAX_WORKERS as usize }> = ArrayOfMaps::new();

/// Endpoints that serve an identity protocol on a port that is not listed.
#[btf_map]
pub(crate) static LEARNED: LruHashMap<Endpoint, u8, { LEARNED_MAX as usize }> = LruHashMap::new();

/// Connections of which the daemon needs nothing more but their end.
#[btf_map]
pub(crate) static SHUNTS: LruHashMap<Connection, u8, { SHUNTS_MAX as usize }> = LruHashMap::new();

/// Datagrams whose first fragment was taken, and by which worker.
#[btf_map]
pub(crate) static FRAGMENTS: LruHashMap<FragmentKey, u32, { FRAGMENTS_MAX as usize }> =
    LruHashMap::new();

/// The listed ports. The daemon overwrites this and the settings below before loading.
#[unsafe(no_mangle)]
pub(crate) static PORTS: [u64; PORT_WORDS] = *Ports::of(&DEFAULT_PORTS).words();

/// How many rings there are.
#[unsafe(no_mangle)]
pub(crate) static WORKERS: Global<u32> = Global::new(1);

/// The UDP port of VXLAN; [`CLOSED`] if tunnels are not looked into. The verifier leaves out then
/// what would.
#[unsafe(no_mangle)]
pub(crate) static VXLAN_PORT: Global<u32> = Global::new(CLOSED);

/// Zero if nothing is ever shunted.
#[unsafe(no_mangle)]
pub(crate) static SHUNT: Global<u8> = Global::new(1);

/// The daemon is woken at each multiple of so many waiting bytes, a power of two; else it comes by
/// itself.
#[unsafe(no_mangle)]
static WAKE_BYTES: Global<u64> = Global::new(131_072);

/// Not zero at the mirror port of a tap: the frames are copies, nobody else wants them.
#[unsafe(no_mangle)]
static DROP: Global<u8> = Global::new(0);

/// A full ring may be hit a million times a second; it is logged once in this many.
const LOG_EVERY: u64 = 1 << 20;

/// Frames that arrive, before the stack sees them.
#[xdp(frags)]
pub(crate) fn sensor_xdp(ctx: XdpContext) -> u32 {
    inspect(&ctx, KernelFrame::arriving(&ctx));
    if DROP.load() == 0 { XDP_PASS } else { XDP_DROP }
}

/// Frames that arrive, where the driver has no native XDP.
#[classifier]
pub(crate) fn sensor_ingress(ctx: TcContext) -> i32 {
    inspect(&ctx, KernelFrame::of(&ctx, Direction::Ingress));
    // UNSPEC lets the next program decide, as if this one were not there.
    if DROP.load() == 0 {
        TC_ACT_UNSPEC
    } else {
        TC_ACT_SHOT
    }
}

/// Frames that leave.
#[classifier]
pub(crate) fn sensor_egress(ctx: TcContext) -> i32 {
    inspect(&ctx, KernelFrame::of(&ctx, Direction::Egress));
    TC_ACT_UNSPEC
}

/// Returns at once: what the cost of the others is measured against.
#[xdp(frags)]
pub(crate) fn baseline(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Counts the frame, and copies it if the filter chooses it.
#[inline(always)]
fn inspect<C: EbpfContext, S: Source>(ctx: &C, frame: Option<KernelFrame<S>>) {
    let Some(counters) = Counters::of_this_cpu() else {
        return;
    };
    let sequence = counters.add(Counter::Seen, 1);
    let Some(mut frame) = frame else {
        counters.add(Counter::LoadFailed, 1);
        return;
    };
    let Some(worker) = filter::choose(&mut frame, &counters) else {
        return;
    };
    counters.add(Counter::Matched, 1);
    let Some(ring) = RINGS.get(worker) else {
        counters.add(Counter::NoRing, 1);
        return;
    };
    match record::copy(&frame, ring, sequence, WAKE_BYTES.load()) {
        Ok(records) => {
            counters.add(Counter::Copied, 1);
            counters.add(Counter::CopiedBytes, u64::from(frame.size()));
            counters.add(Counter::Records, records);
        }
        Err(reason) => {
            let times = counters.add(reason, 1);
            if times % LOG_EVERY == 1 {
                warn!(ctx, "frames are lost; the counters say how many and why");
            }
        }
    }
}

/// This CPU's counters.
pub(crate) struct Counters(*mut [u64; ALL.len()]);

impl Counters {
    fn of_this_cpu() -> Option<Self> {
        COUNTERS.get_ptr_mut(0).map(Self)
    }

    /// Adds to a counter and returns its new value.
    #[inline(always)]
    pub(crate) fn add(&self, counter: Counter, by: u64) -> u64 {
        // SAFETY: the pointer is to this CPU's own slot, which lives as long as the map; the
        // program is not interrupted by itself on one CPU, because both XDP and TC run with
        // bottom halves disabled. A counter's place is below the array's length by construction.
        unsafe {
            let slot = self.0.cast::<u64>().add(counter as usize);
            *slot = (*slot).wrapping_add(by);
            *slot
        }
    }
}

/// The kernel lends some helpers only to programs under a licence it counts as compatible with
/// the GPL; MIT, one of this project's two, is.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: nothing here can panic, and the verifier refuses a program in which it could.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
