//! Logons with certificates: made by nobody, by somebody else, for somebody else.

use goshawk_model::kerberos::{Answer, Pkinit, error};
use goshawk_model::{
    Account, Activity, Alert, Certificate, Confidence, KeyAlgorithm, Kind, Severity,
};

use super::{THIEF, golden, one, verdict};
use crate::Settings;
use crate::build::{AES, FULL, Net, at, issued, tgt};

const DAY: u64 = 24 * 3600;
const YEAR: u64 = 365 * DAY;
const ISSUER: &str = "DC=example, DC=corp, CN=corp-CA1-CA";
const SMART_CARD: &str = "1.3.6.1.4.1.311.20.2.2";
const CLIENT_MISMATCH: i32 = 75;
const NOT_TRUSTED: i32 = 62;

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    verdict(Settings::default(), activities)
}

/// What a Windows authority issues to a person.
fn card(name: &str, number: u8) -> Certificate {
    Certificate {
        issuer: ISSUER.into(),
        subject: format!("DC=example, DC=corp, CN=Users, CN={name}").into(),
        serial: format!("5a00000002b8{number:024x}02").into(),
        not_before: at(0) - std::time::Duration::from_secs(30 * DAY),
        not_after: at(335 * DAY),
        self_signed: false,
        dns_names: Vec::new(),
        upns: vec![format!("{name}@corp.example").into()],
        emails: Vec::new(),
        sid: Some("S-1-5-21-1-2-3-1104".into()),
        eku: vec!["1.3.6.1.5.5.7.3.2".into(), SMART_CARD.into()],
        extensions: [
            "1.3.6.1.4.1.311.21.7",
            "2.5.29.37",
            "2.5.29.15",
            "2.5.29.14",
            "2.5.29.35",
            "2.5.29.31",
            "1.3.6.1.5.5.7.1.1",
            "2.5.29.17",
            "1.3.6.1.4.1.311.25.2",
        ]
        .map(Into::into)
        .to_vec(),
        key_algorithm: KeyAlgorithm::Rsa,
        key_bits: 2_048,
        key_sha256: format!("{number:064x}").into(),
    }
}

/// pywhisker's, certipy's and ntlmrelayx's.
fn whisker(name: &str) -> Certificate {
    Certificate {
        issuer: format!("CN={name}").into(),
        subject: format!("CN={name}").into(),
        not_before: at(0) - std::time::Duration::from_secs(40 * YEAR),
        not_after: at(40 * YEAR),
        self_signed: true,
        upns: Vec::new(),
        sid: None,
        eku: Vec::new(),
        extensions: vec!["2.5.29.14".into()],
        ..card(name, 9)
    }
}

/// Windows Hello for Business, key trust.
fn hello(name: &str) -> Certificate {
    let subject: Box<str> =
        format!("CN=S-1-5-21-1-2-3-1104/3c3b7b2f-0d6b-4e5f/login.windows.net/{name}@corp.example")
            .into();
    Certificate {
        issuer: subject.clone(),
        subject,
        not_after: at(30 * YEAR),
        eku: vec![SMART_CARD.into()],
        ..whisker(name)
    }
}

/// A logon with `certificate`, as a tool or as Windows asks.
fn logon(
    net: &Net,
    account: &str,
    from: &str,
    certificate: Certificate,
    (windows, answer): (bool, Answer),
) -> Activity {
    let etypes: &[i32] = if windows { FULL } else { &[18, 17] };
    let realm = "krbtgt/CORP.EXAMPLE";
    let mut activity = net.ask(account, from, realm, (etypes, &[16, 128]), answer);
    if let Kind::As(exchange) = &mut activity.kind {
        let request = exchange.request.as_mut().unwrap();
        request.name_type = 1;
        if windows {
            request.netbios_addresses = vec!["WS7".into()];
            request.name_type = 10;
        }
        request.data.pkinit = Some(Box::new(Pkinit {
            signed: true,
            diffie_hellman: true,
            certificate: Some(certificate),
            ..Pkinit::default()
        }));
    }
    activity
}

fn taken() -> (bool, Answer) {
    (false, issued(tgt("tgt"), AES))
}

fn windows() -> (bool, Answer) {
    (true, issued(tgt("tgt"), AES))
}

#[test]
fn a_key_written_to_an_account_is_used() {
    let net = Net::default();
    let alert = one(found([logon(
        &net,
        "dana",
        THIEF,
        whisker("dana"),
        taken(),
    )]));
    insta::assert_snapshot!(golden(&alert));
    // Whisker: one year, from now on; Rubeus then asks.
    let short = Certificate {
        not_before: at(0),
        not_after: at(YEAR),
        ..whisker("dana")
    };
    let alert = one(found([logon(&net, "dana", THIEF, short, taken())]));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (2431, Confidence::High)
    );
    let machine = logon(&net, "srv5$", THIEF, whisker("srv5$"), taken());
    assert_eq!(one(found([machine])).external_id, 2431);
}

#[test]
fn an_attempt_that_is_refused_is_told_as_sure_as_it_looks() {
    let net = Net::default();
    let refused = |certificate| {
        let answer = (false, Answer::Refused(NOT_TRUSTED));
        let alert = one(found([logon(&net, "dana", THIEF, certificate, answer)]));
        assert_eq!(alert.source.account, None);
        (alert.external_id, alert.severity, alert.confidence)
    };
    assert_eq!(
        refused(whisker("dana")),
        (2431, Severity::Medium, Confidence::High)
    );
    let homemade = Certificate {
        subject: "O=home, CN=dana".into(),
        issuer: "O=home, CN=dana".into(),
        not_before: at(0),
        not_after: at(YEAR),
        eku: vec![SMART_CARD.into()],
        ..whisker("dana")
    };
    assert_eq!(refused(homemade), (2431, Severity::Medium, Confidence::Low));
}

#[test]
fn windows_hello_and_device_keys_are_no_attack() {
    let net = Net::default();
    let device = Certificate {
        eku: vec![SMART_CARD.into()],
        ..whisker("ws7$")
    };
    assert_eq!(
        found([
            logon(&net, "alice", "10.0.0.7", hello("alice"), windows()),
            logon(&net, "ws7$", "10.0.0.7", device, windows()),
        ]),
        []
    );
}

#[test]
fn cards_of_people_and_computers_are_no_attack() {
    let net = Net::default();
    let people = ["alice", "bob", "carol", "dave", "erin"];
    let mut activities: Vec<_> = people
        .iter()
        .zip(1..)
        .map(|(name, number)| logon(&net, name, "10.0.0.7", card(name, number), windows()))
        .collect();
    // The principal name is a number, and the controller tells the account.
    let numbered = Certificate {
        upns: vec!["1234567890@mil".into()],
        subject: "CN=DOE.JANE.1234567890".into(),
        ..card("jane", 7)
    };
    activities.push(logon(&net, "jane.doe", "10.0.0.8", numbered, windows()));
    // A Linux computer with a card of another make.
    let linux = Certificate {
        issuer: "O=Other, CN=Root".into(),
        subject: "CN=Frank Fry".into(),
        upns: vec!["frank@CORP.EXAMPLE".into()],
        extensions: vec!["2.5.29.17".into()],
        ..card("frank", 8)
    };
    activities.push(logon(&net, "frank", "10.0.0.9", linux, taken()));
    let computer = Certificate {
        dns_names: vec!["ws7.corp.example".into()],
        upns: Vec::new(),
        ..card("ws7", 10)
    };
    activities.push(logon(&net, "ws7$", "10.0.0.7", computer, taken()));
    assert_eq!(found(activities), []);
}

#[test]
fn somebody_enrols_in_anothers_name() {
    let net = Net::default();
    let chosen = Certificate {
        subject: "CN=Mallory".into(),
        upns: vec!["administrator@corp.example".into()],
        sid: None,
        ..card("mallory", 4)
    };
    let alert = one(found([
        net.logon("mallory", THIEF, "mallorys"),
        logon(&net, "administrator", THIEF, chosen.clone(), taken()),
    ]));
    insta::assert_snapshot!(golden(&alert));
    let unknown = found([logon(&net, "administrator", THIEF, chosen, taken())]);
    assert_eq!(unknown, [], "a subject may be a display name");
}

#[test]
fn a_certificate_of_somebody_else_is_tried() {
    let net = Net::default();
    let answer = (false, Answer::Refused(CLIENT_MISMATCH));
    let alert = one(found([logon(
        &net,
        "dana",
        THIEF,
        card("mallory", 4),
        answer,
    )]));
    assert_eq!(
        (alert.external_id, alert.severity),
        (2425, Severity::Medium)
    );
    assert_eq!(
        alert.targets[0].account,
        Some(Account::new("dana", "corp.example"))
    );
}

#[test]
fn a_certificate_for_anything() {
    let net = Net::default();
    for eku in [vec![], vec!["2.5.29.37.0".into()]] {
        let anything = Certificate {
            eku,
            ..card("dana", 4)
        };
        let alert = one(found([logon(&net, "dana", THIEF, anything, taken())]));
        assert_eq!(alert.external_id, 2425);
    }
}

/// certipy `forge`, ForgeCert: the authority's name and key, and little else.
fn forged(name: &str) -> Certificate {
    Certificate {
        serial: "1e1b0d26e5ff8a1c5f40e36cfb8a9c7d".into(),
        not_after: at(9 * YEAR),
        sid: None,
        extensions: ["2.5.29.35", "2.5.29.15", "2.5.29.37", "2.5.29.17"]
            .map(Into::into)
            .to_vec(),
        ..card(name, 4)
    }
}

#[test]
fn a_forged_certificate_differs_from_its_siblings() {
    let net = Net::default();
    let other = |mut certificate: Certificate| {
        certificate.issuer = "O=Other, CN=Issuing".into();
        certificate
    };
    let mut activities: Vec<_> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, number)| logon(&net, name, "10.0.0.7", other(card(name, number)), windows()))
        .collect();
    activities.push(logon(&net, "dana", THIEF, other(forged("dana")), taken()));
    let alert = one(found(activities.clone()));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (2047, Confidence::High)
    );
    insta::assert_snapshot!(golden(&alert));
    activities.remove(0);
    assert_eq!(found(activities), [], "two siblings show no habit");
}

#[test]
fn an_enterprise_authority_names_its_template() {
    let net = Net::default();
    let alert = one(found([logon(&net, "dana", THIEF, forged("dana"), taken())]));
    assert_eq!(
        (alert.external_id, alert.confidence),
        (2047, Confidence::Medium)
    );
    assert_eq!(
        alert.source.account,
        Some(Account::new("dana", "corp.example"))
    );
}

#[test]
fn a_template_of_its_own_is_one_difference() {
    let net = Net::default();
    let mut activities: Vec<_> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, number)| logon(&net, name, "10.0.0.7", card(name, number), windows()))
        .collect();
    let longer = Certificate {
        not_after: at(5 * YEAR),
        ..card("dana", 4)
    };
    activities.push(logon(&net, "dana", "10.0.0.8", longer, windows()));
    assert_eq!(found(activities), []);
}

#[test]
fn no_answer_and_no_certificate_are_nothing() {
    let net = Net::default();
    let unseen = logon(
        &net,
        "dana",
        THIEF,
        whisker("dana"),
        (false, Answer::Unseen),
    );
    let mut draft = logon(&net, "dana", THIEF, whisker("dana"), taken());
    if let Kind::As(exchange) = &mut draft.kind {
        let request = exchange.request.as_mut().unwrap();
        request.data.pkinit.as_mut().unwrap().certificate = None;
    }
    let code = error::PREAUTH_REQUIRED;
    assert_eq!(found([unseen, draft, net.refused("dana", THIEF, code)]), []);
}

#[test]
fn holds_no_more_authorities_than_its_limit() {
    let net = Net::default();
    let mut engine = crate::Engine::new(Settings::default());
    for n in 0..300 {
        let card = Certificate {
            issuer: format!("O=Other, CN=Issuing {n}").into(),
            ..card("alice", 1)
        };
        let logon = logon(&net, "alice", "10.0.0.7", card, windows());
        engine.observe(crate::Input::Activity(logon));
    }
    let stats = &engine.stats().tables["certificate-authorities"];
    assert_eq!((stats.len, stats.evicted), (256, 44));
}
