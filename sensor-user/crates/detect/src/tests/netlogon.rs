//! Secure channels: Zerologon, NetSync; and long-term keys asked for by list.

use goshawk_model::rpc::{NetlogonArguments, SecureChannel};
use goshawk_model::{Account, Activity, Alert, Confidence, Kind, Outcome};

use super::{THIEF, golden, of, one, verdict};
use crate::Settings;
use crate::build::secrets::by_tool;
use crate::build::{AES, Net, ip, issued, tgt};

fn found(id: u16, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(id, verdict(Settings::default(), activities))
}

fn channel(account: &str, channel_type: u32, computer: &str) -> SecureChannel {
    SecureChannel {
        account: account.into(),
        channel_type,
        computer: computer.into(),
    }
}

fn challenge(net: &Net, uniform_challenge: bool) -> Activity {
    let arguments = NetlogonArguments::Challenge {
        computer: "DC1".into(),
        uniform_challenge,
    };
    net.pass(10)
        .netlogon(THIEF, 4, Some(arguments), Outcome::Success)
}

fn authenticate(
    net: &Net,
    from: &str,
    (channel, zero_credential): (SecureChannel, bool),
    outcome: Outcome,
) -> Activity {
    let arguments = NetlogonArguments::Authenticate {
        channel,
        zero_credential,
        flags: Some(0x212f_ffff),
        rid: None,
    };
    net.pass(10).netlogon(from, 26, Some(arguments), outcome)
}

#[test]
fn zeros_again_and_again() {
    let net = Net::default();
    let zeros = || (channel("DC1$", 6, "DC1"), true);
    let mut tries = Vec::new();
    for _ in 0..60 {
        tries.push(challenge(&net, true));
        tries.push(authenticate(&net, THIEF, zeros(), Outcome::Failure));
    }
    let alert = one(found(2411, tries.clone()));
    assert!(
        alert.reason.contains("shows the intent"),
        "{}",
        alert.reason
    );
    tries.push(authenticate(&net, THIEF, zeros(), Outcome::Success));
    let set = NetlogonArguments::PasswordSet {
        channel: channel("DC1$", 6, "DC1"),
        zero_credential: true,
    };
    tries.push(net.netlogon(THIEF, 30, Some(set), Outcome::Success));
    let alert = one(found(2411, tries));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn one_credential_of_zeros_is_enough() {
    let net = Net::default();
    let zeros = (channel("DC1$", 6, "DC1"), true);
    let alert = one(found(
        2411,
        [authenticate(&net, THIEF, zeros, Outcome::Unknown)],
    ));
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
}

#[test]
fn a_uniform_challenge_alone_may_be_chance() {
    let net = Net::default();
    assert_eq!(found(2411, [challenge(&net, true)]), []);
    let one_sided = [(); 3].map(|()| challenge(&net, true));
    assert_eq!(found(2411, one_sided).len(), 1);
    let honest = [(); 9].map(|()| challenge(&net, false));
    assert_eq!(found(2411, honest), []);
}

#[test]
fn a_workstations_channel_is_ordinary() {
    let net = Net::default();
    let own = (channel("WS7$", 2, "WS7"), false);
    let get = NetlogonArguments::PasswordGet {
        channel: channel("WS7$", 2, "WS7"),
    };
    let day = [
        authenticate(&net, "10.0.0.7", own, Outcome::Success),
        net.netlogon("10.0.0.7", 42, Some(get), Outcome::Success),
        net.netlogon("10.0.0.7", 42, None, Outcome::Success),
        net.netlogon("10.0.0.7", 45, None, Outcome::Success),
    ];
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn a_controllers_channel_from_no_controller() {
    let net = Net::default();
    let stolen = || (channel("DC2$", 6, "ATTACKER"), false);
    let get = NetlogonArguments::PasswordGet {
        channel: channel("WS7$", 6, "ATTACKER"),
    };
    let day = [
        authenticate(&net, THIEF, stolen(), Outcome::Success),
        net.netlogon(THIEF, 42, Some(get), Outcome::Success),
    ];
    let alert = one(found(9010, day.clone()));
    assert_eq!(alert.confidence, Confidence::High);
    assert!(alert.summary.contains("WS7$"), "{}", alert.summary);
    let sealed = [
        authenticate(&net, THIEF, stolen(), Outcome::Success),
        net.netlogon(THIEF, 31, None, Outcome::Success),
    ];
    let alert = one(found(9010, sealed));
    assert!(alert.reason.contains("is sealed"), "{}", alert.reason);
    let trusted = Settings {
        controllers: vec![ip(THIEF)],
        ..Settings::default()
    };
    assert_eq!(verdict(trusted, day), []);
}

/// Keys are asked for with a ticket for `account`.
fn keys(net: &Net, account: &str, from: &str) -> Activity {
    let answer = issued(tgt(&format!("{account}'s")), AES);
    let presented = (from, "from a read-only controller");
    let service = "krbtgt/CORP.EXAMPLE";
    let mut asked = net.pass(50).tgs(
        presented,
        service,
        (2, &[18, 17, 23, 24, -135]),
        Some(account),
        answer,
    );
    if let Kind::Tgs(exchange) = &mut asked.kind
        && let Some(request) = &mut exchange.request
    {
        request.till = Some(goshawk_model::Timestamp::from_parts(2_136_422_885, 0));
        request.data.key_list = vec![23];
    }
    asked
}

#[test]
fn a_tool_asks_for_keys() {
    let net = Net::default();
    let alert = one(found(9011, [by_tool(keys(&net, "alice", THIEF))]));
    assert_eq!(alert.confidence, Confidence::High);
    assert_eq!(
        alert.targets[0].account,
        Some(Account::new("alice", "corp.example"))
    );
}

#[test]
fn windows_asks_for_its_own_users_key() {
    let net = Net::default();
    let own = [
        keys(&net, "alice", "10.0.0.7"),
        keys(&net, "alice", "10.0.0.7"),
    ];
    assert_eq!(found(9011, own), []);
    let many: Vec<_> = (0..6)
        .map(|n| keys(&net, &format!("user{n}"), THIEF))
        .collect();
    let alert = one(found(9011, many.clone()));
    assert_eq!((alert.confidence, alert.count), (Confidence::Medium, 6));
    let settings = Settings {
        controllers: vec![ip(THIEF)],
        ..Settings::default()
    };
    assert_eq!(of(9011, verdict(settings, many)), []);
}
