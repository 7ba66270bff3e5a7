//! Frames as the kernel hands them over: an XDP buffer on its way in, a socket buffer elsewhere.
//!
//! Both may keep their bytes in several pieces. Their first bytes are copied, by the one helper
//! that reads across pieces, to a place where headers are then read: reading them where they lie
//! would be a little faster, but each read could be served in two ways, and the verifier would
//! have to follow what comes after for every combination of them.

use core::arch::asm;
use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::cty::c_long;
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::{TcContext, XdpContext};
use sensor_ebpf::parse::{Frame, HEAD};
use sensor_ebpf::tunnel::Inside;
use sensor_ebpf::{Direction, Link};

/// Per CPU, the first bytes of the frame at hand.
#[btf_map]
static HEADS: PerCpuArray<[u8; HEAD], 1> = PerCpuArray::new();

/// The same number, of which LLVM does not know where it came from. LLVM would check one copy of
/// a number and use another, and the verifier would not see that they are one.
#[inline(always)]
fn opaque(mut number: u64) -> u64 {
    // A real instruction: of a comment alone the kernel's debug information makes no sense.
    // SAFETY: moves a register to itself.
    unsafe { asm!("{0} = {0}", inout(reg) number) };
    number
}

/// `len` if it is 1 to `N`, in a form by which every verifier knows so: that of 6.1 learns no lower
/// bound from a comparison with zero, so the length is checked less one.
#[inline(always)]
pub(crate) fn bounded<const N: usize>(len: u32) -> Option<u32> {
    let less_one = opaque(u64::from(len).wrapping_sub(1));
    (less_one < N as u64).then(|| (less_one + 1) as u32)
}

/// A frame in the kernel, or the part of it that is inside a tunnel, and its first bytes.
pub(crate) struct KernelFrame<S> {
    source: S,
    /// Where it starts in the kernel's buffer.
    start: u32,
    len: u32,
    link: Link,
    ifindex: u32,
    direction: Direction,
    head: *mut u8,
}

/// A part of the kernel's buffer.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    start: u32,
    len: u32,
    link: Link,
}

impl Extent {
    /// The part of it that is inside a tunnel; `None` if it ends before.
    #[inline(always)]
    pub(crate) fn behind(self, inside: Inside) -> Option<Self> {
        Some(Self {
            start: self.start + inside.start,
            len: self.len.checked_sub(inside.start)?,
            link: inside.link,
        })
    }
}

/// What a kernel frame is read from.
pub(crate) trait Source {
    /// Copies `len` bytes at `offset` to `to`, across pieces.
    ///
    /// # Safety
    ///
    /// `to` must point to `len` writable bytes.
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long>;
}

/// An XDP buffer.
pub(crate) struct Xdp(*mut xdp_md);

/// A socket buffer. A VLAN tag that the card or the stack keeps beside the frame is not among its
/// bytes; the Ethernet type is then already that of what follows.
pub(crate) struct Skb(*mut __sk_buff);

impl KernelFrame<Xdp> {
    #[inline(always)]
    pub(crate) fn arriving(ctx: &XdpContext) -> Option<Self> {
        // SAFETY: the pointer is the program's own context. A frame's length fits 32 bits.
        let len = unsafe { bpf_xdp_get_buff_len(ctx.ctx) } as u32;
        let ifindex = ctx.ingress_ifindex() as u32;
        Self::new(Xdp(ctx.ctx), len, ifindex, Direction::Ingress)
    }
}

impl KernelFrame<Skb> {
    #[inline(always)]
    pub(crate) fn of(ctx: &TcContext, direction: Direction) -> Option<Self> {
        let skb = ctx.as_ptr().cast::<__sk_buff>();
        // SAFETY: the pointer is the program's own context.
        let ifindex = unsafe { (*skb).ifindex };
        Self::new(Skb(skb), ctx.len(), ifindex, direction)
    }
}

impl<S: Source> KernelFrame<S> {
    #[inline(always)]
    fn new(source: S, len: u32, ifindex: u32, direction: Direction) -> Option<Self> {
        let frame = Self {
            source,
            start: 0,
            len,
            link: Link::Ethernet,
            ifindex,
            direction,
            head: HEADS.get_ptr_mut(0)?.cast::<u8>(),
        };
        frame.read_head()?;
        Some(frame)
    }

    /// Reads the first bytes.
    #[inline(always)]
    fn read_head(&self) -> Option<()> {
        let len = if self.len < HEAD as u32 {
            self.len
        } else {
            HEAD as u32
        };
        let part = bounded::<HEAD>(len)?;
        // SAFETY: 1 to `HEAD` bytes are written to this CPU's own place, which has `HEAD`.
        unsafe { self.load(0, self.head, part).ok() }
    }

    /// Goes on with another part of the kernel's buffer; `None` if that is not there.
    #[inline(always)]
    pub(crate) fn enter(&mut self, extent: Extent) -> Option<()> {
        self.reach(extent);
        self.read_head()
    }

    /// Which part of the kernel's buffer this is.
    #[inline(always)]
    pub(crate) fn extent(&self) -> Extent {
        Extent {
            start: self.start,
            len: self.len,
            link: self.link,
        }
    }

    /// Makes this another part of the kernel's buffer, to be loaded from; its first bytes are not
    /// read.
    #[inline(always)]
    pub(crate) fn reach(&mut self, extent: Extent) {
        self.start = extent.start;
        self.len = extent.len;
        self.link = extent.link;
    }

    /// What it begins with.
    #[inline(always)]
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// Where it was seen.
    #[inline(always)]
    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// The interface that it arrived at or leaves by.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Copies `len` bytes at `offset` to `to`.
    ///
    /// # Safety
    ///
    /// `to` must point to `len` writable bytes.
    #[inline(always)]
    pub(crate) unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long> {
        // SAFETY: the caller's.
        unsafe { self.source.load(self.start + offset, to, len) }
    }
}

impl<S> Frame for KernelFrame<S> {
    #[inline(always)]
    fn size(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // Checked against a constant, too: the verifier of 6.1 learns nothing from a comparison of
        // two numbers that it does not know. That of 6.12 learns something wrong of a number from a
        // comparison of its sum with a constant, so what is left behind it is compared.
        let at = opaque(offset.into());
        let left = i64::from(self.len).wrapping_sub(at.cast_signed());
        if at > (HEAD - N) as u64 || left < N as i64 {
            return None;
        }
        // SAFETY: the bytes lie inside the head, of which `len` bytes or all were written.
        Some(unsafe {
            self.head
                .add(at as usize)
                .cast::<[u8; N]>()
                .read_unaligned()
        })
    }
}

impl Source for Xdp {
    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long> {
        // SAFETY: the context is the program's own; the caller vouches for `to`.
        match unsafe { bpf_xdp_load_bytes(self.0, offset, to.cast::<c_void>(), len) } {
            0 => Ok(()),
            error => Err(error),
        }
    }
}

impl Source for Skb {
    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long> {
        let skb = self.0.cast::<c_void>();
        // SAFETY: the context is the program's own; the caller vouches for `to`.
        match unsafe { bpf_skb_load_bytes(skb, offset, to.cast::<c_void>(), len) } {
            0 => Ok(()),
            error => Err(error),
        }
    }
}
