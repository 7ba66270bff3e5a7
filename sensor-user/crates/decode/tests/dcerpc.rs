//! DCE/RPC calls as activities: every field where it belongs.

mod support;

use goshawk_decode::{Decoded, Protocol};
use goshawk_model::rpc::{
    BindReason, BindRefused, DRSUAPI, EFSRPC, EPM, EndpointMapped, RpcArguments, RpcCall,
    RpcTransport, SAMR, SamrArguments,
};
use goshawk_model::{Account, Carrier, Kind, Mechanism, Outcome, Status};

use support::messages::*;
use support::wire::{SERVER, Wire};
use support::{decode, story};

fn calls(decoded: &[Decoded]) -> Vec<(&RpcCall, Outcome)> {
    decoded
        .iter()
        .filter_map(|it| match &it.activity.kind {
            Kind::Rpc(call) => Some((&**call, it.activity.outcome)),
            _ => None,
        })
        .collect()
}

#[test]
fn replication_is_a_ticket_presented_and_calls() {
    let mut wire = Wire::new();
    story::replication(&mut wire);
    let (decoded, stats) = decode(&wire.packets);
    let Kind::Ap(presented) = &decoded[0].activity.kind else {
        panic!("{decoded:?}");
    };
    assert_eq!(presented.carrier, Carrier::Dcerpc);
    assert_eq!(decoded[0].activity.outcome, Outcome::Success);
    assert_eq!(presented.ticket.length, 1100);

    let calls = calls(&decoded);
    let [
        (bind, Outcome::Success),
        (changes, Outcome::Success),
        (crack, Outcome::Failure),
    ] = &calls[..]
    else {
        panic!("{calls:?}");
    };
    assert_eq!((bind.interface, bind.opnum), (Some(DRSUAPI), 0));
    assert_eq!(bind.name.as_deref(), Some("drsuapi"));
    assert_eq!(changes.operation.as_deref(), Some("IDL_DRSGetNCChanges"));
    assert_eq!(
        (changes.request_bytes, changes.response_bytes),
        (3000, 16_000)
    );
    assert_eq!(crack.fault, Some(5));
    let auth = changes.auth.as_ref().unwrap();
    assert_eq!((auth.auth_type, auth.level), (16, 6));
    let changes = &decoded.iter().rev().nth(1).unwrap().activity;
    let credentials = changes.credentials.as_ref().unwrap();
    assert_eq!(credentials.ticket.as_ref(), Some(&presented.ticket));
    let counted = stats.protocol(Protocol::Dcerpc);
    assert_eq!((counted.messages, counted.errors), (11, 0));
    // Three requests, an answer, and another one in four fragments; a fault has no stub.
    assert_eq!(counted.sealed, 8);
    assert_eq!((&bind.arguments, bind.status), (&None, None));
}

#[test]
fn an_endpoint_is_told_and_used() {
    let mut wire = Wire::new();
    story::endpoint(&mut wire);
    let (decoded, _) = decode(&wire.packets);
    let Kind::Endpoint(told) = &decoded[0].activity.kind else {
        panic!("{decoded:?}");
    };
    let expected = EndpointMapped {
        interface: DRSUAPI,
        endpoint: (SERVER, story::DRSUAPI_PORT).into(),
    };
    assert_eq!(*told, expected);
    assert_eq!(calls(&decoded)[0].0.operation.as_deref(), Some("ept_map"));
}

/// A connection that authenticates by NTLM and is answered with `pdu`.
fn by_ntlm(answer: &Pdu) -> Vec<Decoded> {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    let negotiate = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2";
    wire.ask(
        &mut tcp,
        &Pdu::bind(1, DRSUAPI).with(10, 5, negotiate).bytes(),
    );
    let challenge = b"NTLMSSP\0\x02\0\0\0";
    wire.answer(&mut tcp, &Pdu::bind_ack(1).with(10, 5, challenge).bytes());
    let authenticate = ntlm_authenticate("CORP", "Mallory", "KALI");
    let auth3 = Pdu::new(16, 1, vec![0; 4]).with(10, 5, &authenticate);
    wire.ask(&mut tcp, &auth3.bytes());
    wire.ask(
        &mut tcp,
        &Pdu::request(2, 0, &[0; 40]).with(10, 5, &[0; 16]).bytes(),
    );
    wire.answer(&mut tcp, &answer.bytes());
    decode(&wire.packets).0
}

#[test]
fn ntlm_names_an_account_that_an_answer_proves() {
    let answered = by_ntlm(&Pdu::response(2, &[0; 40]).with(10, 5, &[0; 16]));
    let activity = &answered[0].activity;
    let actor = activity.actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("mallory", "corp"));
    assert!(actor.authenticated);
    assert_eq!(activity.client.name.as_deref(), Some("kali"));
    let credentials = activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.account.as_ref(), Some(&actor.account));
    assert_eq!(credentials.workstation.as_deref(), Some("kali"));

    let refused = by_ntlm(&Pdu::fault(2, 5));
    assert_eq!(refused[0].activity.outcome, Outcome::Failure);
    assert!(!refused[0].activity.actor.as_ref().unwrap().authenticated);
}

/// A connection whose `users` have shown who they are by NTLM at this level, and then a call without
/// a trailer.
fn without_trailer(users: &[&str], level: u8) -> Vec<Decoded> {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    for (context, user) in (1..).zip(users) {
        let mut alter = Pdu::bind(1, DRSUAPI);
        alter.ptype = 14;
        let mut altered = Pdu::bind_ack(1);
        altered.ptype = 15;
        let shows = |pdu: Pdu, token: &[u8]| pdu.with(10, level, token).of_context(context).bytes();
        wire.ask(
            &mut tcp,
            &shows(alter, b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2"),
        );
        wire.answer(&mut tcp, &shows(altered, b"NTLMSSP\0\x02\0\0\0"));
        let authenticate = ntlm_authenticate("CORP", user, "KALI");
        wire.ask(&mut tcp, &shows(Pdu::new(16, 1, vec![0; 4]), &authenticate));
    }
    wire.ask(&mut tcp, &Pdu::request(2, 0, &[0; 40]).bytes());
    wire.answer(&mut tcp, &Pdu::response(2, &[0; 40]).bytes());
    wire.close(&tcp);
    decode(&wire.packets).0
}

fn caller(decoded: &[Decoded]) -> Option<(&Account, bool)> {
    let is_call = |it: &&Decoded| matches!(it.activity.kind, Kind::Rpc(_));
    let actor = decoded.iter().find(is_call)?.activity.actor.as_ref()?;
    Some((&actor.account, actor.authenticated))
}

#[test]
fn without_a_trailer_a_call_is_of_the_only_context_that_needs_none() {
    let mallory = Account::new("mallory", "corp");
    let connect = without_trailer(&["mallory"], 2);
    assert_eq!(caller(&connect), Some((&mallory, true)));
    // There must be a trailer in each packet: who calls is not who has shown something.
    let packet = without_trailer(&["mallory"], 4);
    assert_eq!(caller(&packet), None);
    let proven = |it: &Decoded| matches!(&it.activity.actor, Some(actor) if actor.authenticated);
    assert!(!packet.iter().any(proven));
    // It may be of either.
    assert_eq!(caller(&without_trailer(&["mallory", "alice"], 2)), None);
}

#[test]
fn a_bind_refused_refuses_its_ticket() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    let bind = Pdu::bind(1, DRSUAPI).with(16, 6, &ap_req(&story::service_ticket()));
    wire.ask(&mut tcp, &bind.bytes());
    wire.answer(&mut tcp, &Pdu::new(13, 1, vec![8, 0, 0, 0]).bytes());
    let (decoded, _) = decode(&wire.packets);
    assert!(matches!(decoded[0].activity.kind, Kind::Ap(_)));
    assert_eq!(decoded[0].activity.outcome, Outcome::Failure);
}

#[test]
fn integers_in_the_other_byte_order_are_read() {
    // As a big-endian client sends them.
    let header = |ptype: u8, length: u16| {
        let mut pdu = vec![5, 0, ptype, 3, 0, 0, 0, 0];
        pdu.extend(length.to_be_bytes());
        pdu.extend([0, 0, 0, 0, 0, 7]);
        pdu
    };
    let mut bind = header(11, 72);
    bind.extend([0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    bind.extend(DRSUAPI.as_bytes());
    bind.extend([0, 0, 0, 4]);
    bind.extend([4; 20]);
    let mut request = header(0, 32);
    request.extend([0, 0, 0, 8, 0, 0, 0, 3]);
    request.extend([1; 8]);
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 1025);
    wire.ask(&mut tcp, &bind);
    wire.ask(&mut tcp, &request);
    wire.close(&tcp);
    let (decoded, _) = decode(&wire.packets);
    let (call, outcome) = calls(&decoded)[0];
    assert_eq!((call.interface, call.opnum), (Some(DRSUAPI), 3));
    assert_eq!((call.request_bytes, outcome), (8, Outcome::Unknown));
}

#[test]
fn objects_and_contexts_do_not_confuse() {
    // Two interfaces on one connection, and a request that names an object.
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 1025);
    wire.ask(&mut tcp, &Pdu::bind(1, EPM).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    let mut alter = Pdu::bind(2, DRSUAPI);
    alter.ptype = 14;
    alter.body[12] = 1;
    wire.ask(&mut tcp, &alter.bytes());
    let mut altered = Pdu::bind_ack(2);
    altered.ptype = 15;
    wire.answer(&mut tcp, &altered.bytes());
    let mut request = Pdu::request(3, 3, &[&[9; 16][..], &[0; 24]].concat()).flagged(0x83);
    request.body[4] = 1;
    wire.ask(&mut tcp, &request.bytes());
    wire.ask(&mut tcp, &Pdu::request(4, 2, &[0; 8]).bytes());
    // Answered in the other order.
    wire.answer(&mut tcp, &Pdu::response(4, &[0; 8]).bytes());
    wire.answer(&mut tcp, &Pdu::response(3, &[0; 12]).bytes());
    let (decoded, _) = decode(&wire.packets);
    let calls = calls(&decoded);
    assert_eq!((calls[0].0.interface, calls[0].0.opnum), (Some(EPM), 2));
    assert_eq!((calls[1].0.interface, calls[1].0.opnum), (Some(DRSUAPI), 3));
    assert_eq!(
        (calls[1].0.request_bytes, calls[1].0.response_bytes),
        (24, 12)
    );
}

/// What the client sends to `samr` over TCP, and what it is answered.
fn samr(asked: &[Pdu], answered: &[Pdu]) -> Vec<Decoded> {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 49_668);
    wire.ask(&mut tcp, &Pdu::bind(1, SAMR).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    asked
        .iter()
        .for_each(|pdu| wire.ask(&mut tcp, &pdu.bytes()));
    for pdu in answered {
        wire.answer(&mut tcp, &pdu.bytes());
    }
    wire.close(&tcp);
    let (decoded, stats) = decode(&wire.packets);
    assert_eq!(stats.protocol(Protocol::Dcerpc).errors, 0);
    decoded
}

/// `SamrLookupNamesInDomain` of one name, in NDR.
fn lookup_names(name: &str) -> Vec<u8> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let count = name.len() as u32;
    let mut stub = vec![7; 20];
    for word in [
        1,
        1000,
        0,
        1,
        (2 * count) | ((2 * count) << 16),
        1,
        count,
        0,
        count,
    ] {
        stub.extend(u32::to_le_bytes(word));
    }
    stub.extend(units);
    stub
}

#[test]
fn a_refusal_in_the_answer_is_a_failure() {
    let denied = 0xc000_0022_u32;
    let answer = Pdu::response(2, &[&[0; 20][..], &denied.to_le_bytes()].concat());
    let decoded = samr(&[Pdu::request(2, 64, &[0; 40])], &[answer]);
    let (call, outcome) = calls(&decoded)[0];
    assert_eq!(outcome, Outcome::Failure);
    assert_eq!((call.status, call.fault), (Some(denied), None));
}

#[test]
fn fragments_of_a_request_are_read_as_one() {
    let stub = lookup_names("Administrator");
    let (first, rest) = stub.split_at(40);
    let asked = [
        Pdu::request(2, 17, first).flagged(1),
        Pdu::request(2, 17, rest).flagged(2),
    ];
    let decoded = samr(&asked, &[]);
    let (call, outcome) = calls(&decoded)[0];
    let Some(RpcArguments::Samr(SamrArguments::LookupNames { names, .. })) = &call.arguments else {
        panic!("{call:?}");
    };
    assert_eq!(
        (&*names.first, names.total),
        (&["Administrator".into()][..], 1)
    );
    assert_eq!(call.request_bytes as usize, stub.len());
    assert_eq!(outcome, Outcome::Unknown);

    // Without its first part it cannot be read, and is told nevertheless.
    let decoded = samr(&[asked[0].clone(), Pdu::request(3, 1, &[7; 20])], &[]);
    let cut: Vec<_> = calls(&decoded).iter().map(|(call, _)| call.opnum).collect();
    assert_eq!(cut, [17, 1]);
}

#[test]
fn what_may_be_sealed_is_not_read() {
    let stub = lookup_names("Administrator");
    let asked = Pdu::request(2, 17, &stub);
    let arguments = |asked: Pdu, cut: usize| {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_004, 49_668);
        wire.ask(&mut tcp, &Pdu::bind(1, SAMR).bytes());
        wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
        wire.ask(&mut tcp, &asked.bytes());
        let packet = wire.packets.last_mut().unwrap();
        packet.data.truncate(packet.data.len() - cut);
        let (decoded, _) = decode(&wire.packets);
        calls(&decoded)[0].0.arguments.clone()
    };
    assert!(arguments(asked.clone(), 0).is_some());
    assert!(arguments(asked.clone().with(10, 5, &[0; 16]), 0).is_some());
    assert_eq!(arguments(asked.clone().with(10, 6, &[0; 16]), 0), None);
    // The capture ends in the trailer, which would say.
    assert_eq!(arguments(asked.with(10, 6, &[0; 16]), 20), None);
}

#[test]
fn a_verification_trailer_is_no_part_of_the_stub() {
    let mut stub = lookup_names("krbtgt");
    let length = stub.len();
    stub.extend([0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71]);
    stub.extend([1, 0x40, 4, 0, 1, 0, 0, 0]);
    let decoded = samr(&[Pdu::request(2, 17, &stub)], &[]);
    assert_eq!(calls(&decoded)[0].0.request_bytes as usize, length);
}

#[test]
fn an_interface_that_is_not_there_was_asked_for() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 49_668);
    wire.ask(&mut tcp, &Pdu::bind(1, EFSRPC).bytes());
    let mut refused = Pdu::bind_ack(1);
    // Rejected by the provider, for it does not know the interface.
    refused.body[20..24].copy_from_slice(&[2, 0, 1, 0]);
    wire.answer(&mut tcp, &refused.bytes());
    let (decoded, _) = decode(&wire.packets);
    let expected = BindRefused {
        transport: RpcTransport::Tcp,
        interface: EFSRPC,
        name: Some("efsrpc".into()),
        reason: BindReason::Context(1),
    };
    assert_eq!(decoded[0].activity.kind, Kind::Bind(expected));
    assert_eq!(decoded[0].activity.outcome, Outcome::Failure);
}

#[test]
fn a_refused_bind_says_why() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 49_668);
    let authenticate = ntlm_authenticate("CORP", "Mallory", "KALI");
    wire.ask(
        &mut tcp,
        &Pdu::bind(1, SAMR).with(10, 5, &authenticate).bytes(),
    );
    let nak = Pdu::new(13, 1, vec![8, 0, 1, 5, 0]);
    wire.answer(&mut tcp, &nak.bytes());
    let (decoded, _) = decode(&wire.packets);
    let kinds: Vec<_> = decoded.iter().map(|it| &it.activity.kind).collect();
    let [Kind::Ntlm(logon), Kind::Bind(refused)] = kinds[..] else {
        panic!("{kinds:?}");
    };
    assert_eq!(logon.status, Some(Status::Rpc(8)));
    assert_eq!(refused.reason, BindReason::Bind(8));
}

#[test]
fn behind_the_greeting_of_http_pdus_follow() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 593);
    wire.answer(&mut tcp, b"ncacn_http/1.0");
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
    wire.answer(&mut tcp, &Pdu::response(2, &[0; 40]).bytes());
    // Flow control of version 2, from either side.
    wire.answer(&mut tcp, &Pdu::new(20, 0, vec![0; 4]).bytes());
    let (decoded, stats) = decode(&wire.packets);
    let (call, outcome) = calls(&decoded)[0];
    assert_eq!(
        (&call.transport, outcome),
        (&RpcTransport::Http, Outcome::Success)
    );
    let counted = stats.protocol(Protocol::Dcerpc);
    assert_eq!((counted.messages, counted.errors), (5, 0));
}

#[test]
fn a_token_in_several_pdus_is_put_together() {
    let token = ap_req(&story::service_ticket());
    let (first, rest) = token.split_at(500);
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    let bind = Pdu::bind(1, DRSUAPI).with(16, 6, first).flagged(1);
    wire.ask(&mut tcp, &bind.bytes());
    let more = Pdu::bind(1, DRSUAPI).with(16, 6, rest).flagged(2);
    wire.ask(&mut tcp, &more.bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).with(16, 6, &ap_rep()).bytes());
    let (decoded, stats) = decode(&wire.packets);
    let Kind::Ap(presented) = &decoded[0].activity.kind else {
        panic!("{decoded:?}");
    };
    assert_eq!(presented.ticket.length, 1100);
    assert_eq!(decoded[0].activity.outcome, Outcome::Success);
    assert_eq!(stats.protocol(Protocol::Kerberos).errors, 0);
}

#[test]
fn a_secure_channel_names_its_machine() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 49_668);
    let negotiate = [&[0, 0, 0, 0, 3, 0, 0, 0], &b"CORP\0WS1\0"[..]].concat();
    wire.ask(
        &mut tcp,
        &Pdu::bind(1, SAMR).with(68, 6, &negotiate).bytes(),
    );
    let response = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    wire.answer(&mut tcp, &Pdu::bind_ack(1).with(68, 6, &response).bytes());
    let sealed = |pdu: Pdu| pdu.with(68, 6, &[6; 56]).bytes();
    for call_id in [2, 3] {
        wire.ask(&mut tcp, &sealed(Pdu::request(call_id, 64, &[3; 80])));
    }
    wire.answer(&mut tcp, &sealed(Pdu::fault(2, 5)));
    wire.answer(&mut tcp, &sealed(Pdu::response(3, &[4; 60])));
    let (decoded, _) = decode(&wire.packets);
    // What proves the machine's key is that it is answered.
    for (decoded, proven) in decoded.iter().zip([false, true]) {
        let credentials = decoded.activity.credentials.as_ref().unwrap();
        assert_eq!(credentials.mechanism, Mechanism::Netlogon);
        assert_eq!(credentials.account, Some(Account::new("ws1$", "corp")));
        assert_eq!(credentials.proven, proven);
    }
}
