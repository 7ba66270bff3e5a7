//! Frames as the kernel hands them over: an XDP buffer on its way in, a socket buffer elsewhere.
//! Both may keep their bytes in several pieces; the first is read directly, the others by helper.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_ebpf::{EbpfContext, cty::c_long};
use sensor_ebpf::Direction;
use sensor_ebpf::parse::Frame;

/// A frame in the kernel.
pub(crate) trait KernelFrame: Frame {
    /// Where it was seen.
    fn direction(&self) -> Direction;

    /// The interface that it arrived at or leaves by.
    fn ifindex(&self) -> u32;

    /// Copies `len` bytes at `offset` to `to`, across pieces.
    ///
    /// # Safety
    ///
    /// `to` must point to `len` writable bytes.
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long>;
}

/// A frame that XDP sees.
pub(crate) struct XdpFrame {
    ctx: *mut xdp_md,
    len: u32,
    data: usize,
    end: usize,
    ifindex: u32,
}

impl XdpFrame {
    #[inline(always)]
    pub(crate) fn new(ctx: &XdpContext) -> Self {
        Self {
            ctx: ctx.ctx,
            // SAFETY: the pointer is the program's own context. A frame's length fits 32 bits.
            len: unsafe { bpf_xdp_get_buff_len(ctx.ctx) } as u32,
            data: ctx.data(),
            end: ctx.data_end(),
            ifindex: ctx.ingress_ifindex() as u32,
        }
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn size(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        read(self, self.data, self.end, offset)
    }
}

impl KernelFrame for XdpFrame {
    #[inline(always)]
    fn direction(&self) -> Direction {
        Direction::Ingress
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        self.ifindex
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long> {
        // SAFETY: the context is the program's own; the caller vouches for `to`.
        match unsafe { bpf_xdp_load_bytes(self.ctx, offset, to.cast::<c_void>(), len) } {
            0 => Ok(()),
            error => Err(error),
        }
    }
}

/// A frame that TC sees. A VLAN tag that the card or the stack keeps beside the frame is not
/// among its bytes; the Ethernet type is then already that of what follows.
pub(crate) struct SkbFrame {
    skb: *mut __sk_buff,
    len: u32,
    data: usize,
    end: usize,
    ifindex: u32,
    direction: Direction,
}

impl SkbFrame {
    #[inline(always)]
    pub(crate) fn new(ctx: &TcContext, direction: Direction) -> Self {
        let skb = ctx.as_ptr().cast::<__sk_buff>();
        Self {
            skb,
            len: ctx.len(),
            data: ctx.data(),
            end: ctx.data_end(),
            // SAFETY: the pointer is the program's own context.
            ifindex: unsafe { (*skb).ifindex },
            direction,
        }
    }
}

impl Frame for SkbFrame {
    #[inline(always)]
    fn size(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        read(self, self.data, self.end, offset)
    }
}

impl KernelFrame for SkbFrame {
    #[inline(always)]
    fn direction(&self) -> Direction {
        self.direction
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        self.ifindex
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> Result<(), c_long> {
        // SAFETY: the context is the program's own; the caller vouches for `to`.
        match unsafe {
            bpf_skb_load_bytes(self.skb.cast::<c_void>(), offset, to.cast::<c_void>(), len)
        } {
            0 => Ok(()),
            error => Err(error),
        }
    }
}

/// Reads from the first piece if the bytes are there (nearly always for headers), else by helper.
#[inline(always)]
fn read<F: KernelFrame, const N: usize>(
    frame: &F,
    data: usize,
    end: usize,
    offset: u32,
) -> Option<[u8; N]> {
    let start = data + offset as usize;
    if start + N <= end {
        // SAFETY: the bytes lie between the start and the end of the first piece; the verifier
        // has just been shown so.
        return Some(unsafe { (start as *const [u8; N]).read_unaligned() });
    }
    if offset + N as u32 > frame.size() {
        return None;
    }
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the target has room for `N` bytes, all of which the helper writes if it succeeds.
    unsafe {
        frame
            .load(offset, bytes.as_mut_ptr().cast(), N as u32)
            .ok()?;
        Some(bytes.assume_init())
    }
}
