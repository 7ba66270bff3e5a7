//! What the decoder is fed: packets as their source captured them.

use goshawk_model::Timestamp;

/// One captured packet, borrowed from its ring or file.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// Its place in the order of capture: unique within a run, rising within a source. Breaks ties
    /// between equal times, so that the order of activities does not depend on who decoded them.
    pub origin: u64,
    /// What its first bytes are.
    pub link: LinkType,
    /// Length on the wire, bytes; more than `data` when the capture cut it.
    pub wire_len: u32,
    /// The bytes captured.
    pub data: &'a [u8],
}

/// The link layers that captures come with (LINKTYPE_ values of the tcpdump group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// `LINKTYPE_ETHERNET` (1).
    Ethernet,
    /// `LINKTYPE_LINUX_SLL` (113): `tcpdump -i any`, cooked v1.
    LinuxSll,
    /// `LINKTYPE_LINUX_SLL2` (276): cooked v2.
    LinuxSll2,
    /// `LINKTYPE_RAW` (101, also 12 and 14), `LINKTYPE_IPV4` (228), `LINKTYPE_IPV6` (229).
    RawIp,
    /// `LINKTYPE_NULL` (0): BSD loopback, family in the capturing machine's byte order; and
    /// `LINKTYPE_LOOP` (108), in network byte order.
    Null,
}
