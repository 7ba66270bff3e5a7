//! Messages of the name service (RFC 1002 4.2), which have the format of DNS.

use std::net::Ipv4Addr;

use goshawk_model::netbios::{NameAnswer, NameOperation, NetbiosName, NodeName};

use super::name;
use crate::protocol::dns::format::{Header, Record};
use crate::wire::{Order, Wire};

/// A message on the wire.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) is_response: bool,
    pub(super) operation: NameOperation,
    pub(super) is_broadcast: bool,
    /// `None` where it is about no name, or one that cannot be read.
    pub(super) name: Option<NetbiosName>,
    /// Of a request: the addresses it is about.
    pub(super) registered: Vec<Ipv4Addr>,
    /// Of a response, unless it only asks for patience.
    pub(super) answer: Option<NameAnswer>,
    /// Whether it is all there.
    pub(super) is_whole: bool,
}

/// `NB` and `NBSTAT` (RFC 1002 4.2.1.3).
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;
/// `B` of `NM_FLAGS`, in the header's fourth byte (RFC 1002 4.2.1.1).
const BROADCAST: u8 = 0x10;
/// `OPCODE` of a response that asks to wait (RFC 1002 4.2.16).
const WACK: u8 = 7;
/// `G` of `NB_FLAGS` and of `NAME_FLAGS`.
const GROUP: u16 = 0x8000;
/// Addresses kept of one name, and names of one node.
const MAX_ADDRESSES: usize = 16;
const MAX_NAMES: usize = 32;

/// Reads a message; `None` if not even its question can be read.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let (header, mut sections) = Header::read(bytes)?;
    let mut message = Message {
        id: header.id,
        is_response: header.is_response,
        operation: operation(header.opcode),
        is_broadcast: bytes.get(3)? & BROADCAST != 0,
        name: None,
        registered: Vec::new(),
        answer: None,
        is_whole: true,
    };
    for _ in 0..header.counts.questions {
        let question = sections.question()?;
        message.about(name::decode(&question.name), question.qtype);
    }
    if header.is_response && header.opcode != WACK {
        message.answer = Some(NameAnswer {
            rcode: header.rcode,
            ..NameAnswer::default()
        });
    }
    let counts = header.counts;
    for _ in
        0..u32::from(counts.answers) + u32::from(counts.authorities) + u32::from(counts.additionals)
    {
        let Some(record) = sections.record() else {
            message.is_whole = false;
            break;
        };
        message.record(&record);
    }
    Some(message)
}

/// Windows registers the names of machines with several addresses by 15; 9 is what RFC 1002 has
/// for a refresh in its text, and 8 in its table.
fn operation(opcode: u8) -> NameOperation {
    match opcode {
        0 => NameOperation::Query,
        5 | 15 => NameOperation::Registration,
        6 => NameOperation::Release,
        8 | 9 => NameOperation::Refresh,
        _ => NameOperation::Other,
    }
}

impl Message {
    fn about(&mut self, name: Option<NetbiosName>, rtype: u16) {
        if self.name.is_none() {
            self.name = name;
        }
        if rtype == NBSTAT && self.operation == NameOperation::Query {
            self.operation = NameOperation::Status;
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        let owner = record.owner().and_then(|owner| name::decode(&owner));
        self.about(owner, record.rtype);
        match (record.rtype, &mut self.answer) {
            (NB, Some(answer)) => {
                addresses(record.data, &mut answer.addresses, &mut answer.group);
            }
            (NB, None) => addresses(record.data, &mut self.registered, &mut false),
            // Nothing of it is worth keeping where it ends early.
            (NBSTAT, Some(answer)) => self.is_whole &= status(record.data, answer).is_some(),
            _ => {}
        }
    }
}

/// `NB` records: flags and address of each (RFC 1002 4.2.2, 4.2.13).
fn addresses(data: &[u8], into: &mut Vec<Ipv4Addr>, group: &mut bool) {
    let mut wire = Wire::new(data, Order::Big);
    while let (Some(flags), Some(address)) = (wire.u16(), wire.array::<4>()) {
        if into.len() >= MAX_ADDRESSES {
            return;
        }
        *group |= flags & GROUP != 0;
        into.push(address.into());
    }
}

/// The names of a node, and its statistics, which begin with its hardware address (RFC 1002
/// 4.2.18).
fn status(data: &[u8], answer: &mut NameAnswer) -> Option<()> {
    let mut wire = Wire::new(data, Order::Big);
    for _ in 0..wire.u8()? {
        let name = name::plain(&wire.array()?);
        let group = wire.u16()? & GROUP != 0;
        if answer.names.len() < MAX_NAMES {
            answer.names.push(NodeName { name, group });
        }
    }
    if let Some(unit) = wire.array::<6>().filter(|unit| *unit != [0; 6]) {
        let digits: Vec<_> = unit.iter().map(|byte| format!("{byte:02x}")).collect();
        answer.unit_id = Some(digits.join(":").into());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
            if let Some(message) = parse(&bytes) {
                prop_assert!(message.registered.len() <= MAX_ADDRESSES);
                let answer = message.answer.unwrap_or_default();
                prop_assert!(answer.names.len() <= MAX_NAMES);
            }
        }
    }
}
