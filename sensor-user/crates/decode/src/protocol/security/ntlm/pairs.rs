//! AV pairs ([MS-NLMP] 2.2.2.1).

use goshawk_model::Timestamp;
use goshawk_model::ntlm::{AvPairs, ChannelBindings};

use super::fields;
use crate::wire::{Order, Wire};

/// `AvId`.
mod id {
    pub(super) const EOL: u16 = 0;
    pub(super) const NB_COMPUTER_NAME: u16 = 1;
    pub(super) const NB_DOMAIN_NAME: u16 = 2;
    pub(super) const DNS_COMPUTER_NAME: u16 = 3;
    pub(super) const DNS_DOMAIN_NAME: u16 = 4;
    pub(super) const DNS_TREE_NAME: u16 = 5;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIMESTAMP: u16 = 7;
    pub(super) const SINGLE_HOST: u16 = 8;
    pub(super) const TARGET_NAME: u16 = 9;
    pub(super) const CHANNEL_BINDINGS: u16 = 10;
}

/// The pairs up to the end of the list, or to the first that lies. Their texts are UTF-16 always.
pub(super) fn parse(list: &[u8]) -> AvPairs {
    let mut pairs = AvPairs::default();
    let mut wire = Wire::new(list, Order::Little);
    while let Some((id, value)) = pair(&mut wire) {
        let text = || fields::text(value, true);
        match id {
            id::EOL => break,
            id::NB_COMPUTER_NAME => pairs.netbios_computer = text(),
            id::NB_DOMAIN_NAME => pairs.netbios_domain = text(),
            id::DNS_COMPUTER_NAME => pairs.dns_computer = text(),
            id::DNS_DOMAIN_NAME => pairs.dns_domain = text(),
            id::DNS_TREE_NAME => pairs.dns_tree = text(),
            id::FLAGS => pairs.flags = Wire::new(value, Order::Little).u32(),
            id::TIMESTAMP => pairs.timestamp = file_time(value),
            id::SINGLE_HOST => pairs.single_host = true,
            id::TARGET_NAME => pairs.target_name = text(),
            id::CHANNEL_BINDINGS => {
                let bound = value.iter().any(|&byte| byte != 0);
                pairs.channel_bindings = Some(if bound {
                    ChannelBindings::Bound
                } else {
                    ChannelBindings::Zero
                });
            }
            _ => {}
        }
    }
    pairs
}

fn pair<'a>(wire: &mut Wire<'a>) -> Option<(u16, &'a [u8])> {
    let (id, length) = (wire.u16()?, wire.u16()?);
    Some((id, wire.take(length.into())?))
}

/// A `FILETIME` ([MS-DTYP] 2.3.3): 100 ns since 1601. Nobody's clock stands before 1970.
pub(super) fn file_time(bytes: &[u8]) -> Option<Timestamp> {
    const TICKS_TO_1970: u64 = 11_644_473_600 * 10_000_000;
    let ticks = Wire::new(bytes, Order::Little).u64()?;
    let nanos = ticks.checked_sub(TICKS_TO_1970)?.checked_mul(100)?;
    Some(Timestamp::from_nanos(nanos))
}
