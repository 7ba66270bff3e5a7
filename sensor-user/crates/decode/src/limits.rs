//! How much a decoder may remember.

use std::time::Duration;

/// The bounds of one [`Decoder`](crate::Decoder): nothing in it grows beyond them.
///
/// Where a table is full, the entry least recently used makes room, what it still held is emitted
/// as unanswered, and a counter in [`Stats`](crate::Stats) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections of a protocol that is decoded. 300 to 900 bytes each while nothing waits on
    /// them, and about 1 kB with what is usually pending.
    pub max_conversations: usize,
    /// Pairs of UDP ports between which a protocol that is decoded is spoken: a table of their own,
    /// for anybody can ask in forged names, and a question must not push out a connection. They
    /// live for seconds.
    pub max_datagram_flows: usize,
    /// TCP connections whose protocol is not known yet or of no interest: a table of their own, so
    /// that a port scan or a backup cannot push out the conversations. About 220 bytes each.
    pub max_strangers: usize,
    /// Bytes held for one direction of one TCP connection: an incomplete message, or data that
    /// waits for a missing segment. Beyond it the missing segment is given up.
    pub max_buffered_per_direction: usize,
    /// Bytes held for all TCP connections together. Beyond it the connections least recently used
    /// are forgotten.
    pub max_buffered: usize,
    /// Longest message taken, bytes. A longer one is skipped.
    pub max_message: usize,
    /// IP datagrams that wait for fragments.
    pub max_datagrams: usize,
    /// Fragments of one datagram.
    pub max_fragments: usize,
    /// Bytes of all fragments together.
    pub max_fragment_bytes: usize,
    /// Packets remembered to know their copies by; rounded up to a power of two, at most
    /// 32,768. About 100 bytes each.
    pub max_copies: usize,
    /// How long after a packet its copy may come, from a tap that shows it twice.
    pub copy_wait: Duration,
    /// Requests on one flow that wait for their answer.
    pub max_pending: usize,
    /// Presentation contexts, and security contexts, of one DCE/RPC connection.
    pub max_contexts: usize,
    /// Requests on one SMB connection that wait for their answer: as many as a client may send before
    /// it must hear something, where servers keep their defaults ([MS-SMB2] 3.3.1.2).
    pub max_smb_requests: usize,
    /// Sessions on one SMB connection.
    pub max_smb_sessions: usize,
    /// Shares that one SMB connection is connected to.
    pub max_smb_trees: usize,
    /// Files and pipes open on one SMB connection.
    pub max_smb_files: usize,
    /// Answers of endpoint mappers remembered, to name the interface of connections whose bind was
    /// not seen.
    pub max_mapped_endpoints: usize,
    /// Keys that clients agreed on with DNS servers remembered, to name who signs an update.
    pub max_keys: usize,
    /// Computers told remembered, so that each is told once an hour. About 100 bytes each.
    pub max_sightings: usize,
    /// How long a request waits for its answer.
    pub answer_wait: Duration,
    /// How long a file may be open before it is told as it stands.
    pub open_wait: Duration,
    /// How long a TCP stream waits for a missing segment.
    pub segment_wait: Duration,
    /// How long a datagram waits for a missing fragment.
    pub fragment_wait: Duration,
    /// How long a flow may be silent before it is forgotten. Long, for domain controllers keep
    /// connections between replications, and what a bind agreed on is said once; it is the sizes of
    /// the tables that bound memory.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_conversations: 65_536,
            max_datagram_flows: 32_768,
            max_strangers: 65_536,
            max_buffered_per_direction: 1 << 20,
            max_buffered: 32 << 20,
            max_message: 256 << 10,
            max_datagrams: 1024,
            max_fragments: 128,
            max_fragment_bytes: 4 << 20,
            max_copies: 4096,
            copy_wait: Duration::from_millis(50),
            max_pending: 128,
            max_contexts: 64,
            max_smb_requests: 512,
            max_smb_sessions: 64,
            max_smb_trees: 256,
            max_smb_files: 2048,
            max_mapped_endpoints: 4096,
            max_keys: 4096,
            max_sightings: 16_384,
            answer_wait: Duration::from_secs(10),
            open_wait: Duration::from_secs(60),
            segment_wait: Duration::from_secs(2),
            fragment_wait: Duration::from_secs(30),
            idle: Duration::from_secs(3600),
        }
    }
}
