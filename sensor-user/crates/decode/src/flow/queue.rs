//! Segments of a TCP stream that wait for one before them.

use std::collections::BTreeMap;

/// Segments by their position in the stream. They do not overlap: where a byte comes twice, the
/// first copy stays.
#[derive(Debug, Default)]
pub(super) struct Queue {
    segments: BTreeMap<u64, Kept>,
    cost: usize,
}

/// A segment, or what of it was new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) data: Box<[u8]>,
    /// Bytes behind `data` that were on the wire and not in the capture.
    pub(super) missing: u32,
}

/// Cost of keeping one segment beyond its bytes, so that a flood of tiny ones is bounded too.
const SEGMENT_COST: usize = 64;

impl Queue {
    /// Position of the first segment.
    pub(super) fn first(&self) -> Option<u64> {
        self.segments.keys().next().copied()
    }

    /// Bytes kept, and what keeping them costs.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Takes out the first segment, if it starts at or before `next`.
    pub(super) fn pop(&mut self, next: u64) -> Option<(u64, Kept)> {
        let first = self.segments.first_entry()?;
        if *first.key() > next {
            return None;
        }
        let (start, kept) = first.remove_entry();
        self.cost -= kept.data.len() + SEGMENT_COST;
        Some((start, kept))
    }

    /// Keeps what of a segment is new.
    pub(super) fn insert(&mut self, start: u64, data: &[u8], missing: u32) {
        let (mut at, mut data, mut missing) = (start, data, missing);
        // Behind the end of what is kept before it ...
        if let Some((&before, kept)) = self.segments.range(..=at).next_back() {
            let overlap = (before + kept.length()).saturating_sub(at);
            let known = overlap.min(data.len() as u64);
            at += known;
            data = data.get(known as usize..).unwrap_or_default();
            missing = missing.saturating_sub(u32::try_from(overlap - known).unwrap_or(u32::MAX));
        }
        // ... and into each hole before what is kept after it.
        while !data.is_empty() {
            let next = self.segments.range(at..).next();
            let (hole, known) =
                next.map_or((u64::MAX, 0), |(&next, kept)| (next - at, kept.length()));
            let fits = hole.min(data.len() as u64);
            let (piece, rest) = data.split_at(fits as usize);
            if !piece.is_empty() {
                let is_last = rest.is_empty() && hole == u64::MAX;
                let kept = Kept {
                    data: piece.into(),
                    missing: if is_last { missing } else { 0 },
                };
                self.cost += piece.len() + SEGMENT_COST;
                self.segments.insert(at, kept);
            }
            let known = known.min(rest.len() as u64);
            at += fits + known;
            data = rest.get(known as usize..).unwrap_or_default();
        }
    }
}

impl Kept {
    fn length(&self) -> u64 {
        self.data.len() as u64 + u64::from(self.missing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_copy_of_each_byte_stays(
            segments in vec((0..60u64, 1..30usize), 1..12),
        ) {
            let mut queue = Queue::default();
            let mut expected = BTreeMap::new();
            for (copy, (start, length)) in segments.into_iter().enumerate() {
                let data = vec![copy as u8; length];
                queue.insert(start, &data, 0);
                for at in start..start + length as u64 {
                    expected.entry(at).or_insert(copy as u8);
                }
            }
            let mut found = BTreeMap::new();
            while let Some((start, kept)) = queue.pop(u64::MAX) {
                for (at, byte) in (start..).zip(kept.data) {
                    prop_assert_eq!(found.insert(at, byte), None);
                }
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(queue.cost(), 0);
        }
    }

    #[test]
    fn what_is_not_in_order_yet_stays() {
        let mut queue = Queue::default();
        queue.insert(10, b"later", 3);
        assert_eq!(queue.pop(9), None);
        assert_eq!(queue.first(), Some(10));
        let kept = Kept {
            data: (*b"later").into(),
            missing: 3,
        };
        assert_eq!(queue.pop(10), Some((10, kept)));
    }
}
