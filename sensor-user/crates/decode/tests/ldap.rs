//! LDAP operations as activities: every field where it belongs, whatever carries them.

mod support;

use std::time::Duration;

use goshawk_decode::{Decoded, Limits, Protocol, Stats};
use goshawk_model::ldap::{
    Authentication, Bind, ChangeOperation, LdapOperation, Operation, Protection, Search, control,
    ds_flag, extension,
};
use goshawk_model::{Account, Activity, Kind, Mechanism, Outcome};

use support::ldap::*;
use support::messages::ap_req;
use support::wire::{CLIENT, SERVER, Wire};
use support::{decode, decode_with, ntlm, story};

const BASE: &str = "DC=corp,DC=example";

fn operations(decoded: &[Decoded]) -> Vec<(&LdapOperation, &Activity)> {
    decoded
        .iter()
        .filter_map(|it| match &it.activity.kind {
            Kind::Ldap(operation) => Some((&**operation, &it.activity)),
            _ => None,
        })
        .collect()
}

fn searches(decoded: &[Decoded]) -> Vec<(&Search, &Activity)> {
    operations(decoded)
        .into_iter()
        .filter_map(|(it, activity)| match &it.operation {
            Operation::Search(search) => Some((search, activity)),
            _ => None,
        })
        .collect()
}

/// What is decoded of a conversation in turns: the client's first, then the server's.
fn conversation(turns: &[Vec<u8>]) -> (Vec<Decoded>, Stats) {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    for (turn, bytes) in turns.iter().enumerate() {
        if turn % 2 == 0 {
            wire.ask(&mut tcp, bytes);
        } else {
            wire.answer(&mut tcp, bytes);
        }
    }
    wire.close(&tcp);
    decode(&wire.packets)
}

#[test]
fn a_refused_password_is_an_attempt_of_its_account() {
    let reason = "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data \
                  775, v4563";
    let (decoded, stats) = conversation(&[
        simple_bind(1, "CN=Alice,CN=Users,DC=corp,DC=example", "Winter2024!"),
        result(1, 0x61, 49, reason),
        search(2, BASE, &equals("cn", b"bob"), &[]),
        done(2),
    ]);
    let found = operations(&decoded);
    let (bind, activity) = found[0];
    let refusal = bind.result.as_ref().unwrap();
    assert_eq!((refusal.result_code, refusal.data), (49, 0x775));
    assert_eq!(activity.outcome, Outcome::Failure);
    let actor = activity.actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("alice", "corp.example"));
    assert!(!actor.authenticated);
    assert!(!format!("{decoded:?}").contains("Winter2024"));
    assert_eq!(bind.request_bytes, 0);
    // Who failed to bind is nobody.
    assert_eq!(found[1].1.credentials, None);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 4);
    assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);
}

#[test]
fn a_search_is_one_activity_however_much_it_returns() {
    let filter = tlv(
        0xa0,
        &[
            equals("samAccountType", b"805306368"),
            tlv(0x87, b"servicePrincipalName"),
        ]
        .concat(),
    );
    let asked = controlled(
        3,
        0x63,
        &search_request(BASE, &filter, &["sAMAccountName", "1.2.840.113556.1.4.771"]),
        &[control::PAGED_RESULTS, control::SD_FLAGS],
    );
    let mut answer: Vec<u8> = (0..50)
        .flat_map(|at| entry(3, &format!("CN=svc{at},{BASE}"), "cn", &[b'x'; 300]))
        .collect();
    answer.extend(message(3, 0x73, &[tlv(4, b"ldap://dc2/")]));
    answer.extend(done(3));
    let (decoded, stats) = conversation(&[
        simple_bind(1, "alice@corp.example", "secret"),
        result(1, 0x61, 0, ""),
        asked,
        answer,
    ]);
    let (operation, activity) = operations(&decoded)[1];
    let Operation::Search(search) = &operation.operation else {
        panic!("{operation:?}");
    };
    assert_eq!((search.entries, search.references), (50, 1));
    assert_eq!(search.names.len(), 4);
    assert_eq!(&*search.names[3], "CN=svc3,DC=corp,DC=example");
    let request = search.request.as_ref().unwrap();
    assert_eq!(
        &*request.filter,
        "(&(samAccountType=805306368)(servicePrincipalName=*))"
    );
    assert_eq!(&*request.conditions[1].attribute, "serviceprincipalname");
    assert_eq!(
        request.attributes,
        ["samaccountname".into(), "serviceprincipalname".into()]
    );
    assert_eq!(
        operation.controls,
        [control::PAGED_RESULTS.into(), control::SD_FLAGS.into()]
    );
    assert_eq!(operation.protection, Protection::None);
    assert!(operation.response_bytes > 50 * 300);
    let actor = activity.actor.as_ref().unwrap();
    assert_eq!(actor.account.as_str(), "alice@corp.example");
    assert!(actor.authenticated);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 55);
}

#[test]
fn changes_tell_what_attacks_change_and_no_passwords() {
    let (decoded, _) = conversation(&[
        modify(
            1,
            "CN=WS1,DC=corp,DC=example",
            &[
                (
                    2,
                    attribute("msDS-AllowedToActOnBehalfOfOtherIdentity", &[&[1; 80]]),
                ),
                (
                    0,
                    attribute("servicePrincipalName", &[b"HOST/dc1", b"GC/dc1"]),
                ),
                (2, attribute("unicodePwd", &[b"\"\0S\0e\0c\0"])),
            ],
        ),
        result(1, 0x67, 50, ""),
        add(
            2,
            "CN=EVIL,CN=Computers,DC=corp,DC=example",
            &[
                attribute("objectClass", &[b"computer"]),
                attribute("userPassword", &[b"hunter2"]),
            ],
        ),
        result(2, 0x69, 0, ""),
        message(3, 0x4a, &[b"CN=EVIL,DC=corp,DC=example".to_vec()]),
        result(3, 0x6b, 0, ""),
        message(
            4,
            0x6c,
            &[
                tlv(4, b"CN=a"),
                tlv(4, b"CN=b"),
                tlv(1, &[0xff]),
                tlv(0x80, BASE.as_bytes()),
            ],
        ),
        result(4, 0x6d, 0, ""),
        message(
            5,
            0x6e,
            &[
                tlv(4, b"CN=a"),
                tlv(
                    0x30,
                    &[tlv(4, b"userPassword"), tlv(4, b"hunter2")].concat(),
                ),
            ],
        ),
        result(5, 0x6f, 5, ""),
        extended(
            6,
            extension::PASSWORD_MODIFY,
            &tlv(
                0x30,
                &[tlv(0x80, b"uid=bob"), tlv(0x82, b"hunter2")].concat(),
            ),
        ),
        result(6, 0x78, 0, ""),
    ]);
    let found = operations(&decoded);
    let Operation::Modify(Some(modify)) = &found[0].0.operation else {
        panic!("{found:?}");
    };
    assert_eq!(&*modify.object, "CN=WS1,DC=corp,DC=example");
    let [delegation, names, password] = &modify.changes[..] else {
        panic!("{modify:?}");
    };
    assert_eq!(delegation.operation, ChangeOperation::Replace);
    assert_eq!(
        (
            &*delegation.modification.name,
            delegation.modification.bytes
        ),
        ("msds-allowedtoactonbehalfofotheridentity", 80)
    );
    assert_eq!(names.operation, ChangeOperation::Add);
    assert_eq!(
        names.modification.texts,
        ["HOST/dc1".into(), "GC/dc1".into()]
    );
    assert_eq!(password.modification.values, 1);
    assert!(password.modification.texts.is_empty());
    // Neither do lengths tell how long one is.
    assert_eq!(password.modification.bytes, 0);
    let told = |(it, _): &(&LdapOperation, &Activity)| it.request_bytes > 0;
    let lengths: Vec<_> = found.iter().map(told).collect();
    assert_eq!(lengths, [false, false, true, true, false, false]);
    assert_eq!(found[0].1.outcome, Outcome::Failure);
    let Operation::Add(Some(add)) = &found[1].0.operation else {
        panic!("{found:?}");
    };
    assert_eq!(add.attributes[0].texts, ["computer".into()]);
    assert!(
        matches!(&found[2].0.operation, Operation::Delete(Some(it)) if it.starts_with("CN=EVIL"))
    );
    let Operation::ModifyDn(Some(rename)) = &found[3].0.operation else {
        panic!("{found:?}");
    };
    assert_eq!((&*rename.entry, &*rename.newrdn), ("CN=a", "CN=b"));
    assert_eq!(rename.new_superior.as_deref(), Some(BASE));
    assert_eq!(found[4].1.outcome, Outcome::Success);
    let Operation::Extended(Some(change)) = &found[5].0.operation else {
        panic!("{found:?}");
    };
    assert_eq!(change.user_identity.as_deref(), Some("uid=bob"));
    assert!(!format!("{decoded:?}").contains("hunter2"));
}

#[test]
fn sicily_is_one_bind_in_three_rounds() {
    let (decoded, stats) = conversation(&[
        sicily_bind(1, 0x89, b""),
        sicily_response(1, b"NTLM"),
        sicily_bind(2, 0x8a, &ntlm::negotiate("", "")),
        sicily_response(2, &ntlm::challenge([3; 8])),
        sicily_bind(
            3,
            0x8b,
            &ntlm::Authenticate::new("CORP", "Mallory", "KALI").bytes(),
        ),
        sicily_response(3, b""),
        ntlm_signed(&search(4, BASE, &equals("cn", b"bob"), &[])),
        ntlm_signed(&[entry(4, "CN=bob", "cn", b"bob"), done(4)].concat()),
    ]);
    let [logon, bind, search] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    assert!(matches!(logon.activity.kind, Kind::Ntlm(_)));
    assert_eq!(logon.activity.outcome, Outcome::Success);
    let expected = Operation::Bind(Bind {
        request: Some(goshawk_model::ldap::BindRequest {
            version: 3,
            name: "".into(),
            authentication: Authentication::Sicily,
        }),
        rounds: 3,
    });
    let Kind::Ldap(told) = &bind.activity.kind else {
        panic!("{bind:?}");
    };
    assert_eq!(told.operation, expected);
    for it in [bind, search] {
        let actor = it.activity.actor.as_ref().unwrap();
        assert_eq!(actor.account, Account::new("mallory", "corp"));
        assert!(actor.authenticated);
    }
    let Kind::Ldap(told) = &search.activity.kind else {
        panic!("{search:?}");
    };
    assert_eq!(told.protection, Protection::Signed);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 9);
}

#[test]
fn a_bind_by_ticket_goes_on_signed_or_sealed() {
    let bind = sasl_bind(1, "GSSAPI", &ap_req(&story::service_ticket()));
    let layers = krb5_wrapped(&[4, 0, 0, 0], false)[4..].to_vec();
    let begin = [
        bind,
        bind_response(1, 14, b""),
        sasl_bind(2, "GSSAPI", b""),
        bind_response(2, 14, &layers),
        sasl_bind(3, "GSSAPI", &layers),
        bind_response(3, 0, b""),
    ];
    let asked = search(4, BASE, &equals("cn", b"bob"), &[]);
    let signed = [
        krb5_wrapped(&asked, false),
        // Two messages in three buffers.
        [entry(4, "CN=bob", "cn", b"bob"), done(4)]
            .concat()
            .chunks(40)
            .flat_map(|part| krb5_wrapped(part, false))
            .collect(),
    ];
    let (decoded, stats) = conversation(&[&begin[..], &signed].concat());
    let [ticket, bind, search] = &decoded[..] else {
        panic!("{decoded:?}");
    };
    assert!(matches!(ticket.activity.kind, Kind::Ap(_)));
    assert!(matches!(&bind.activity.kind, Kind::Ldap(it)
        if matches!(it.operation, Operation::Bind(Bind { rounds: 3, .. }))));
    let credentials = search.activity.credentials.as_ref().unwrap();
    assert_eq!(credentials.mechanism, Mechanism::Kerberos);
    assert!(credentials.proven);
    assert_eq!(searches(&decoded)[0].0.entries, 1);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 9);

    let sealed = [krb5_wrapped(&asked, true), krb5_wrapped(&done(4), true)];
    let (decoded, stats) = conversation(&[&begin[..], &sealed].concat());
    let found = operations(&decoded);
    let [_, (told, activity)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(told.operation, Operation::Sealed);
    assert_eq!(told.protection, Protection::Sealed);
    assert!(activity.credentials.is_some());
    assert_eq!(stats.protocol(Protocol::Ldap).sealed, 2);
    assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);
}

#[test]
fn a_layer_agreed_on_before_the_capture_is_read() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    wire.packets.clear();
    let asked = search(9, BASE, &equals("cn", b"bob"), &[]);
    wire.ask(&mut tcp, &krb5_wrapped(&asked, false));
    wire.answer(&mut tcp, &krb5_wrapped(&done(9), false));
    let (decoded, _) = decode(&wire.packets);
    assert_eq!(searches(&decoded).len(), 1);
    assert_eq!(operations(&decoded)[0].0.protection, Protection::Signed);
}

#[test]
fn what_a_layer_signs_may_be_longer_than_is_held() {
    let limits = Limits {
        max_message: 20_000,
        ..Limits::default()
    };
    let long = [
        entry(4, "CN=Aggregate", "attributeTypes", &[b'x'; 90_000]),
        entry(4, "CN=bob", "cn", b"bob"),
        done(4),
    ];
    for wrap in [ntlm_signed, |text: &[u8]| krb5_wrapped(text, false)] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_005, 389);
        wire.ask(&mut tcp, &wrap(&search(4, BASE, &equals("cn", b"b"), &[])));
        wire.answer(&mut tcp, &wrap(&long.concat()));
        wire.answer(&mut tcp, &wrap(&entry(4, "CN=late", "cn", b"late")));
        let (decoded, stats) = decode_with(&wire.packets, limits.clone());
        let (search, activity) = searches(&decoded)[0];
        assert_eq!((search.entries, activity.outcome), (2, Outcome::Success));
        assert_eq!(stats.protocol(Protocol::Ldap).messages, 5);
        assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);
    }
}

#[test]
fn a_client_that_begins_tls_is_told_once() {
    let begin = [
        extended(1, extension::START_TLS, b""),
        result(1, 0x78, 0, ""),
    ];
    let secured = [
        client_hello("dc1.corp.example"),
        [tls_record(22, &[2, 0, 0, 0]), tls_record(23, &[9; 4000])].concat(),
        tls_record(23, &[9; 200]),
        tls_record(21, &[1, 0]),
    ];
    let (decoded, stats) = conversation(&[&begin[..], &secured].concat());
    let found = operations(&decoded);
    let [(start, _), (tls, activity)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(matches!(start.operation, Operation::Extended(Some(_))));
    let Operation::Tls(client) = &tls.operation else {
        panic!("{tls:?}");
    };
    assert_eq!(client.server_name.as_deref(), Some("dc1.corp.example"));
    assert_eq!(
        (tls.protection, activity.outcome),
        (Protection::Tls, Outcome::Success)
    );
    assert_eq!(stats.protocol(Protocol::Ldap).sealed, 5);
    assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);

    // LDAPS, refused.
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_006, 636);
    wire.ask(&mut tcp, &client_hello("dc1"));
    wire.answer(&mut tcp, &tls_record(21, &[2, 40]));
    let (decoded, _) = decode(&wire.packets);
    assert_eq!(decoded[0].activity.outcome, Outcome::Failure);
}

#[test]
fn tls_elsewhere_is_not_ours() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_006, 443);
    wire.ask(&mut tcp, &client_hello("www.example"));
    let (decoded, stats) = decode(&wire.packets);
    assert!(decoded.is_empty());
    assert_eq!(stats.protocol(Protocol::Ldap).sealed, 0);
}

/// A ping, and what a controller answers ([MS-ADTS] 6.3.3).
fn ping(user: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let filter = tlv(
        0xa0,
        &[
            equals("DnsDomain", b"corp.example"),
            equals("Host", b"WS1"),
            equals("User", user),
            equals("NtVer", &[0x16, 0, 0, 0]),
        ]
        .concat(),
    );
    let mut told = vec![23, 0, 0, 0];
    told.extend(0x3fdu32.to_le_bytes());
    told.extend([9; 16]);
    told.extend(b"\x04corp\x07example\0\xc0\x18\x03dc1\xc0\x18\x04CORP\0\x03DC1\0\0\x04Home\0\0");
    told.extend([5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    (
        search(1, "", &filter, &["NetLogon"]),
        [entry(1, "", "Netlogon", &told), done(1)].concat(),
    )
}

#[test]
fn a_ping_tells_of_both_computers() {
    let mut wire = Wire::new();
    let (client, server) = ((CLIENT, 50_007), (SERVER, 389));
    let (asked, told) = ping(b"");
    for (from, to, bytes) in [(client, server, &asked), (server, client, &told)] {
        // Sent once more, not only shown twice.
        wire.udp(from, to, bytes);
        wire.wait(Duration::from_secs(1));
        wire.udp(from, to, bytes);
    }
    let (decoded, stats) = decode(&wire.packets);
    let found = searches(&decoded);
    let [(search, activity)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(activity.client.name.as_deref(), Some("ws1"));
    let controller = search.netlogon.as_ref().unwrap();
    assert_eq!(&*controller.dns_host_name, "dc1.corp.example");
    assert_eq!(&*controller.netbios_domain_name, "CORP");
    assert_eq!(&*controller.dc_site_name, "Home");
    assert!(controller.flags & ds_flag::PDC != 0);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 6);
    assert_eq!(
        &*search.request.as_ref().unwrap().conditions[3].value,
        "\\16\\00\\00\\00"
    );
}

#[test]
fn users_guessed_by_pings_are_each_told() {
    // Over TCP, and over UDP from one port with one id.
    let users: Vec<_> = (0..20).map(|at| format!("user{at}")).collect();
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_008, 389);
    for user in &users {
        let (asked, told) = ping(user.as_bytes());
        wire.udp((CLIENT, 50_007), (SERVER, 389), &asked);
        wire.udp((SERVER, 389), (CLIENT, 50_007), &told);
        wire.wait(Duration::from_secs(1));
        wire.ask(&mut tcp, &asked);
        wire.answer(&mut tcp, &told);
    }
    let (decoded, _) = decode(&wire.packets);
    let found = searches(&decoded);
    assert_eq!(found.len(), 40);
    assert!(found.iter().all(|(search, _)| search.netlogon.is_some()));
}

#[test]
fn one_side_alone_tells_what_it_can() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    let asked = [
        sasl_bind(1, "GSS-SPNEGO", &ntlm::negotiate("", "")),
        sasl_bind(
            2,
            "GSS-SPNEGO",
            &ntlm::Authenticate::new("CORP", "Alice", "WS1").bytes(),
        ),
        search(3, BASE, &equals("cn", b"bob"), &[]),
    ];
    let answered = [
        bind_response(1, 14, &ntlm::challenge([3; 8])),
        bind_response(2, 0, b""),
        [entry(3, "CN=bob", "cn", b"bob"), done(3)].concat(),
    ];
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for (asked, answered) in asked.iter().zip(&answered) {
        let before = wire.packets.len();
        wire.ask(&mut tcp, asked);
        client.extend(wire.packets[before..].to_vec());
        let before = wire.packets.len();
        wire.answer(&mut tcp, answered);
        server.extend(wire.packets[before..].to_vec());
    }
    let (decoded, stats) = decode(&client);
    let found = operations(&decoded);
    let [(bind, activity), (search, by)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(matches!(&bind.operation, Operation::Bind(bind) if bind.rounds == 2));
    assert_eq!(activity.outcome, Outcome::Unknown);
    assert!(matches!(search.operation, Operation::Search(_)));
    // What is claimed is not proven.
    let actor = by.actor.as_ref().unwrap();
    assert_eq!(actor.account, Account::new("alice", "corp"));
    assert!(!actor.authenticated);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 3);

    let (decoded, stats) = decode(&server);
    let found = operations(&decoded);
    let [(bind, activity), (search, _)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(matches!(&bind.operation, Operation::Bind(bind) if bind.request.is_none()));
    assert_eq!(activity.outcome, Outcome::Success);
    assert!(matches!(&search.operation, Operation::Search(it) if it.entries == 1));
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 4);
}

#[test]
fn passwords_tried_at_once_are_each_an_attempt() {
    let tries = |answer: bool| -> Vec<u8> {
        (1..=20)
            .flat_map(|id| match answer {
                true => result(id, 0x61, if id == 20 { 0 } else { 49 }, ""),
                false => simple_bind(id, &format!("CORP\\user{id}"), "Winter2024!"),
            })
            .collect()
    };
    let (decoded, _) = conversation(&[
        extended(99, extension::FAST_BIND, b""),
        result(99, 0x78, 0, ""),
        tries(false),
        tries(true),
    ]);
    let found = operations(&decoded);
    let binds = &found[1..];
    assert_eq!(binds.len(), 20);
    for (at, (_, activity)) in binds.iter().enumerate() {
        let actor = activity.actor.as_ref().unwrap();
        let user = format!("user{}", at + 1);
        assert_eq!(actor.account, Account::new(&user, "corp"));
        assert_eq!(actor.authenticated, at == 19);
    }
}

#[test]
fn a_search_that_goes_on_is_told_once() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    let request = search_request(BASE, &tlv(0x87, b"objectClass"), &[]);
    let asked = controlled(7, 0x63, &request, &[control::NOTIFICATION]);
    wire.ask(&mut tcp, &asked);
    for _ in 0..5 {
        wire.wait(Duration::from_secs(60));
        wire.answer(&mut tcp, &entry(7, "CN=bob", "cn", b"bob"));
    }
    wire.ask(&mut tcp, &message(8, 0x50, &[vec![7]]));
    wire.answer(&mut tcp, &entry(7, "CN=bob", "cn", b"bob"));
    wire.close(&tcp);
    let (decoded, stats) = decode(&wire.packets);
    assert_eq!(searches(&decoded).len(), 1);
    assert_eq!(stats.protocol(Protocol::Ldap).messages, 8);
}

#[test]
fn what_is_abandoned_is_told_and_what_the_server_says_unasked() {
    let (decoded, _) = conversation(&[
        [
            search(7, BASE, &equals("cn", b"bob"), &[]),
            message(8, 0x50, &[vec![7]]),
        ]
        .concat(),
        message(
            0,
            0x78,
            &[
                tlv(10, &[52]),
                tlv(4, b""),
                tlv(4, b""),
                tlv(0x8a, extension::DISCONNECTION.as_bytes()),
            ],
        ),
    ]);
    let found = operations(&decoded);
    assert_eq!(found[0].1.outcome, Outcome::Unknown);
    let notice = Operation::Notification(extension::DISCONNECTION.into());
    assert_eq!(found[1].0.operation, notice);
}

#[test]
fn a_gap_costs_what_was_in_it() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    wire.ask(&mut tcp, &search(3, BASE, &equals("cn", b"bob"), &[]));
    let first = wire.packets.len();
    wire.answer(&mut tcp, &entry(3, "CN=bob", "photo", &[0; 10_000]));
    wire.answer(
        &mut tcp,
        &[entry(3, "CN=eve", "cn", b"eve"), done(3)].concat(),
    );
    // In the midst of the photo.
    wire.packets.remove(first + 3);
    let (decoded, stats) = decode(&wire.packets);
    let (search, activity) = searches(&decoded)[0];
    assert_eq!((search.entries, activity.outcome), (2, Outcome::Success));
    assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);
}

#[test]
fn a_request_too_long_to_be_held_is_read_as_far_as_it_was() {
    let limits = Limits {
        max_message: 10_000,
        ..Limits::default()
    };
    let many: Vec<_> = (0..2000).flat_map(|_| equals("cn", b"bob")).collect();
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    wire.ask(&mut tcp, &search(3, BASE, &tlv(0xa1, &many), &[]));
    wire.answer(&mut tcp, &done(3));
    let (decoded, stats) = decode_with(&wire.packets, limits);
    let (search, activity) = searches(&decoded)[0];
    let request = search.request.as_ref().unwrap();
    assert!(request.filter_cut && request.conditions_total > 300);
    assert_eq!(activity.outcome, Outcome::Success);
    assert_eq!(stats.protocol(Protocol::Ldap).errors, 0);
}
