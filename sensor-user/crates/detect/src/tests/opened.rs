//! What is inside tickets that were opened with a keytab, and what only looks wrong there.

use std::sync::Arc;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, LogonInfo, Opened, Pac, Signature, Ticket, Verdict};
use goshawk_model::{Account, Activity, Alert, Confidence, Timestamp};

use super::THIEF;
use super::forged::{granted, numbers, shows, told_of};
use crate::build::{AES, FULL, Net, at, issued, tgt, ticket};

const DOMAIN: &str = "S-1-5-21-1-2-3";
const HOUR: u64 = 3600;
/// Buffers of a controller's ticket-granting tickets.
const GRANTING: [u32; 7] = [1, 10, 12, 17, 18, 6, 7];

fn signature(verdict: Verdict) -> Option<Signature> {
    Some(Signature { kind: 16, verdict })
}

/// What a controller writes into a ticket for the user with this number, who logs on at `time`.
fn of(user: &str, number: u32, groups: &[u32], time: Timestamp) -> Opened {
    let sid: Box<str> = format!("{DOMAIN}-{number}").into();
    let pac = Pac {
        buffers: GRANTING.to_vec(),
        logon: Some(LogonInfo {
            user: user.into(),
            server: "DC1".into(),
            domain: "CORP".into(),
            domain_sid: Some(DOMAIN.into()),
            user_id: number,
            primary_group_id: 513,
            groups: groups.to_vec(),
            extra_sids: vec!["S-1-18-1".into()],
        }),
        client_name: Some(user.into()),
        client_id: Some(time),
        sam_name: Some(user.into()),
        sid: Some(sid.clone()),
        attributes: Some(1),
        requestor: Some(sid),
        server_signature: signature(Verdict::Valid),
        kdc_signature: signature(Verdict::Valid),
        ..Pac::default()
    };
    Opened {
        kvno: 2,
        client: Some(Account::new(user, "corp.example")),
        authtime: time,
        endtime: time + Duration::from_secs(10 * HOUR),
        pac: Some(Box::new(pac)),
        ..Opened::default()
    }
}

fn pac(opened: &mut Opened) -> &mut Pac {
    opened.pac.as_mut().expect("a PAC")
}

fn info(opened: &mut Opened) -> &mut LogonInfo {
    pac(opened).logon.as_mut().expect("logon information")
}

fn with(ticket: Ticket, opened: Opened) -> Ticket {
    Ticket {
        opened: Some(Arc::new(opened)),
        ..ticket
    }
}

/// Somebody logs on, and the ticket is opened.
fn logon(net: &Net, user: &str, from: &str, opened: Opened) -> Activity {
    let answer = issued(with(tgt(user), opened), AES);
    net.ask(user, from, "krbtgt/CORP.EXAMPLE", (FULL, &[2, 128]), answer)
}

/// Alice, who is nobody special, and an administrator log on.
fn morning(net: &Net) -> Vec<Activity> {
    vec![
        logon(
            net,
            "alice",
            "10.0.0.7",
            of("alice", 1104, &[513, 1110], at(0)),
        ),
        logon(
            net,
            "root",
            "10.0.0.8",
            of("root", 500, &[512, 513, 518, 519, 520], at(0)),
        ),
    ]
}

/// What is told of a ticket that nobody was seen to issue.
fn told_of_stranger(opened: Opened) -> Vec<Alert> {
    let net = Net::default();
    let mut day = morning(&net);
    day.push(shows(
        &net,
        THIEF,
        with(tgt("stranger"), opened),
        granted("st"),
    ));
    told_of(day)
}

fn found(opened: Opened) -> Vec<u16> {
    numbers(&told_of_stranger(opened))
}

#[test]
fn a_ticket_older_than_the_recording_is_like_the_others() {
    assert_eq!(found(of("alice", 1104, &[513, 1110], at(0))), [0; 0]);
    assert_eq!(
        found(of("carol", 1105, &[513], at(0))),
        [0; 0],
        "who was not seen yet"
    );
    assert_eq!(
        found(of("boss", 1106, &[513, 512], at(0))),
        [0; 0],
        "nor whose groups"
    );
    let mut without = of("alice", 1104, &[513], at(0));
    without.pac = None;
    assert_eq!(found(without), [0; 0], "asked for without a PAC");
    let mut renewable = of("alice", 1104, &[513], at(0));
    renewable.renew_till = Some(at(7 * 24 * HOUR));
    assert_eq!(found(renewable), [0; 0]);
}

#[test]
fn what_was_issued_is_believed_whatever_is_in_it() {
    let net = Net::default();
    let mut odd = of("alice", 1104, &[512], at(0));
    odd.endtime = at(10_000 * HOUR);
    let day = [
        morning(&net),
        vec![
            logon(&net, "alice", "10.0.0.7", odd.clone()),
            shows(&net, "10.0.0.7", with(tgt("alice"), odd), granted("st")),
        ],
    ];
    assert_eq!(told_of(day.concat()), []);
}

#[test]
fn a_ticket_for_ten_years() {
    let mut opened = of("root", 500, &[512, 513], at(0));
    opened.endtime = at(10 * 365 * 24 * HOUR);
    let alerts = told_of_stranger(opened.clone());
    assert_eq!(numbers(&alerts), [2022]);
    assert_eq!(alerts[0].confidence, Confidence::High);
    assert!(
        alerts[0].evidence[0]
            .detail
            .contains("good for 87600 hours")
    );
    opened.endtime = at(12 * HOUR);
    assert_eq!(told_of_stranger(opened)[0].confidence, Confidence::Medium);
}

#[test]
fn a_domain_whose_tickets_live_long() {
    let net = Net::default();
    let mut long = of("alice", 1104, &[513], at(0));
    long.endtime = at(30 * HOUR);
    let mut shown = of("carol", 1105, &[513], at(0));
    shown.endtime = at(30 * HOUR);
    let day = vec![
        logon(&net, "alice", "10.0.0.7", long),
        shows(
            &net,
            "10.0.0.6",
            with(tgt("stranger"), shown),
            granted("st"),
        ),
    ];
    assert_eq!(told_of(day), []);
}

#[test]
fn a_name_that_nobody_has_with_somebody_s_number() {
    let alerts = told_of_stranger(of("ghost", 500, &[513], at(0)));
    assert_eq!(numbers(&alerts), [2027]);
    let detail = &alerts[0].evidence[0].detail;
    assert!(
        detail.contains("names ghost@corp.example with the number 500"),
        "{detail}"
    );
}

#[test]
fn rights_that_no_controller_gave() {
    let groups = of("alice", 1104, &[512, 513, 519], at(0));
    let mut sids = of("alice", 1104, &[513], at(0));
    info(&mut sids).extra_sids.push("S-1-5-21-1-2-3-519".into());
    let mut forest = of("alice", 1104, &[513], at(0));
    info(&mut forest)
        .extra_sids
        .push("S-1-5-21-9-9-9-519".into());
    let number = of("alice", 500, &[513], at(0));
    let mut domain = of("carol", 1105, &[513], at(0));
    info(&mut domain).domain_sid = Some("S-1-5-21-4-5-6".into());
    pac(&mut domain).requestor = Some("S-1-5-21-4-5-6-1105".into());
    let mut requestor = of("carol", 1105, &[513], at(0));
    pac(&mut requestor).requestor = Some("S-1-5-21-1-2-3-1104".into());
    let mut server = of("alice", 1104, &[513], at(0));
    pac(&mut server).server_signature = signature(Verdict::Wrong);
    let mut unkeyed = of("alice", 1104, &[513], at(0));
    pac(&mut unkeyed).kdc_signature = Some(Signature {
        kind: 7,
        verdict: Verdict::Unkeyed,
    });
    for (opened, says) in [
        (
            groups,
            "a member of Domain Admins, Enterprise Admins, which no controller did",
        ),
        (sids, "Enterprise Admins of its own domain"),
        (forest, "a member of Enterprise Admins"),
        (number, "the SID S-1-5-21-1-2-3-500"),
        (domain, "its domain is S-1-5-21-4-5-6"),
        (requestor, "S-1-5-21-1-2-3-1104 asked for it"),
        (server, "the signature of the server is wrong"),
        (unkeyed, "anybody can make (type 7)"),
    ] {
        let alerts = told_of_stranger(opened);
        assert_eq!(numbers(&alerts), [2013], "{says}");
        let detail = &alerts[0].evidence[0].detail;
        assert!(detail.contains(says), "{detail}");
    }
}

#[test]
fn a_key_that_the_keytab_lacks_makes_no_signature_wrong() {
    let mut opened = of("alice", 1104, &[513], at(0));
    pac(&mut opened).kdc_signature = signature(Verdict::Unchecked);
    assert_eq!(found(opened), [0; 0]);
}

#[test]
fn what_controllers_write_and_forgers_do_not() {
    let mut requestor = of("carol", 1105, &[513], at(0));
    pac(&mut requestor)
        .buffers
        .retain(|&kind| kind != Pac::REQUESTOR);
    pac(&mut requestor).requestor = None;
    let mut called = of("carol", 1105, &[513], at(0));
    info(&mut called).domain = "CORP.EXAMPLE".into();
    let mut server = of("carol", 1105, &[513], at(0));
    info(&mut server).server = "".into();
    let mut time = of("carol", 1105, &[513], at(0));
    pac(&mut time).client_id = Some(at(90));
    for opened in [requestor, called, server, time] {
        assert_eq!(found(opened), [2032]);
    }
}

#[test]
fn controllers_that_are_not_patched_alike() {
    let net = Net::default();
    let mut old = of("bob", 1107, &[513], at(0));
    pac(&mut old)
        .buffers
        .retain(|&kind| kind < Pac::ATTRIBUTES_INFO);
    let mut shown = of("carol", 1105, &[513], at(0));
    pac(&mut shown)
        .buffers
        .retain(|&kind| kind < Pac::ATTRIBUTES_INFO);
    let mut by_branch = of("dave", 1108, &[513], at(0));
    pac(&mut by_branch)
        .buffers
        .retain(|&kind| kind < Pac::UPN_DNS_INFO);
    let branch = Ticket {
        kvno: Some(4711 << 16 | 1),
        ..tgt("of a read-only controller")
    };
    let mut day = morning(&net);
    day.push(logon(&net, "bob", "10.0.0.6", old));
    day.push(shows(
        &net,
        "10.0.0.5",
        with(tgt("stranger"), shown),
        granted("st"),
    ));
    day.push(shows(
        &net,
        "10.0.0.4",
        with(branch, by_branch),
        granted("st2"),
    ));
    assert_eq!(told_of(day), []);
}

#[test]
fn a_service_s_pac_in_a_ticket_granting_ticket() {
    let mut opened = of("root", 500, &[512], at(0));
    pac(&mut opened).buffers.extend([16, 19]);
    assert_eq!(found(opened), [9021]);
}

/// A ticket for the controller's files, with the verdict on the KDC's signatures.
fn for_files(name: &str, verdict: Verdict) -> Ticket {
    let mut opened = of("root", 500, &[512], at(0));
    pac(&mut opened).kdc_signature = signature(verdict);
    pac(&mut opened).ticket_signature = signature(verdict);
    with(ticket("cifs/dc1.corp.example", name), opened)
}

#[test]
fn a_service_ticket_that_the_kdc_has_not_signed() {
    let net = Net::default();
    let grant = |name: &str, verdict| {
        let shown = with(tgt("alice"), of("alice", 1104, &[513], at(0)));
        shows(
            &net,
            "10.0.0.7",
            shown,
            issued(for_files(name, verdict), AES),
        )
    };
    let forged = || net.used(THIEF, for_files("silver", Verdict::Wrong));
    let told = |day: Vec<Activity>| told_of([morning(&net), day].concat());

    let alerts = told(vec![grant("st", Verdict::Valid), forged()]);
    assert_eq!(numbers(&alerts), [9020]);
    assert_eq!(alerts[0].confidence, Confidence::High);
    assert_eq!(
        alerts[0].source.account,
        Some(Account::new("root", "corp.example"))
    );
    assert_eq!(
        told(vec![forged()])[0].confidence,
        Confidence::Medium,
        "no key was proved yet"
    );

    let outdated = vec![grant("st", Verdict::Wrong), forged()];
    assert_eq!(
        told(outdated),
        [],
        "the keytab is older than the controllers' keys"
    );
    let issued = vec![
        grant("st", Verdict::Wrong),
        net.used("10.0.0.7", for_files("st", Verdict::Wrong)),
    ];
    assert_eq!(told(issued), [], "a controller has issued it");
    let old = net.used("10.0.0.7", for_files("old", Verdict::Valid));
    assert_eq!(told(vec![old]), [], "older than the recording");
}

#[test]
fn a_service_s_key_alone_shows_what_is_unlike_its_tickets() {
    let net = Net::default();
    let files = |name: &str| for_files(name, Verdict::Unchecked);
    let changed = |name: &str, change: fn(&mut Opened)| {
        let mut opened = Opened::clone(files(name).opened.as_deref().expect("opened"));
        change(&mut opened);
        with(files(name), opened)
    };
    let grant = || {
        let mut issued_ticket = for_files("st", Verdict::Unchecked);
        let mut opened = Opened::clone(issued_ticket.opened.as_deref().expect("opened"));
        pac(&mut opened).buffers = vec![1, 10, 12, 6, 7, 16, 19];
        issued_ticket.opened = Some(Arc::new(opened));
        shows(&net, "10.0.0.7", tgt("old"), issued(issued_ticket, AES))
    };
    let like = |opened: &mut Opened| pac(opened).buffers = vec![1, 10, 12, 6, 7, 16, 19];
    let fine = net.used("10.0.0.6", changed("old", like));
    assert_eq!(told_of([grant(), fine]), [], "older than the recording");
    let unsigned = net.used(THIEF, files("silver"));
    let alerts = told_of([grant(), unsigned]);
    assert_eq!(numbers(&alerts), [9020]);
    let detail = &alerts[0].evidence[0].detail;
    assert!(
        detail.contains("the KDC's signature over the ticket is missing"),
        "{detail}"
    );
    let years = net.used(
        THIEF,
        changed("years", |opened| opened.endtime = at(90_000 * HOUR)),
    );
    assert_eq!(numbers(&told_of([grant(), years])), [9020]);
    let own = changed("own", |opened| pac(opened).buffers.truncate(3));
    let change = net.used(
        THIEF,
        Ticket {
            service: "kadmin/changepw@CORP.EXAMPLE".into(),
            ..own
        },
    );
    assert_eq!(told_of([grant(), change]), [], "which the KDC signs less");
}

#[test]
fn a_refused_ticket_names_whom_it_claims_and_nobody_acts() {
    let net = Net::default();
    let mut day = morning(&net);
    let opened = of("ghost", 500, &[512], at(0));
    day.push(shows(
        &net,
        THIEF,
        with(tgt("stranger"), opened),
        Answer::Refused(6),
    ));
    let alerts = told_of(day);
    assert_eq!(numbers(&alerts), [2027]);
    assert_eq!(alerts[0].source.account, None);
    assert!(
        alerts[0]
            .summary
            .contains("in the name of ghost@corp.example")
    );
}
