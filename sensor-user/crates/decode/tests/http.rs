//! HTTP: who authenticates is told, and plain web traffic leaves nothing behind.

mod support;

use std::time::Duration;

use goshawk_decode::{Decoded, Drop, Limits, Protocol};
use goshawk_model::http::{HttpLogon, HttpScheme};
use goshawk_model::rpc::DRSUAPI;
use goshawk_model::{Account, Activity, Carrier, Confidence, Kind, Mechanism, Outcome};
use proptest::prelude::*;

use support::http::{answer, message, request, shown};
use support::messages::{Pdu, ap_req};
use support::ntlm::{Authenticate, challenge, negotiate};
use support::wire::{Tcp, Wire};
use support::{decode, decode_with, story};

fn told(decoded: &[Decoded]) -> Vec<(&Activity, &HttpLogon)> {
    decoded
        .iter()
        .filter_map(|it| match &it.activity.kind {
            Kind::Http(logon) => Some((&it.activity, &**logon)),
            _ => None,
        })
        .collect()
}

fn basic(user: &str) -> String {
    shown("Basic", format!("{user}:hunter2").as_bytes())
}

/// A request whose `Authorization` names `user`, answered with `status`.
fn by_password(wire: &mut Wire, tcp: &mut Tcp, user: &str, status: u16) {
    let fields = [("Authorization", &*basic(user))];
    wire.ask(tcp, &request("GET", "/private", &fields, 0));
    wire.answer(tcp, &answer(status, &[], 100));
}

/// An NTLM logon to `path`.
fn by_ntlm(wire: &mut Wire, tcp: &mut Tcp, method: &str, path: &str) {
    let token = shown("NTLM", &negotiate("", ""));
    wire.ask(tcp, &request(method, path, &[("Authorization", &token)], 0));
    let reply = shown("NTLM", &challenge([1; 8]));
    wire.answer(tcp, &answer(401, &[("WWW-Authenticate", &reply)], 900));
    let token = shown("NTLM", &Authenticate::new("CORP", "alice", "WS1").bytes());
    wire.ask(tcp, &request(method, path, &[("Authorization", &token)], 0));
    wire.answer(tcp, &answer(200, &[], 5000));
}

#[test]
fn a_password_in_clear_names_who_and_is_kept_nowhere() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 8080);
    for (user, status) in [
        ("alice", 401),
        ("alice", 401),
        ("alice", 200),
        ("alice", 200),
    ] {
        by_password(&mut wire, &mut tcp, user, status);
    }
    by_password(&mut wire, &mut tcp, "CORP\\bob", 404);
    by_password(&mut wire, &mut tcp, "carol", 503);
    let (decoded, stats) = decode(&wire.packets);
    let logons = told(&decoded);
    // Every refusal counts; who is let in does not come in again with each request.
    let outcomes: Vec<_> = logons
        .iter()
        .map(|(activity, _)| activity.outcome)
        .collect();
    use Outcome::{Failure, Success, Unknown};
    assert_eq!(outcomes, [Failure, Failure, Success, Success, Unknown]);
    let actor = |index: usize| logons[index].0.actor.as_ref().unwrap();
    assert_eq!(actor(0).account, Account::new("alice", ""));
    assert!(!actor(1).authenticated && actor(2).authenticated);
    assert_eq!(actor(3).account, Account::new("bob", "corp"));
    assert!(!actor(4).authenticated);
    let credentials = logons[2].0.credentials.as_ref().unwrap();
    assert_eq!(credentials.mechanism, Mechanism::Password);
    let expected = HttpLogon {
        method: "GET".into(),
        path: "/private".into(),
        host: Some("ca.corp.example".into()),
        user_agent: Some("Test/1".into()),
        scheme: Some(HttpScheme::Basic),
        proxy: false,
        status: Some(200),
    };
    assert_eq!(*logons[2].1, expected);
    let json = serde_json::to_string(&logons.iter().map(|it| it.0).collect::<Vec<_>>()).unwrap();
    assert!(
        !json.contains("hunter2") && !json.contains("aHVudGVy"),
        "{json}"
    );
    assert_eq!(stats.protocol(Protocol::Http).messages, 12);
    assert_eq!(stats.protocol(Protocol::Http).errors, 0);
}

#[test]
fn a_ticket_is_presented_and_a_proxy_is_named() {
    for (scheme, header, proxy) in [
        ("Negotiate", "Authorization", false),
        ("Kerberos", "authorization", false),
        ("negotiate", "Proxy-Authorization", true),
    ] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_200, 5985);
        let token = shown(scheme, &ap_req(&story::service_ticket()));
        let asked = request(
            "POST",
            "http://web.corp.example/wsman?PSVersion=5",
            &[(header, &token)],
            10,
        );
        wire.ask(&mut tcp, &asked);
        wire.answer(&mut tcp, &answer(200, &[], 10));
        let (decoded, _) = decode(&wire.packets);
        let Kind::Ap(presented) = &decoded[0].activity.kind else {
            panic!("{decoded:?}");
        };
        assert_eq!(presented.carrier, Carrier::Http);
        assert_eq!(decoded[0].activity.outcome, Outcome::Success);
        let [(activity, logon)] = told(&decoded)[..] else {
            panic!("{decoded:?}");
        };
        assert_eq!((&*logon.path, logon.proxy), ("/wsman", proxy));
        let credentials = activity.credentials.as_ref().unwrap();
        assert_eq!(credentials.ticket.as_ref(), Some(&presented.ticket));
        assert!(credentials.proven);
    }
}

#[test]
fn a_proxy_refuses_what_is_for_it_and_a_server_what_is_for_that() {
    use Outcome::{Failure, Success, Unknown};
    for (field, status, expected) in [
        ("Authorization", 401, Failure),
        ("Authorization", 403, Success),
        // The proxy in front has not let it through.
        ("Authorization", 407, Unknown),
        ("Proxy-Authorization", 407, Failure),
        // The proxy has, and the server behind it wants to know who asks, too.
        ("Proxy-Authorization", 401, Success),
    ] {
        for (scheme, token) in [
            ("Basic", b"alice:hunter2".to_vec()),
            ("Negotiate", ap_req(&story::service_ticket())),
        ] {
            let mut wire = Wire::new();
            let mut tcp = wire.open(50_200, 3128);
            let asked = request("GET", "/", &[(field, &shown(scheme, &token))], 0);
            wire.ask(&mut tcp, &asked);
            wire.answer(&mut tcp, &answer(status, &[], 10));
            wire.close(&tcp);
            let (decoded, _) = decode(&wire.packets);
            for it in &decoded {
                assert_eq!(it.activity.outcome, expected, "{field} {status} {it:?}");
            }
            let credentials = told(&decoded)[0].0.credentials.as_ref().unwrap();
            assert_eq!(credentials.proven, expected == Success);
        }
    }
}

#[test]
fn a_path_ends_where_a_session_s_token_may_begin() {
    for target in [
        "/certsrv/x.asp;jsessionid=S3cret",
        "/certsrv/x.asp?token=S3cret",
        "/certsrv/x.asp#S3cret",
        "http://ca.corp.example/certsrv/x.asp;a=S3cret?b=c",
    ] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_200, 80);
        wire.ask(&mut tcp, &request("GET", target, &[], 0));
        wire.answer(&mut tcp, &answer(200, &[], 10));
        let (decoded, _) = decode(&wire.packets);
        assert_eq!(&*told(&decoded)[0].1.path, "/certsrv/x.asp", "{target}");
    }
}

#[test]
fn what_follows_a_logon_is_asked_in_its_name() {
    // Relayed to a web enrolment service ("ESC8").
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    wire.ask(&mut tcp, &request("GET", "/certsrv/certfnsh.asp", &[], 0));
    let offer = [
        ("WWW-Authenticate", "Negotiate"),
        ("WWW-Authenticate", "NTLM"),
    ];
    wire.answer(&mut tcp, &answer(401, &offer, 1000));
    by_ntlm(&mut wire, &mut tcp, "GET", "/certsrv/certfnsh.asp");
    wire.ask(
        &mut tcp,
        &request("POST", "/CertSrv/certfnsh.asp?x=y", &[], 3000),
    );
    wire.answer(&mut tcp, &answer(200, &[], 9000));
    wire.ask(&mut tcp, &request("GET", "/picture.png", &[], 0));
    wire.answer(&mut tcp, &answer(200, &[], 9000));
    let (decoded, _) = decode(&wire.packets);
    let [first, logon, enrolled] = told(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(
        (first.0.outcome, first.1.status),
        (Outcome::Failure, Some(401))
    );
    assert_eq!((&first.0.actor, first.1.scheme), (&None, None));
    assert_eq!(logon.1.scheme, Some(HttpScheme::Ntlm));
    assert_eq!(
        (&*enrolled.1.method, &*enrolled.1.path),
        ("POST", "/CertSrv/certfnsh.asp")
    );
    assert_eq!(enrolled.1.scheme, None);
    assert_eq!(logon.0.confidence, Confidence::High);
    assert_eq!(enrolled.0.confidence, Confidence::Medium);
    for (activity, _) in [logon, enrolled] {
        let actor = activity.actor.as_ref().unwrap();
        assert_eq!(actor.account, Account::new("alice", "corp"));
        assert!(actor.authenticated);
    }
}

/// What is told of a request behind a logon by `token`, sealed or not, that has these fields.
fn behind(scheme: &str, tokens: &[Vec<u8>], fields: &[(&str, &str)]) -> Activity {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 5985);
    for (index, token) in tokens.iter().enumerate() {
        let token = shown(scheme, token);
        let asked = request("POST", "/logon", &[("Authorization", &token)], 0);
        wire.ask(&mut tcp, &asked);
        let reply = shown(scheme, &challenge([1; 8]));
        let goes_on = index + 1 < tokens.len();
        wire.answer(
            &mut tcp,
            &if goes_on {
                answer(401, &[("WWW-Authenticate", &reply)], 900)
            } else {
                answer(200, &[], 10)
            },
        );
    }
    wire.ask(&mut tcp, &request("POST", "/wsman", fields, 10));
    wire.answer(&mut tcp, &answer(200, &[], 10));
    let (decoded, _) = decode(&wire.packets);
    let logons = told(&decoded);
    let Some((activity, logon)) = logons.last() else {
        panic!("{decoded:?}");
    };
    assert_eq!(&*logon.path, "/wsman");
    (*activity).clone()
}

#[test]
fn only_what_is_sure_speaks_for_another_request() {
    let ntlm = [
        negotiate("", ""),
        Authenticate::new("CORP", "alice", "WS1").bytes(),
    ];
    let ticket = [ap_req(&story::service_ticket())];
    let sealed = ("Content-Type", "multipart/encrypted;protocol=x");
    // NTLM speaks for the connection, unless that is a proxy's.
    let found = behind("NTLM", &ntlm, &[]);
    assert!(found.actor.unwrap().authenticated);
    for field in ["Via", "X-Forwarded-For", "Forwarded"] {
        let found = behind("NTLM", &ntlm, &[(field, "1.1 proxy")]);
        assert_eq!((found.actor, found.credentials), (None, None), "{field}");
    }
    // A ticket speaks for a request, and for what is sealed with its key.
    assert_eq!(behind("Negotiate", &ticket, &[]).credentials, None);
    let found = behind("Kerberos", &ticket, &[sealed]);
    assert_eq!(found.credentials.unwrap().mechanism, Mechanism::Kerberos);
    assert_eq!(found.confidence, Confidence::High);
}

#[test]
fn a_proxy_s_connection_stays_a_proxy_s() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    wire.ask(&mut tcp, &request("GET", "/", &[("Via", "1.1 proxy")], 0));
    wire.answer(&mut tcp, &answer(200, &[], 10));
    by_ntlm(&mut wire, &mut tcp, "GET", "/certsrv/");
    wire.ask(&mut tcp, &request("POST", "/certsrv/", &[], 10));
    wire.answer(&mut tcp, &answer(200, &[], 10));
    let (decoded, _) = decode(&wire.packets);
    let [(logon, _), (further, _)] = told(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert!(logon.actor.is_some());
    assert_eq!((&further.actor, &further.credentials), (&None, &None));
}

#[test]
fn rpc_over_http_is_authenticated_like_anything() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 593);
    by_ntlm(
        &mut wire,
        &mut tcp,
        "RPC_IN_DATA",
        "/rpc/rpcproxy.dll?dc1:6004",
    );
    let (decoded, _) = decode(&wire.packets);
    let (activity, logon) = told(&decoded)[0];
    assert_eq!(
        (&*logon.method, &*logon.path),
        ("RPC_IN_DATA", "/rpc/rpcproxy.dll")
    );
    assert_eq!(activity.outcome, Outcome::Success);
}

#[test]
fn an_attempt_is_told_when_nobody_answers() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    let asked = request("GET", "/", &[("Authorization", &basic("alice"))], 0);
    wire.ask(&mut tcp, &asked);
    wire.wait(Duration::from_secs(60));
    // Late, and no answer to what is asked next.
    wire.answer(&mut tcp, &answer(200, &[], 10));
    let asked = request("GET", "/", &[("Authorization", &basic("bob"))], 0);
    wire.ask(&mut tcp, &asked);
    wire.close(&tcp);
    let (decoded, _) = decode(&wire.packets);
    let outcomes: Vec<_> = told(&decoded)
        .iter()
        .map(|(activity, _)| {
            (
                activity.actor.as_ref().unwrap().account.to_string(),
                activity.outcome,
            )
        })
        .collect();
    let unknown = |user: &str| (user.to_owned(), Outcome::Unknown);
    assert_eq!(outcomes, [unknown("alice"), unknown("bob")]);
}

/// Bodies of every kind that hold what looks like a logon.
fn misleading(wire: &mut Wire, tcp: &mut Tcp) -> u64 {
    let fake = request("GET", "/", &[("Authorization", &basic("mallory"))], 0);
    let length = fake.len().to_string();
    let size = format!("{:x};ext=1\r\n", fake.len());
    let chunked = [
        size.as_bytes(),
        &fake,
        b"\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
    ]
    .concat();
    let by_chunks = [("Transfer-Encoding", "chunked")];
    let by_length = [("Content-Length", &*length)];
    wire.ask(tcp, &message("POST / HTTP/1.1", &by_length, &fake));
    wire.answer(tcp, &message("HTTP/1.1 100 Continue", &[], b""));
    wire.answer(tcp, &message("HTTP/1.1 200 OK", &by_chunks, &chunked));
    wire.ask(tcp, &message("PUT / HTTP/1.1", &by_chunks, &chunked));
    wire.answer(tcp, &message("HTTP/1.1 204 No Content", &[], b""));
    wire.ask(tcp, &message("HEAD / HTTP/1.1", &[], b""));
    wire.answer(
        tcp,
        &message("HTTP/1.1 200 OK", &[("Content-Length", "5000")], b""),
    );
    wire.ask(tcp, &message("\r\nGET / HTTP/1.0", &[], b""));
    wire.answer(tcp, &answer(304, &[], 0));
    // Two at once, answered in their order.
    let two = [request("GET", "/a", &[], 0), request("GET", "/b", &[], 0)].concat();
    wire.ask(tcp, &two);
    wire.answer(tcp, &[answer(200, &[], 7), answer(200, &[], 7)].concat());
    13
}

#[test]
fn bodies_are_skipped_and_a_logon_behind_them_is_found() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    let messages = misleading(&mut wire, &mut tcp);
    by_password(&mut wire, &mut tcp, "alice", 200);
    // An answer that only the connection's end ends.
    wire.ask(&mut tcp, &request("GET", "/", &[], 0));
    wire.answer(
        &mut tcp,
        &message("HTTP/1.1 200 OK", &[], &answer(200, &[], 0)),
    );
    let (decoded, stats) = decode(&wire.packets);
    let [(activity, _)] = told(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(activity.actor.as_ref().unwrap().account.name(), "alice");
    assert_eq!(activity.outcome, Outcome::Success);
    let counts = stats.protocol(Protocol::Http);
    assert_eq!((counts.messages, counts.errors), (messages + 4, 0));
}

#[test]
fn a_tunnel_is_left_alone() {
    for (asked, opened) in [
        (
            "CONNECT ca.corp.example:443 HTTP/1.1",
            "HTTP/1.1 200 Established",
        ),
        ("GET /chat HTTP/1.1", "HTTP/1.1 101 Switching Protocols"),
    ] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_200, 3128);
        wire.ask(&mut tcp, &message(asked, &[], b""));
        wire.answer(&mut tcp, &message(opened, &[], b""));
        by_password(&mut wire, &mut tcp, "alice", 200);
        let (decoded, stats) = decode(&wire.packets);
        assert!(decoded.is_empty());
        let counts = stats.protocol(Protocol::Http);
        assert_eq!((counts.messages, counts.errors), (2, 0));
    }
}

#[test]
fn others_that_speak_like_it_are_strangers() {
    let mut wire = Wire::new();
    for first in [
        "OPTIONS sip:carol@chicago.com SIP/2.0\r\n\r\n",
        "OPTIONS rtsp://example.com/media RTSP/1.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GETTING STARTED\r\n",
        "ncacn_http/1.0",
    ] {
        let mut tcp = wire.open(50_200, 5060);
        wire.ask(&mut tcp, first.as_bytes());
        wire.close(&tcp);
    }
    let (_, stats) = decode(&wire.packets);
    assert_eq!(stats.protocol(Protocol::Http).messages, 0);
}

#[test]
fn a_lost_answer_proves_nothing_to_the_next_request() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    by_password(&mut wire, &mut tcp, "alice", 200);
    by_password(&mut wire, &mut tcp, "bob", 200);
    by_password(&mut wire, &mut tcp, "carol", 401);
    // Two packets open the connection, two make an exchange.
    wire.packets.remove(2 + 3);
    wire.wait(Duration::from_secs(5));
    by_password(&mut wire, &mut tcp, "dave", 200);
    let (decoded, _) = decode(&wire.packets);
    let outcomes: Vec<_> = told(&decoded)
        .iter()
        .map(|(activity, _)| {
            (
                activity.actor.as_ref().unwrap().account.name(),
                activity.outcome,
            )
        })
        .collect();
    assert!(
        outcomes.contains(&("alice", Outcome::Success)),
        "{outcomes:?}"
    );
    assert!(
        outcomes.contains(&("bob", Outcome::Unknown)),
        "{outcomes:?}"
    );
    assert!(
        !outcomes.contains(&("carol", Outcome::Success)),
        "{outcomes:?}"
    );
    assert!(
        outcomes.contains(&("dave", Outcome::Success)),
        "{outcomes:?}"
    );
}

#[test]
fn a_head_whose_end_is_lost_still_shows_who() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    let cookie = "c".repeat(4000);
    let fields = [("Authorization", &*basic("alice")), ("Cookie", &cookie)];
    wire.ask(&mut tcp, &request("GET", "/", &fields, 0));
    wire.answer(&mut tcp, &answer(200, &[], 10));
    wire.packets.remove(2 + 1);
    wire.wait(Duration::from_secs(5));
    by_password(&mut wire, &mut tcp, "bob", 200);
    let (decoded, _) = decode(&wire.packets);
    let accounts: Vec<_> = told(&decoded)
        .iter()
        .map(|(activity, _)| activity.actor.as_ref().unwrap().account.name())
        .collect();
    assert_eq!(accounts, ["alice", "bob"]);
}

#[test]
fn web_traffic_pushes_out_no_conversation() {
    let limits = Limits {
        max_conversations: 4,
        max_strangers: 64,
        ..Limits::default()
    };
    let mut wire = Wire::new();
    let mut rpc = wire.open(50_004, 1025);
    wire.ask(&mut rpc, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut rpc, &Pdu::bind_ack(1).bytes());
    for visitor in 0..50 {
        let mut tcp = wire.open(51_000 + visitor, 80);
        wire.ask(&mut tcp, &request("GET", "/", &[], 0));
        wire.answer(&mut tcp, &answer(200, &[], 5000));
    }
    // The last one logs on, and matters from now on.
    let mut tcp = wire.open(50_200, 80);
    by_password(&mut wire, &mut tcp, "alice", 200);
    wire.ask(&mut rpc, &Pdu::request(2, 3, &[0; 8]).bytes());
    wire.answer(&mut rpc, &Pdu::response(2, &[0; 8]).bytes());
    let (decoded, stats) = decode_with(&wire.packets, limits);
    assert_eq!(stats.dropped(Drop::FlowEvicted), 0);
    assert_eq!(told(&decoded).len(), 1);
    let known = decoded.iter().any(|it| match &it.activity.kind {
        Kind::Rpc(call) => call.interface == Some(DRSUAPI),
        _ => false,
    });
    assert!(known, "the bind is forgotten");
}

#[test]
fn unanswered_requests_and_endless_heads_stay_within_their_bounds() {
    let limits = Limits {
        max_pending: 4,
        ..Limits::default()
    };
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_200, 80);
    for user in 0..100 {
        let fields = [("Authorization", &*basic(&format!("user{user}")))];
        wire.ask(&mut tcp, &request("GET", "/", &fields, 0));
    }
    let endless = format!("GET / HTTP/1.1\r\nCookie: {}", "c".repeat(300_000));
    wire.ask(&mut tcp, endless.as_bytes());
    by_password(&mut wire, &mut tcp, "alice", 200);
    let (decoded, stats) = decode_with(&wire.packets, limits);
    assert_eq!(told(&decoded).len(), 101);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 97);
    assert_eq!(stats.dropped(Drop::LongMessage), 1);
}

/// Sends bytes, from the client or not, in some number of segments.
type Splitting<'a> = dyn Fn(&mut Wire, &mut Tcp, bool, &[u8]) + 'a;

proptest! {
    #[test]
    fn where_segments_end_does_not_matter(cuts in proptest::collection::vec(1..40usize, 1..30)) {
        let whole = |split: &Splitting<'_>| {
            let mut story = Wire::new();
            let mut tcp = story.open(50_200, 80);
            misleading(&mut story, &mut tcp);
            by_ntlm(&mut story, &mut tcp, "GET", "/certsrv/");
            let mut wire = Wire::new();
            let mut tcp = wire.open(50_200, 80);
            for packet in &story.packets {
                if let Some(start) = support::wire::payload_start(packet) {
                    let from_client = packet.data[26..30] == support::wire::CLIENT;
                    split(&mut wire, &mut tcp, from_client, &packet.data[start..]);
                }
            }
            let (decoded, stats) = decode(&wire.packets);
            let told: Vec<_> = told(&decoded)
                .iter()
                .map(|(activity, logon)| (activity.actor.clone(), (*logon).clone()))
                .collect();
            (told, stats.protocol(Protocol::Http))
        };
        let send = |wire: &mut Wire, tcp: &mut Tcp, from_client: bool, bytes: &[u8]| {
            if from_client { wire.ask(tcp, bytes) } else { wire.answer(tcp, bytes) }
        };
        let uncut = whole(&send);
        let cut = whole(&|wire, tcp, from_client, bytes| {
            let mut rest = bytes;
            for &length in cuts.iter().cycle() {
                let (part, next) = rest.split_at(length.min(rest.len()));
                send(wire, tcp, from_client, part);
                rest = next;
                if rest.is_empty() { break; }
            }
        });
        prop_assert_eq!(uncut, cut);
    }

    #[test]
    fn any_bytes_are_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..30),
        head in proptest::sample::select(vec![
            "GET / HTTP/1.1\r\nAuthorization: Negotiate ",
            "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM ",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
        ]),
        tail in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_200, 80);
        misleading(&mut wire, &mut tcp);
        by_ntlm(&mut wire, &mut tcp, "GET", "/certsrv/");
        let bytes = [head.as_bytes(), &tail, b"\r\n\r\n"].concat();
        if head.starts_with("HTTP") { wire.answer(&mut tcp, &bytes) } else { wire.ask(&mut tcp, &bytes) }
        let mut packets = wire.packets;
        for (packet, at, value) in changes {
            *at.get_mut(&mut packet.get_mut(&mut packets).data) = value;
        }
        decode(&packets);
    }
}
