//! Pass-the-ticket, and the many honest ways of a ticket to a second address.

use goshawk_model::inventory::SightingSource;
use goshawk_model::kerberos::{OPTION_FORWARDED, OPTION_RENEW};
use goshawk_model::smb::{Negotiate, SmbOperation, Terms};
use goshawk_model::{Account, Activity, Alert, Confidence, Kind, Outcome, Severity, Timestamp};

use super::{THIEF, golden, of, one, verdict};
use crate::build::secrets::by_tool;
use crate::build::{AES, FULL, Net, ip, issued, kerberos, ticket};
use crate::{Engine, Input, Settings};

const HOME: &str = "10.0.0.7";
const LDAP: &str = "ldap/dc1.corp.example";

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(2018, verdict(Settings::default(), activities))
}

/// A logon as Windows does it.
fn windows_logon(net: &Net, account: &str, from: &str, name: &str) -> Activity {
    let mut logon = net.logon(account, from, name);
    if let Kind::As(exchange) = &mut logon.kind
        && let Some(request) = &mut exchange.request
    {
        let late = Some(Timestamp::from_parts(2_136_422_885, 0));
        (request.till, request.rtime) = (late, late);
    }
    logon
}

/// Alice logs on at home and goes to a service.
fn at_home(net: &Net) -> Vec<Activity> {
    vec![
        windows_logon(net, "alice", HOME, "alices"),
        net.pass(100).service("alice", HOME, "alices", LDAP, "st"),
    ]
}

/// Alice's ticket-granting ticket is used at `from`.
fn taken(net: &Net, from: &str) -> Activity {
    net.pass(60_000)
        .service("alice", from, "alices", "cifs/dc1", "st-2")
}

#[test]
fn a_tool_speaks_another_dialect() {
    let net = Net::default();
    let mut day = at_home(&net);
    day.push(by_tool(taken(&net, THIEF)));
    let alert = one(found(day));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::High, Confidence::High)
    );
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
    assert_eq!(
        alert.source.account,
        Some(Account::new("alice", "corp.example"))
    );
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn a_services_ticket_in_a_tools_connection() {
    let net = Net::default();
    let mut day = at_home(&net);
    let terms = Terms {
        guid: Some(uuid::Uuid::from_bytes(*b"VVdSgcomFYKddrgX")),
        ..Terms::default()
    };
    let negotiate = SmbOperation::Negotiate(Box::new(Negotiate {
        client: Some(terms),
        ..Negotiate::default()
    }));
    let used = |from: &str| {
        [
            net.activity(from, Outcome::Success, Kind::Smb(negotiate.clone())),
            net.pass(50).used(from, ticket(LDAP, "st")),
        ]
    };
    assert_eq!(found([day.clone(), used(HOME).to_vec()].concat()), []);
    day.extend(used(THIEF));
    let alert = one(found(day));
    assert!(
        alert.reason.contains("as impacket does"),
        "{}",
        alert.reason
    );
}

#[test]
fn the_first_machine_goes_on() {
    let net = Net::default();
    let mut day = at_home(&net);
    day.push(taken(&net, THIEF));
    assert_eq!(found(day.clone()), [], "she may have moved");
    let at_home = |name| net.pass(5_000).service("alice", HOME, "alices", LDAP, name);
    day.push(at_home("st-3"));
    let sightings = [(HOME, "ws7"), (THIEF, "ws9")]
        .map(|(place, name)| net.sighting(place, name, SightingSource::MachineLogon));
    let alert = one(found([sightings.to_vec(), day.clone()].concat()));
    assert_eq!(
        alert.source.ip,
        Some(ip(THIEF)),
        "two machines by their names"
    );
    assert_eq!(alert.severity, Severity::Medium);
    assert_eq!(found(day.clone()), [], "she may have moved back");
    day.push(taken(&net, THIEF));
    assert_eq!(one(found(day)).source.ip, Some(ip(THIEF)), "by turns");
}

/// Others go on while `minutes` pass.
fn meanwhile(net: &Net, minutes: u64) -> Vec<Activity> {
    let others = (0..minutes).map(|n| {
        let name = format!("carols{n}");
        net.pass(60_000).logon("carol", "10.0.0.30", &name)
    });
    others.collect()
}

#[test]
fn a_laptop_in_and_out_of_its_dock() {
    let net = Net::default();
    let radio = "10.1.0.7";
    let mut day = at_home(&net);
    for (n, place) in [radio, HOME, radio, HOME].into_iter().enumerate() {
        let name = format!("st-{n}");
        day.extend(meanwhile(&net, 20));
        day.push(net.service("alice", place, "alices", LDAP, &name));
    }
    assert_eq!(found(day), []);
}

#[test]
fn a_desk_where_somebody_sat_before() {
    let net = Net::default();
    let desk = "10.1.0.7";
    let mut day = at_home(&net);
    day.push(net.pass(1000).logon("bob", desk, "bobs"));
    for (minutes, account, place, ticket) in [
        (5, "alice", desk, "alices"),
        (20, "alice", desk, "alices"),
        (20, "bob", "10.1.0.9", "bobs"),
    ] {
        day.extend(meanwhile(&net, minutes));
        day.push(net.service(account, place, ticket, LDAP, "st-2"));
    }
    assert_eq!(found(day), [], "he has left");
}

#[test]
fn a_desk_where_somebody_sits() {
    let net = Net::default();
    let mut day = at_home(&net);
    day.push(net.pass(1000).logon("bob", THIEF, "bobs"));
    day.push(taken(&net, THIEF));
    day.push(
        net.pass(5 * 60_000)
            .service("bob", THIEF, "bobs", LDAP, "st-3"),
    );
    day.push(
        net.pass(3_600_000)
            .service("bob", THIEF, "bobs", LDAP, "st-4"),
    );
    let alert = one(found(day));
    assert!(alert.reason.contains("other accounts"), "{}", alert.reason);
}

#[test]
fn an_address_with_many_people_behind_it() {
    let net = Net::default();
    let gateway = "192.0.2.1";
    let mut day = at_home(&net);
    for n in 0..6 {
        let (account, name) = (format!("user{n}"), format!("tgt{n}"));
        day.push(net.pass(1000).logon(&account, gateway, &name));
    }
    day.push(taken(&net, gateway));
    assert_eq!(found(day), []);
}

#[test]
fn a_renewed_ticket_is_the_same_logon() {
    let net = Net::default();
    let renew = |from: &str, old: &str, new: &str| {
        let answer = issued(crate::build::tgt(new), AES);
        let mut renewed = net.pass(60_000).tgs(
            (from, old),
            "krbtgt/CORP.EXAMPLE",
            (2, FULL),
            Some("alice"),
            answer,
        );
        if let Kind::Tgs(exchange) = &mut renewed.kind
            && let Some(request) = &mut exchange.request
        {
            request.kdc_options |= OPTION_RENEW;
        }
        renewed
    };
    let mut day = at_home(&net);
    day.push(renew(THIEF, "alices", "renewed"));
    day.push(
        net.pass(60_000)
            .service("alice", HOME, "alices", LDAP, "st-5"),
    );
    day.push(
        net.pass(60_000)
            .service("alice", THIEF, "renewed", LDAP, "st-6"),
    );
    assert_eq!(one(found(day)).source.ip, Some(ip(THIEF)), "by turns");
    let mut day = at_home(&net);
    day.push(renew(HOME, "alices", "renewed"));
    day.push(
        net.pass(60_000)
            .service("alice", HOME, "renewed", LDAP, "st-5"),
    );
    assert_eq!(found(day), []);
}

#[test]
fn others_are_at_home_at_the_second_machine() {
    let net = Net::default();
    let mut day = at_home(&net);
    day.push(net.pass(1000).logon("mallory", THIEF, "mallorys"));
    day.push(taken(&net, THIEF));
    let alert = one(found(day));
    assert!(alert.reason.contains("other accounts"), "{}", alert.reason);
}

#[test]
fn a_service_ticket_under_another_name() {
    let net = Net::default();
    let mut day = at_home(&net);
    let mut renamed = ticket("cifs/dc1.corp.example", "st");
    day.push(net.pass(10).used(HOME, renamed.clone()));
    let alert = one(found(day));
    assert!(
        alert.reason.contains("only tools exchange"),
        "{}",
        alert.reason
    );
    renamed.service = "LDAP/dc1.corp.example@CORP.EXAMPLE".into();
    let mut day = at_home(&net);
    day.push(net.used(HOME, renamed));
    assert_eq!(found(day), [], "only in another case");
}

#[test]
fn a_machine_moves() {
    let net = Net::default();
    let mut day = at_home(&net);
    for second in ["10.0.0.8", "10.9.0.8"] {
        day.push(taken(&net, second));
    }
    assert_eq!(found(day), []);
}

#[test]
fn cable_and_radio() {
    let net = Net::default();
    let (cable, radio) = (HOME, "10.1.0.7");
    let mut day = at_home(&net);
    day.insert(0, net.logon("ws7$", cable, "ws7s"));
    for n in 0..3 {
        for place in [radio, cable] {
            let name = format!("{n}{place}");
            day.push(net.pass(9_000).service("ws7$", place, "ws7s", LDAP, &name));
            day.push(
                net.pass(9_000)
                    .service("alice", place, "alices", LDAP, &name),
            );
        }
    }
    assert_eq!(found(day), [], "its computer's account is on both");
}

#[test]
fn two_addresses_with_one_name() {
    let net = Net::default();
    let mut day = at_home(&net);
    for place in [HOME, "10.1.0.7"] {
        day.push(net.sighting(place, "ws7", SightingSource::DnsAddress));
    }
    day.push(net.logon("bob", "10.1.0.7", "bobs"));
    day.push(taken(&net, "10.1.0.7"));
    assert_eq!(found(day), []);
}

#[test]
fn ipv6_beside_ipv4() {
    let net = Net::default();
    let mut day = at_home(&net);
    day.push(net.logon("bob", "fd00::7", "bobs"));
    day.push(taken(&net, "fd00::7"));
    assert_eq!(found(day), []);
}

#[test]
fn forwarded_to_a_server() {
    let net = Net::default();
    let mut day = at_home(&net);
    let answer = issued(crate::build::tgt("forwarded"), AES);
    let mut forward = net.tgs(
        (HOME, "alices"),
        "krbtgt/CORP.EXAMPLE",
        (2, FULL),
        Some("alice"),
        answer,
    );
    if let Kind::Tgs(exchange) = &mut forward.kind
        && let Some(request) = &mut exchange.request
    {
        request.kdc_options |= OPTION_FORWARDED;
    }
    day.push(forward);
    day.push(net.logon("bob", "10.0.0.40", "bobs"));
    day.push(
        net.pass(500)
            .service("alice", "10.0.0.40", "forwarded", LDAP, "st-4"),
    );
    assert_eq!(found(day), []);
}

#[test]
fn before_and_behind_a_translator() {
    let net = Net::default();
    let mut day = Vec::new();
    let mut both = |activity: Activity| {
        let mut behind = activity.clone();
        behind.client.ip = ip("192.0.2.1");
        day.extend([activity, behind]);
    };
    for n in 0..3 {
        both(
            net.pass(500)
                .logon(&format!("user{n}"), HOME, &format!("tgt{n}")),
        );
        both(net.pass(500).service(
            &format!("user{n}"),
            HOME,
            &format!("tgt{n}"),
            LDAP,
            &format!("st{n}"),
        ));
    }
    day.push(net.pass(500).used("192.0.2.1", ticket(LDAP, "st1")));
    assert_eq!(found(day), []);
}

#[test]
fn a_controller_may_hand_on() {
    let net = Net::default();
    let settings = Settings {
        controllers: vec![ip("10.0.0.1"), ip("10.0.0.2")],
        ..Settings::default()
    };
    let mut day = at_home(&net);
    day.push(net.logon("bob", "10.0.0.2", "bobs"));
    day.push(taken(&net, "10.0.0.2"));
    assert_eq!(of(2018, verdict(settings, day)), []);
}

#[test]
fn a_ticket_that_is_not_known_tells_nothing() {
    let net = Net::default();
    let day = [
        net.logon("mallory", THIEF, "mallorys"),
        net.service("alice", THIEF, "never seen", LDAP, "st"),
        net.drs(
            THIEF,
            0,
            kerberos(ticket(LDAP, "nor this")),
            Outcome::Success,
        ),
    ];
    assert_eq!(found(day), []);
}

#[test]
fn a_restart_between_theft_and_use() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    for activity in at_home(&net) {
        engine.observe(Input::Activity(activity));
    }
    let snapshot = engine.snapshot();
    let mut engine = Engine::new(Settings::default());
    engine.restore(&snapshot).expect("restored");
    let told = engine.observe(Input::Activity(by_tool(taken(&net, THIEF))));
    assert!(
        told.iter().any(|one| one.alert().external_id == 2018),
        "{told:?}"
    );
}
