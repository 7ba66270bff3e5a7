//! Forged tickets, and tickets that only look like it.

use goshawk_model::kerberos::{
    Answer, EtypeInfo, ForUser, OPTION_ENC_TKT_IN_SKEY, TgsRequest, Ticket, padata,
};
use goshawk_model::{Account, Activity, Alert, Confidence, Coverage, Gap, GapReason, Kind};

use super::{THIEF, of};
use crate::build::{AES, FULL, Net, RC4, at, ip, issued, sealed, tgt, ticket};
use crate::{Engine, Input, Settings};

const KRBTGT: &str = "krbtgt/CORP.EXAMPLE";
const CIFS: &str = "cifs/dc1.corp.example";
const GOLDEN: [u16; 5] = [2009, 2013, 2022, 2027, 2032];
const SILVER: u16 = 9020;
const SAPPHIRE: u16 = 9021;
const HOUR: u64 = 3600;

/// `shown` is presented for a service ticket.
pub(super) fn shows(net: &Net, from: &str, shown: Ticket, answer: Answer) -> Activity {
    let client = matches!(answer, Answer::Issued { .. }).then_some("administrator");
    let mut activity = net
        .pass(1_000)
        .tgs((from, "x"), CIFS, (2, FULL), client, answer);
    request(&mut activity).presented = Some(shown);
    activity
}

fn request(activity: &mut Activity) -> &mut TgsRequest {
    match &mut activity.kind {
        Kind::Tgs(exchange) => exchange.request.as_mut().expect("a request"),
        other => panic!("{other}"),
    }
}

pub(super) fn granted(name: &str) -> Answer {
    issued(ticket(CIFS, name), AES)
}

/// The numbers of the alerts, in the order of the numbers.
pub(super) fn numbers(alerts: &[Alert]) -> Vec<u16> {
    let mut numbers: Vec<_> = alerts.iter().map(|alert| alert.external_id).collect();
    numbers.sort_unstable();
    numbers
}

/// Every alert in its final state, of these inputs in a domain with one controller.
fn told(inputs: impl IntoIterator<Item = Input>) -> Vec<Alert> {
    let mut engine = Engine::new(Settings {
        controllers: vec![ip("10.0.0.1")],
        ..Settings::default()
    });
    for input in inputs {
        engine.observe(input);
    }
    let finals = engine.finish();
    finals.iter().map(|output| output.alert().clone()).collect()
}

pub(super) fn told_of(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    told(activities.into_iter().map(Input::Activity))
}

fn watched(controller: &str, from: u64) -> Input {
    Input::Coverage(Coverage {
        controller: ip(controller),
        from: at(from),
    })
}

#[test]
fn a_ticket_with_rc4_where_controllers_seal_with_aes() {
    let forged = || sealed(KRBTGT, "forged", RC4);
    let net = Net::default();
    let after_a_logon = told_of([
        net.logon("alice", "10.0.0.7", "alices"),
        shows(&net, THIEF, forged(), granted("st")),
    ]);
    let [alert] = &*after_a_logon else {
        panic!("one alert: {after_a_logon:?}");
    };
    assert_eq!(
        (alert.external_id, alert.confidence),
        (2009, Confidence::Medium)
    );
    let administrator = Account::new("administrator", "corp.example");
    assert_eq!(alert.source.account, Some(administrator));
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
    let alone = told_of([shows(&net, THIEF, forged(), granted("st"))]);
    assert_eq!(
        numbers(&alone),
        [2009],
        "the service ticket shows that keys know AES"
    );
}

#[test]
fn a_domain_of_rc4_is_silent_and_so_are_other_realms_and_issued_tickets() {
    let net = Net::default();
    let old = |name: &str| sealed(KRBTGT, name, RC4);
    let old_logon = net.ask(
        "alice",
        "10.0.0.7",
        KRBTGT,
        (FULL, &[2]),
        issued(old("alices"), RC4),
    );
    let old_service = || issued(sealed(CIFS, "st", RC4), RC4);
    for day in [
        vec![shows(&net, THIEF, old("strange"), old_service())],
        vec![
            old_logon.clone(),
            net.logon("bob", "10.0.0.8", "bobs"),
            shows(&net, THIEF, old("strange"), granted("st")),
        ],
        vec![
            net.logon("bob", "10.0.0.8", "bobs"),
            shows(
                &net,
                THIEF,
                sealed("krbtgt/OTHER.EXAMPLE", "trust", RC4),
                granted("st"),
            ),
        ],
        vec![
            net.logon("bob", "10.0.0.8", "bobs"),
            shows(&net, "10.0.0.8", tgt("bobs"), granted("st")),
            shows(
                &net,
                "10.0.0.9",
                tgt("older than the recording"),
                granted("st2"),
            ),
        ],
    ] {
        let alerts = told_of(day);
        assert!(
            !numbers(&alerts).iter().any(|id| GOLDEN.contains(id)),
            "{alerts:?}"
        );
    }
}

#[test]
fn what_the_controller_answers_to_a_strange_ticket() {
    for (code, number) in [(6, 2027), (20, 2013), (31, 2013), (41, 2013), (44, 2032)] {
        let net = Net::default();
        let refused = |name: &str| shows(&net, THIEF, tgt(name), Answer::Refused(code));
        let alerts = told_of([refused("forged")]);
        assert_eq!(numbers(&alerts), [number], "error {code}");
        assert_eq!(alerts[0].source.account, None, "nobody was believed");
        let known = told_of([net.logon("alice", THIEF, "alices"), refused("alices")]);
        assert!(
            of(number, known).is_empty(),
            "error {code} to an issued ticket"
        );
    }
    for code in [7, 12, 13, 14, 18, 32, 37, 52, 68] {
        let net = Net::default();
        let alerts = told_of([shows(&net, THIEF, tgt("old"), Answer::Refused(code))]);
        assert!(alerts.is_empty(), "error {code}: {alerts:?}");
    }
}

#[test]
fn a_name_that_the_controller_did_not_know_is_believed() {
    let net = Net::default();
    let denied = |name: &str| net.refused(name, "10.0.0.30", 6);
    let shown = || shows(&net, THIEF, tgt("forged"), granted("st"));
    assert_eq!(of(2027, told_of([shown()])), []);
    assert_eq!(of(2027, told_of([denied("somebody"), shown()])), []);
    let alerts = of(2027, told_of([denied("administrator"), shown()]));
    assert_eq!(alerts.len(), 1);
    let own = Account::new("administrator", "corp.example");
    assert_eq!(alerts[0].source.account, Some(own));
}

#[test]
fn an_unknown_account_may_be_the_one_to_be_impersonated() {
    let net = Net::default();
    let mut asked = shows(&net, "10.0.0.7", tgt("old"), Answer::Refused(6));
    request(&mut asked).padata.push(padata::FOR_USER);
    assert_eq!(told_of([asked]), []);
}

#[test]
fn smuggled_authorization_data() {
    let net = Net::default();
    let mut logon = net.logon("mallory", THIEF, "without");
    if let Kind::As(exchange) = &mut logon.kind {
        exchange
            .request
            .as_mut()
            .expect("a request")
            .data
            .include_pac = Some(false);
    }
    let mut asked = shows(&net, THIEF, tgt("without"), granted("st"));
    let honest = told_of([logon.clone(), asked.clone()]);
    assert_eq!(of(2013, honest), [], "a client that wants no PAC");
    request(&mut asked).enc_authorization_data = true;
    let alerts = of(2013, told_of([logon, asked]));
    assert_eq!(alerts[0].confidence, Confidence::High);
}

#[test]
fn the_shape_of_a_ticket() {
    let shaped = |length: u32, kvno: u32| Ticket {
        length,
        kvno: Some(kvno),
        ..tgt("forged")
    };
    let domain = |shown: Ticket| {
        let net = Net::default();
        let mut day: Vec<_> = (0..9)
            .map(|n| {
                net.pass(100)
                    .logon(&format!("u{n}"), "10.0.0.7", &format!("t{n}"))
            })
            .collect();
        day.push(net.logon("administrator", "10.0.0.8", "admins"));
        day.push(shows(&net, THIEF, shown, granted("st")));
        of(2032, told_of(day))
    };
    assert_eq!(domain(shaped(1_100, 2)), [], "as all are");
    assert_eq!(domain(shaped(1_300, 2)), [], "longer");
    assert_eq!(domain(shaped(1_090, 2)), [], "hardly shorter");
    assert_eq!(domain(shaped(300, 2)), [], "without a PAC");
    assert_eq!(domain(shaped(940, 2)).len(), 1, "ticketer's");
    assert_eq!(domain(shaped(1_100, 3)).len(), 1, "another key version");
    assert_eq!(
        domain(shaped(1_100, 0x1234_0001)),
        [],
        "a read-only controller's"
    );
}

#[test]
fn a_ticket_that_lives_too_long() {
    let twice = |hours: u64| {
        let net = Net::default();
        let first = shows(&net, THIEF, tgt("forged"), granted("a"));
        net.pass(hours * HOUR * 1_000);
        let mut day = vec![first];
        day.extend((0..3).map(|n| shows(&net, THIEF, tgt("forged"), granted(&n.to_string()))));
        of(2022, told_of(day))
    };
    assert_eq!(twice(9), []);
    assert_eq!(twice(12).len(), 1);
}

#[test]
fn an_issued_ticket_that_lives_longer_shows_the_policy() {
    let net = Net::default();
    let logon = net.logon("alice", "10.0.0.7", "alices");
    let strange = shows(&net, "10.0.0.8", tgt("bobs"), granted("a"));
    net.pass(20 * HOUR * 1_000);
    let mut day = vec![logon, strange];
    for n in 0..3 {
        day.push(shows(
            &net,
            "10.0.0.7",
            tgt("alices"),
            granted(&format!("a{n}")),
        ));
        day.push(shows(
            &net,
            "10.0.0.8",
            tgt("bobs"),
            granted(&format!("b{n}")),
        ));
    }
    assert_eq!(of(2022, told_of(day)), []);
}

/// A perfect ticket and a service's, shown `hours` after the beginning, in which `events` happen.
fn late(hours: u64, events: Vec<Input>) -> Vec<Alert> {
    let net = Net::default();
    let mut inputs = vec![Input::Activity(net.logon("alice", "10.0.0.7", "alices"))];
    inputs.extend(events);
    net.pass(hours * HOUR * 1_000);
    // The clock believes two that agree.
    for n in 0..3 {
        let name = format!("bobs{n}");
        inputs.push(Input::Activity(
            net.pass(500).logon("bob", "10.0.0.8", &name),
        ));
    }
    inputs.push(Input::Activity(shows(
        &net,
        THIEF,
        tgt("diamond"),
        granted("st"),
    )));
    inputs.push(Input::Activity(
        net.used(THIEF, ticket("cifs/srv.corp.example", "silver")),
    ));
    let mut alerts = told(inputs);
    alerts.retain(|alert| GOLDEN.contains(&alert.external_id) || alert.external_id == SILVER);
    alerts
}

#[test]
fn what_no_watched_controller_has_issued() {
    let alerts = late(11, vec![watched("10.0.0.1", 0)]);
    assert_eq!(numbers(&alerts), [2032, SILVER]);
    assert!(
        alerts
            .iter()
            .all(|alert| alert.confidence == Confidence::Medium)
    );
}

#[test]
fn absence_says_nothing_where_something_may_have_been_missed() {
    let all = || watched("10.0.0.1", 0);
    let gap = |reason| {
        Input::Gap(Gap {
            from: at(HOUR),
            to: at(HOUR + 1),
            reason,
        })
    };
    let other = Net::at("10.0.0.2").logon("carol", "10.0.0.7", "carols");
    for (what, hours, events) in [
        ("nothing was told", 11, vec![]),
        ("watched for too short a time", 9, vec![all()]),
        (
            "watched from later on",
            11,
            vec![watched("10.0.0.1", 5 * HOUR)],
        ),
        (
            "another controller",
            11,
            vec![all(), Input::Activity(other)],
        ),
        (
            "a ring that lost packets",
            11,
            vec![all(), gap(GapReason::Lost)],
        ),
        ("a restart", 11, vec![all(), gap(GapReason::Stopped)]),
        (
            "a clock that was set",
            11,
            vec![all(), gap(GapReason::ClockStep)],
        ),
        ("a full table", 11, vec![all(), gap(GapReason::Evicted)]),
    ] {
        assert_eq!(late(hours, events), [], "{what}");
    }
    let past = late(13, vec![all(), gap(GapReason::Lost)]);
    assert_eq!(
        numbers(&past),
        [2032, SILVER],
        "the gap is older than any ticket"
    );
}

#[test]
fn many_strange_tickets_mean_that_a_controller_is_not_known() {
    let net = Net::default();
    let mut inputs = vec![
        Input::Activity(net.logon("alice", "10.0.0.7", "alices")),
        watched("10.0.0.1", 0),
    ];
    net.pass(11 * HOUR * 1_000);
    for n in 0..20 {
        let from = format!("10.0.1.{n}");
        let shown = shows(&net, &from, tgt(&from), granted(&from));
        inputs.push(Input::Activity(shown));
    }
    let last = shows(&net, THIEF, tgt("one more"), granted("st"));
    inputs.push(Input::Activity(last));
    let alerts = of(2032, told(inputs));
    assert!(alerts.len() <= 4, "{}", alerts.len());
    assert!(
        !alerts
            .iter()
            .any(|alert| alert.source.ip == Some(ip(THIEF)))
    );
}

#[test]
fn a_sign_weighs_more_where_nobody_issued_the_ticket_and_says_why_not_elsewhere() {
    let confidence = |events: Vec<Input>| {
        let net = Net::default();
        let mut inputs = events;
        inputs.push(Input::Activity(net.logon("alice", "10.0.0.7", "alices")));
        net.pass(11 * HOUR * 1_000);
        for n in 0..3 {
            let logon = net.pass(500).logon("bob", "10.0.0.8", &n.to_string());
            inputs.push(Input::Activity(logon));
        }
        let shown = shows(&net, THIEF, sealed(KRBTGT, "forged", RC4), granted("st"));
        inputs.push(Input::Activity(shown));
        let alert = of(2009, told(inputs)).remove(0);
        (
            alert.confidence,
            alert
                .reason
                .contains("no controller is known to be watched"),
        )
    };
    assert_eq!(
        confidence(vec![watched("10.0.0.1", 0)]),
        (Confidence::High, false)
    );
    assert_eq!(confidence(vec![]), (Confidence::Medium, true));
}

#[test]
fn restarts_lose_no_attack_and_invent_none() {
    let net = Net::default();
    let day = [
        net.logon("alice", "10.0.0.7", "alices"),
        shows(&net, "10.0.0.7", tgt("alices"), granted("a")),
        shows(&net, THIEF, sealed(KRBTGT, "forged", RC4), granted("b")),
        shows(&net, THIEF, sealed(KRBTGT, "forged", RC4), granted("c")),
    ];
    for cut in 0..=day.len() {
        let settings = || Settings {
            controllers: vec![ip("10.0.0.1")],
            ..Settings::default()
        };
        let mut engine = Engine::new(settings());
        engine.observe(watched("10.0.0.1", 0));
        for (n, activity) in day.iter().enumerate() {
            if n == cut {
                let snapshot = engine.snapshot();
                engine = Engine::new(settings());
                engine.restore(&snapshot).expect("restores");
                engine.observe(Input::Gap(Gap {
                    from: activity.time,
                    to: activity.time,
                    reason: GapReason::Stopped,
                }));
            }
            engine.observe(Input::Activity(activity.clone()));
        }
        let finals = engine.finish();
        let alerts: Vec<_> = finals.iter().map(|output| output.alert().clone()).collect();
        assert_eq!(numbers(&alerts), [2009], "cut at {cut}");
        assert_eq!(alerts[0].count, 2);
    }
}

#[test]
fn a_ticket_in_anothers_name_that_the_asker_can_open() {
    let net = Net::default();
    let asked = |options: u32, additional: Vec<Ticket>| {
        let mut asked = shows(&net, THIEF, tgt("mallorys"), granted("st"));
        let request = request(&mut asked);
        request.kdc_options |= options;
        request.additional = additional;
        request.padata.push(padata::FOR_USER);
        request.data.for_user = Some(Box::new(ForUser {
            user: Account::new("administrator", "corp.example"),
            auth_package: "Kerberos".into(),
        }));
        of(
            SAPPHIRE,
            told_of([net.logon("mallory", THIEF, "mallorys"), asked]),
        )
    };
    let alerts = asked(OPTION_ENC_TKT_IN_SKEY, vec![tgt("mallorys")]);
    let mallory = Some(Account::new("mallory", "corp.example"));
    assert_eq!(alerts[0].source.account, mallory);
    assert_eq!(asked(0, Vec::new()), [], "plain S4U2self");
}

#[test]
fn a_controller_that_forgets_aes() {
    let lists = |net: &Net, account: &str, offered: &[i32], etypes: &[i32]| {
        let mut asked = net
            .pass(500)
            .unproved(account, "10.0.0.7", offered, Answer::Refused(25));
        if let Kind::As(exchange) = &mut asked.kind {
            let entry = |&etype: &i32| EtypeInfo {
                etype: Some(etype),
                salt: None,
            };
            exchange.answer_data.etype_info = etypes.iter().map(entry).collect();
        }
        asked
    };
    let day = |offered: &[i32], weakened: usize, before: &[i32]| {
        let net = Net::default();
        let people = ["alice", "bob", "carol", "dave"];
        let mut day: Vec<_> = people.map(|one| lists(&net, one, FULL, before)).into();
        let after = people.iter().take(weakened);
        day.extend(after.map(|one| lists(&net, one, offered, &[RC4])));
        of(2010, told_of(day))
    };
    let alerts = day(FULL, 4, &[AES, RC4]);
    assert_eq!(alerts[0].source.ip, Some(ip("10.0.0.1")));
    assert_eq!(alerts[0].count, 2, "{}", alerts[0].summary);
    assert_eq!(day(FULL, 2, &[AES, RC4]), [], "an administrator's choice");
    assert_eq!(day(FULL, 4, &[RC4]), [], "they never had it");
    assert_eq!(day(&[RC4], 4, &[AES, RC4]), [], "clients that offer no AES");
}
