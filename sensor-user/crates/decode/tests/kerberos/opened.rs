//! Tickets of a real domain, opened with its keys.

use std::sync::Arc;

use goshawk_decode::{Decoder, Keytab, Limits};
use goshawk_model::kerberos::{Answer, Opened, Ticket, Verdict};
use goshawk_model::{Account, Activity, Kind};

use crate::support::{captures_of, read};

/// The activities of a recording, with the keys that lie beside it.
fn recorded(name: &str) -> Vec<Activity> {
    let capture = captures_of(name).into_iter().next().unwrap();
    let keytab = capture.with_file_name(format!("{name}.keytab"));
    let keytab = Keytab::parse(&std::fs::read(keytab).unwrap()).unwrap();
    let mut decoder = Decoder::new("test".into(), Limits::default());
    decoder.set_keytab(Some(Arc::new(keytab)));
    let mut out = Vec::new();
    for (origin, packet) in read(&capture).unwrap().iter().enumerate() {
        decoder.frame(&packet.frame(origin as u64), &mut out);
    }
    decoder.finish(&mut out);
    out.into_iter().map(|decoded| decoded.activity).collect()
}

/// Every ticket of Kerberos's own messages and of those to services.
fn tickets(activities: &[Activity]) -> impl Iterator<Item = &Ticket> {
    activities.iter().flat_map(|activity| {
        let (presented, answer) = match &activity.kind {
            Kind::As(exchange) => (None, Some(&exchange.answer)),
            Kind::Tgs(exchange) => {
                let request = exchange.request.as_ref();
                let presented = request.and_then(|request| request.presented.as_ref());
                (presented, Some(&exchange.answer))
            }
            Kind::Ap(exchange) => (Some(&exchange.ticket), None),
            _ => (None, None),
        };
        let issued = answer.and_then(|answer| match answer {
            Answer::Issued { ticket, .. } => Some(ticket),
            _ => None,
        });
        presented.into_iter().chain(issued)
    })
}

fn opened_of<'a>(activities: &'a [Activity], class: &str) -> Vec<&'a Opened> {
    tickets(activities)
        .filter(|ticket| ticket.service.to_lowercase().starts_with(class))
        .map(|ticket| {
            ticket
                .opened
                .as_deref()
                .unwrap_or_else(|| panic!("{ticket:?} stays shut"))
        })
        .collect()
}

#[test]
fn an_ordinary_day_s_tickets_are_whole_and_signed() {
    let activities = recorded("opened-day");
    for class in ["krbtgt/", "cifs/", "ldap/", "svc_front"] {
        let opened = opened_of(&activities, class);
        assert!(!opened.is_empty(), "{class}");
        for opened in opened {
            let pac = opened.pac.as_ref().unwrap();
            let logon = pac.logon.as_ref().unwrap();
            let sid = format!("{}-{}", logon.domain_sid.as_ref().unwrap(), logon.user_id);
            assert_eq!((&*logon.domain, &*logon.server), ("HAWK", "DC1"));
            assert!(logon.groups.contains(&logon.primary_group_id));
            assert_eq!(pac.sid.as_deref(), Some(&*sid));
            assert_eq!(pac.sam_name.as_deref(), Some(&*logon.user));
            assert_eq!(pac.client_id, Some(opened.authtime));
            let is_granting = class == "krbtgt/";
            assert_eq!(pac.requestor.is_some(), is_granting, "{class}");
            assert_eq!(pac.ticket_signature.is_some(), !is_granting, "{class}");
            assert_eq!(pac.extended_signature.is_some(), !is_granting, "{class}");
            for signature in [
                pac.server_signature,
                pac.kdc_signature,
                pac.ticket_signature,
                pac.extended_signature,
            ]
            .into_iter()
            .flatten()
            {
                assert_eq!(signature.verdict, Verdict::Valid, "{class}: {pac:?}");
            }
        }
    }
}

#[test]
fn a_ticket_made_with_a_service_s_key_is_not_signed_by_the_kdc() {
    let activities = recorded("silver-ticket");
    let presented = activities.iter().find_map(|activity| match &activity.kind {
        Kind::Ap(exchange) => exchange.ticket.opened.as_deref(),
        _ => None,
    });
    let opened = presented.expect("opens");
    assert_eq!(
        opened.client,
        Some(Account::new("administrator", "hawk.example"))
    );
    let pac = opened.pac.as_ref().unwrap();
    let verdict = |signature: Option<goshawk_model::kerberos::Signature>| {
        signature.map(|signature| signature.verdict)
    };
    assert_eq!(verdict(pac.server_signature), Some(Verdict::Valid));
    assert_eq!(verdict(pac.kdc_signature), Some(Verdict::Wrong));
}

#[test]
fn without_keys_every_ticket_stays_shut() {
    let capture = captures_of("opened-day").into_iter().next().unwrap();
    let (decoded, _) = crate::support::decode(&read(&capture).unwrap());
    let activities: Vec<Activity> = decoded.into_iter().map(|it| it.activity).collect();
    assert!(tickets(&activities).count() > 10);
    assert!(tickets(&activities).all(|ticket| ticket.opened.is_none()));
}
