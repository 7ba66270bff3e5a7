//! Copies a frame into its worker's ring.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::btf_maps::RingBuf;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_query};
use sensor_ebpf::parse::Frame;
use sensor_ebpf::{Counter, HEADER_LEN, Header, MAX_FRAME};

use crate::frames::{KernelFrame, Source, bounded};

type Ring = RingBuf<Header, 4096>;

/// Bytes of a frame in a record of each size class. The kernel wants sizes that are constant, and
/// adds 8 bytes: with the header of 40, a record takes 128, 256, 512, 2,048 or 16,384 bytes.
const TINY: usize = 80;
const SMALL: usize = 208;
const MEDIUM: usize = 464;
/// Holds a frame of the usual MTU.
const LARGE: usize = 2_000;
/// Larger frames (jumbo, or super-packets of segmentation offload) take several of these.
const HUGE: usize = 16_336;

/// Records of the largest class that the longest frame fills.
const MAX_HUGE: u32 = MAX_FRAME / HUGE as u32 + 1;

#[repr(C)]
struct Record<const N: usize> {
    header: Header,
    bytes: [u8; N],
}

const _: () = assert!(size_of::<Record<TINY>>() + 8 == 128);
const _: () = assert!(size_of::<Record<HUGE>>() + 8 == 16_384);
const _: () = assert!(size_of::<Record<0>>() == HEADER_LEN);

/// Copies the whole frame, in as many records as it needs. If one of them finds no room the
/// frame counts as lost; the daemon sees that the end is missing.
#[inline(always)]
pub(crate) fn copy<S: Source>(
    frame: &KernelFrame<S>,
    ring: &Ring,
    sequence: u64,
    wake_bytes: u64,
) -> Result<u64, Counter> {
    let total = frame.size();
    if total > MAX_FRAME {
        return Err(Counter::TooLong);
    }
    // SAFETY: helpers without arguments.
    let (time, cpu) = unsafe { (bpf_ktime_get_boot_ns(), bpf_get_smp_processor_id()) };
    let mut header = Header {
        time,
        packet: (u64::from(cpu) << 48) | (sequence & 0xffff_ffff_ffff),
        frame_len: total,
        offset: 0,
        len: HUGE as u32,
        ifindex: frame.ifindex(),
        direction: frame.direction() as u32,
        link: frame.link() as u32,
    };
    let mut wake = Wake {
        waiting: waiting(ring),
        added: 0,
        bytes: wake_bytes,
    };
    let mut records = 1;
    // Nothing but an error takes another way in here, or the verifier would have to follow each of
    // them through all that is left of the loop.
    for _ in 0..MAX_HUGE {
        if total - header.offset <= HUGE as u32 {
            break;
        }
        put::<S, HUGE>(frame, ring, &header, BPF_RB_NO_WAKEUP)?;
        wake.added += taken::<HUGE>();
        header.offset += HUGE as u32;
        records += 1;
    }
    header.len = total - header.offset;
    const TINY_MAX: u32 = TINY as u32;
    const SMALL_MAX: u32 = SMALL as u32;
    const MEDIUM_MAX: u32 = MEDIUM as u32;
    const LARGE_MAX: u32 = LARGE as u32;
    match header.len {
        0..=TINY_MAX => put::<S, TINY>(frame, ring, &header, wake.flag::<TINY>())?,
        ..=SMALL_MAX => put::<S, SMALL>(frame, ring, &header, wake.flag::<SMALL>())?,
        ..=MEDIUM_MAX => put::<S, MEDIUM>(frame, ring, &header, wake.flag::<MEDIUM>())?,
        ..=LARGE_MAX => put::<S, LARGE>(frame, ring, &header, wake.flag::<LARGE>())?,
        _ => put::<S, HUGE>(frame, ring, &header, wake.flag::<HUGE>())?,
    }
    Ok(records)
}

/// Writes one record of the class `N`.
#[inline(always)]
fn put<S: Source, const N: usize>(
    frame: &KernelFrame<S>,
    ring: &Ring,
    header: &Header,
    wake: u32,
) -> Result<(), Counter> {
    let mut entry = ring
        .reserve_untyped::<Record<N>>(0)
        .ok_or(Counter::RingFull)?;
    let record = entry.as_mut_ptr();
    let Some(len) = bounded::<N>(header.len) else {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Counter::LoadFailed);
    };
    // SAFETY: the record is ours until submitted; 1 to `N` bytes are written to its `N`.
    let loaded = unsafe {
        (&raw mut (*record).header).write(*header);
        frame.load(header.offset, (&raw mut (*record).bytes).cast(), len)
    };
    if loaded.is_err() {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Counter::LoadFailed);
    }
    entry.submit(wake.into());
    Ok(())
}

/// When to wake the daemon.
///
/// It comes by itself every few milliseconds, and is called only when much is waiting: once, by the
/// frame that makes it much, and again at each multiple, in case two CPUs passed the mark at once. A
/// wake-up for every record would cost a hundred times what the copy does, and just when the daemon is
/// behind.
struct Wake {
    /// Bytes that waited before the frame.
    waiting: u64,
    /// Bytes of the ring that its records have taken so far.
    added: u64,
    /// How many are much: a power of two.
    bytes: u64,
}

impl Wake {
    /// For the frame's last record, which is of the class `N`.
    #[inline(always)]
    fn flag<const N: usize>(&self) -> u32 {
        let then = self.waiting + self.added + taken::<N>();
        if (self.waiting ^ then) & !(self.bytes - 1) != 0 {
            BPF_RB_FORCE_WAKEUP
        } else {
            BPF_RB_NO_WAKEUP
        }
    }
}

/// Bytes that a record takes in the ring, with the ring's own header.
#[inline(always)]
const fn taken<const N: usize>() -> u64 {
    size_of::<Record<N>>() as u64 + 8
}

/// Bytes that wait in the ring.
#[inline(always)]
fn waiting(ring: &Ring) -> u64 {
    // SAFETY: the ring is a map of this program.
    unsafe {
        bpf_ringbuf_query(
            core::ptr::from_ref(ring).cast_mut().cast(),
            BPF_RB_AVAIL_DATA.into(),
        )
    }
}
