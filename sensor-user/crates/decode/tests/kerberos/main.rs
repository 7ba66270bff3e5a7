//! Kerberos messages as activities: every field where it belongs.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests unwrap fails the test that called them"
)]

mod mit;
mod odd;
mod opened;
mod padata;
#[path = "../support/mod.rs"]
mod support;

use goshawk_decode::{Decoded, Protocol};
use goshawk_model::kerberos::{
    Answer, AsExchange, PasswordAnswer, PasswordExchange, PasswordOperation, TgsExchange,
};
use goshawk_model::{Account, Activity, Digest, Kind, Outcome};

use support::messages::*;
use support::wire::{CLIENT, SERVER, Wire};
use support::{decode, story};

const CLIENT_PORT: ([u8; 4], u16) = (CLIENT, 50_001);
const KDC: ([u8; 4], u16) = (SERVER, 88);

/// The activities of datagrams that go back and forth, `true` from the client.
fn exchanged(messages: &[(bool, Vec<u8>)]) -> Vec<Activity> {
    let mut wire = Wire::new();
    for (from_client, message) in messages {
        let (from, to) = if *from_client {
            (CLIENT_PORT, KDC)
        } else {
            (KDC, CLIENT_PORT)
        };
        wire.udp(from, to, message);
    }
    let (decoded, _) = decode(&wire.packets);
    decoded.into_iter().map(|it: Decoded| it.activity).collect()
}

fn initial(activity: &Activity) -> &AsExchange {
    match &activity.kind {
        Kind::As(exchange) => exchange,
        other => panic!("{other:?}"),
    }
}

fn further(activity: &Activity) -> &TgsExchange {
    match &activity.kind {
        Kind::Tgs(exchange) => exchange,
        other => panic!("{other:?}"),
    }
}

/// What a ticket is known by: its length and its ends.
fn identity(cipher: &[u8]) -> Digest {
    let (front, back) = (&cipher[..32], &cipher[cipher.len() - 32..]);
    Digest::of(&[&cipher.len().to_le_bytes(), front, back])
}

#[test]
fn a_logon_is_an_attempt_refused_and_one_granted() {
    let mut wire = Wire::new();
    story::logon(&mut wire);
    let (decoded, stats) = decode(&wire.packets);
    let [refused, granted] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    let alice = Account::new("alice", REALM);

    let it = &refused.activity;
    assert_eq!(it.outcome, Outcome::Failure);
    assert_eq!(initial(it).answer, Answer::Refused(25));
    let actor = it.actor.as_ref().unwrap();
    assert_eq!((&actor.account, actor.authenticated), (&alice, false));
    assert_eq!(it.flow.to_string(), "udp 10.0.0.9:50001 > 10.0.0.1:88");
    assert_eq!(it.client.name.as_deref(), Some("ws1"));

    let it = &granted.activity;
    assert_eq!(it.outcome, Outcome::Success);
    assert!(it.actor.as_ref().unwrap().authenticated);
    let exchange = initial(it);
    assert_eq!(exchange.client, Some(alice));
    assert_eq!(
        exchange.service.as_deref(),
        Some("krbtgt/CORP.EXAMPLE@CORP.EXAMPLE")
    );
    let request = exchange.request.as_ref().unwrap();
    assert_eq!(request.padata, [2, 128]);
    assert_eq!(request.etypes, [18, 23]);
    assert_eq!(request.kdc_options, 0x4081_0010);
    assert_eq!(request.netbios_addresses, ["WS1".into()]);
    assert_eq!(request.nonce, u32::MAX - 6);
    assert_eq!(request.name_type, 1);
    assert_eq!(request.till, "2037-09-13T02:48:05Z".parse().ok());
    let Answer::Issued {
        ticket,
        reply_etype,
    } = &exchange.answer
    else {
        panic!("{exchange:?}");
    };
    assert_eq!(*reply_etype, 18);
    assert_eq!(ticket.id, identity(&[1; 900]));
    assert_eq!(&*ticket.service, "krbtgt/CORP.EXAMPLE@CORP.EXAMPLE");
    assert_eq!(
        (ticket.etype, ticket.kvno, ticket.length),
        (18, Some(2), 900)
    );

    assert_eq!(stats.protocol(Protocol::Kerberos).messages, 4);
    assert_eq!(stats.protocol(Protocol::Kerberos).errors, 0);
}

#[test]
fn a_ticket_without_proof_of_the_password_proves_nothing() {
    let found = exchanged(&[
        (true, as_req("bob", &[128], &[23])),
        (false, as_rep("bob", &story::tgt(), 23)),
    ]);
    assert_eq!(found[0].outcome, Outcome::Success);
    assert!(!found[0].actor.as_ref().unwrap().authenticated);
}

#[test]
fn names_outside_ascii_are_read() {
    let found = exchanged(&[(true, as_req("Àlïce", &[2], &[18]))]);
    let actor = found[0].actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("àlïce", REALM));
    assert_eq!(found[0].outcome, Outcome::Unknown);
}

#[test]
fn a_service_ticket_names_who_asks_by_the_one_presented() {
    let asked = tgs_req(&story::tgt(), &["cifs", "dc1.corp.example"], &[23, -133]);
    let found = exchanged(&[
        (true, asked),
        (false, tgs_rep("alice", &story::service_ticket(), 18)),
    ]);
    let exchange = further(&found[0]);
    let request = exchange.request.as_ref().unwrap();
    let presented = request.presented.as_ref().unwrap();
    assert_eq!(presented.id, identity(&[1; 900]));
    assert_eq!(request.etypes, [23, -133]);
    assert_eq!(request.name_type, 2);
    assert_eq!(
        exchange.service.as_deref(),
        Some("cifs/dc1.corp.example@CORP.EXAMPLE")
    );
    let actor = found[0].actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("alice", REALM));
    assert!(actor.authenticated);
}

#[test]
fn what_is_sent_again_happened_once() {
    let asked = as_req("alice", &[2], &[18]);
    let refused = krb_error(24, &["krbtgt", REALM]);
    let found = exchanged(&[
        (true, asked.clone()),
        (true, asked.clone()),
        (false, refused.clone()),
        (false, refused),
        (true, asked),
    ]);
    assert_eq!(found.len(), 1);
    assert_eq!(initial(&found[0]).answer, Answer::Refused(24));
}

#[test]
fn an_answer_alone_still_tells() {
    let found = exchanged(&[
        (false, as_rep("alice", &story::tgt(), 18)),
        (false, tgs_rep("alice", &story::service_ticket(), 18)),
        (false, krb_error(24, &["krbtgt", REALM])),
    ]);
    assert_eq!(initial(&found[0]).request, None);
    assert_eq!(further(&found[1]).request, None);
    assert_eq!(initial(&found[2]).answer, Answer::Refused(24));
    assert_eq!(found[0].client.ip, std::net::IpAddr::from(CLIENT));
    assert!(!found[0].actor.as_ref().unwrap().authenticated);
}

/// A message of the change-password protocol, protocol version `version`.
fn kpasswd(version: u16, ap: &[u8], behind: &[u8]) -> Vec<u8> {
    let length = (6 + ap.len() + behind.len()) as u16;
    let head = [length, version, ap.len() as u16].map(u16::to_be_bytes);
    [&head.concat(), ap, behind].concat()
}

fn password(activity: &Activity) -> &PasswordExchange {
    match &activity.kind {
        Kind::Password(exchange) => exchange,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_changed_is_known_by_its_ticket() {
    let ticket = ticket(&["kadmin", "changepw"], 18, &[3; 500]);
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 464);
    wire.ask(
        &mut tcp,
        &record(&kpasswd(1, &ap_req(&ticket), &krb_priv())),
    );
    wire.answer(&mut tcp, &record(&kpasswd(1, &ap_rep(), &krb_priv())));
    let (decoded, stats) = decode(&wire.packets);
    let [changed] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    let exchange = password(&changed.activity);
    assert_eq!(exchange.operation, Some(PasswordOperation::Change));
    let ticket = exchange.ticket.as_ref().unwrap();
    assert_eq!(&*ticket.service, "kadmin/changepw@CORP.EXAMPLE");
    // The server has taken the ticket; whether it has taken the password is sealed.
    assert_eq!(exchange.answer, PasswordAnswer::Sealed);
    assert_eq!(changed.activity.outcome, Outcome::Unknown);
    let credentials = changed.activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.ticket.as_ref(), Some(ticket));
    assert!(credentials.proven);
    assert_eq!(stats.protocol(Protocol::Kerberos).messages, 4);
}

#[test]
fn a_password_refused_tells_why() {
    let ticket = ticket(&["kadmin", "changepw"], 18, &[3; 500]);
    let e_data = [&[0, 5][..], b"Access denied"].concat();
    let refused = krb_error_with(60, &["kadmin", "changepw"], &e_data);
    let mut wire = Wire::new();
    let (client, server) = ((CLIENT, 50_006), (SERVER, 464));
    wire.udp(
        client,
        server,
        &kpasswd(0xff80, &ap_req(&ticket), &krb_priv()),
    );
    wire.udp(server, client, &kpasswd(1, &[], &refused));
    let (decoded, _) = decode(&wire.packets);
    let [set] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    let exchange = password(&set.activity);
    assert_eq!(exchange.operation, Some(PasswordOperation::Set));
    let refused = PasswordAnswer::Refused {
        error: 60,
        result: Some(5),
    };
    assert_eq!(exchange.answer, refused);
    assert_eq!(set.activity.outcome, Outcome::Failure);
}

#[test]
fn ids_are_unique() {
    let (decoded, _) = decode(&story::packets());
    let ids: std::collections::BTreeSet<_> = decoded.iter().map(|it| it.activity.id).collect();
    assert_eq!(ids.len(), decoded.len());
}
