//! What captures do to exchanges: answers before their requests, messages cut short.

use std::time::Duration;

use goshawk_decode::{Decoded, Limits, Protocol};
use goshawk_model::kerberos::Answer;
use goshawk_model::{Account, Activity, Outcome};

use super::support::messages::*;
use super::support::wire::Wire;
use super::support::{decode, decode_with, story};
use super::{CLIENT_PORT, KDC, exchanged, initial};

/// A capture of one direction merged with one of the other whose clock is behind.
fn merged(behind: Duration) -> Vec<Activity> {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_002, 88);
    for _ in 0..3 {
        wire.wait(Duration::from_secs(1));
        wire.udp(CLIENT_PORT, KDC, &as_req("alice", &[128], &[18]));
        wire.udp(KDC, CLIENT_PORT, &krb_error(25, &["krbtgt", REALM]));
        wire.udp(CLIENT_PORT, KDC, &as_req("alice", &[2, 128], &[18]));
        wire.udp(KDC, CLIENT_PORT, &as_rep("alice", &story::tgt(), 18));
        let asked = tgs_req(&story::tgt(), &["cifs", "dc1"], &[18]);
        wire.ask(&mut tcp, &record(&asked));
        wire.answer(
            &mut tcp,
            &record(&tgs_rep("alice", &story::service_ticket(), 18)),
        );
    }
    let mut packets = wire.packets;
    for packet in &mut packets {
        let ip = etherparse::Ipv4HeaderSlice::from_slice(&packet.data[14..]).unwrap();
        if ip.source() == KDC.0 {
            packet.time = packet.time - behind;
        }
    }
    packets.sort_by_key(|packet| packet.time);
    let (decoded, _) = decode(&packets);
    decoded.into_iter().map(|it| it.activity).collect()
}

#[test]
fn clocks_apart_do_not_part_a_request_from_its_answer() {
    let expected: Vec<_> = merged(Duration::ZERO)
        .into_iter()
        .map(|it| (it.flow, it.outcome, it.actor, it.kind))
        .collect();
    assert_eq!(
        expected.len(),
        5,
        "three logons of the same bytes are one: {expected:?}"
    );
    for micros in [1, 1500, 2500, 20_000, 90_000] {
        let mut found: Vec<_> = merged(Duration::from_micros(micros))
            .into_iter()
            .map(|it| (it.flow, it.outcome, it.actor, it.kind))
            .collect();
        found.sort_by_key(|(flow, ..)| flow.client.port());
        assert_eq!(found, expected, "{micros}");
    }
}

#[test]
fn answers_without_requests_are_held_in_bounds_and_all_told() {
    let mut wire = Wire::new();
    for code in 0..200 {
        wire.time = wire.time - Duration::from_micros(999);
        wire.udp(KDC, CLIENT_PORT, &krb_error(code, &["krbtgt", REALM]));
    }
    let limits = Limits {
        max_pending: 8,
        ..Limits::default()
    };
    let (decoded, _) = decode_with(&wire.packets, limits);
    let mut codes: Vec<_> = decoded
        .iter()
        .map(|it| match initial(&it.activity).answer {
            Answer::Refused(code) => code,
            _ => panic!("{it:?}"),
        })
        .collect();
    let at_once = |it: &&Decoded| it.activity.time == wire.packets[it.origin as usize].time;
    assert_eq!(decoded.iter().filter(at_once).count(), 192);
    codes.sort_unstable();
    assert_eq!(codes, (0..200).collect::<Vec<_>>());
}

#[test]
fn an_answer_whose_request_was_lost_is_not_the_next_ones() {
    let found = exchanged(&[
        (false, krb_error(25, &["krbtgt", REALM])),
        (true, as_req("alice", &[2, 128], &[18])),
        (false, as_rep("alice", &story::tgt(), 18)),
    ]);
    let [granted, refused] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(granted.outcome, Outcome::Success);
    assert!(granted.actor.as_ref().unwrap().authenticated);
    assert_eq!(initial(refused).answer, Answer::Refused(25));
    assert_eq!(initial(refused).request, None);
}

#[test]
fn of_a_message_that_is_cut_the_rest_is_read() {
    let whole = as_req("alice", &[2, 128], &[18, 23]);
    for (kept, etypes) in [(whole.len() - 1, vec![18, 23]), (165, vec![])] {
        let mut wire = Wire::new();
        wire.udp(CLIENT_PORT, KDC, &whole);
        let mut tcp = wire.open(50_002, 88);
        wire.ask(&mut tcp, &record(&whole));
        let missing = whole.len() - kept;
        for packet in &mut wire.packets {
            if packet.data.len() > whole.len() {
                let length = packet.data.len() - missing;
                packet.data.truncate(length);
            }
        }
        let (decoded, stats) = decode(&wire.packets);
        assert_eq!(stats.protocol(Protocol::Kerberos).errors, 0);
        assert_eq!(stats.protocol(Protocol::Kerberos).messages, 2);
        assert_eq!(decoded.len(), 2, "{kept}");
        for found in decoded {
            let exchange = initial(&found.activity);
            assert_eq!(exchange.client, Some(Account::new("alice", REALM)));
            assert_eq!(exchange.request.as_ref().unwrap().etypes, etypes, "{kept}");
        }
    }
}
