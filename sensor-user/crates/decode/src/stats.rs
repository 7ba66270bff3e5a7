//! What was seen, and every loss by its name.

/// Counters of one decoder, or of several merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames fed.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    protocols: [ProtocolStats; Protocol::ALL.len()],
    drops: [u64; Drop::ALL.len()],
}

/// Messages of each protocol that could not be understood.
pub(crate) type Errors = [u64; Protocol::ALL.len()];

/// Counters of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolStats {
    /// Messages read.
    pub messages: u64,
    /// Messages that could not be understood.
    pub errors: u64,
    /// Messages that nobody but their ends can read: sealed by the protocol, or TLS records.
    pub sealed: u64,
}

/// The protocols that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Kerberos v5, RFC 4120, and its change-password protocol, RFC 3244.
    Kerberos,
    /// LDAP and CLDAP, RFC 4511 and [MS-ADTS].
    Ldap,
    /// SMB 1, [MS-CIFS] and [MS-SMB].
    Smb1,
    /// SMB 2 and 3, [MS-SMB2]: each command of a compound.
    Smb2,
    /// DCE/RPC over TCP, named pipes and HTTP, [C706] and [MS-RPCE].
    Dcerpc,
    /// NTLM messages inside other protocols, [MS-NLMP].
    Ntlm,
    /// HTTP messages, RFC 9112: each head.
    Http,
    /// DNS, RFC 1035 and RFC 2136.
    Dns,
    /// NetBIOS names and datagrams over UDP, RFC 1002, and the mailslots in them.
    Netbios,
    /// Time, RFC 5905 and [MS-SNTP].
    Sntp,
}

/// Why something was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drop {
    /// A frame that carries no IP packet.
    NotIp,
    /// IP headers that contradict themselves or end early.
    BadIp,
    /// TCP or UDP headers that contradict themselves or end early.
    BadTransport,
    /// A datagram, or a fragment of one, that was seen before, at another place of the network.
    Duplicate,
    /// A packet that the capture cut short (snaplen).
    CutPacket,
    /// A datagram whose fragments did not all come in time.
    FragmentTimeout,
    /// A datagram that made room for others, or had too many fragments.
    FragmentEvicted,
    /// A datagram whose fragments overlap: forged (RFC 5722 section 3).
    FragmentOverlap,
    /// A TCP connection that made room for others.
    FlowEvicted,
    /// A conversation over UDP that made room for others.
    DatagramFlowEvicted,
    /// A TCP stream went on without a segment that never came.
    StreamGap,
    /// A TCP segment so far outside the stream that its receiver would not take it.
    StreamStray,
    /// A message longer than is taken, or with a length that cannot be true.
    LongMessage,
    /// A request that made room for others before its answer came.
    PendingEvicted,
    /// A DCE/RPC context that found no room.
    ContextRefused,
    /// A key agreed on with a DNS server that made room for others.
    KeyEvicted,
    /// An SMB session, share or file that made room for others.
    SmbEvicted,
    /// A computer told that made room for others, and may be told again too early.
    SightingEvicted,
}

impl Stats {
    /// What was counted for each protocol, by the names of the `--stats` contract.
    pub fn protocols(&self) -> impl Iterator<Item = (&'static str, ProtocolStats)> {
        Protocol::ALL
            .iter()
            .map(|protocol| protocol.name())
            .zip(self.protocols)
    }

    /// What was counted for one protocol.
    pub fn protocol(&self, protocol: Protocol) -> ProtocolStats {
        self.protocols
            .get(protocol as usize)
            .copied()
            .unwrap_or_default()
    }

    /// How often each reason to drop something occurred, zeros included.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Drop::ALL.iter().map(|reason| reason.name()).zip(self.drops)
    }

    /// How often something was dropped for `reason`.
    pub fn dropped(&self, reason: Drop) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or_default()
    }

    /// Adds what another decoder counted.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        for (mine, theirs) in self.protocols.iter_mut().zip(other.protocols) {
            mine.messages += theirs.messages;
            mine.errors += theirs.errors;
            mine.sealed += theirs.sealed;
        }
        for (mine, theirs) in self.drops.iter_mut().zip(other.drops) {
            *mine += theirs;
        }
    }

    pub(crate) fn drop(&mut self, reason: Drop) {
        if let Some(count) = self.drops.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Counts a message that nobody but its ends can read, beside [`Self::message`].
    pub(crate) fn sealed(&mut self, protocol: Protocol) {
        if let Some(counts) = self.protocols.get_mut(protocol as usize) {
            counts.sealed += 1;
        }
    }

    /// The errors of each protocol, for [`Self::forgive`].
    pub(crate) fn errors(&self) -> Errors {
        self.protocols.map(|counts| counts.errors)
    }

    /// Takes back the errors counted since.
    pub(crate) fn forgive(&mut self, errors: Errors) {
        for (counts, errors) in self.protocols.iter_mut().zip(errors) {
            counts.errors = errors;
        }
    }

    /// Counts a message, understood or not.
    pub(crate) fn message(&mut self, protocol: Protocol, understood: bool) {
        if let Some(counts) = self.protocols.get_mut(protocol as usize) {
            counts.messages += 1;
            counts.errors += u64::from(!understood);
        }
    }
}

impl Protocol {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Kerberos,
        Self::Ldap,
        Self::Smb1,
        Self::Smb2,
        Self::Dcerpc,
        Self::Ntlm,
        Self::Http,
        Self::Dns,
        Self::Netbios,
        Self::Sntp,
    ];

    /// The name in `--stats`, metrics and health.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kerberos => "kerberos",
            Self::Ldap => "ldap",
            Self::Smb1 => "smb1",
            Self::Smb2 => "smb2",
            Self::Dcerpc => "dcerpc",
            Self::Ntlm => "ntlm",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Netbios => "netbios",
            Self::Sntp => "sntp",
        }
    }
}

impl Drop {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 18] = [
        Self::NotIp,
        Self::BadIp,
        Self::BadTransport,
        Self::Duplicate,
        Self::CutPacket,
        Self::FragmentTimeout,
        Self::FragmentEvicted,
        Self::FragmentOverlap,
        Self::FlowEvicted,
        Self::DatagramFlowEvicted,
        Self::StreamGap,
        Self::StreamStray,
        Self::LongMessage,
        Self::PendingEvicted,
        Self::ContextRefused,
        Self::KeyEvicted,
        Self::SmbEvicted,
        Self::SightingEvicted,
    ];

    /// The name in `--stats`, metrics and health.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not-ip",
            Self::BadIp => "bad-ip",
            Self::BadTransport => "bad-transport",
            Self::Duplicate => "duplicate",
            Self::CutPacket => "cut-packet",
            Self::FragmentTimeout => "fragment-timeout",
            Self::FragmentEvicted => "fragment-evicted",
            Self::FragmentOverlap => "fragment-overlap",
            Self::FlowEvicted => "flow-evicted",
            Self::DatagramFlowEvicted => "datagram-flow-evicted",
            Self::StreamGap => "stream-gap",
            Self::StreamStray => "stream-stray",
            Self::LongMessage => "long-message",
            Self::PendingEvicted => "pending-evicted",
            Self::ContextRefused => "context-refused",
            Self::KeyEvicted => "key-evicted",
            Self::SmbEvicted => "smb-evicted",
            Self::SightingEvicted => "sighting-evicted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_of_the_discriminants() {
        for (index, reason) in Drop::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, index);
        }
    }

    #[test]
    fn merging_adds_everything() {
        let mut one = Stats {
            packets: 1,
            bytes: 60,
            ..Stats::default()
        };
        one.drop(Drop::StreamGap);
        one.message(Protocol::Dcerpc, false);
        let mut sum = one.clone();
        sum.merge(&one);
        assert_eq!((sum.packets, sum.bytes), (2, 120));
        assert_eq!(sum.dropped(Drop::StreamGap), 2);
        assert_eq!(
            sum.protocol(Protocol::Dcerpc),
            ProtocolStats {
                messages: 2,
                errors: 2,
                sealed: 0,
            }
        );
    }
}
