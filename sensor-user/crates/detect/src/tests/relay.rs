//! Authentications handed on: NTLM, Kerberos, and NTLM that was tampered with.

use goshawk_model::inventory::SightingSource;
use goshawk_model::kerberos::ApExchange;
use goshawk_model::ntlm::{
    AvPairs, LmResponse, NtResponse, NtlmAuthenticate, NtlmChallenge, NtlmLogon, av_flag, flag,
};
use goshawk_model::{
    Account, Activity, Actor, Alert, Carrier, Confidence, Digest, Kind, Outcome, Severity, Status,
};

use super::{THIEF, golden, of, one, verdict};
use crate::Settings;
use crate::build::secrets::S4u;
use crate::build::{Net, ip, issued, ticket};

const RELAY: u16 = 2037;
const TAMPERING: u16 = 2039;
const KERBEROS: u16 = 2418;
const VICTIM: &str = "10.0.0.7";
const SERVER: &str = "10.0.0.1";

fn found(id: u16, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(id, verdict(Settings::default(), activities))
}

/// An NTLM logon over `carrier`, told apart from others by `proof`.
fn ntlm(
    net: &Net,
    (from, to): (&str, &str),
    carrier: Carrier,
    (account, proof): (&str, &str),
) -> Activity {
    let authenticate = NtlmAuthenticate {
        flags: flag::UNICODE | flag::SIGN | flag::ALWAYS_SIGN | flag::VERSION,
        version: None,
        user: Some(account.into()),
        domain: Some("CORP".into()),
        workstation: Some("WS7".into()),
        lm_response: LmResponse::Absent,
        nt_response: NtResponse::Ntlmv2,
        mic: true,
        session_key: true,
        timestamp: None,
        target_info: AvPairs {
            flags: Some(av_flag::MIC),
            ..AvPairs::default()
        },
        digest: Some(Digest::of(&[b"response", proof.as_bytes()])),
    };
    let logon = NtlmLogon {
        challenge: Some(NtlmChallenge {
            flags: 0,
            version: None,
            target_name: None,
            target_info: AvPairs::default(),
            digest: Digest::of(&[b"challenge", proof.as_bytes()]),
        }),
        authenticate: Some(authenticate),
        ..NtlmLogon::new(carrier)
    };
    let mut activity = net.activity(from, Outcome::Success, Kind::Ntlm(Box::new(logon)));
    activity.server.ip = ip(to);
    activity.flow.server = (ip(to), 445).into();
    activity.actor = Some(Actor {
        account: Account::new(account, "CORP"),
        aliases: Vec::new(),
        authenticated: true,
    });
    activity
}

fn change(mut activity: Activity, change: impl FnOnce(&mut NtlmLogon)) -> Activity {
    if let Kind::Ntlm(logon) = &mut activity.kind {
        change(logon);
    }
    activity
}

/// The client means to reach `service`.
fn means(activity: Activity, service: &str) -> Activity {
    change(activity, |logon| {
        if let Some(authenticate) = &mut logon.authenticate {
            authenticate.target_info.target_name = Some(service.into());
        }
    })
}

#[test]
fn both_connections_are_seen() {
    let net = Net::default();
    let into = ntlm(&net, (VICTIM, THIEF), Carrier::Smb, ("alice", "one"));
    let out = ntlm(
        net.pass(5),
        (THIEF, SERVER),
        Carrier::Ldap,
        ("alice", "one"),
    );
    for legs in [[into.clone(), out.clone()], [out, into]] {
        let alert = one(found(RELAY, legs));
        assert_eq!(alert.source.ip, Some(ip(THIEF)));
        assert_eq!(alert.confidence, Confidence::High);
        assert_eq!(alert.targets[0].ip, Some(ip(SERVER)));
        assert!(
            alert.reason.contains("came from 10.0.0.7"),
            "{}",
            alert.reason
        );
    }
}

#[test]
fn a_translated_address_or_a_proxy_is_none() {
    let net = Net::default();
    let leg = |pair, carrier| ntlm(&net, pair, carrier, ("alice", "one"));
    for legs in [
        [
            leg((VICTIM, SERVER), Carrier::Smb),
            leg(("192.0.2.1", SERVER), Carrier::Smb),
        ],
        [
            leg((VICTIM, "10.0.0.3"), Carrier::Smb),
            leg((VICTIM, SERVER), Carrier::Smb),
        ],
        [
            leg((VICTIM, "10.0.0.80"), Carrier::Http),
            leg(("10.0.0.80", SERVER), Carrier::Http),
        ],
    ] {
        assert_eq!(found(RELAY, legs), []);
    }
}

#[test]
fn a_computer_that_is_known_elsewhere() {
    let net = Net::default();
    let home = net.logon("ws7$", VICTIM, "ws7s");
    let relayed = ntlm(
        net.pass(500),
        (THIEF, SERVER),
        Carrier::Ldap,
        ("ws7$", "one"),
    );
    let alert = one(found(RELAY, [home.clone(), relayed.clone()]));
    assert_eq!(
        alert.source.account,
        Some(Account::new("ws7$", "corp.example"))
    );
    insta::assert_snapshot!(golden(&alert));
    let own = ntlm(&net, (VICTIM, SERVER), Carrier::Ldap, ("ws7$", "two"));
    assert_eq!(found(RELAY, [home.clone(), own]), []);
    let second_card = net.service("ws7$", THIEF, "ws7s", "ldap/dc1", "st");
    assert_eq!(
        found(RELAY, [home.clone(), second_card, relayed.clone()]),
        []
    );
    let guessed = change(relayed, |logon| logon.status = Some(Status::Ldap(49)));
    assert_eq!(found(RELAY, [home, guessed]), [], "a wrong password");
}

#[test]
fn a_controllers_account_weighs_more() {
    let net = Net::default();
    let day = [
        net.logon("alice", VICTIM, "alices"),
        net.sighting(SERVER, "dc1", SightingSource::ServiceTicket),
        ntlm(&net, (THIEF, "10.0.0.2"), Carrier::Smb, ("dc1$", "one")),
    ];
    assert_eq!(one(found(RELAY, day)).severity, Severity::High);
}

#[test]
fn a_computers_account_where_another_lives() {
    let net = Net::default();
    let day = [
        net.logon("ws9$", THIEF, "ws9s"),
        ntlm(&net, (THIEF, SERVER), Carrier::Smb, ("srv$", "one")),
    ];
    assert_eq!(one(found(RELAY, day)).confidence, Confidence::Medium);
}

#[test]
fn the_client_meant_somebody_else() {
    let net = Net::default();
    let leg = |carrier| ntlm(&net, (THIEF, SERVER), carrier, ("alice", "one"));
    for (carrier, service, told) in [
        (Carrier::Ldap, "cifs/files.corp.example", true),
        (Carrier::Smb, "cifs/10.0.0.9", true),
        (Carrier::Smb, "HTTP/files", true),
        (Carrier::Smb, "cifs/alias.corp.example", false),
        (Carrier::Ldap, "ldap/dc1.corp.example", false),
        (Carrier::Dcerpc, "cifs/dc1.corp.example", false),
        (Carrier::Smb, "CORP\\Administrator", false),
    ] {
        let alerts = found(RELAY, [means(leg(carrier), service)]);
        assert_eq!(alerts.len(), usize::from(told), "{service} in {carrier:?}");
    }
}

#[test]
fn a_mic_that_was_taken_out() {
    let net = Net::default();
    let whole = ntlm(&net, (THIEF, SERVER), Carrier::Ldap, ("alice", "one"));
    assert_eq!(found(TAMPERING, [whole.clone()]), []);
    let stripped = change(whole, |logon| {
        if let Some(authenticate) = &mut logon.authenticate {
            authenticate.mic = false;
            authenticate.flags = flag::UNICODE;
        }
    });
    let alert = one(found(TAMPERING, [stripped.clone()]));
    assert_eq!(alert.source.account, Some(Account::new("alice", "corp")));
    assert!(alert.reason.contains("flags that ask"), "{}", alert.reason);
    let old = change(stripped, |logon| {
        if let Some(authenticate) = &mut logon.authenticate {
            authenticate.target_info.flags = None;
        }
    });
    assert_eq!(found(TAMPERING, [old]), [], "a client that knows no MIC");
}

/// A ticket shown over `carrier`.
fn shown(net: &Net, (from, to): (&str, &str), carrier: Carrier, service: &str) -> Activity {
    let kind = Kind::Ap(ApExchange {
        ticket: ticket(service, "st"),
        carrier,
        ap_options: 0,
        authenticator_etype: None,
        error: None,
    });
    let mut activity = net.pass(5).activity(from, Outcome::Success, kind);
    activity.server.ip = ip(to);
    activity
}

/// The victim asks for a ticket to `service`.
fn asked(net: &Net, service: &str) -> Vec<Activity> {
    vec![
        net.logon("ws7$", VICTIM, "ws7s"),
        net.pass(100).service("ws7$", VICTIM, "ws7s", service, "st"),
    ]
}

#[test]
fn a_ticket_shown_to_the_one_who_shows_it() {
    let net = Net::default();
    let mut day = asked(&net, "cifs/srv");
    day.push(shown(&net, (VICTIM, THIEF), Carrier::Smb, "cifs/srv"));
    day.push(shown(&net, (THIEF, SERVER), Carrier::Smb, "cifs/srv"));
    let alert = one(found(KERBEROS, day));
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
    assert_eq!(alert.confidence, Confidence::High);
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn a_load_balancer_before_a_web_server_is_no_thief() {
    let net = Net::default();
    let hand_on = |service: &str, carrier| {
        let mut day = asked(&net, service);
        // Somebody is at home at the balancer, and goes on at the victim's machine.
        day.push(net.logon("bob", THIEF, "bobs"));
        day.push(shown(&net, (VICTIM, THIEF), Carrier::Http, service));
        day.push(shown(&net, (THIEF, SERVER), carrier, service));
        day.push(shown(&net, (VICTIM, THIEF), Carrier::Http, service));
        let alerts = verdict(Settings::default(), day);
        (of(KERBEROS, alerts.clone()).len(), of(2018, alerts).len())
    };
    assert_eq!(hand_on("HTTP/srv", Carrier::Http), (0, 0));
    assert_eq!(hand_on("HTTP/srv", Carrier::Ldap), (1, 0), "told once");
}

#[test]
fn a_ticket_for_another_kind_of_service() {
    let net = Net::default();
    let marshalled = "cifs/srv1UWhRCAAAAAAAAAAAAAAAAAAAAAAAAAAAAwbEAYBAAAA";
    for (service, carrier, told) in [
        ("HTTP/srv", Carrier::Ldap, true),
        ("DNS/dc1", Carrier::Http, true),
        (marshalled, Carrier::Smb, true),
        ("host/srv", Carrier::Ldap, false),
        ("cifs/srv", Carrier::Smb, false),
        ("cifs/srv", Carrier::Dcerpc, false),
    ] {
        let mut day = asked(&net, service);
        day.push(shown(&net, (THIEF, SERVER), carrier, service));
        assert_eq!(found(KERBEROS, day).len(), usize::from(told), "{service}");
        let mut day = asked(&net, service);
        day.push(shown(&net, (VICTIM, SERVER), carrier, service));
        assert_eq!(found(KERBEROS, day), [], "by its owner, {service}");
    }
}

#[test]
fn an_administrators_ticket_to_the_own_machine() {
    let net = Net::default();
    let proxy = |service: &str| {
        let answer = issued(ticket(service, "st-admin"), 18);
        let evidence = ticket("plant$", "st-self");
        net.s4u((VICTIM, "plants"), service, S4u::Proxy(evidence), answer)
    };
    let before = [
        net.logon("ws7$", VICTIM, "ws7s"),
        net.logon("plant$", VICTIM, "plants"),
    ];
    let own = [before.as_slice(), &[proxy("host/ws7.corp.example")]].concat();
    let alert = one(found(KERBEROS, own));
    assert_eq!(
        alert.source.account,
        Some(Account::new("plant$", "corp.example"))
    );
    let front_end = [before.as_slice(), &[proxy("cifs/files.corp.example")]].concat();
    assert_eq!(found(KERBEROS, front_end), []);
}
