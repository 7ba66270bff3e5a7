//! What a tap's program has found out so far, put down in memory between its steps.
//!
//! It is put down for the verifier's sake, which remembers nothing of what comes from there. Else it
//! would follow each step for every way in which the steps before it can end: three headers, one
//! inside the other, in dozens of forms each, are more than it is willing to.

use core::arch::asm;

use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::macros::btf_map;
use sensor_ebpf::parse::{Datagram, Part};

use crate::filter::FragmentKey;
use crate::frames::Extent;

/// Per CPU, the notes on the frame at hand.
#[btf_map]
static NOTES: PerCpuArray<Page, 1> = PerCpuArray::new();

#[repr(C)]
struct Page {
    datagram: Datagram,
    /// Its part: which, and the identification. An enum of them would be written with holes, which
    /// the verifier does not let anybody read.
    part: (u32, u32),
    extent: Extent,
    /// The outermost datagram that is the first of several fragments, and its place in the frame.
    cut: Extent,
    key: FragmentKey,
    is_cut: u32,
}

pub(crate) struct Notes(*mut Page);

impl Notes {
    #[inline(always)]
    pub(crate) fn begin() -> Option<Self> {
        let page = NOTES.get_ptr_mut(0)?;
        // SAFETY: the page is this CPU's own, and lives as long as the map.
        unsafe { (*page).is_cut = 0 };
        Some(Self(page))
    }

    /// The same datagram, of which nothing is known.
    #[inline(always)]
    pub(crate) fn recall_datagram(&self, datagram: Datagram) -> Datagram {
        let part = match datagram.part {
            Part::Whole => (0, 0),
            Part::First(id) => (1, id),
            Part::Later(id) => (2, id),
        };
        // SAFETY: as in `begin`; what is read was just written.
        unsafe {
            (*self.0).part = part;
            (*self.0).datagram = Datagram {
                part: Part::Whole,
                ..datagram
            };
            let page = self.page();
            let (part, id) = (*page).part;
            Datagram {
                part: match part {
                    0 => Part::Whole,
                    1 => Part::First(id),
                    _ => Part::Later(id),
                },
                ..(*page).datagram
            }
        }
    }

    /// The same extent, of which nothing is known.
    #[inline(always)]
    pub(crate) fn recall_extent(&self, extent: Extent) -> Extent {
        // SAFETY: as in `begin`; what is read was just written.
        unsafe {
            (*self.0).extent = extent;
            (*self.page()).extent
        }
    }

    /// Notes that the datagram at `extent` is the first of several fragments, unless it is inside of
    /// one that is.
    #[inline(always)]
    pub(crate) fn cut(&self, extent: Extent, key: FragmentKey) {
        // SAFETY: as in `begin`.
        unsafe {
            let page = self.page();
            if (*page).is_cut == 0 {
                (*page).cut = extent;
                (*page).key = key;
                (*page).is_cut = 1;
            }
        }
    }

    /// What was noted of fragments.
    #[inline(always)]
    pub(crate) fn outermost_cut(&self) -> Option<(Extent, &FragmentKey)> {
        // SAFETY: as in `begin`; what is read was written by `cut`.
        unsafe {
            let page = self.page();
            ((*page).is_cut != 0).then(|| ((*page).cut, &(*page).key))
        }
    }

    /// The page, of which LLVM does not know what is written on it.
    #[inline(always)]
    fn page(&self) -> *mut Page {
        let mut page = self.0;
        // SAFETY: moves a register to itself.
        unsafe { asm!("{0} = {0}", inout(reg) page) };
        page
    }
}
