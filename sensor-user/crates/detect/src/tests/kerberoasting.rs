//! Kerberoasting.

use goshawk_model::kerberos::{Answer, OPTION_ENC_TKT_IN_SKEY, padata};
use goshawk_model::{Account, Activity, Actor, Confidence, Kind};

use super::{golden, of, one, verdict};
use crate::Settings;
use crate::build::{AES, FULL, Net, RC4, issued, sealed, ticket};

const ROASTING: u16 = 2410;
const WS: &str = "10.0.0.9";
const MS_PRINCIPAL: i32 = -128;
/// impacket's list: RC4 first, then what the ticket presented has.
const IMPACKET: &[i32] = &[23, 16, 3, 18];

/// A service ticket for mallory, who logged on before.
fn asked(net: &Net, service: &str, name_type: i32, offered: &[i32], etype: i32) -> Activity {
    let answer = issued(sealed(service, service, etype), AES);
    let named = (name_type, offered);
    net.pass(20)
        .tgs((WS, "tgt"), service, named, Some("mallory"), answer)
}

fn refused(net: &Net, service: &str, name_type: i32, offered: &[i32], code: i32) -> Activity {
    let named = (name_type, offered);
    net.pass(20)
        .tgs((WS, "tgt"), service, named, None, Answer::Refused(code))
}

/// Full offers, as Windows makes them.
fn ordinary(net: &Net, services: &[(&str, i32)]) -> Vec<Activity> {
    let mut all = vec![net.logon("mallory", WS, "tgt")];
    all.extend(
        services
            .iter()
            .map(|(service, etype)| asked(net, service, 2, FULL, *etype)),
    );
    all
}

#[test]
fn impacket_names_accounts_and_is_refused() {
    let net = Net::default();
    let activities = [
        net.logon("mallory", WS, "tgt"),
        refused(&net, "CORP.EXAMPLE\\svc_sql", MS_PRINCIPAL, IMPACKET, 14),
        refused(&net, "CORP.EXAMPLE\\svc_web", MS_PRINCIPAL, IMPACKET, 14),
    ];
    let alert = one(verdict(Settings::default(), activities));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn every_refusal_but_an_honest_clients_is_an_attempt() {
    let attempts = |code: i32| {
        let net = Net::default();
        let asked = |service| refused(&net, service, MS_PRINCIPAL, IMPACKET, code);
        let run = [
            net.logon("mallory", WS, "tgt"),
            asked("CORP\\svc_sql"),
            asked("CORP\\svc_web"),
        ];
        of(ROASTING, verdict(Settings::default(), run))
    };
    let mallory = Some(Account::new("mallory", "corp.example"));
    for code in [7, 14, 50] {
        assert_eq!(one(attempts(code)).source.account, mallory, "error {code}");
    }
    assert_eq!(
        one(attempts(41)).source.account,
        None,
        "a forged ticket is nobody's"
    );
    for code in [32, 34, 37, 52, 68] {
        assert_eq!(attempts(code), [], "error {code}");
    }
}

#[test]
fn kvno_wants_rc4_alone() {
    let net = Net::default();
    let activities = [
        net.logon("mallory", WS, "tgt"),
        asked(&net, "MSSQLSvc/db.corp.example:1433", 1, &[RC4], RC4),
    ];
    let alert = one(verdict(Settings::default(), activities));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (ROASTING, Confidence::Medium)
    );
    assert_eq!(
        alert.source.account,
        Some(Account::new("mallory", "corp.example"))
    );
    let target = Account::new("mssqlsvc/db.corp.example:1433@corp.example", "");
    assert_eq!(alert.targets[0].account, Some(target));
}

#[test]
fn rubeus_through_windows_offers_everything_for_many_services() {
    let net = Net::default();
    let services = [
        "MSSQLSvc/a",
        "HTTP/b",
        "FIMService/c",
        "MSSQLSvc/d",
        "backup/e",
    ];
    let services = services.map(|service| (service, RC4));
    let alert = one(verdict(Settings::default(), ordinary(&net, &services)));
    assert_eq!(alert.external_id, ROASTING);
    assert!(alert.targets_total >= 4, "{}", alert.targets_total);
}

/// The ticket that answers is for the other realm's KDC, whatever the trust's key.
#[test]
fn referrals_to_another_realm_are_silent() {
    let net = Net::default();
    let mut day = vec![net.logon("alice", WS, "alice")];
    for n in 0..8 {
        let service = format!("MSSQLSvc/db{n}.other.example:1433");
        let referral = sealed("krbtgt/OTHER.EXAMPLE", &service, RC4);
        let answer = issued(referral, AES);
        day.push(
            net.pass(1_000)
                .tgs((WS, "alice"), &service, (2, FULL), Some("alice"), answer),
        );
    }
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn a_morning_is_silent() {
    let net = Net::default();
    let morning = ordinary(
        &net,
        &[
            ("cifs/dc1.corp.example", AES),
            ("ldap/dc1.corp.example/corp.example", AES),
            ("host/ws9.corp.example", AES),
            ("RPCSS/srv.corp.example", AES),
            ("HTTP/intranet.corp.example", RC4),
            ("HTTP/wiki.corp.example", RC4),
            ("MSSQLSvc/db.corp.example:1433", RC4),
            ("krbtgt/OTHER.EXAMPLE", AES),
            ("WS9$", AES),
        ],
    );
    assert_eq!(verdict(Settings::default(), morning), []);
}

#[test]
fn user_to_user_and_s4u_name_accounts_by_design() {
    let net = Net::default();
    let mut activities = vec![net.logon("mallory", WS, "tgt")];
    for change in [
        |kdc_options: &mut u32, _: &mut Vec<i32>| *kdc_options |= OPTION_ENC_TKT_IN_SKEY,
        |_: &mut u32, padata: &mut Vec<i32>| padata.push(padata::FOR_USER),
        |_: &mut u32, padata: &mut Vec<i32>| padata.push(padata::S4U_X509_USER),
    ] {
        let mut activity = asked(&net, "svc_app", 10, FULL, AES);
        if let Kind::Tgs(exchange) = &mut activity.kind
            && let Some(request) = &mut exchange.request
        {
            change(&mut request.kdc_options, &mut request.padata);
        }
        activities.push(activity);
    }
    activities.push(asked(&net, "mallory", 1, FULL, AES));
    assert_eq!(verdict(Settings::default(), activities), []);
}

#[test]
fn points_are_counted_within_minutes_and_once_a_service() {
    let asks = |pause: u64, services: &[&str]| -> Vec<_> {
        let net = Net::default();
        let mut all = vec![net.logon("mallory", WS, "tgt")];
        for service in services {
            net.pass(pause * 1_000);
            all.push(asked(&net, service, 2, FULL, RC4));
        }
        all
    };
    let three = ["MSSQLSvc/a", "MSSQLSvc/b", "MSSQLSvc/c"];
    assert_eq!(
        of(ROASTING, verdict(Settings::default(), asks(1, &three))).len(),
        1
    );
    assert_eq!(verdict(Settings::default(), asks(1, &three[..2])), []);
    assert_eq!(
        verdict(Settings::default(), asks(200, &three)),
        [],
        "too far apart"
    );
    assert_eq!(
        verdict(Settings::default(), asks(1, &["MSSQLSvc/a"; 9])),
        [],
        "the same"
    );
}

#[test]
fn a_used_ticket_was_wanted() {
    let net = Net::default();
    let mut activities = ordinary(&net, &[("MSSQLSvc/a", RC4), ("MSSQLSvc/b", RC4)]);
    activities.push(net.pass(9).used(WS, ticket("MSSQLSvc/a", "MSSQLSvc/a")));
    activities.push(asked(&net, "MSSQLSvc/c", 2, FULL, RC4));
    assert_eq!(verdict(Settings::default(), activities.clone()), []);
    activities.push(asked(&net, "MSSQLSvc/d", 2, FULL, RC4));
    for service in ["MSSQLSvc/b", "MSSQLSvc/c", "MSSQLSvc/d"] {
        activities.push(net.pass(9).used(WS, ticket(service, service)));
    }
    let alert = one(verdict(Settings::default(), activities));
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(
        alert.reason.contains("3 tickets were used"),
        "{}",
        alert.reason
    );
}

#[test]
fn a_service_ticket_without_any_logon() {
    let net = Net::default();
    let answer = issued(sealed("MSSQLSvc/db", "st", RC4), RC4);
    let asked = net.ask("svc_old", WS, "MSSQLSvc/db", (&[RC4], &[128]), answer);
    let alert = of(ROASTING, verdict(Settings::default(), [asked]));
    assert_eq!(alert[0].confidence, Confidence::High);
    assert_eq!(alert[0].source.account, None, "nobody logged on");
    let change = net.ask(
        "alice",
        WS,
        "kadmin/changepw",
        (FULL, &[128]),
        issued(ticket("kadmin/changepw", "pw"), AES),
    );
    assert_eq!(verdict(Settings::default(), [change]), []);
}

#[test]
fn bait_is_certain() {
    let net = Net::default();
    let settings = || Settings {
        honeytokens: vec![
            Account::new("svc_backup", ""),
            Account::new("backup/bait", ""),
        ],
        ..Settings::default()
    };
    for bait in ["backup/bait", "svc_backup"] {
        let activities = ordinary(&net, &[(bait, AES)]);
        assert_eq!(
            one(verdict(settings(), activities)).confidence,
            Confidence::High
        );
    }
    assert_eq!(
        verdict(settings(), ordinary(&net, &[("backup/srv", AES)])),
        []
    );
}

#[test]
fn an_old_client_among_computers_is_silent_and_a_burst_is_not() {
    let burst = |number: usize| -> Vec<_> {
        let net = Net::default();
        let mut all = vec![net.logon("mallory", WS, "tgt")];
        all.extend((0..number).map(|n| asked(&net, &format!("cifs/srv{n}"), 2, &[RC4], RC4)));
        all
    };
    assert_eq!(verdict(Settings::default(), burst(5)), []);
    assert_eq!(
        of(ROASTING, verdict(Settings::default(), burst(6))).len(),
        1
    );
}

#[test]
fn one_server_by_many_names_is_one_service() {
    let spellings = [
        "MSSQLSvc/db",
        "MSSQLSvc/db.corp.example",
        "MSSQLSvc/db.corp.example:1433",
        "MSSQLSvc/db:1433",
        "MSSQLSvc/db.corp.example:SALES",
        "mssqlsvc/DB.corp.example",
    ];
    let spellings = spellings.map(|service| (service, RC4));
    let day = ordinary(&Net::default(), &spellings);
    assert_eq!(verdict(Settings::default(), day), []);
}

/// Who opens three databases within a few minutes is at work; a tool asks for all at once.
#[test]
fn pace_tells_people_from_tools() {
    let opened = |pause: u64, number: usize| {
        let net = Net::default();
        let mut day = vec![net.logon("mallory", WS, "tgt")];
        for n in 0..number {
            net.pass(pause);
            day.push(asked(&net, &format!("MSSQLSvc/db{n}"), 2, FULL, RC4));
        }
        verdict(Settings::default(), day)
    };
    assert_eq!(opened(30_000, 5), []);
    assert_eq!(opened(5_000, 6).len(), 1, "with a delay between");
    assert_eq!(opened(100, 3).len(), 1);
}

#[test]
fn one_encryption_type_alone_is_a_tools_offer() {
    let offered = |services: usize| {
        let net = Net::default();
        let mut day = vec![net.logon("mallory", WS, "tgt")];
        day.extend((0..services).map(|n| asked(&net, &format!("sap/s{n}"), 2, &[AES], AES)));
        verdict(Settings::default(), day).len()
    };
    assert_eq!((offered(2), offered(3)), (0, 1));
}

#[test]
fn who_prefers_rc4_and_is_given_aes_is_an_old_client() {
    let found = |etype| {
        let net = Net::default();
        let java = |service| asked(&net, service, 2, &[23, 18, 17], etype);
        let logon = net.logon("mallory", WS, "tgt");
        let day = [logon, java("HTTP/wiki"), java("MSSQLSvc/sql1:1433")];
        of(ROASTING, verdict(Settings::default(), day)).len()
    };
    assert_eq!((found(AES), found(RC4)), (0, 1));
}

#[test]
fn ones_own_account_by_its_principal_name_is_no_service() {
    let net = Net::default();
    let mut logon = net.logon("asmith", WS, "tgt");
    logon.actor = Some(Actor {
        account: Account::new("asmith", "corp.example"),
        aliases: vec!["alice.smith@corp.example".into()],
        authenticated: true,
    });
    let answer = issued(sealed("alice.smith", "own", AES), AES);
    let own = net.tgs(
        (WS, "tgt"),
        "alice.smith",
        (10, FULL),
        Some("asmith"),
        answer,
    );
    assert_eq!(verdict(Settings::default(), [logon, own]), []);
}
