//! Which protocol a flow speaks, found out from its bytes; ports only help where bytes say little.

use super::conversation::Conversation;
use super::{dcerpc, dns, http, kerberos, ldap, netbios, smb, sntp};
use crate::flow::FlowKey;
use crate::flow::stream::Verdict;
use crate::limits::Limits;

/// What the beginning of a TCP stream, or of a segment in the midst of one, turned out to be.
#[derive(Debug)]
pub(crate) enum Recognised {
    Conversation(Box<dyn Conversation>),
    /// Nothing that is decoded here.
    Nothing,
    /// So many bytes, counted from the first one, would tell.
    Need(usize),
}

/// Recognises one protocol.
type Telling = fn(&[u8], &FlowKey, &Limits) -> Verdict;
/// Begins to read it.
type Opening = fn() -> Box<dyn Conversation>;

/// The protocols over TCP. Those whose beginning is least likely to occur by chance come first.
const STREAMS: &[(Telling, Opening)] = &[
    (smb::tells_stream, || Box::<smb::Conversation>::default()),
    (dcerpc::tells_stream, || {
        Box::<dcerpc::Conversation>::default()
    }),
    (http::tells_stream, || Box::<http::Connection>::default()),
    (kerberos::tells_stream, || {
        Box::<kerberos::Conversation>::default()
    }),
    (ldap::tells_stream, || Box::<ldap::Connection>::default()),
    (dns::tells_stream, || Box::<dns::Conversation>::default()),
];

/// The protocols over UDP, in the same order. A datagram is there as a whole, so none of them
/// needs more.
const DATAGRAMS: &[(Telling, Opening)] = &[
    (kerberos::tells_datagram, || {
        Box::<kerberos::Conversation>::default()
    }),
    (ldap::tells_datagram, || Box::<ldap::Connection>::default()),
    (dns::tells_datagram, || Box::<dns::Conversation>::default()),
    (netbios::tells_names, || {
        Box::<netbios::NameService>::default()
    }),
    (netbios::tells_datagrams, || {
        Box::<netbios::Datagrams>::default()
    }),
    (sntp::tells_datagram, || {
        Box::<sntp::Conversation>::default()
    }),
    // Names of NetBIOS have the same format; they are known by their port.
    (dns::tells_anywhere, || Box::<dns::Conversation>::default()),
];

/// One of the protocols over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatagramProtocol(u8);

/// What begins with `bytes`, a TCP stream or a segment of one.
pub(crate) fn stream(bytes: &[u8], flow: &FlowKey, limits: &Limits) -> Recognised {
    let mut need: Option<usize> = None;
    for (tells, open) in STREAMS {
        match tells(bytes, flow, limits) {
            Verdict::Yes => return Recognised::Conversation(open()),
            Verdict::No => {}
            Verdict::Need(more) => need = Some(need.map_or(more, |need| need.min(more))),
        }
    }
    need.map_or(Recognised::Nothing, Recognised::Need)
}

/// Which protocol a UDP datagram is of.
pub(crate) fn datagram(bytes: &[u8], flow: &FlowKey, limits: &Limits) -> Option<DatagramProtocol> {
    (0..)
        .zip(DATAGRAMS)
        .find(|(_, (tells, _))| tells(bytes, flow, limits) == Verdict::Yes)
        .map(|(number, _)| DatagramProtocol(number))
}

impl DatagramProtocol {
    /// Begins to read it.
    pub(crate) fn open(self) -> Option<Box<dyn Conversation>> {
        DATAGRAMS.get(usize::from(self.0)).map(|(_, open)| open())
    }
}
