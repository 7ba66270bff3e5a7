use goshawk_model::Timestamp;
use goshawk_model::ntlm::{AvPairs, ChannelBindings, LmResponse, NtResponse, NtlmVersion};
use proptest::prelude::*;

use self::writer::{Authenticate, EXTENDED, FLAGS, controller, ntlmv2, utf16};
use super::*;

#[path = "../../../../tests/support/ntlm.rs"]
#[allow(dead_code, reason = "integration tests use the rest of it")]
mod writer;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let pairs = digits.as_chunks().0;
    pairs
        .iter()
        .map(|[high, low]| (high << 4 | low) as u8)
        .collect()
}

fn challenged(message: &[u8]) -> NtlmChallenge {
    match parse(message) {
        Some(Message::Challenge(challenge)) => challenge,
        other => panic!("{other:?}"),
    }
}

fn authenticated(message: &[u8]) -> NtlmAuthenticate {
    match parse(message) {
        Some(Message::Authenticate(authenticate)) => *authenticate,
        other => panic!("{other:?}"),
    }
}

/// `Domain`, `User`, `COMPUTER`, which all examples of the document have in common ([MS-NLMP]
/// 4.2.1).
const NAMES: &str = "44006f006d00610069006e0055007300650072004300
    4f004d0050005500540045005200";
/// Windows XP, as the document's client says.
const XP: NtlmVersion = NtlmVersion {
    major: 5,
    minor: 1,
    build: 2600,
    revision: 15,
};

#[test]
fn the_documents_ntlmv1() {
    // [MS-NLMP] 4.2.2.3.
    let challenge = challenged(&hex(
        "4e544c4d53535000 02000000 0c000c0038000000 338202e2 0123456789abcdef
         0000000000000000 0000000000000000 060070170000000f 530065007200760065007200",
    ));
    assert_eq!(challenge.flags, 0xe202_8233);
    assert_eq!(challenge.target_name.as_deref(), Some("Server"));
    assert!(challenge.target_info.is_empty());
    assert_eq!(challenge.version.unwrap().to_string(), "6.0.6000");
    assert_eq!(challenge.digest, Digest::of(&[&hex("0123456789abcdef")]));
    let authenticate = authenticated(&hex(&format!(
        "4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000
         0800080054000000 100010005c000000 100010009c000000 358280e2 0501280a0000000f {NAMES}
         98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13
         67c43011f30298a2ad35ece64f16331c44bdbed927841f94
         518822b1b3f350c8958682ecbb3e3cb7",
    )));
    let expected = NtlmAuthenticate {
        flags: 0xe280_8235,
        version: Some(XP),
        user: Some("User".into()),
        domain: Some("Domain".into()),
        workstation: Some("COMPUTER".into()),
        lm_response: LmResponse::Lm,
        nt_response: NtResponse::Ntlmv1,
        mic: false,
        session_key: true,
        timestamp: None,
        target_info: AvPairs::default(),
        digest: None,
    };
    assert_eq!(authenticate, expected);
}

#[test]
fn the_documents_ntlm2() {
    // [MS-NLMP] 4.2.3.
    let nt = "7537f803ae367128ca458204bde7caf81e97ed2683267232";
    let authenticate = authenticated(&hex(&format!(
        "4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000
         0800080054000000 100010005c000000 000000009c000000 35820882 0501280a0000000f {NAMES}
         aaaaaaaaaaaaaaaa00000000000000000000000000000000 {nt}",
    )));
    assert_eq!(authenticate.lm_response, LmResponse::Challenge);
    assert_eq!(authenticate.nt_response, NtResponse::Ntlm2);
    assert_eq!(authenticate.digest, Some(Digest::of(&[&hex(nt)])));
    assert!(!authenticate.session_key && !authenticate.mic);
}

#[test]
fn the_documents_ntlmv2() {
    // [MS-NLMP] 4.2.4.3.
    let pairs = "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000";
    let challenge = challenged(&hex(&format!(
        "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef
         0000000000000000 2400240044000000 060070170000000f 530065007200760065007200 {pairs}",
    )));
    let server = AvPairs {
        netbios_domain: Some("Domain".into()),
        netbios_computer: Some("Server".into()),
        ..AvPairs::default()
    };
    assert_eq!(challenge.target_info, server);
    let authenticate = authenticated(&hex(&format!(
        "4e544c4d53535000 03000000 180018006c000000 5400540084000000 0c000c0048000000
         0800080054000000 100010005c000000 10001000d8000000 358288e2 0501280a0000000f {NAMES}
         86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa 68cd0ab851e51c96aabc927bebef6a1c
         0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000 {pairs} 00000000
         c5dad2544fc9799094ce1ce90bc9d03e",
    )));
    assert_eq!(authenticate.lm_response, LmResponse::Lmv2);
    assert_eq!(authenticate.nt_response, NtResponse::Ntlmv2);
    assert_eq!(authenticate.target_info, server);
    assert_eq!(authenticate.timestamp, None, "a clock at 1601 is none");
    assert!(authenticate.digest.is_some() && authenticate.session_key);
}

#[test]
fn a_modern_client_says_more() {
    let mut message = Authenticate::new("CORP", "alice", "WS1");
    message.nt = ntlmv2(&[
        (6, vec![6, 0, 0, 0]),
        (8, vec![1; 48]),
        (9, utf16("HTTP/web.corp.example")),
        (10, vec![0; 16]),
        (0x1234, vec![1]),
    ]);
    let authenticate = authenticated(&message.bytes());
    let client = &authenticate.target_info;
    assert_eq!(client.flags, Some(6));
    assert!(client.single_host && authenticate.mic && !authenticate.lacks_mic());
    assert_eq!(client.target_name.as_deref(), Some("HTTP/web.corp.example"));
    assert_eq!(client.channel_bindings, Some(ChannelBindings::Zero));
    let time = Timestamp::from_parts(134_000_000_000_000_000 / 10_000_000 - 11_644_473_600, 0);
    assert_eq!(authenticate.timestamp, Some(time));

    message.nt = ntlmv2(&[(10, vec![3; 16])]);
    let bound = authenticated(&message.bytes()).target_info.channel_bindings;
    assert_eq!(bound, Some(ChannelBindings::Bound));
}

#[test]
fn a_mic_taken_out_is_missed() {
    let mut message = Authenticate::new("CORP", "alice", "WS1");
    for mic in [None, Some([0; 16])] {
        message.mic = mic;
        assert!(authenticated(&message.bytes()).lacks_mic());
    }
}

#[test]
fn older_messages_end_earlier() {
    let names = "410042004300";
    // Without MIC and version (Windows NT 4): the payload begins at 64.
    let authenticate = authenticated(&hex(&format!(
        "4e544c4d53535000 03000000 0000000040000000 0000000040000000 0200020040000000
         0200020042000000 0200020044000000 0000000040000000 01020000 {names}"
    )));
    assert_eq!((authenticate.flags, authenticate.version), (0x201, None));
    assert_eq!(authenticate.user.as_deref(), Some("B"));
    // Without flags (Windows 95): it begins at 52, and texts are in the OEM code page.
    let authenticate = authenticated(&hex(
        "4e544c4d53535000 03000000 0000000034000000 0000000034000000 0200020034000000
         0200020036000000 0300030038000000 4142 43e9 575331",
    ));
    assert_eq!((authenticate.flags, authenticate.session_key), (0, false));
    assert_eq!(authenticate.domain.as_deref(), Some("AB"));
    assert_eq!(authenticate.user.as_deref(), Some("Cé"));
    assert_eq!(authenticate.workstation.as_deref(), Some("WS1"));
    // A challenge without target info: the payload begins at 32.
    let challenge = challenged(&hex(
        "4e544c4d53535000 02000000 0200020020000000 00028000 0123456789abcdef 4142",
    ));
    assert_eq!(challenge.target_name.as_deref(), Some("AB"));
    assert!(challenge.target_info.is_empty() && challenge.version.is_none());
    // A negotiation of nothing but flags, and one that names its sender in OEM.
    assert!(parse(&hex("4e544c4d53535000 01000000 07b20000")).is_none());
    assert!(parse(&hex("4e544c4d53535000 01000000 07820000")).is_some());
    let Some(Message::Negotiate(negotiate)) = parse(&writer::negotiate("CORP", "WS1")) else {
        panic!("a NEGOTIATE message");
    };
    assert_eq!(negotiate.domain.as_deref(), Some("CORP"));
    assert_eq!(negotiate.workstation.as_deref(), Some("WS1"));
    assert_eq!(negotiate.version.unwrap().to_string(), "10.0.20348");
}

#[test]
fn responses_are_told_apart() {
    let kinds = |lm: &[u8], nt: &[u8], flags| {
        let response = response::read(lm, nt, flags);
        (response.lm_response, response.nt_response)
    };
    let challenge = [&[1; 8][..], &[0; 16]].concat();
    for (lm, nt, flags, expected) in [
        (
            &[][..],
            &[][..],
            0,
            (LmResponse::Absent, NtResponse::Absent),
        ),
        (&[0], &[], 0, (LmResponse::Absent, NtResponse::Absent)),
        (&[1; 24], &[], 0, (LmResponse::Lm, NtResponse::Absent)),
        (
            &[2; 24],
            &[2; 24],
            0,
            (LmResponse::Copy, NtResponse::Ntlmv1),
        ),
        (
            &[0; 24],
            &[2; 24],
            0,
            (LmResponse::Absent, NtResponse::Ntlmv1),
        ),
        (
            &challenge,
            &[2; 24],
            EXTENDED,
            (LmResponse::Challenge, NtResponse::Ntlm2),
        ),
        (
            &challenge,
            &[2; 24],
            0,
            (LmResponse::Lm, NtResponse::Ntlmv1),
        ),
        (
            &[1; 24],
            &ntlmv2(&[]),
            0,
            (LmResponse::Lmv2, NtResponse::Ntlmv2),
        ),
        (&[3; 5], &[2; 30], 0, (LmResponse::Other, NtResponse::Other)),
    ] {
        assert_eq!(kinds(lm, nt, flags), expected, "{lm:?} {nt:?}");
    }
}

#[test]
fn nobody_is_anonymous() {
    let message = Authenticate {
        lm: vec![0],
        nt: Vec::new(),
        ..Authenticate::new("", "", "WS1")
    };
    let authenticate = authenticated(&message.bytes());
    assert!(authenticate.is_anonymous());
    assert_eq!(authenticate.workstation.as_deref(), Some("WS1"));
    // Who shows a response means somebody, whatever the name.
    let named = authenticated(&Authenticate::new("", "", "WS1").bytes());
    assert!(!named.is_anonymous());
}

#[test]
fn texts_are_bounded() {
    let message = Authenticate::new(&"d".repeat(9000), &"ü".repeat(9000), "WS1");
    let authenticate = authenticated(&message.bytes());
    assert_eq!(authenticate.domain.unwrap().len(), 256);
    assert_eq!(authenticate.user.unwrap().len(), 256);
}

/// The writer's message of each kind.
fn messages() -> [Vec<u8>; 3] {
    [
        writer::negotiate("CORP", "WS1"),
        writer::challenge([1; 8]),
        Authenticate::new("CORP", "alice", "WS1").bytes(),
    ]
}

#[test]
fn a_message_cut_short_is_malformed() {
    for message in messages() {
        assert!(parse(&message).is_some());
        for length in 0..message.len() {
            assert_eq!(parse(&message[..length]), None, "{length} of {message:x?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        which in 0..3usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut message = messages()[which].clone();
        message.extend(tail);
        for (at, value) in changes {
            *at.get_mut(&mut message) = value;
        }
        let _ = parse(&message);
    }

    #[test]
    fn what_is_written_is_read(
        domain in "[A-Z]{0,15}",
        user in "\\PC{0,30}",
        workstation in "[A-Z0-9-]{0,15}",
        unicode: bool,
        mic in proptest::option::of(any::<[u8; 16]>()),
        session_key: bool,
        spn in "[a-z/.]{1,60}",
    ) {
        let message = Authenticate {
            nt: ntlmv2(&[controller(), vec![(9, utf16(&spn))]].concat()),
            session_key: vec![9; if session_key { 16 } else { 0 }],
            flags: (FLAGS & !1) | u32::from(unicode),
            mic,
            ..Authenticate::new(&domain, &user, &workstation)
        };
        let read = authenticated(&message.bytes());
        let text = |text: &str| (!text.is_empty()).then(|| text.into());
        prop_assert_eq!(read.domain, text(&domain));
        prop_assert_eq!(read.user, text(&user));
        prop_assert_eq!(read.workstation, text(&workstation));
        prop_assert_eq!(read.mic, mic.is_some_and(|mic| mic != [0; 16]));
        prop_assert_eq!(read.session_key, session_key);
        prop_assert_eq!(read.target_info.dns_tree.as_deref(), Some("corp.example"));
        prop_assert_eq!(read.target_info.target_name.as_deref(), Some(spn.as_str()));
    }
}
