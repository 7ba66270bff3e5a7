//! NTLM logons as activities: one for each, whatever became of it.

mod support;

use std::time::Duration;

use goshawk_decode::{Decoded, Protocol, Stats};
use goshawk_model::ntlm::{NtResponse, NtlmLogon};
use goshawk_model::{Account, Activity, Carrier, Kind, Mechanism, Outcome, Status};

use support::http::{answer, request, shown};
use support::messages::{Pdu, tlv};
use support::ntlm::{Authenticate, challenge, negotiate};
use support::wire::{Tcp, Wire};
use support::{Packet, decode, story};

fn logons(decoded: &[Decoded]) -> Vec<(&Activity, &NtlmLogon)> {
    decoded
        .iter()
        .filter_map(|it| match &it.activity.kind {
            Kind::Ntlm(logon) => Some((&it.activity, &**logon)),
            _ => None,
        })
        .collect()
}

/// A request with a token, answered with this status and, if there is one, another token.
fn exchange(wire: &mut Wire, tcp: &mut Tcp, token: &[u8], status: u16, reply: Option<&[u8]>) {
    let asked = request("GET", "/", &[("Authorization", &shown("NTLM", token))], 0);
    wire.ask(tcp, &asked);
    let reply = reply.map(|reply| shown("NTLM", reply));
    let fields: Vec<_> = reply
        .iter()
        .map(|reply| ("WWW-Authenticate", reply.as_str()))
        .collect();
    wire.answer(tcp, &answer(status, &fields, 30));
}

/// A whole logon that ends with this status.
fn logon(wire: &mut Wire, tcp: &mut Tcp, user: &str, status: u16) {
    let authenticate = Authenticate::new("CORP", user, "WS1").bytes();
    exchange(wire, tcp, &negotiate("", ""), 401, Some(&challenge([1; 8])));
    exchange(wire, tcp, &authenticate, status, None);
}

#[test]
fn a_logon_is_one_activity_with_all_its_messages() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    logon(&mut wire, &mut tcp, "Alice", 200);
    let (decoded, stats) = decode(&wire.packets);
    let [(activity, logon)] = logons(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(activity.outcome, Outcome::Success);
    let actor = activity.actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("alice", "corp"));
    assert!(actor.authenticated);
    assert_eq!(activity.client.name.as_deref(), Some("ws1"));
    let credentials = activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.mechanism, Mechanism::Ntlm);
    assert_eq!((logon.carrier, logon.status), (Carrier::Http, None));
    assert!(logon.negotiate.is_some());
    let server = &logon.challenge.as_ref().unwrap().target_info;
    assert_eq!(server.netbios_domain.as_deref(), Some("CORP"));
    assert_eq!(server.dns_domain.as_deref(), Some("corp.example"));
    let authenticate = logon.authenticate.as_ref().unwrap();
    assert_eq!(authenticate.nt_response, NtResponse::Ntlmv2);
    assert_eq!(authenticate.user.as_deref(), Some("Alice"));
    let counts = stats.protocol(Protocol::Ntlm);
    assert_eq!((counts.messages, counts.errors), (3, 0));
}

#[test]
fn who_comes_from_no_domain_is_of_no_known_one() {
    for (domain, expected) in [
        ("WORKGROUP", ""),
        ("workgroup", ""),
        ("CORP", "corp"),
        ("OTHER", "other"),
    ] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_100, 80);
        let authenticate = Authenticate::new(domain, "Administrator", "DC2").bytes();
        let reply = challenge([1; 8]);
        exchange(&mut wire, &mut tcp, &negotiate("", ""), 401, Some(&reply));
        exchange(&mut wire, &mut tcp, &authenticate, 200, None);
        let (decoded, _) = decode(&wire.packets);
        let (activity, logon) = logons(&decoded)[0];
        let actor = activity.actor.as_ref().unwrap();
        assert_eq!(actor.account, Account::new("administrator", expected));
        // As it was said.
        let said = logon.authenticate.as_ref().unwrap();
        assert_eq!(said.domain.as_deref(), Some(domain));
    }
}

#[test]
fn nothing_that_could_be_cracked_is_told() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    logon(&mut wire, &mut tcp, "alice", 200);
    let told = serde_json::to_string(&decode(&wire.packets).0[0].activity).unwrap();
    // The response's proof and its client challenge, and the server's challenge.
    for secret in [
        "0707070707",
        "0808080808",
        "0101010101",
        "7,7,7,7",
        "8,8,8,8",
        "1,1,1,1",
    ] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn a_refusal_carries_its_status() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    logon(&mut wire, &mut tcp, "alice", 401);
    logon(&mut wire, &mut tcp, "alice", 401);
    logon(&mut wire, &mut tcp, "bob", 200);
    let (decoded, _) = decode(&wire.packets);
    let logons = logons(&decoded);
    let outcomes: Vec<_> = logons
        .iter()
        .map(|(activity, logon)| (activity.outcome, logon.status))
        .collect();
    let refused = (Outcome::Failure, Some(Status::Http(401)));
    assert_eq!(outcomes, [refused, refused, (Outcome::Success, None)]);
    let actor = |index: usize| logons[index].0.actor.as_ref().unwrap();
    assert!(!actor(0).authenticated && actor(2).authenticated);
    assert_eq!(actor(2).account.name(), "bob");

    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, story::DRSUAPI_PORT);
    let bind = |ptype, token: &[u8]| Pdu::new(ptype, 1, vec![0; 12]).with(10, 5, token).bytes();
    wire.ask(&mut tcp, &bind(11, &negotiate("", "")));
    wire.answer(
        &mut tcp,
        &Pdu::bind_ack(1).with(10, 5, &challenge([1; 8])).bytes(),
    );
    let authenticate = Authenticate::new("CORP", "alice", "WS1").bytes();
    wire.ask(&mut tcp, &bind(16, &authenticate));
    wire.answer(&mut tcp, &Pdu::fault(1, 0x721).bytes());
    let (decoded, _) = decode(&wire.packets);
    assert_eq!(self::logons(&decoded)[0].1.status, Some(Status::Rpc(0x721)));
}

#[test]
fn who_only_wants_the_challenge_shows_no_account() {
    for patient in [true, false] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_100, 80);
        exchange(
            &mut wire,
            &mut tcp,
            &negotiate("", ""),
            401,
            Some(&challenge([1; 8])),
        );
        if patient {
            wire.wait(Duration::from_secs(60));
            wire.ask(&mut tcp, &request("GET", "/", &[], 0));
        } else {
            wire.close(&tcp);
        }
        let (decoded, _) = decode(&wire.packets);
        let [(activity, logon)] = logons(&decoded)[..] else {
            panic!("{decoded:?}");
        };
        assert_eq!(
            (activity.outcome, &activity.actor),
            (Outcome::Unknown, &None)
        );
        assert!(logon.negotiate.is_some() && logon.challenge.is_some());
        assert_eq!(logon.authenticate, None);
        assert_eq!(decoded.len(), 1, "a challenge is no logon");
    }
}

#[test]
fn one_side_of_a_logon_is_half_a_logon() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    logon(&mut wire, &mut tcp, "alice", 200);
    let seen = |from_client: bool| -> Vec<Packet> {
        let of_side =
            |packet: &&Packet| (packet.data[26..30] == support::wire::CLIENT) == from_client;
        wire.packets.iter().filter(of_side).cloned().collect()
    };
    let (decoded, _) = decode(&seen(true));
    let (activity, logon) = logons(&decoded)[0];
    assert_eq!(activity.outcome, Outcome::Unknown);
    assert!(!activity.actor.as_ref().unwrap().authenticated);
    assert!(logon.challenge.is_none());
    // The client repeats what the server said of itself.
    let server = logon.target_info().unwrap();
    assert_eq!(server.dns_computer.as_deref(), Some("dc1.corp.example"));

    let (decoded, _) = decode(&seen(false));
    let (activity, logon) = logons(&decoded)[0];
    assert_eq!(
        (activity.outcome, &activity.actor),
        (Outcome::Unknown, &None)
    );
    assert!(logon.challenge.is_some() && logon.negotiate.is_none());
    assert_eq!(activity.flow.server.port(), 80);
}

#[test]
fn a_logon_negotiated_by_spnego_is_the_same() {
    // NegTokenResp with a responseToken (RFC 4178 4.2.2).
    let spnego = |token: &[u8]| tlv(0xa1, &tlv(0x30, &tlv(0xa2, &tlv(4, token))));
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    let authenticate = Authenticate::new("CORP", "alice", "WS1").bytes();
    exchange(
        &mut wire,
        &mut tcp,
        &spnego(&negotiate("", "")),
        401,
        Some(&spnego(&challenge([1; 8]))),
    );
    exchange(&mut wire, &mut tcp, &spnego(&authenticate), 200, None);
    let (decoded, _) = decode(&wire.packets);
    let (activity, logon) = logons(&decoded)[0];
    assert_eq!(activity.outcome, Outcome::Success);
    assert!(logon.negotiate.is_some() && logon.challenge.is_some());
}

#[test]
fn a_null_session_is_nobodys() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    let nobody = Authenticate {
        lm: vec![0],
        nt: Vec::new(),
        ..Authenticate::new("", "", "")
    };
    exchange(&mut wire, &mut tcp, &nobody.bytes(), 200, None);
    let (decoded, _) = decode(&wire.packets);
    let (activity, _) = logons(&decoded)[0];
    let credentials = activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.mechanism, Mechanism::Anonymous);
    assert_eq!(
        (activity.outcome, &activity.actor),
        (Outcome::Success, &None)
    );
}

#[test]
fn a_relay_hands_on_challenge_and_response() {
    let digests = |server_challenge: [u8; 8]| {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_100, 80);
        let authenticate = Authenticate::new("CORP", "alice", "WS1").bytes();
        exchange(
            &mut wire,
            &mut tcp,
            &negotiate("", ""),
            401,
            Some(&challenge(server_challenge)),
        );
        exchange(&mut wire, &mut tcp, &authenticate, 200, None);
        let (decoded, _): (Vec<Decoded>, Stats) = decode(&wire.packets);
        let (_, logon) = logons(&decoded)[0];
        let challenge = logon.challenge.as_ref().unwrap().digest;
        (
            challenge,
            logon.authenticate.as_ref().unwrap().digest.unwrap(),
        )
    };
    let (first, second, other) = (digests([1; 8]), digests([1; 8]), digests([2; 8]));
    assert_eq!(first, second);
    assert_ne!(first.0, other.0);
}

#[test]
fn what_is_malformed_is_counted_and_names_the_mechanism() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_100, 80);
    exchange(&mut wire, &mut tcp, b"NTLMSSP\0\x03\0\0\0\x18\0", 401, None);
    let (decoded, stats) = decode(&wire.packets);
    assert!(logons(&decoded).is_empty());
    let counts = stats.protocol(Protocol::Ntlm);
    assert_eq!((counts.messages, counts.errors), (1, 1));
    let credentials = decoded[0].activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.mechanism, Mechanism::Ntlm);
}
