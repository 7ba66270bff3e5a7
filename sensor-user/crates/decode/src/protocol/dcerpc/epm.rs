//! Answers of the endpoint mapper: where interfaces listen ([C706] appendices L and O, [MS-RPCE]
//! 2.2.1.2).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use uuid::Uuid;

use crate::wire::{Order, Wire};

/// `ept_map`, [C706] appendix O.
pub(super) const EPT_MAP: u16 = 3;
/// `ept_lookup_handle_t`, a context handle.
const LOOKUP_HANDLE: usize = 20;
/// Towers read of one answer; servers return four unless asked for more.
const MAX_TOWERS: u64 = 128;

/// The TCP endpoints in the stub of an `ept_map` response, as far as it can be read. A tower for
/// "any address" means `server`.
pub(super) fn mapped(
    stub: &[u8],
    order: Order,
    ndr64: bool,
    server: IpAddr,
) -> Vec<(Uuid, SocketAddr)> {
    let mut found = Vec::new();
    let mut stub = Stub {
        wire: Wire::new(stub, order),
        whole: stub.len(),
        ndr64,
    };
    // Ends where the towers do.
    let _ = stub.towers(|tower| {
        found.extend(endpoint(tower, server).filter(|endpoint| !found.contains(endpoint)));
    });
    found
}

/// NDR in its two forms: sizes and references of 4 bytes, or of 8 ([MS-RPCE] 2.2.5).
struct Stub<'a> {
    wire: Wire<'a>,
    whole: usize,
    ndr64: bool,
}

impl<'a> Stub<'a> {
    /// `[out] num_towers`, then the conformant varying array of references, then what they refer to
    /// (`twr_t`, [C706] appendix L).
    fn towers(&mut self, mut each: impl FnMut(&'a [u8])) -> Option<()> {
        self.wire.take(LOOKUP_HANDLE)?;
        let _num_towers = self.wire.u32()?;
        let _max_count = self.word()?;
        let _offset = self.word()?;
        let count = self.word()?.min(MAX_TOWERS);
        let mut present = 0;
        for _ in 0..count {
            present += u64::from(self.word()? != 0);
        }
        for _ in 0..present {
            let _max_count = self.word()?;
            let length = usize::try_from(self.wire.u32()?).ok()?;
            each(self.wire.take(length)?);
        }
        Some(())
    }

    /// A size or a reference, aligned to its own width.
    fn word(&mut self) -> Option<u64> {
        let width = if self.ndr64 { 8 } else { 4 };
        let read = self.whole - self.wire.rest().len();
        self.wire.take(read.next_multiple_of(width) - read)?;
        if self.ndr64 {
            self.wire.u64()
        } else {
            self.wire.u32().map(u64::from)
        }
    }
}

/// Protocol identifiers of tower floors ([C706] appendix I).
mod floor {
    pub(super) const TCP: u8 = 0x07;
    pub(super) const IP: u8 = 0x09;
    pub(super) const UUID: u8 = 0x0d;
}

/// The interface and TCP endpoint of a tower ([C706] appendix L); `None` if it leads elsewhere, to
/// a named pipe for example. Integers in towers are little-endian, ports and addresses are not.
fn endpoint(tower: &[u8], server: IpAddr) -> Option<(Uuid, SocketAddr)> {
    let mut wire = Wire::new(tower, Order::Little);
    let floors = wire.u16()?;
    let (mut interface, mut port, mut address) = (None, None, None);
    for _ in 0..floors.min(8) {
        let left_length = usize::from(wire.u16()?);
        let mut left = Wire::new(wire.take(left_length)?, Order::Little);
        let right_length = usize::from(wire.u16()?);
        let mut right = Wire::new(wire.take(right_length)?, Order::Big);
        match left.u8()? {
            // The first is the interface, the second its transfer syntax.
            floor::UUID if interface.is_none() => interface = left.uuid(),
            floor::TCP => port = right.u16(),
            floor::IP => address = right.array().map(Ipv4Addr::from),
            _ => {}
        }
    }
    let ip = match address {
        Some(address) if !address.is_unspecified() => address.into(),
        _ => server,
    };
    let port = port.filter(|&port| port != 0)?;
    Some((interface?, SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::DRSUAPI;

    use super::*;

    fn tower(port: u16, address: [u8; 4]) -> Vec<u8> {
        let mut tower = vec![5, 0];
        for syntax in [DRSUAPI, Uuid::nil()] {
            tower.extend([19, 0, floor::UUID]);
            tower.extend(syntax.to_bytes_le());
            tower.extend([4, 0, 2, 0, 0, 0]);
        }
        tower.extend([1, 0, 0x0b, 2, 0, 0, 0]);
        tower.extend([1, 0, floor::TCP, 2, 0]);
        tower.extend(port.to_be_bytes());
        tower.extend([1, 0, floor::IP, 4, 0]);
        tower.extend(address);
        tower
    }

    fn stub(towers: &[Vec<u8>], ndr64: bool) -> Vec<u8> {
        let mut stub = vec![0; LOOKUP_HANDLE];
        stub.extend((towers.len() as u32).to_le_bytes());
        let word = |stub: &mut Vec<u8>, value: u64| {
            let width = if ndr64 { 8 } else { 4 };
            stub.resize(stub.len().next_multiple_of(width), 0);
            stub.extend(&value.to_le_bytes()[..width]);
        };
        for value in [4, 0, towers.len() as u64] {
            word(&mut stub, value);
        }
        for reference in 0..towers.len() {
            word(&mut stub, 3 + reference as u64);
        }
        for tower in towers {
            word(&mut stub, tower.len() as u64);
            stub.extend((tower.len() as u32).to_le_bytes());
            stub.extend(tower);
        }
        stub
    }

    #[test]
    fn towers_are_read_in_both_transfer_syntaxes() {
        let server = IpAddr::from([10, 0, 0, 1]);
        let towers = [tower(49_667, [0; 4]), tower(49_668, [10, 0, 0, 2])];
        for ndr64 in [false, true] {
            assert_eq!(
                mapped(&stub(&towers, ndr64), Order::Little, ndr64, server),
                [
                    (DRSUAPI, SocketAddr::new(server, 49_667)),
                    (DRSUAPI, SocketAddr::from(([10, 0, 0, 2], 49_668))),
                ]
            );
        }
    }

    #[test]
    fn a_cut_stub_gives_what_it_has() {
        let server = IpAddr::from([10, 0, 0, 1]);
        let stub = stub(&[tower(1, [0; 4]), tower(2, [0; 4])], false);
        for length in 0..stub.len() {
            let found = mapped(&stub[..length], Order::Little, false, server);
            assert!(found.len() <= 1, "{length}");
        }
    }
}
