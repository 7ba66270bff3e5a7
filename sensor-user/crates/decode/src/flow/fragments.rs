//! Datagrams put together from their fragments (RFC 791 3.2, RFC 8200 4.5).
//!
//! An exact repetition of a fragment is ignored: the first copy counts. Any other overlap is a
//! forgery (RFC 5722 section 3), and what the receiver makes of it depends on its system; the whole
//! datagram is dropped, as Linux and Windows do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use etherparse::IpNumber;
use goshawk_model::Timestamp;
use lru::LruCache;

use crate::limits::Limits;
use crate::link::{Fragment, IpPacket};
use crate::stats::{Drop, Stats};

/// The largest payload an IP datagram can have.
const MAX_DATAGRAM: u32 = 65_535;

/// Datagrams that wait for their missing fragments, the oldest first in line to make room.
pub(crate) struct Fragments {
    datagrams: LruCache<Key, Datagram>,
    bytes: usize,
}

/// What the fragments of a datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpNumber,
    identification: u32,
}

struct Datagram {
    since: Timestamp,
    /// Fragments by offset; they do not overlap.
    parts: BTreeMap<u32, Box<[u8]>>,
    bytes: u32,
    /// The datagram's length, once its last fragment has come.
    total: Option<u32>,
}

impl Fragments {
    pub(crate) fn new() -> Self {
        Self {
            datagrams: LruCache::unbounded(),
            bytes: 0,
        }
    }

    /// Takes a fragment; returns the datagram's payload if that completes it.
    pub(crate) fn add(
        &mut self,
        packet: &IpPacket<'_>,
        fragment: Fragment,
        time: Timestamp,
        limits: &Limits,
        stats: &mut Stats,
    ) -> Option<Vec<u8>> {
        let length = u32::try_from(packet.payload.len()).ok()?;
        let end = fragment.offset.checked_add(length)?;
        if packet.missing > 0 {
            stats.drop(Drop::CutPacket);
            return None;
        }
        if length == 0 || end > MAX_DATAGRAM {
            stats.drop(Drop::BadIp);
            return None;
        }
        let key = Key::of(packet, fragment);
        // Not promoted by use: the order of the table is the order of arrival.
        if self.datagrams.peek(&key).is_none() {
            self.datagrams.put(key, Datagram::new(time));
        }
        let datagram = self.datagrams.peek_mut(&key)?;
        match datagram.place(fragment, packet.payload, limits.max_fragments) {
            Ok(added) => self.bytes += added,
            Err(reason) => {
                stats.drop(reason);
                self.forget(&key);
                return None;
            }
        }
        if datagram.total == Some(datagram.bytes) {
            return self.forget(&key).map(Datagram::into_payload);
        }
        while self.datagrams.len() > limits.max_datagrams || self.bytes > limits.max_fragment_bytes
        {
            stats.drop(Drop::FragmentEvicted);
            self.forget_oldest();
        }
        None
    }

    /// Forgets the datagrams that have waited too long.
    pub(crate) fn expire(&mut self, now: Timestamp, limits: &Limits, stats: &mut Stats) {
        while self
            .datagrams
            .peek_lru()
            .is_some_and(|(_, datagram)| datagram.since + limits.fragment_wait <= now)
        {
            stats.drop(Drop::FragmentTimeout);
            self.forget_oldest();
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.pop(key)?;
        self.bytes = self.bytes.saturating_sub(datagram.bytes as usize);
        Some(datagram)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, datagram)) = self.datagrams.pop_lru() {
            self.bytes = self.bytes.saturating_sub(datagram.bytes as usize);
        }
    }
}

impl Key {
    pub(crate) fn of(packet: &IpPacket<'_>, fragment: Fragment) -> Self {
        Self {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            identification: fragment.identification,
        }
    }
}

impl Datagram {
    fn new(since: Timestamp) -> Self {
        Self {
            since,
            parts: BTreeMap::new(),
            bytes: 0,
            total: None,
        }
    }

    /// Puts a fragment in its place; returns how many bytes that adds.
    fn place(&mut self, fragment: Fragment, payload: &[u8], room: usize) -> Result<usize, Drop> {
        let length = u32::try_from(payload.len()).map_err(|_| Drop::BadIp)?;
        let (start, end) = (fragment.offset, fragment.offset + length);
        if !fragment.more {
            if self.total.is_some_and(|total| total != end) {
                return Err(Drop::FragmentOverlap);
            }
            self.total = Some(end);
        }
        if self.total.is_some_and(|total| end > total) {
            return Err(Drop::FragmentOverlap);
        }
        if let Some((&before, part)) = self.parts.range(..end).next_back() {
            if before == start && part.len() == payload.len() {
                return Ok(0);
            }
            if before + part.len() as u32 > start {
                return Err(Drop::FragmentOverlap);
            }
        }
        if self.parts.len() >= room {
            return Err(Drop::FragmentEvicted);
        }
        self.parts.insert(start, payload.into());
        self.bytes += length;
        Ok(payload.len())
    }

    fn into_payload(self) -> Vec<u8> {
        self.parts.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn packet(payload: &[u8]) -> IpPacket<'_> {
        IpPacket {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            protocol: IpNumber::UDP,
            fragment: None,
            header: &[],
            payload,
            missing: 0,
        }
    }

    struct Pool {
        fragments: Fragments,
        limits: Limits,
        stats: Stats,
    }

    impl Pool {
        fn new() -> Self {
            Self {
                fragments: Fragments::new(),
                limits: Limits::default(),
                stats: Stats::default(),
            }
        }

        fn add(
            &mut self,
            identification: u32,
            offset: u32,
            more: bool,
            data: &[u8],
        ) -> Option<Vec<u8>> {
            let fragment = Fragment {
                identification,
                offset,
                more,
            };
            self.fragments.add(
                &packet(data),
                fragment,
                Timestamp::ZERO,
                &self.limits,
                &mut self.stats,
            )
        }
    }

    #[test]
    fn fragments_in_any_order_make_a_datagram() {
        let mut pool = Pool::new();
        assert_eq!(pool.add(7, 16, false, b"end"), None);
        assert_eq!(pool.add(7, 8, true, b"--------"), None);
        assert_eq!(pool.add(7, 8, true, b"repeated"), None);
        assert_eq!(
            pool.add(7, 0, true, b"START   ").unwrap(),
            b"START   --------end"
        );
        assert_eq!(
            (pool.fragments.bytes, pool.fragments.datagrams.len()),
            (0, 0)
        );
    }

    #[test]
    fn overlapping_fragments_take_the_datagram_with_them() {
        let mut pool = Pool::new();
        pool.add(7, 0, true, b"0123456789abcdef");
        assert_eq!(pool.add(7, 8, false, b"overlaps and ends"), None);
        assert_eq!(pool.stats.dropped(Drop::FragmentOverlap), 1);
        assert_eq!(pool.fragments.bytes, 0);
    }

    #[test]
    fn a_flood_of_fragments_stays_within_its_bounds() {
        let mut pool = Pool::new();
        pool.limits.max_datagrams = 10;
        pool.limits.max_fragments = 5;
        pool.limits.max_fragment_bytes = 100;
        for identification in 0..100 {
            pool.add(identification, 0, true, &[0; 16]);
            assert!(pool.fragments.datagrams.len() <= 10);
            assert!(pool.fragments.bytes <= 100);
        }
        assert_eq!(pool.stats.dropped(Drop::FragmentEvicted), 94);
        pool.limits.max_fragment_bytes = 10_000;
        for part in 0..6 {
            pool.add(1000, part * 8, true, &[0; 8]);
        }
        assert_eq!(pool.stats.dropped(Drop::FragmentEvicted), 95);
    }

    #[test]
    fn what_waits_too_long_is_forgotten() {
        let mut pool = Pool::new();
        pool.add(7, 0, true, b"01234567");
        let late = Timestamp::ZERO + Duration::from_secs(30);
        pool.fragments.expire(late, &pool.limits, &mut pool.stats);
        assert_eq!(pool.stats.dropped(Drop::FragmentTimeout), 1);
        assert_eq!(pool.add(7, 8, false, b"end"), None);
    }
}
