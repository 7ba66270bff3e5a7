//! Frames that took several ring records, made whole again.

use std::collections::HashMap;

use sensor_ebpf::{Header, MAX_FRAME};

/// Frames whose records are still coming, one for each CPU at most: a CPU finishes a frame
/// before it begins the next. Bounded by the machine's CPUs and [`MAX_FRAME`].
#[derive(Debug, Default)]
pub(super) struct Assembly {
    partial: HashMap<u16, Partial>,
    whole: Vec<u8>,
    /// Frames of which a record is missing.
    pub(super) incomplete: u64,
}

#[derive(Debug)]
struct Partial {
    packet: u64,
    bytes: Vec<u8>,
}

impl Assembly {
    /// Takes a record; returns the frame's bytes if they are all there now.
    pub(super) fn add<'a>(&'a mut self, header: &Header, body: &'a [u8]) -> Option<&'a [u8]> {
        let is_whole = header.offset == 0 && header.len == header.frame_len;
        // A frame that begins says that this CPU's last one will not be finished.
        if header.offset == 0 && !self.partial.is_empty() {
            self.abandon(header.cpu());
        }
        if is_whole {
            return Some(body);
        }
        if header.frame_len > MAX_FRAME {
            self.incomplete += 1;
            return None;
        }
        if header.offset == 0 {
            let mut bytes = Vec::with_capacity(header.frame_len as usize);
            bytes.extend_from_slice(body);
            self.partial.insert(
                header.cpu(),
                Partial {
                    packet: header.packet,
                    bytes,
                },
            );
            return None;
        }
        let partial = self.partial.get_mut(&header.cpu());
        let Some(partial) = partial
            .filter(|p| p.packet == header.packet && p.bytes.len() == header.offset as usize)
        else {
            // Its beginning is missing. Later records of the same frame find nothing, either;
            // only the first of them counts it, the one that ends an unfinished frame.
            self.abandon(header.cpu());
            return None;
        };
        partial.bytes.extend_from_slice(body);
        if partial.bytes.len() < header.frame_len as usize {
            return None;
        }
        self.whole = self.partial.remove(&header.cpu())?.bytes;
        Some(&self.whole)
    }

    fn abandon(&mut self, cpu: u16) {
        if self.partial.remove(&cpu).is_some() {
            self.incomplete += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: u64 = 1 << 48;

    fn header(packet: u64, frame_len: u32, offset: u32, len: u32) -> Header {
        Header {
            time: 1,
            packet,
            frame_len,
            offset,
            len,
            ifindex: 1,
            direction: 0,
            link: 0,
        }
    }

    #[test]
    fn a_frame_in_one_record_is_handed_through() {
        let mut assembly = Assembly::default();
        assert_eq!(
            assembly.add(&header(1, 3, 0, 3), &[1, 2, 3]),
            Some(&[1, 2, 3][..])
        );
        assert_eq!(assembly.incomplete, 0);
    }

    #[test]
    fn records_of_two_cpus_interleave() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&header(1, 4, 0, 2), &[1, 2]), None);
        assert_eq!(assembly.add(&header(CPU | 1, 4, 0, 2), &[5, 6]), None);
        assert_eq!(
            assembly.add(&header(1, 4, 2, 2), &[3, 4]),
            Some(&[1, 2, 3, 4][..])
        );
        assert_eq!(
            assembly.add(&header(CPU | 1, 4, 2, 2), &[7, 8]),
            Some(&[5, 6, 7, 8][..])
        );
        assert_eq!(assembly.incomplete, 0);
    }

    #[test]
    fn a_frame_without_its_end_is_counted_when_the_next_begins() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&header(1, 4, 0, 2), &[1, 2]), None);
        assert_eq!(assembly.add(&header(2, 1, 0, 1), &[9]), Some(&[9][..]));
        assert_eq!(assembly.incomplete, 1);
        // Its late end finds nothing.
        assert_eq!(assembly.add(&header(1, 4, 2, 2), &[3, 4]), None);
        assert_eq!(assembly.incomplete, 1);
    }

    #[test]
    fn a_hole_in_the_middle_is_not_papered_over() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(&header(1, 6, 0, 2), &[1, 2]), None);
        assert_eq!(assembly.add(&header(1, 6, 4, 2), &[5, 6]), None);
        assert_eq!(assembly.incomplete, 1);
    }

    #[test]
    fn every_cpu_holds_one_frame_at_most() {
        let mut assembly = Assembly::default();
        for packet in 0..1000 {
            assert_eq!(
                assembly.add(&header(packet, MAX_FRAME, 0, 2), &[1, 2]),
                None
            );
        }
        assert_eq!((assembly.partial.len(), assembly.incomplete), (1, 999));
        assert_eq!(
            assembly.add(&header(1000, MAX_FRAME + 1, 0, 2), &[1, 2]),
            None
        );
        assert_eq!((assembly.partial.len(), assembly.incomplete), (0, 1001));
    }
}
