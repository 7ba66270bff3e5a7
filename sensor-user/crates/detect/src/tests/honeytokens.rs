//! Honeytokens: used, and looked at.

use goshawk_model::kerberos::{ForUser, Pkinit};
use goshawk_model::ntlm::{LmResponse, NtResponse};
use goshawk_model::rpc::SamrArguments;
use goshawk_model::{Account, Activity, Alert, Kind, Severity};

use super::{THIEF, golden, of, one, verdict};
use crate::Settings;
use crate::build::{FULL, Net, ip, issued, kerberos, tgt, ticket};

const DECOY: &str = "svc_vault";

fn baited() -> Settings {
    Settings {
        controllers: vec![ip("10.0.0.1")],
        honeytokens: vec![Account::new(DECOY, "")],
        ..Settings::default()
    }
}

fn decoy() -> Option<Account> {
    Some(Account::new(DECOY, "corp.example"))
}

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    verdict(baited(), activities)
}

const NTLMV2: (LmResponse, NtResponse) = (LmResponse::Absent, NtResponse::Ntlmv2);

#[test]
fn a_logon_with_stolen_credentials() {
    let net = Net::default();
    let alert = one(found([
        net.refused(DECOY, THIEF, 25),
        net.pass(30).logon(DECOY, THIEF, "tgt"),
        net.pass(40).service(DECOY, THIEF, "tgt", "cifs/dc1", "st"),
        net.pass(10).used(THIEF, ticket("cifs/dc1", "st")),
    ]));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn the_name_alone_is_an_attempt() {
    let net = Net::default();
    for (attempt, said) in [
        (net.refused(DECOY, THIEF, 25), "without proof"),
        (net.refused(DECOY, THIEF, 24), "KDC_ERR_PREAUTH_FAILED"),
        (
            net.ntlm_logon(Some(("SVC_VAULT", "CORP")), THIEF, NTLMV2, false),
            "0xc000006d",
        ),
        (
            net.simple_bind("CN=svc_vault,CN=Users,DC=corp,DC=example", THIEF, false),
            "invalidCredentials",
        ),
        (
            net.simple_bind("svc_vault@corp.example", THIEF, false),
            "bind of",
        ),
    ] {
        let alert = one(of(2014, found([attempt])));
        assert_eq!(
            (alert.external_id, alert.severity),
            (2014, Severity::Medium)
        );
        assert_eq!(alert.source.account, None, "nobody was believed");
        assert!(alert.targets[0].account.as_ref().unwrap().name() == DECOY);
        let detail = &alert.evidence[0].detail;
        assert!(detail.contains(said), "{detail}");
    }
}

#[test]
fn every_carrier_that_believes_names_the_source() {
    let net = Net::default();
    for accepted in [
        net.ntlm_logon(Some((DECOY, "CORP")), THIEF, NTLMV2, true),
        net.simple_bind("CORP\\svc_vault", THIEF, true),
    ] {
        let known = net.logon("alice", "10.0.0.7", "alices");
        let alert = one(of(2014, found([known, accepted])));
        assert_eq!(alert.severity, Severity::High);
        assert_eq!(alert.source.account, decoy());
    }
}

#[test]
fn a_domain_that_nobody_knows_is_the_controllers_own() {
    let net = Net::default();
    let attempt = || net.ntlm_logon(Some((DECOY, "WORKGROUP")), THIEF, NTLMV2, false);
    assert_eq!(of(2014, found([attempt()])).len(), 1);
    let elsewhere = Net::at("10.0.0.50");
    let local = elsewhere.ntlm_logon(Some((DECOY, "SRV50")), THIEF, NTLMV2, false);
    let settings = Settings {
        honeytokens: vec![decoy().unwrap()],
        ..baited()
    };
    let local = verdict(settings, [local]);
    assert_eq!(local, [], "a local account of a member server");
}

#[test]
fn passwords_changed_and_tickets_in_its_name() {
    let net = Net::default();
    let change = net.samr(
        THIEF,
        55,
        SamrArguments::ChangePassword {
            user: Some("Svc_Vault".into()),
            object: None,
        },
    );
    assert_eq!(one(found([change])).external_id, 2014);

    let mut s4u = net.service("svc_front", THIEF, "front", "HTTP/front", "st");
    if let Kind::Tgs(exchange) = &mut s4u.kind {
        exchange.client = Some(Account::new(DECOY, "CORP.EXAMPLE"));
        let request = exchange.request.as_mut().unwrap();
        request.padata.push(129);
        request.data.for_user = Some(Box::new(ForUser {
            user: Account::new(DECOY, "CORP.EXAMPLE"),
            auth_package: "Kerberos".into(),
        }));
    }
    let alerts = of(2014, found([net.logon("svc_front", THIEF, "front"), s4u]));
    let alert = one(alerts);
    assert_eq!(alert.targets[0].account, decoy());
    assert_ne!(
        alert.source.account,
        decoy(),
        "it was not the bait that asked"
    );
}

#[test]
fn a_certificate_is_a_use_as_well() {
    let net = Net::default();
    let mut logon = net.ask(
        DECOY,
        THIEF,
        "krbtgt/CORP.EXAMPLE",
        (FULL, &[16]),
        issued(tgt("tgt"), 18),
    );
    if let Kind::As(exchange) = &mut logon.kind {
        let request = exchange.request.as_mut().unwrap();
        request.data.pkinit = Some(Box::new(Pkinit::default()));
    }
    assert_eq!(one(of(2014, found([logon]))).severity, Severity::High);
}

#[test]
fn looked_up_in_the_account_database_and_over_ldap() {
    let net = Net::default();
    let alert = one(found([net.lookup(THIEF, &["alice", "SVC_Vault"])]));
    assert_eq!((alert.external_id, alert.severity), (2439, Severity::Low));
    insta::assert_snapshot!(golden(&alert));

    let base = "DC=corp,DC=example";
    for search in [
        net.search(THIEF, base, &[("samaccountname", "svc_vault")]),
        net.search(
            THIEF,
            base,
            &[("userprincipalname", "svc_vault@corp.example")],
        ),
        net.search(THIEF, base, &[("objectclass", "*"), ("anr", "svc_vault*")]),
        net.search(
            THIEF,
            base,
            &[("member", "CN=svc_vault,CN=Users,DC=corp,DC=example")],
        ),
        net.search(
            THIEF,
            "CN=svc_vault,CN=Users,DC=corp,DC=example",
            &[("objectclass", "*")],
        ),
        net.search(
            THIEF,
            "",
            &[("dnsdomain", "corp.example"), ("user", "svc_vault")],
        ),
    ] {
        let alert = one(found([search]));
        assert_eq!((alert.external_id, alert.severity), (2429, Severity::Low));
        assert_eq!(alert.targets[0].account.as_ref().unwrap().name(), DECOY);
    }
}

#[test]
fn who_asked_is_the_owner_of_the_connections_ticket() {
    let net = Net::default();
    let search = net.search(THIEF, "DC=corp,DC=example", &[("cn", DECOY)]);
    let by = kerberos(ticket("ldap/dc1", "st")).unwrap();
    let alert = one(found([
        net.logon("mallory", THIEF, "tgt"),
        net.service("mallory", THIEF, "tgt", "ldap/dc1", "st"),
        Net::by(search, by),
    ]));
    let mallory = Account::new("mallory", "corp.example");
    assert_eq!(alert.source.account, Some(mallory));
}

#[test]
fn lists_of_everybody_name_nobody() {
    let net = Net::default();
    let everybody: Vec<String> = (0..40).map(|n| format!("user{n}")).collect();
    let mut names: Vec<&str> = everybody.iter().map(String::as_str).collect();
    names.push(DECOY);
    let filter: Vec<(&str, &str)> = names.iter().map(|&name| ("cn", name)).collect();
    let base = "DC=corp,DC=example";
    assert_eq!(
        found([
            net.search(THIEF, base, &[("objectclass", "user")]),
            net.search(THIEF, base, &[("cn", "svc*"), ("description", "svc_vault")]),
            net.search(THIEF, base, &filter),
            net.lookup(THIEF, &names),
            net.lookup(THIEF, &["alice"]),
            net.logon("alice", THIEF, "tgt"),
            net.simple_bind("svc_vault2@corp.example", THIEF, true),
        ])
        .into_iter()
        .filter(|alert| [2014, 2429, 2439].contains(&alert.external_id))
        .collect::<Vec<_>>(),
        []
    );
}

#[test]
fn a_sweep_name_by_name_is_one_alert() {
    let net = Net::default();
    let lookups = (0..500).map(|n| {
        let name = match n % 10 {
            0 => DECOY.to_owned(),
            n => format!("user{n}"),
        };
        net.pass(100).lookup(THIEF, &[&name])
    });
    let alert = one(found(lookups));
    assert_eq!((alert.external_id, alert.count), (2439, 50));
}

#[test]
fn without_bait_nothing_is_said() {
    let net = Net::default();
    let settings = Settings {
        honeytokens: Vec::new(),
        ..baited()
    };
    let quiet = [net.logon(DECOY, THIEF, "tgt"), net.lookup(THIEF, &[DECOY])];
    assert_eq!(verdict(settings, quiet), []);
}
