//! A day in a domain, in few packets: logons, tickets, the directory asked, an endpoint asked for,
//! replication.

use goshawk_model::rpc::{DRSUAPI, EPM};
use uuid::Uuid;

use super::messages::*;
use super::wire::{CLIENT, SERVER, Wire};
use super::{Packet, ldap};

pub(crate) const DRSUAPI_PORT: u16 = 49_667;

/// All of it, in the order of time.
pub(crate) fn packets() -> Vec<Packet> {
    let mut wire = Wire::new();
    logon(&mut wire);
    tickets(&mut wire);
    directory(&mut wire);
    endpoint(&mut wire);
    replication(&mut wire);
    wire.packets
}

pub(crate) fn tgt() -> Vec<u8> {
    ticket(&["krbtgt", REALM], 18, &[1; 900])
}

pub(crate) fn service_ticket() -> Vec<u8> {
    ticket(&["cifs", "dc1.corp.example"], 23, &[2; 1100])
}

/// Over UDP: asked without proof, refused, asked with proof.
pub(crate) fn logon(wire: &mut Wire) {
    let (client, kdc) = ((CLIENT, 50_001), (SERVER, 88));
    wire.udp(client, kdc, &as_req("alice", &[128], &[18, 23]));
    wire.udp(kdc, client, &krb_error(25, &["krbtgt", REALM]));
    wire.udp(client, kdc, &as_req("alice", &[2, 128], &[18, 23]));
    wire.udp(kdc, client, &as_rep("Alice", &tgt(), 18));
}

/// Over TCP: three requests on one connection, one of them refused.
pub(crate) fn tickets(wire: &mut Wire) {
    let mut tcp = wire.open(50_002, 88);
    for answer in [
        tgs_rep("alice", &service_ticket(), 18),
        krb_error(7, &["cifs", "nowhere"]),
        tgs_rep("alice", &service_ticket(), 18),
    ] {
        let asked = tgs_req(&tgt(), &["cifs", "dc1.corp.example"], &[23]);
        wire.ask(&mut tcp, &record(&asked));
        wire.answer(&mut tcp, &record(&answer));
    }
    wire.close(&tcp);
}

/// The directory, asked in the clear, and signed after a bind by ticket; then the client asks for
/// TLS.
pub(crate) fn directory(wire: &mut Wire) {
    let found = |id| {
        let users = (0..8).flat_map(|at| ldap::entry(id, &format!("CN=u{at}"), "cn", &[b'x'; 200]));
        users.chain(ldap::done(id)).collect::<Vec<_>>()
    };
    let filter = ldap::equals("objectClass", b"user");
    let asked = |id| ldap::search(id, "DC=corp,DC=example", &filter, &["cn"]);
    let mut tcp = wire.open(50_005, 389);
    for (asked, answered) in [
        (
            ldap::simple_bind(1, "alice@corp.example", "secret"),
            ldap::result(1, 0x61, 0, ""),
        ),
        (asked(2), found(2)),
        (
            ldap::sasl_bind(3, "GSSAPI", &ap_req(&service_ticket())),
            ldap::bind_response(3, 0, b""),
        ),
        (
            ldap::krb5_wrapped(&asked(4), false),
            ldap::krb5_wrapped(&found(4), false),
        ),
        (
            ldap::extended(5, "1.3.6.1.4.1.1466.20037", b""),
            ldap::result(5, 0x78, 0, ""),
        ),
        (
            ldap::client_hello("dc1.corp.example"),
            ldap::tls_record(22, &[2, 0, 0, 0]),
        ),
    ] {
        wire.ask(&mut tcp, &asked);
        wire.answer(&mut tcp, &answered);
    }
    wire.close(&tcp);
}

/// The endpoint mapper tells where `drsuapi` listens.
pub(crate) fn endpoint(wire: &mut Wire) {
    let mut tcp = wire.open(50_003, 135);
    wire.ask(&mut tcp, &Pdu::bind(1, EPM).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 120]).bytes());
    wire.answer(&mut tcp, &Pdu::response(2, &ept_map_stub()).bytes());
    wire.close(&tcp);
}

/// A bind with a Kerberos ticket, then calls, the last with an answer in many fragments.
pub(crate) fn replication(wire: &mut Wire) {
    let mut tcp = wire.open(50_004, DRSUAPI_PORT);
    let bind = Pdu::bind(1, DRSUAPI).with(16, 6, &ap_req(&service_ticket()));
    wire.ask(&mut tcp, &bind.bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).with(16, 6, &ap_rep()).bytes());
    let sealed = |pdu: Pdu| pdu.with(16, 6, &[6; 44]).bytes();
    wire.ask(&mut tcp, &sealed(Pdu::request(2, 0, &[3; 80])));
    wire.answer(&mut tcp, &sealed(Pdu::response(2, &[4; 60])));
    wire.ask(&mut tcp, &sealed(Pdu::request(3, 3, &[3; 3000])));
    for (index, flags) in [1, 0, 0, 2].into_iter().enumerate() {
        let stub = vec![index as u8; 4000];
        wire.answer(&mut tcp, &sealed(Pdu::response(3, &stub).flagged(flags)));
    }
    wire.ask(&mut tcp, &sealed(Pdu::request(4, 12, &[3; 80])));
    wire.answer(&mut tcp, &sealed(Pdu::fault(4, 5)));
    wire.close(&tcp);
}

/// The stub of an `ept_map` response with one tower, for "any address".
pub(crate) fn ept_map_stub() -> Vec<u8> {
    let mut tower = vec![5, 0];
    for syntax in [DRSUAPI, Uuid::nil()] {
        tower.extend([19, 0, 0x0d]);
        tower.extend(syntax.to_bytes_le());
        tower.extend([4, 0, 2, 0, 0, 0]);
    }
    tower.extend([1, 0, 0x0b, 2, 0, 0, 0]);
    tower.extend([1, 0, 0x07, 2, 0]);
    tower.extend(DRSUAPI_PORT.to_be_bytes());
    tower.extend([1, 0, 0x09, 4, 0, 0, 0, 0, 0]);
    let mut stub = vec![0; 20];
    for word in [1, 4, 0, 1, 3, tower.len() as u32, tower.len() as u32] {
        stub.extend(word.to_le_bytes());
    }
    stub.extend(&tower);
    stub
}
