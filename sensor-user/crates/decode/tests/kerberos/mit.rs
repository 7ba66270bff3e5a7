//! What another implementation sends: the clients and the KDC of MIT Kerberos.

use goshawk_model::kerberos::{
    Answer, AsExchange, AsRequest, OPTION_ENC_TKT_IN_SKEY, OPTION_RENEW, OPTION_REQUEST_ANONYMOUS,
    PasswordAnswer, TgsExchange,
};
use goshawk_model::{Account, Activity, KeyAlgorithm, Kind, Outcome};

use super::support::{captures_of, decode, read};

fn activities() -> Vec<Activity> {
    let [capture] = &captures_of("kerberos-mit")[..] else {
        panic!("it is part of these tests");
    };
    let (decoded, stats) = decode(&read(capture).unwrap());
    assert_eq!(stats.protocol(super::Protocol::Kerberos).errors, 0);
    decoded.into_iter().map(|it| it.activity).collect()
}

fn initial(all: &[Activity]) -> impl Iterator<Item = (&Activity, &AsExchange, &AsRequest)> {
    all.iter().filter_map(|activity| match &activity.kind {
        Kind::As(exchange) => Some((activity, &**exchange, exchange.request.as_ref()?)),
        _ => None,
    })
}

fn further(all: &[Activity]) -> impl Iterator<Item = (&Activity, &TgsExchange)> {
    all.iter().filter_map(|activity| match &activity.kind {
        Kind::Tgs(exchange) => Some((activity, &**exchange)),
        _ => None,
    })
}

fn bob() -> Account {
    Account::new("bob", "corp.example")
}

#[test]
fn a_password_proves_with_the_key_whose_salt_was_told() {
    let all = activities();
    let (_, refused, _) = initial(&all).next().unwrap();
    assert_eq!(refused.answer, Answer::Refused(25));
    let [hint] = &refused.answer_data.etype_info[..] else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (hint.etype, hint.salt.as_deref()),
        (Some(18), Some("CORP.EXAMPLEbob"))
    );
    let (activity, granted, request) = initial(&all).nth(1).unwrap();
    assert_eq!(request.data.proof_etype, Some(18));
    assert_eq!(granted.client, Some(bob()));
    assert!(activity.actor.as_ref().unwrap().authenticated);
}

#[test]
fn a_certificate_is_read_over_tcp_and_udp() {
    let all = activities();
    let logons: Vec<_> = initial(&all)
        .filter_map(|(activity, _, request)| {
            let certificate = request.data.pkinit.as_ref()?.certificate.as_ref()?;
            Some((activity, request.data.pkinit.as_ref()?, certificate))
        })
        .collect();
    assert_eq!(logons.len(), 2);
    for (activity, pkinit, certificate) in logons {
        assert_eq!(activity.outcome, Outcome::Success);
        assert!(activity.actor.as_ref().unwrap().authenticated);
        assert!(pkinit.signed && pkinit.diffie_hellman && !pkinit.draft);
        assert_eq!(&*certificate.issuer, "DC=example, DC=corp, CN=Corp CA");
        assert_eq!(&*certificate.subject, "DC=example, DC=corp, CN=client");
        assert!(!certificate.self_signed);
        assert_eq!(
            &*certificate.serial,
            "22b1149e1eeef1673c94d9c0b9ba2d56e5af23ef"
        );
        assert_eq!(certificate.upns, ["alice@CORP.EXAMPLE".into()]);
        assert_eq!(certificate.dns_names, ["ws1.corp.example".into()]);
        assert_eq!(certificate.emails, ["alice@corp.example".into()]);
        assert_eq!(
            certificate.sid.as_deref(),
            Some("S-1-5-21-1004336348-1177238915-682003330-1104")
        );
        let client_and_smart_card = ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"];
        assert_eq!(certificate.eku, client_and_smart_card.map(Box::from));
        assert_eq!(
            (certificate.key_algorithm, certificate.key_bits),
            (KeyAlgorithm::Rsa, 2048)
        );
        // openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum
        assert_eq!(&*certificate.key_sha256, KEY_SHA256);
        assert!(certificate.not_before < activity.time && activity.time < certificate.not_after);
    }
}

const KEY_SHA256: &str = "7f6582b0ccfbd11a768d85ed68ac7c827e7a8a4903d6397ecb61c54138122f75";

#[test]
fn nobody_signs_an_anonymous_request() {
    let all = activities();
    let anonymous: Vec<_> = initial(&all)
        .filter(|(_, _, request)| request.kdc_options & OPTION_REQUEST_ANONYMOUS != 0)
        .collect();
    let (_, exchange, request) = anonymous.last().unwrap();
    let pkinit = request.data.pkinit.as_ref().unwrap();
    assert!(!pkinit.signed && pkinit.certificate.is_none());
    assert_eq!(exchange.client, None);
}

#[test]
fn fast_tells_whose_ticket_made_the_armour() {
    let all = activities();
    let tgts: Vec<_> = initial(&all)
        .filter_map(|(_, exchange, _)| match &exchange.answer {
            Answer::Issued { ticket, .. } => Some(ticket),
            _ => None,
        })
        .collect();
    let mut codes = Vec::new();
    for (_, exchange, request) in initial(&all) {
        let Some(fast) = &request.data.fast else {
            continue;
        };
        assert_eq!((fast.armor_type, fast.etype), (Some(1), 18));
        assert_eq!(fast.armor.as_ref(), Some(tgts[0]));
        assert_eq!(exchange.answer_data.padata, [136]);
        codes.push(match exchange.answer {
            Answer::Refused(code) => code,
            _ => 0,
        });
    }
    assert_eq!(codes, [25, 0, 25, 24]);
}

#[test]
fn delegation_names_whom_and_by_which_certificate() {
    let all = activities();
    let (activity, exchange) = further(&all).next().unwrap();
    let data = &exchange.request.as_ref().unwrap().data;
    let for_user = data.for_user.as_ref().unwrap();
    assert_eq!(for_user.user, bob());
    assert_eq!(&*for_user.auth_package, "Kerberos");
    assert_eq!(data.s4u_x509_user.as_ref().unwrap().user, Some(bob()));
    // In bob's name, but it is not bob who acts.
    assert_eq!((&exchange.client, &activity.actor), (&Some(bob()), &None));

    let by_certificate = initial(&all).find_map(|(_, _, request)| {
        let asked = request.data.s4u_x509_user.as_ref()?;
        asked.certificate.as_ref()
    });
    assert_eq!(by_certificate.unwrap().upns, ["alice@CORP.EXAMPLE".into()]);
}

#[test]
fn renewal_and_user_to_user_are_told_by_their_options() {
    let all = activities();
    let with = |option: u32| {
        further(&all).find(move |(_, exchange)| {
            let request = exchange.request.as_ref();
            request.is_some_and(|request| request.kdc_options & option != 0)
        })
    };
    let (_, renewed) = with(OPTION_RENEW).unwrap();
    assert_eq!(renewed.answer, Answer::Refused(13));
    let (_, exchange) = with(OPTION_ENC_TKT_IN_SKEY).unwrap();
    let request = exchange.request.as_ref().unwrap();
    assert_eq!(request.additional.len(), 1);
    assert_eq!(request.authenticator_etype, Some(18));
}

#[test]
fn ten_years_without_a_pac_are_told() {
    let all = activities();
    let (activity, request) = initial(&all)
        .find_map(|(activity, _, request)| {
            (request.data.include_pac == Some(false)).then_some((activity, request))
        })
        .unwrap();
    let years = |time: goshawk_model::Timestamp| time.since(activity.time).as_secs() / 31_536_000;
    assert_eq!(request.till.map(years), Some(9));
    assert_eq!(request.rtime.map(years), Some(9));
    assert!(initial(&all).any(|(_, _, request)| request.name_type == 10));
}

#[test]
fn a_password_is_changed() {
    let all = activities();
    let exchange = all.iter().find_map(|activity| match &activity.kind {
        Kind::Password(exchange) => Some(exchange),
        _ => None,
    });
    let exchange = exchange.unwrap();
    assert_eq!(exchange.answer, PasswordAnswer::Sealed);
    let ticket = exchange.ticket.as_ref().unwrap();
    assert_eq!(&*ticket.service, "kadmin/changepw@CORP.EXAMPLE");
}
