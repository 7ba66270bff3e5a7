//! Datagrams that a tap shows more than once: it mirrors both ways through a port, or two ports that
//! a packet passes. Of TCP's bytes each counts once anyway, by its place in the stream.
//!
//! A copy comes right behind and is the same from the IP header on, but for what a router between
//! the two places changes (RFC 1812 5.3.1, RFC 8200 3). The bytes themselves are compared, not a
//! hash of them alone: a sender who can make two packets of one hash would hide the second behind
//! the first.

use std::time::Duration;

use goshawk_model::Timestamp;

use crate::link::IpPacket;

/// The last packets, as many as there is room for. One that made room before its copy came costs
/// little: the copy is decoded, too.
///
/// A packet's way through it is short, since every packet goes it: only the index is reached at
/// random, and it is small; packets and their bytes lie one behind the other.
pub(crate) struct Duplicates {
    /// In sets of those that hash alike, where the oldest makes room.
    index: Box<[[Slot; WAYS]]>,
    /// The last packets, from the front again when the end is reached.
    seen: Box<[Seen]>,
    /// The next packet's number, as far as its lower bits tell.
    number: u16,
    /// Their bytes, likewise.
    bytes: Box<[u8]>,
    /// Where the next packet's bytes go, as if there were no end.
    next: u64,
}

/// A hint at a packet.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// More of its hash than the set tells.
    tag: u16,
    /// The lower bits of its number.
    number: u16,
}

/// A packet that was seen; the default is none.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Where its bytes are.
    at: u64,
    /// How many they are.
    length: usize,
    time: Timestamp,
}

const WAYS: usize = 4;
/// Packets whose numbers tell which came first.
const MOST: usize = 1 << 15;
/// Bytes for each: about as many as are compared of a packet.
const BYTES_EACH: usize = 64;
/// Bytes that the hash covers: the usual headers, and the beginning of what is in them.
const HASHED: usize = 64;

impl Duplicates {
    /// Remembers so many packets; see [`Limits::max_copies`](crate::Limits::max_copies).
    pub(crate) fn new(packets: usize) -> Self {
        let packets = packets.clamp(WAYS, MOST).next_power_of_two();
        let bytes = packets * BYTES_EACH;
        Self {
            index: vec![[Slot::default(); WAYS]; packets / WAYS].into_boxed_slice(),
            seen: vec![Seen::default(); packets].into_boxed_slice(),
            // As far as can be from the slots that were never taken.
            number: packets as u16,
            bytes: vec![0; bytes].into_boxed_slice(),
            // Behind all places that were never taken.
            next: bytes as u64,
        }
    }

    /// Whether `packet` is a copy of one that was seen at most `window` before; if it is none, it is
    /// remembered.
    pub(crate) fn is_copy(
        &mut self,
        packet: &IpPacket<'_>,
        time: Timestamp,
        window: Duration,
    ) -> bool {
        let Some(new) = self.write(packet, time) else {
            return false;
        };
        let (Some(bytes), written) = (self.bytes_of(&new), self.next) else {
            return false;
        };
        let hash = hash(bytes);
        // The upper bits of a product are the well-mixed ones.
        let sets = self.index.len();
        let (tag, set) = ((hash >> 48) as u16, (hash >> 32) as usize & (sets - 1));
        let Some(slots) = self.index.get(set) else {
            return false;
        };
        let is_copy = |slot: &Slot| {
            slot.tag == tag
                && self
                    .seen
                    .get(usize::from(slot.number) & (self.seen.len() - 1))
                    .is_some_and(|old| {
                        old.length == new.length
                            && old.time + window >= time
                            // It may have been written over.
                            && old.at + self.bytes.len() as u64 >= written
                            && self.bytes_of(old) == Some(bytes)
                    })
        };
        if slots.iter().any(is_copy) {
            return true;
        }
        let (number, packets) = (self.number, self.seen.len());
        let slot = self.index.get_mut(set).and_then(|slots| {
            slots
                .iter_mut()
                .max_by_key(|slot| number.wrapping_sub(slot.number))
        });
        let seen = self.seen.get_mut(usize::from(number) & (packets - 1));
        if let (Some(slot), Some(seen)) = (slot, seen) {
            *slot = Slot { tag, number };
            *seen = new;
            self.number = number.wrapping_add(1);
        }
        false
    }

    /// Writes what is compared of `packet` behind the others; `None` if that is too long.
    fn write(&mut self, packet: &IpPacket<'_>, time: Timestamp) -> Option<Seen> {
        let header = packet.header.len();
        let length = header + packet.payload.len();
        let room = self.bytes.len();
        let place = self.place(self.next);
        if place + length > room {
            self.next += (room - place) as u64;
        }
        let new = Seen {
            at: self.next,
            length,
            time,
        };
        let place = self.place(self.next);
        let (head, rest) = self
            .bytes
            .get_mut(place..place + length)?
            .split_at_mut_checked(header)?;
        head.copy_from_slice(packet.header);
        rest.copy_from_slice(packet.payload);
        forget_hops(head);
        self.next += length as u64;
        Some(new)
    }

    fn bytes_of(&self, seen: &Seen) -> Option<&[u8]> {
        let place = self.place(seen.at);
        self.bytes.get(place..place + seen.length)
    }

    /// Where the byte `at` is; their number is a power of two.
    fn place(&self, at: u64) -> usize {
        at as usize & (self.bytes.len() - 1)
    }
}

/// Clears what each router changes: the time to live and the checksum over it.
fn forget_hops(header: &mut [u8]) {
    match header {
        [0x60..0x70, _, _, _, _, _, _, hop_limit, ..] => *hop_limit = 0,
        [0x40..0x50, _, _, _, _, _, _, _, ttl, _, checksum @ ..] => {
            *ttl = 0;
            if let Some(checksum) = checksum.first_chunk_mut::<2>() {
                *checksum = [0; 2];
            }
        }
        _ => {}
    }
}

/// Spreads packets over the sets. Whoever makes many that hash alike hides nothing: copies are found
/// less often then.
fn hash(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let words = words.iter().take(HASHED / 8);
    words.fold(bytes.len() as u64, |hash, word| {
        (hash.rotate_left(5) ^ u64::from_ne_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

#[cfg(test)]
mod tests {
    use etherparse::IpNumber;

    use super::*;

    const PACKETS: usize = 4096;
    const WINDOW: Duration = Duration::from_millis(50);
    const UDP: [u8; 20] = [
        0x45, 0, 0, 0, 0, 7, 0, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 9, 10, 0, 0, 1,
    ];

    struct Tap {
        duplicates: Duplicates,
        time: Timestamp,
    }

    impl Tap {
        fn new() -> Self {
            Self {
                duplicates: Duplicates::new(PACKETS),
                time: Timestamp::from_parts(1_772_359_200, 0),
            }
        }

        fn shows(&mut self, header: &[u8], payload: &[u8]) -> bool {
            let packet = IpPacket {
                source: [10, 0, 0, 9].into(),
                destination: [10, 0, 0, 1].into(),
                protocol: IpNumber(header[9]),
                fragment: None,
                header,
                payload,
                missing: 0,
            };
            self.duplicates.is_copy(&packet, self.time, WINDOW)
        }
    }

    #[test]
    fn a_copy_is_the_same_but_for_its_hops_and_soon() {
        let mut tap = Tap::new();
        let request = [7; 200];
        assert!(!tap.shows(&UDP, &request));
        assert!(tap.shows(&UDP, &request));
        let mut routed = UDP;
        (routed[8], routed[10]) = (63, 0x13);
        assert!(tap.shows(&routed, &request));
        let mut other = UDP;
        other[5] = 8;
        assert!(!tap.shows(&other, &request));
        let mut last = request;
        last[199] = 8;
        assert!(!tap.shows(&UDP, &last));
        assert!(!tap.shows(&UDP, &request[..199]));
        tap.time = tap.time + WINDOW;
        assert!(tap.shows(&UDP, &request));
        tap.time = tap.time + Duration::from_nanos(1);
        assert!(!tap.shows(&UDP, &request));
    }

    #[test]
    fn hops_are_forgotten_in_ipv6_too() {
        let mut tap = Tap::new();
        let mut header = [0; 40];
        (header[0], header[7]) = (0x60, 64);
        assert!(!tap.shows(&header, b"12345678"));
        header[7] = 63;
        assert!(tap.shows(&header, b"12345678"));
        header[6] = 17;
        assert!(!tap.shows(&header, b"12345678"));
    }

    #[test]
    fn a_flood_is_remembered_as_far_as_there_is_room() {
        let mut tap = Tap::new();
        let packet = |number: u32| {
            let mut payload = [0; 1000];
            payload[8..12].copy_from_slice(&number.to_be_bytes());
            payload
        };
        for number in 0..10_000 {
            assert!(!tap.shows(&UDP, &packet(number)));
            // Its copy a hundred packets later.
            if let Some(before) = number.checked_sub(100) {
                assert!(tap.shows(&UDP, &packet(before)), "{number}");
            }
        }
        assert_eq!(
            (tap.duplicates.bytes.len(), tap.duplicates.seen.len()),
            (BYTES_EACH * PACKETS, PACKETS)
        );
        // What was written over is not found, and nothing is found in its place.
        assert!(!tap.shows(&UDP, &packet(5_000)));
    }

    #[test]
    fn a_packet_longer_than_all_room_is_never_a_copy() {
        let mut tap = Tap::new();
        let payload = vec![0; BYTES_EACH * PACKETS];
        assert!(!tap.shows(&UDP, &payload) && !tap.shows(&UDP, &payload));
        assert!(!tap.shows(&UDP, b"12345678") && tap.shows(&UDP, b"12345678"));
    }
}
