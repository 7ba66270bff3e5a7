//! Brute force and spray.

use goshawk_model::smb::{Negotiate, SmbOperation, Terms};
use goshawk_model::{
    Account, Activity, Actor, Alert, Carrier, Confidence, Kind, Outcome, Severity, Status,
};

use super::{golden, of, one, run, verdict};
use crate::build::{Net, at};
use crate::{Engine, Input, Learning, Policy, Settings};

const AT: &str = "10.0.0.9";

/// `number` wrong passwords of one account, `pause` milliseconds apart.
fn wrong(net: &Net, account: &str, from: &str, number: usize, pause: u64) -> Vec<Activity> {
    (0..number)
        .map(|_| net.pass(pause).refused(account, from, 24))
        .collect()
}

fn spray(net: &Net, accounts: usize, pause: u64) -> Vec<Activity> {
    (0..accounts)
        .flat_map(|n| {
            let name = format!("user{n:02}");
            // kerbrute asks without proof first.
            [
                net.pass(pause).refused(&name, AT, 25),
                net.pass(5).refused(&name, AT, 24),
            ]
        })
        .collect()
}

#[test]
fn brute_force_that_finds_the_password() {
    let net = Net::default();
    let mut activities = wrong(&net, "alice", AT, 9, 300);
    activities.push(net.pass(300).logon("alice", AT, "tgt"));
    let alert = one(verdict(Settings::default(), activities));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn a_spray() {
    let net = Net::default();
    let alert = one(verdict(Settings::default(), spray(&net, 12, 100)));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::Medium, Confidence::High)
    );
    assert_eq!((alert.targets_total, alert.count), (12, 12));
    assert_eq!(alert.techniques, ["T1110.003"]);
    assert_eq!(alert.source.account, None);
}

#[test]
fn a_spray_in_a_loop_of_kinit_that_finds_one() {
    let net = Net::default();
    let mut activities = spray(&net, 6, 20_000);
    activities.push(net.pass(5).logon("bob", AT, "tgt"));
    let alert = one(verdict(Settings::default(), activities));
    assert_eq!(alert.severity, Severity::High);
    assert!(
        alert.reason.contains("bob@corp.example logged on"),
        "{}",
        alert.reason
    );
}

#[test]
fn thresholds() {
    let net = Net::default();
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 7, 500)),
        []
    );
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 8, 500)).len(),
        1
    );
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 20, 90_000)),
        []
    );
    assert_eq!(verdict(Settings::default(), spray(&net, 4, 1_000)), []);
    assert_eq!(verdict(Settings::default(), spray(&net, 5, 1_000)).len(), 1);
    assert_eq!(
        verdict(Settings::default(), spray(&net, 9, 500_000)),
        [],
        "too slow"
    );
}

#[test]
fn people_mistype_and_then_log_on() {
    let net = Net::default();
    let mut day = Vec::new();
    for n in 0..8 {
        let name = format!("user{n}");
        day.extend(wrong(&net, &name, AT, 5, 4_000));
        day.push(net.pass(4_000).logon(&name, AT, &name));
    }
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn one_try_at_two_controllers_is_one_try() {
    let (dc1, dc2) = (Net::default(), Net::at("10.0.0.2"));
    let tries: Vec<_> = (0..6)
        .flat_map(|_| {
            [
                dc1.pass(5_000).refused("alice", AT, 24),
                dc2.pass(5_000).refused("alice", AT, 24),
            ]
        })
        .collect();
    assert_eq!(verdict(Settings::default(), tries), []);
}

/// Windows asks twice for one wrong password, at once; a person takes seconds for the next.
#[test]
fn a_doubled_failure_of_a_person_is_one_try() {
    let twice = |tries: usize| {
        let net = Net::default();
        let pairs = (0..tries).flat_map(|_| {
            [
                net.pass(6_000).refused("alice", AT, 24),
                net.pass(300).refused("alice", AT, 24),
            ]
        });
        let mut all: Vec<_> = pairs.collect();
        all.push(net.pass(4_000).logon("alice", AT, "alice"));
        verdict(learned(), all)
    };
    assert_eq!(twice(5), []);
    let alert = one(twice(9));
    assert_eq!(
        alert.severity,
        Severity::Medium,
        "eight tries are too many, doubled or not, and may be a person's still"
    );
}

#[test]
fn a_tool_in_a_hurry_is_no_person() {
    let tries = wrong(&Net::default(), "alice", AT, 8, 200);
    assert_eq!(verdict(Settings::default(), tries).len(), 1);
}

#[test]
fn a_retransmission_is_one_try() {
    let net = Net::default();
    let tries: Vec<_> = wrong(&net, "alice", AT, 5, 4_000)
        .into_iter()
        .flat_map(|one| [one.clone(), one])
        .collect();
    assert_eq!(verdict(Settings::default(), tries), []);
}

#[test]
fn a_lockout_continues_the_failures_and_starts_none() {
    let net = Net::default();
    let mut activities = wrong(&net, "alice", AT, 5, 300);
    activities.extend((0..3).map(|_| net.pass(300).refused("alice", AT, 18)));
    assert_eq!(one(verdict(Settings::default(), activities)).count, 8);
    let disabled: Vec<_> = (0..20)
        .map(|_| net.pass(300).refused("gone", AT, 18))
        .collect();
    assert_eq!(verdict(Settings::default(), disabled), []);
}

/// Replays, and sensors that have learned.
fn learned() -> Settings {
    Settings {
        learning: Learning { enabled: false },
        ..Settings::default()
    }
}

/// A service that keeps an old password: every half minute, every five seconds, with jitter, for
/// hours.
#[test]
fn a_stale_password_is_an_exposure_at_most() {
    for pauses in [&[30_000][..], &[5_000], &[3_000, 9_000, 4_500, 14_000]] {
        let looped = || {
            let net = Net::default();
            let failures = pauses.iter().cycle().take(400);
            failures
                .map(|&pause| net.pass(pause).refused("svc", AT, 24))
                .collect::<Vec<_>>()
        };
        let alert = one(verdict(learned(), looped()));
        assert_eq!(
            (alert.severity, alert.confidence),
            (Severity::Low, Confidence::Low)
        );
        assert_eq!(alert.count, 400, "each is told once");
        assert!(alert.reason.contains("old password"), "{}", alert.reason);
        assert_eq!(verdict(Settings::default(), looped()), [], "while learning");
    }
}

#[test]
fn a_loop_known_from_learning_stays_silent_and_its_repair_is_no_hit() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    let looped = |engine: &mut Engine| {
        let failures = (0..40).map(|_| Input::Activity(net.pass(20_000).refused("svc", AT, 24)));
        run(engine, failures)
    };
    looped(&mut engine);
    engine.observe(Input::Tick(at(8 * 24 * 3600)));
    engine.observe(Input::Tick(at(8 * 24 * 3600 + 1)));
    net.pass(8 * 24 * 3_600_000);
    assert_eq!(looped(&mut engine), []);

    let mut repaired = wrong(&Net::default(), "svc", AT, 12, 30_000);
    net.pass(30_000);
    let fixed = Net::default();
    fixed.pass(400_000);
    repaired.push(fixed.logon("svc", AT, "tgt"));
    let alert = one(verdict(learned(), repaired));
    assert_eq!(alert.severity, Severity::Medium);
}

#[test]
fn a_loop_that_hurries_is_guessing() {
    let net = Net::default();
    let mut tries = wrong(&net, "alice", AT, 10, 20_000);
    tries.extend(wrong(&net, "alice", AT, 10, 200));
    let alerts = verdict(learned(), tries);
    let severities: Vec<_> = alerts.iter().map(|alert| alert.severity).collect();
    assert_eq!(severities, [Severity::Low, Severity::Medium]);
}

/// A program with an old password on the owner's own machine, which does not wait between tries.
#[test]
fn where_the_account_is_at_home_it_may_be_its_program() {
    let net = Net::default();
    let mut tries = vec![net.logon("alice", AT, "tgt")];
    net.pass(3_600_000);
    tries.extend(wrong(&net, "alice", AT, 20, 300));
    let alert = one(verdict(learned(), tries));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::Low, Confidence::Low)
    );
}

/// A gateway in the morning: the first to arrive mistype before enough others have logged on.
#[test]
fn people_behind_one_address_have_time_to_log_on() {
    let net = Net::default();
    let mut morning = Vec::new();
    for n in 0..6 {
        morning.push(net.pass(4_000).refused(&format!("user{n}"), AT, 24));
    }
    for n in 0..6 {
        let name = format!("user{n}");
        morning.push(net.pass(4_000).logon(&name, AT, &name));
    }
    assert_eq!(verdict(Settings::default(), morning), []);
}

#[test]
fn a_spray_that_takes_its_time_is_found_after_twelve_accounts() {
    let (dc1, dc2) = (Net::default(), Net::at("10.0.0.2"));
    let slow = |accounts: usize| {
        let tries = (0..accounts).map(|n| {
            dc1.pass(540_000);
            dc2.pass(540_000);
            let dc = if n % 2 == 0 { &dc1 } else { &dc2 };
            dc.refused(&format!("user{n:02}"), AT, 24)
        });
        verdict(Settings::default(), tries.collect::<Vec<_>>())
    };
    assert_eq!(slow(11), []);
    assert_eq!(one(slow(12)).targets_total, 12);
}

#[test]
fn a_user_principal_name_and_the_accounts_own_are_one() {
    let net = Net::default();
    let mut day = Vec::new();
    for n in 0..6 {
        let (own, alias) = (format!("u{n}"), format!("user.{n}@mail.example"));
        let logon = |name: &str| {
            let mut logon = net.pass(15_000).logon(&own, AT, name);
            logon.actor = Some(Actor {
                account: Account::new(&own, "corp.example"),
                aliases: vec![alias.as_str().into()],
                authenticated: true,
            });
            logon
        };
        day.push(logon(&format!("first {n}")));
        day.push(net.pass(15_000).refused(&alias, AT, 24));
        day.push(logon(&format!("second {n}")));
    }
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn a_computer_with_a_broken_account_is_silent() {
    let net = Net::default();
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "WS9$", AT, 50, 1_000)),
        []
    );
}

#[test]
fn on_a_busy_host_it_takes_more() {
    let busy = |failing: usize| {
        let net = Net::default();
        let mut all: Vec<_> = (0..60)
            .map(|n| net.pass(10).logon(&format!("staff{n}"), AT, &n.to_string()))
            .collect();
        all.extend(spray(&net, failing, 100));
        all
    };
    assert_eq!(verdict(Settings::default(), busy(19)), []);
    assert_eq!(verdict(Settings::default(), busy(20)).len(), 1);
}

/// Rounds of wrong passwords, twenty minutes apart, in a domain that locks after `threshold`.
fn in_rounds(rounds: usize, tries: usize, threshold: Option<u32>) -> Vec<Alert> {
    let net = Net::default();
    let mut night = Vec::new();
    for _ in 0..rounds {
        for minute in 0..20 {
            let other = format!("carols{minute}");
            night.push(net.pass(60_000).logon("carol", "10.0.0.30", &other));
        }
        night.extend(wrong(&net, "alice", AT, tries, 3_000));
    }
    let settings = Settings {
        policy: Policy {
            lockout_after: threshold,
            ..Policy::default()
        },
        ..Settings::default()
    };
    verdict(settings, night)
}

#[test]
fn rounds_that_end_one_short_of_the_lock() {
    let alert = one(in_rounds(3, 4, Some(5)));
    assert_eq!(alert.severity, Severity::Medium);
    assert!(
        alert.reason.contains("one short of the 5"),
        "{}",
        alert.reason
    );
    assert_eq!(in_rounds(2, 4, Some(5)), []);
    assert_eq!(in_rounds(6, 2, Some(5)), [], "a task that tries twice");
    assert_eq!(in_rounds(3, 4, None), [], "nobody knows");
    assert_eq!(in_rounds(3, 4, Some(0)), [], "nothing locks");
}

/// A gateway with sixty people, and `failing` accounts that fail one after the other in half a day.
fn slow_among_many(failing: impl Iterator<Item = String>) -> Vec<Alert> {
    let net = Net::default();
    let people = |n: u64| net.logon(&format!("staff{n:02}"), AT, &n.to_string());
    let mut day: Vec<_> = (0..60).map(people).collect();
    for (n, account) in failing.enumerate() {
        // All the while people work there.
        for minute in 0..30 {
            net.pass(60_000);
            day.push(people((30 * n as u64 + minute) % 60));
        }
        day.push(net.refused(&account, AT, 24));
    }
    verdict(Settings::default(), day)
}

#[test]
fn a_slow_spray_from_among_many_people() {
    let strangers = |number: usize| (0..number).map(|n| format!("user{n:02}"));
    assert_eq!(slow_among_many(strangers(19)), []);
    assert_eq!(one(slow_among_many(strangers(20))).targets_total, 20);
}

#[test]
fn people_behind_a_gateway_mistype_all_day() {
    let absent = (0..15).map(|n| format!("user{n:02}"));
    assert_eq!(slow_among_many(absent), [], "and some work elsewhere");
}

#[test]
fn many_machines_share_the_work() {
    let net = Net::default();
    let tries = |machines: usize| -> Vec<_> {
        (0..21)
            .map(|n| {
                let from = format!("10.0.1.{}", n % machines);
                net.pass(1_000).refused("alice", &from, 24)
            })
            .collect()
    };
    let alert = one(verdict(Settings::default(), tries(3)));
    assert_eq!((alert.source.ip, alert.count), (None, 21));
    assert!(alert.summary.contains("3 machines"), "{}", alert.summary);
    let each = verdict(Settings::default(), tries(2));
    assert!(
        each.iter().all(|alert| alert.source.ip.is_some()),
        "each by itself"
    );
}

#[test]
fn a_sensitive_account_matters_more() {
    let net = Net::default();
    let settings = Settings {
        sensitive: vec![Account::new("alice", "")],
        ..Settings::default()
    };
    let alert = one(verdict(settings, wrong(&net, "alice", AT, 8, 300)));
    assert_eq!(alert.severity, Severity::High);
}

const LOGON_FAILURE: Status = Status::Ntstatus(0xc000_006d);

#[test]
fn ntlm_guesses_in_every_carrier() {
    for (carrier, status) in [
        (Carrier::Smb, LOGON_FAILURE),
        (Carrier::Http, Status::Http(401)),
        (Carrier::Dcerpc, Status::Rpc(5)),
    ] {
        let net = Net::default();
        let mut tries: Vec<_> = (0..9)
            .map(|_| net.pass(300).ntlm("alice", AT, carrier, Some(status)))
            .collect();
        tries.push(net.pass(300).ntlm("alice", AT, carrier, None));
        let alert = one(verdict(Settings::default(), tries));
        assert_eq!(
            (alert.external_id, alert.severity),
            (2023, Severity::High),
            "{carrier:?}"
        );
    }
}

#[test]
fn binds_have_a_rule_of_their_own() {
    let net = Net::default();
    let mut tries: Vec<_> = (0..12)
        .map(|n| net.pass(200).bind(&format!("user{n}"), AT, Some(0x52e)))
        .collect();
    tries.push(net.pass(200).bind("user7", AT, None));
    let alert = one(verdict(Settings::default(), tries));
    assert_eq!((alert.external_id, alert.severity), (2004, Severity::High));
    assert!(alert.summary.contains("user7@corp.example was right"));
    // Refused for another reason: disabled, not at this hour.
    let net = Net::default();
    let odd: Vec<_> = (0..12)
        .map(|n| net.pass(200).bind(&format!("user{n}"), AT, Some(0x533)))
        .collect();
    assert_eq!(verdict(Settings::default(), odd), []);
}

/// A server that binds for its users: a few mistype, most are right the next time.
#[test]
fn a_server_that_binds_for_its_users_is_silent() {
    let net = Net::default();
    let mut day = Vec::new();
    for n in 0..40 {
        let name = format!("user{n}");
        day.push(net.pass(1_000).bind("svc_portal", AT, None));
        if n % 4 == 0 {
            day.push(net.pass(1_000).bind(&name, AT, Some(0x52e)));
        }
        if n % 8 != 0 {
            day.push(net.pass(9_000).bind(&name, AT, None));
        }
    }
    assert_eq!(verdict(learned(), day), []);
}

/// With impacket's client it is the rule for tools, and that alone.
#[test]
fn smb_by_a_tool() {
    let net = Net::default();
    let negotiated = Kind::Smb(SmbOperation::Negotiate(Box::new(Negotiate {
        client: Some(Terms {
            guid: Some(uuid::Uuid::from_bytes(*b"VVdSgcomFYKddrgX")),
            ..Terms::default()
        }),
        ..Negotiate::default()
    })));
    let mut tries = vec![net.activity(AT, Outcome::Success, negotiated)];
    tries.extend((0..9).map(|n| {
        net.pass(300)
            .ntlm(&format!("user{n}"), AT, Carrier::Smb, Some(LOGON_FAILURE))
    }));
    let alert = one(verdict(Settings::default(), tries));
    assert_eq!(alert.external_id, 2033);
    assert!(alert.reason.contains("impacket"), "{}", alert.reason);
}

#[test]
fn people_mistype_over_ntlm_too() {
    let net = Net::default();
    let mut day = Vec::new();
    for n in 0..8 {
        let name = format!("user{n}");
        for _ in 0..3 {
            day.push(
                net.pass(4_000)
                    .ntlm(&name, AT, Carrier::Smb, Some(LOGON_FAILURE)),
            );
        }
        day.push(net.pass(4_000).ntlm(&name, AT, Carrier::Smb, None));
    }
    assert_eq!(of(2023, verdict(learned(), day)), []);
}
