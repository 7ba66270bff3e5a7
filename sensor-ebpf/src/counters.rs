//! What the kernel program counts, per CPU, and what each count means.

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, loss: $loss:literal;)+) => {
        /// A count kept by the kernel program; its discriminant is its place in the array that
        /// the program and the daemon share.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        /// Every counter, in the order of the shared array.
        pub const COUNTERS: [Counter; [$($name),+].len()] = [$(Counter::$variant),+];

        impl Counter {
            /// The name that statistics, metrics and health show.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Whether it counts something that a detection may miss.
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$variant => $loss),+ }
            }
        }
    };
}

counters! {
    /// Frames that the program was run on.
    Seen = "seen", loss: false;
    /// Frames that the filter chose. Each of them is counted once more: as copied, too long,
    /// ring full, load failed or without a ring.
    Matched = "matched", loss: false;
    /// Chosen frames that reached their ring whole.
    Copied = "copied", loss: false;
    /// Bytes of the frames copied.
    CopiedBytes = "copied-bytes", loss: false;
    /// Ring records that the copied frames took; a frame larger than one takes several.
    Records = "records", loss: false;
    /// Endpoints that the program learned by recognising a protocol on a port not listed.
    Learned = "learned", loss: false;
    /// Tunnels that were looked into.
    Unwrapped = "unwrapped", loss: false;
    /// Later fragments taken because their first was.
    Fragments = "fragments", loss: false;
    /// TCP segments of watched flows that carry neither data nor SYN, FIN or RST: nothing that
    /// the daemon needs, so they are left out.
    BareAcks = "bare-acks", loss: false;
    /// Segments of connections of which the daemon has said that it needs nothing more.
    Shunted = "shunted", loss: false;
    /// Bytes of the frames that they came in.
    ShuntedBytes = "shunted-bytes", loss: false;
    /// Later fragments whose first was not taken: nearly all belong to datagrams that nobody watches.
    LateFragments = "fragments-without-first", loss: false;
    /// Frames that end in the middle of a header: no receiver takes them either.
    Truncated = "truncated-headers", loss: false;
    /// IPv6 packets with more extension headers than the program follows.
    Extensions = "too-many-extensions", loss: true;
    /// Endpoints or fragments that their table could not take.
    Forgotten = "table-refused", loss: true;
    /// Chosen frames longer than the longest that can be copied.
    TooLong = "too-long", loss: true;
    /// Chosen frames for which the ring had no room, in whole or in part.
    RingFull = "ring-full", loss: true;
    /// Chosen frames that the kernel's copy refused.
    LoadFailed = "load-failed", loss: true;
    /// Chosen frames whose worker has no ring.
    NoRing = "no-ring", loss: true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discriminant_is_the_place() {
        for (place, counter) in COUNTERS.iter().enumerate() {
            assert_eq!(*counter as usize, place);
        }
    }

    #[test]
    fn names_are_distinct() {
        for (place, counter) in COUNTERS.iter().enumerate() {
            assert!(
                COUNTERS[..place]
                    .iter()
                    .all(|other| other.name() != counter.name())
            );
        }
    }
}
