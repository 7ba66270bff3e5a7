//! The endpoint mapper: where interfaces listen ([C706] appendices L and O, [MS-RPCE] 2.2.1.2).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use goshawk_model::rpc::{EpmArguments, RpcArguments, Tower};
use uuid::Uuid;

use super::super::ndr::{Ndr, excerpt};
use super::{Exchange, Reader};
use crate::wire::{Order, Wire};

/// `ept_map`, [C706] appendix O.
pub(in super::super) const EPT_MAP: u16 = 3;
/// `ept_lookup`.
const EPT_LOOKUP: u16 = 2;
/// Towers read of one answer. To `ept_map` servers give four unless asked for more, to
/// `ept_lookup` at most 500.
const MAX_TOWERS: usize = 512;

/// Reads the operations that tell where interfaces listen.
pub(super) fn reader(opnum: u16) -> Option<Reader> {
    match opnum {
        EPT_LOOKUP => Some(lookup),
        EPT_MAP => Some(map),
        _ => None,
    }
}

/// Where an interface listens.
type TcpEndpoint = (Uuid, SocketAddr);

/// The TCP endpoints in the answer to an `ept_map`, as far as it can be read. A tower for "any
/// address" means `server`.
pub(in super::super) fn tcp_endpoints(mut stub: Ndr<'_>, server: IpAddr) -> Vec<TcpEndpoint> {
    let mut found = Vec::new();
    for Route { tower, address } in mapped(&mut stub) {
        let Some(port) = tower.port.filter(|_| !tower.http) else {
            continue;
        };
        let ip = match address {
            Some(address) if !address.is_unspecified() => address.into(),
            _ => server,
        };
        let endpoint = (tower.interface, SocketAddr::new(ip, port));
        if !found.contains(&endpoint) {
            found.push(endpoint);
        }
    }
    found
}

fn map(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let asked = asked(&mut call.request);
    let told = call.answered(|response| Some(mapped(response)));
    let told = told.into_iter().flatten().map(|route| route.tower);
    Some(RpcArguments::Epm(EpmArguments::Map {
        asked,
        told: excerpt(told),
    }))
}

fn lookup(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let told = call.answered(|response| Some(looked_up(response)));
    let told = told.into_iter().flatten().map(|route| route.tower);
    Some(RpcArguments::Epm(EpmArguments::Lookup {
        told: excerpt(told),
    }))
}

/// An object, which is nobody's business, and the tower that is looked for.
fn asked(request: &mut Ndr<'_>) -> Option<Tower> {
    if request.reference()? {
        request.uuid()?;
    }
    let tower = request.reference()?.then(|| twr_t(request))?;
    route(tower?).map(|route| route.tower)
}

/// A handle, the number of towers, the conformant varying array of references to them, and what
/// they refer to.
fn mapped(response: &mut Ndr<'_>) -> Vec<Route> {
    let mut found = Vec::new();
    let mut read = || {
        response.handle()?;
        let _num_towers = response.u32()?;
        let count = response.varying()?.min(MAX_TOWERS);
        let mut present = 0;
        for _ in 0..count {
            present += usize::from(response.reference()?);
        }
        for _ in 0..present {
            found.extend(route(twr_t(response)?));
        }
        Some(())
    };
    // Ends where the towers do.
    let _ = read();
    found
}

/// The same with an array of `ept_entry_t`, each with an object and a text beside its tower.
fn looked_up(response: &mut Ndr<'_>) -> Vec<Route> {
    let mut found = Vec::new();
    let mut read = || {
        response.handle()?;
        let _num_entries = response.u32()?;
        let count = response.varying()?.min(MAX_TOWERS);
        let mut present = 0;
        for _ in 0..count {
            response.align_structure()?;
            let _object = response.uuid()?;
            present += usize::from(response.reference()?);
            let _offset = response.word()?;
            let length = response.size()?;
            let _annotation = response.take(length)?;
        }
        for _ in 0..present {
            found.extend(route(twr_t(response)?));
        }
        Some(())
    };
    let _ = read();
    found
}

/// `twr_t`, [C706] appendix L.
fn twr_t<'a>(stub: &mut Ndr<'a>) -> Option<&'a [u8]> {
    let _max_count = stub.word()?;
    let length = usize::try_from(stub.u32()?).ok()?;
    stub.take(length)
}

/// What a tower tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    tower: Tower,
    address: Option<Ipv4Addr>,
}

/// Protocol identifiers of tower floors ([C706] appendix I, [MS-RPCE] 2.2.1.2.1).
mod floor {
    pub(super) const TCP: u8 = 0x07;
    pub(super) const IP: u8 = 0x09;
    pub(super) const UUID: u8 = 0x0d;
    pub(super) const PIPE: u8 = 0x0f;
    pub(super) const HTTP: u8 = 0x1f;
}

/// Takes a tower apart ([C706] appendix L). Integers in towers are little-endian, ports and
/// addresses are not.
fn route(tower: &[u8]) -> Option<Route> {
    const MAX_FLOORS: u16 = 8;
    let mut wire = Wire::new(tower, Order::Little);
    let floors = wire.u16()?;
    let (mut interface, mut address) = (None, None);
    let (mut port, mut http, mut pipe) = (None, false, None);
    for _ in 0..floors.min(MAX_FLOORS) {
        let left_length = usize::from(wire.u16()?);
        let mut left = Wire::new(wire.take(left_length)?, Order::Little);
        let right_length = usize::from(wire.u16()?);
        let mut right = Wire::new(wire.take(right_length)?, Order::Big);
        match left.u8()? {
            // The first is the interface, the second its transfer syntax.
            floor::UUID if interface.is_none() => interface = left.uuid(),
            kind @ (floor::TCP | floor::HTTP) => {
                // What is asked for has none yet.
                port = right.u16().filter(|&port| port != 0);
                http = kind == floor::HTTP;
            }
            floor::IP => address = right.array().map(Ipv4Addr::from),
            floor::PIPE => pipe = pipe_name(right.rest()),
            _ => {}
        }
    }
    let tower = Tower {
        interface: interface?,
        port,
        http,
        pipe,
    };
    Some(Route { tower, address })
}

fn pipe_name(bytes: &[u8]) -> Option<Box<str>> {
    const MAX_NAME: usize = 256;
    let name = bytes.split(|&byte| byte == 0).next()?;
    let name = String::from_utf8_lossy(name.get(..MAX_NAME).unwrap_or(name));
    let name = name.trim_start_matches('\\').to_lowercase();
    let name = name.strip_prefix("pipe\\").unwrap_or(&name);
    (!name.is_empty()).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::DRSUAPI;

    use super::super::writer::{BOTH, Writer};
    use super::*;

    fn tower(protocol: u8, right: &[u8], address: [u8; 4]) -> Vec<u8> {
        let mut tower = vec![5, 0];
        for syntax in [DRSUAPI, Uuid::nil()] {
            tower.extend([19, 0, floor::UUID]);
            tower.extend(syntax.to_bytes_le());
            tower.extend([4, 0, 2, 0, 0, 0]);
        }
        tower.extend([1, 0, 0x0b, 2, 0, 0, 0]);
        tower.extend([1, 0, protocol, right.len() as u8, 0]);
        tower.extend(right);
        tower.extend([1, 0, floor::IP, 4, 0]);
        tower.extend(address);
        tower
    }

    fn tcp(port: u16, address: [u8; 4]) -> Vec<u8> {
        tower(floor::TCP, &port.to_be_bytes(), address)
    }

    fn stub(writer: &mut Writer, towers: &[Vec<u8>]) {
        writer.bytes(&[0; 20]).u32(towers.len() as u32);
        writer.varying(towers.len());
        for _ in towers {
            writer.reference(true);
        }
        for tower in towers {
            writer.word(tower.len() as u64).u32(tower.len() as u32);
            writer.bytes(tower);
        }
    }

    #[test]
    fn towers_are_read_in_every_transfer_syntax() {
        let server = IpAddr::from([10, 0, 0, 1]);
        let pipe = tower(floor::PIPE, b"\\PIPE\\LSASS\0", [0; 4]);
        let http = tower(floor::HTTP, &49_670_u16.to_be_bytes(), [0; 4]);
        let towers = [tcp(49_667, [0; 4]), tcp(49_668, [10, 0, 0, 2]), pipe, http];
        for mut writer in BOTH.map(Writer::new) {
            stub(&mut writer, &towers);
            assert_eq!(
                tcp_endpoints(writer.ndr(), server),
                [
                    (DRSUAPI, SocketAddr::new(server, 49_667)),
                    (DRSUAPI, SocketAddr::from(([10, 0, 0, 2], 49_668))),
                ]
            );
            let told = mapped(&mut writer.ndr());
            assert_eq!(told[2].tower.pipe.as_deref(), Some("lsass"));
            assert_eq!(
                (told[3].tower.http, told[3].tower.port),
                (true, Some(49_670))
            );
        }
    }

    #[test]
    fn a_cut_stub_gives_what_it_has() {
        let mut writer = Writer::new(BOTH[0]);
        stub(&mut writer, &[tcp(1, [0; 4]), tcp(2, [0; 4])]);
        let whole = writer.written();
        for length in 0..whole.len() {
            let found = mapped(&mut Ndr::new(&whole[..length], BOTH[0]));
            assert!(found.len() <= 1, "{length}");
        }
    }
}
