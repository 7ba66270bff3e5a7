//! DNS messages as activities: questions with their answers, updates, zone transfers, keys.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use goshawk_decode::{Decoded, Protocol, Stats};
use goshawk_model::dns::{DnsAction, DnsData, DnsExchange, DnsService, LongestRecord, rtype};
use goshawk_model::{Activity, Carrier, Kind, Mechanism, Outcome};
use proptest::prelude::*;

use support::dns::*;
use support::messages::{ap_rep, ap_req, tlv};
use support::wire::{CLIENT, SERVER, Wire};
use support::{decode, story};

const ASKER: ([u8; 4], u16) = (CLIENT, 50_001);
const DNS: ([u8; 4], u16) = (SERVER, 53);
const ZONE: &str = "corp.example";
/// The operation code UPDATE.
const UPDATE: u16 = 5 << 11;

/// The DNS activities of a wire, and what was counted.
fn found(wire: &Wire) -> (Vec<Activity>, Stats) {
    let (decoded, stats) = decode(&wire.packets);
    let activities = decoded.into_iter().map(|it: Decoded| it.activity);
    let of_dns = activities.filter(|activity| matches!(activity.kind, Kind::Dns(_)));
    (of_dns.collect(), stats)
}

fn exchange(activity: &Activity) -> &DnsExchange {
    match &activity.kind {
        Kind::Dns(exchange) => exchange,
        other => panic!("{other:?}"),
    }
}

/// The one exchange of a question over UDP with its answers.
fn asked(question: &Dns, answers: &[Dns]) -> Activity {
    let mut wire = Wire::new();
    wire.udp(ASKER, DNS, &question.bytes());
    for answer in answers {
        wire.udp(DNS, ASKER, &answer.bytes());
    }
    let (mut found, stats) = found(&wire);
    assert_eq!(stats.protocol(Protocol::Dns).errors, 0);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn dns_on_another_port_is_known_by_its_whole_message() {
    let host = |flags| Dns::new(7, flags | RECURSE).question("ws1.corp.example", (rtype::A, IN));
    let answer = host(ANSWER).record(1, "ws1.corp.example", (rtype::A, IN), &[10, 0, 0, 9]);
    let other = (SERVER, 5300);
    let of = |question: &[u8], answer: &[u8]| {
        let mut wire = Wire::new();
        wire.udp(ASKER, other, question);
        wire.udp(other, ASKER, answer);
        let (found, stats) = found(&wire);
        (found.len(), stats.protocol(Protocol::Dns).messages)
    };
    let (question, answer) = (host(0).bytes(), answer.bytes());
    assert_eq!(of(&question, &answer), (1, 2));
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(of(&longer(&question), &longer(&answer)), (0, 0));
    let (end, start) = (question.len() - 1, answer.len() - 1);
    assert_eq!(of(&question[..end], &answer[..start]), (0, 0));
}

#[test]
fn a_question_and_its_answer_are_one_activity() {
    let host = |flags| Dns::new(7, flags | RECURSE).question("WS1.Corp.Example", (rtype::A, IN));
    let answer = host(ANSWER)
        .record(
            1,
            "ws1.corp.example",
            (rtype::CNAME, IN),
            &name("pc1.corp.example"),
        )
        .record(1, "PC1.corp.example", (rtype::A, IN), &[10, 0, 0, 7])
        .record(1, "pc1.corp.example", (rtype::AAAA, IN), &[0xfe; 16])
        .record(1, "pc1.corp.example", (rtype::TXT, IN), b"\x02hi\x01!")
        .record(3, "", (rtype::OPT, 1232), &[]);
    let activity = asked(&host(0), &[answer.clone(), answer]);
    assert_eq!(activity.outcome, Outcome::Success);
    assert_eq!(
        activity.flow.to_string(),
        "udp 10.0.0.9:50001 > 10.0.0.1:53"
    );
    let it = exchange(&activity);
    assert_eq!(
        (&*it.qname, it.qtype, it.qclass),
        ("ws1.corp.example", rtype::A, IN)
    );
    assert_eq!((it.service, it.id, it.opcode), (DnsService::Dns, 7, 0));
    assert_eq!(it.request_bytes, Some(host(0).bytes().len() as u32));
    let answer = it.answer.as_ref().unwrap();
    assert!(answer.authoritative && it.recursion_desired && !answer.truncated);
    assert_eq!((answer.rcode, answer.total, answer.messages), (0, 4, 1));
    let records: Vec<_> = answer
        .records
        .iter()
        .map(|it| (it.name.as_deref(), &it.data))
        .collect();
    let other = Some("pc1.corp.example");
    assert_eq!(
        records,
        [
            (None, &DnsData::Name("pc1.corp.example".into())),
            (
                other,
                &DnsData::Address(IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)))
            ),
            (
                other,
                &DnsData::Address(IpAddr::from(Ipv6Addr::from([0xfe; 16])))
            ),
            (other, &DnsData::Text("hi!".into())),
        ]
    );
}

#[test]
fn services_come_with_the_addresses_of_their_hosts() {
    let locator = "_ldap._tcp.dc._msdcs.corp.example";
    let question = |flags| Dns::new(1, flags).question(locator, (rtype::SRV, IN));
    let answer = question(ANSWER)
        .record(1, locator, (rtype::SRV, IN), &srv(389, "DC1.corp.example"))
        .record(3, "dc1.corp.example", (rtype::A, IN), &SERVER);
    let activity = asked(&question(0), &[answer]);
    let answer = exchange(&activity).answer.clone().unwrap();
    assert_eq!((answer.total, answer.records.len()), (1, 2));
    let service = DnsData::Service {
        target: "dc1.corp.example".into(),
        port: 389,
    };
    assert_eq!(answer.records[0].data, service);
    assert_eq!(
        answer.records[1].data,
        DnsData::Address(IpAddr::from(SERVER))
    );
}

#[test]
fn what_the_server_refuses_is_a_failure_with_its_code() {
    let question = |flags| Dns::new(1, flags).question("nobody.corp.example", (rtype::A, IN));
    let activity = asked(&question(0), &[question(ANSWER | 3)]);
    assert_eq!(activity.outcome, Outcome::Failure);
    assert_eq!(exchange(&activity).answer.as_ref().unwrap().rcode, 3);
    // BADVERS (16) has its upper bits in the OPT record (RFC 6891 6.1.3).
    let mut bad_version = question(ANSWER)
        .record(3, "", (rtype::OPT, 1232), &[])
        .bytes();
    let ttl = bad_version.len() - 6;
    bad_version[ttl] = 1;
    let mut wire = Wire::new();
    wire.udp(ASKER, DNS, &question(0).bytes());
    wire.udp(DNS, ASKER, &bad_version);
    assert_eq!(
        exchange(&found(&wire).0[0]).answer.as_ref().unwrap().rcode,
        16
    );
}

#[test]
fn a_question_without_an_answer_and_an_answer_without_its_question() {
    let question = Dns::new(1, 0).question("ws1.corp.example", (rtype::A, IN));
    let mut wire = Wire::new();
    wire.udp(ASKER, DNS, &question.bytes());
    wire.wait(Duration::from_secs(5));
    wire.udp(ASKER, DNS, &question.bytes());
    let other = Dns::new(1, ANSWER)
        .question("ws2.corp.example", (rtype::A, IN))
        .record(1, "ws2.corp.example", (rtype::A, IN), &[10, 0, 0, 66]);
    wire.udp(DNS, ASKER, &other.bytes());
    let (found, _) = found(&wire);
    let [answer, question] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (question.outcome, answer.outcome),
        (Outcome::Unknown, Outcome::Success)
    );
    assert_eq!(exchange(answer).request_bytes, None);
    assert_eq!(&*exchange(answer).qname, "ws2.corp.example");
    assert_eq!(answer.client.ip, IpAddr::from(CLIENT));
}

#[test]
fn two_answers_that_differ_are_two_facts() {
    let question = |flags| Dns::new(9, flags).question("ws1.corp.example", (rtype::A, IN));
    let mut wire = Wire::new();
    wire.udp(ASKER, DNS, &question(0).bytes());
    for last in [66, 7] {
        let data = [10, 0, 0, last];
        let answer = question(ANSWER).record(1, "ws1.corp.example", (rtype::A, IN), &data);
        wire.udp(DNS, ASKER, &answer.bytes());
    }
    let (found, _) = found(&wire);
    assert_eq!(found.len(), 2);
    assert_eq!(exchange(&found[1]).request_bytes, None);
}

#[test]
fn a_multicast_question_is_told_at_once_and_its_answer_alone() {
    let group = ([224, 0, 0, 252], 5355);
    let question = |flags| Dns::new(5, flags).question("wpad", (rtype::A, IN));
    let mut wire = Wire::new();
    wire.udp(ASKER, group, &question(0).bytes());
    wire.udp(ASKER, group, &question(0).bytes());
    let poisoner = ([10, 0, 0, 66], 5355);
    let answer = question(ANSWER).record(1, "wpad", (rtype::A, IN), &poisoner.0);
    wire.udp(poisoner, ASKER, &answer.bytes());
    let (found, _) = found(&wire);
    let [asked, answered] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(exchange(asked).service, DnsService::Llmnr);
    assert_eq!((asked.time, exchange(asked).id), (wire.packets[0].time, 5));
    assert_eq!(
        (answered.server.ip, exchange(answered).id),
        (IpAddr::from(poisoner.0), 5)
    );
}

#[test]
fn mdns_asks_several_things_and_answers_without_a_question() {
    let group = ([224, 0, 0, 251], 5353);
    let mut wire = Wire::new();
    let questions = Dns::new(0, 0)
        .question("ws1.local", (rtype::A, 0x8001))
        .question("ws1.local", (rtype::AAAA, IN));
    wire.udp((CLIENT, 5353), group, &questions.bytes());
    let answer = Dns::new(0, ANSWER)
        .record(1, "WS1.local", (rtype::A, 0x8001), &CLIENT)
        .record(1, "ws1.local", (rtype::TXT, IN), b"\x01x");
    wire.udp((CLIENT, 5353), group, &answer.bytes());
    let (found, _) = found(&wire);
    let asked: Vec<_> = found
        .iter()
        .map(|it| (exchange(it).qtype, exchange(it).qclass))
        .collect();
    assert_eq!(asked, [(rtype::A, IN), (rtype::AAAA, IN), (rtype::A, IN)]);
    assert_eq!(&*exchange(&found[2]).qname, "ws1.local");
}

#[test]
fn an_update_tells_each_change() {
    let update = |flags| Dns::new(3, UPDATE | flags).question(ZONE, (rtype::SOA, IN));
    let request = update(0)
        .record(1, "ws1.corp.example", (rtype::ANY, 254), &[])
        .record(2, "*.Corp.example", (rtype::A, IN), &CLIENT)
        .record(2, "ws1.corp.example", (rtype::A, 255), &[])
        .record(2, "ws1.corp.example", (rtype::ANY, 255), &[])
        .record(2, "ws1.corp.example", (rtype::A, 254), &CLIENT);
    let activity = asked(&request, &[update(ANSWER | 5)]);
    assert_eq!(activity.outcome, Outcome::Failure);
    let it = exchange(&activity);
    assert_eq!((&*it.qname, it.opcode), (ZONE, 5));
    let update = it.update.as_ref().unwrap();
    assert_eq!((update.prerequisites, update.total), (1, 4));
    let changes: Vec<_> = update
        .changes
        .iter()
        .map(|it| (it.action, &*it.name))
        .collect();
    assert_eq!(
        changes,
        [
            (DnsAction::Add, "*.corp.example"),
            (DnsAction::DeleteSet, "ws1.corp.example"),
            (DnsAction::DeleteName, "ws1.corp.example"),
            (DnsAction::DeleteRecord, "ws1.corp.example"),
        ]
    );
    assert_eq!(
        update.changes[0].data,
        DnsData::Address(IpAddr::from(CLIENT))
    );
    assert_eq!(it.answer.as_ref().unwrap().rcode, 5);
}

#[test]
fn counts_that_promise_more_than_there_is_are_errors() {
    let question = Dns::new(7, RECURSE).question("ws1.corp.example", (rtype::A, IN));
    for (section, stream) in (0..4).flat_map(|section| [(section, false), (section, true)]) {
        let mut bytes = question.bytes();
        bytes[4 + 2 * section..][..2].copy_from_slice(&[0xff, 0xff]);
        let mut wire = Wire::new();
        if stream {
            // Behind a message that is one: by itself it would not even begin a conversation.
            let mut tcp = wire.open(50_002, 53);
            wire.ask(&mut tcp, &question.framed());
            wire.ask(
                &mut tcp,
                &[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat(),
            );
            let mut other = wire.open(50_003, 53);
            wire.ask(
                &mut other,
                &[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat(),
            );
        } else {
            wire.udp(ASKER, DNS, &question.bytes());
            wire.udp(ASKER, DNS, &bytes);
        }
        let (found, stats) = found(&wire);
        let counts = stats.protocol(Protocol::Dns);
        assert_eq!((counts.messages, counts.errors), (2, 1), "{section}");
        // What can be read of it is told: a question, if that is there.
        assert_eq!(found.len(), if section == 0 { 1 } else { 2 });
    }
}

/// A key is agreed on over TCP with a Kerberos ticket; then an update is signed with it.
fn signed_update(wire: &mut Wire, error: u16, answered: impl Fn(Dns) -> Dns) {
    let key = "1234-ms-7.abc";
    let token = tlv(
        0x60,
        &[
            &tlv(6, &[0x2a, 0x86, 0x48])[..],
            &[1, 0],
            &ap_req(&story::service_ticket()),
        ]
        .concat(),
    );
    let mut tcp = wire.open(50_002, 53);
    let agree = |flags| Dns::new(4, flags).question(key, (rtype::TKEY, 255));
    let asked = agree(0).record(3, key, (rtype::TKEY, 255), &tkey(0, &token));
    wire.ask(&mut tcp, &asked.framed());
    let answer = agree(ANSWER).record(1, key, (rtype::TKEY, 255), &tkey(error, &ap_rep()));
    wire.answer(&mut tcp, &answer.framed());
    wire.close(&tcp);
    let update = |flags| Dns::new(5, UPDATE | flags).question(ZONE, (rtype::SOA, IN));
    let signed = update(0)
        .record(2, "ws9.corp.example", (rtype::A, IN), &CLIENT)
        .record(3, key, (rtype::TSIG, 255), &tsig());
    wire.udp(ASKER, DNS, &signed.bytes());
    wire.udp(DNS, ASKER, &answered(update(ANSWER)).bytes());
}

/// The server signs its answer with the same key.
fn by_the_same_key(answer: Dns) -> Dns {
    answer.record(3, "1234-ms-7.abc", (rtype::TSIG, 255), &tsig())
}

#[test]
fn a_signed_update_has_the_credentials_of_its_key() {
    let mut wire = Wire::new();
    signed_update(&mut wire, 0, by_the_same_key);
    let (found, stats) = found(&wire);
    let [agreed, update] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(exchange(agreed).qtype, rtype::TKEY);
    assert_eq!(exchange(update).tsig.as_deref(), Some("1234-ms-7.abc"));
    let credentials = update.credentials.as_ref().unwrap();
    assert_eq!(
        (credentials.mechanism, credentials.proven),
        (Mechanism::Kerberos, true)
    );
    let ticket = credentials.ticket.as_ref().unwrap();
    assert_eq!(&*ticket.service, "cifs/dc1.corp.example@CORP.EXAMPLE");
    assert_eq!(stats.protocol(Protocol::Dns).messages, 4);
    let aps = decode(&wire.packets)
        .0
        .into_iter()
        .filter_map(|it| match it.activity.kind {
            Kind::Ap(exchange) => Some((exchange.carrier, it.activity.outcome)),
            _ => None,
        });
    assert_eq!(aps.collect::<Vec<_>>(), [(Carrier::Dns, Outcome::Success)]);
}

#[test]
fn only_a_signed_answer_that_accepts_proves_who_signed() {
    let refused = |answer: Dns| by_the_same_key(answer.refused(9));
    let by_another_key =
        |answer: Dns| answer.record(3, "5678-ms-7.abc", (rtype::TSIG, 255), &tsig());
    let answers: [&dyn Fn(Dns) -> Dns; 3] = [&refused, &by_another_key, &|answer| answer];
    for answered in answers {
        let mut wire = Wire::new();
        signed_update(&mut wire, 0, answered);
        let (found, _) = found(&wire);
        let credentials = found[1].credentials.as_ref().unwrap();
        assert_eq!(credentials.mechanism, Mechanism::Kerberos);
        assert!(!credentials.proven, "{:?}", found[1]);
    }
}

#[test]
fn a_key_that_the_server_refuses_proves_nothing() {
    let mut wire = Wire::new();
    signed_update(&mut wire, 17, by_the_same_key);
    let (found, _) = found(&wire);
    assert_eq!(found[1].credentials, None);
}

#[test]
fn a_zone_transfer_is_one_activity_however_many_messages_it_takes() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_002, 53);
    let question = |flags| Dns::new(6, flags).question(ZONE, (rtype::AXFR, IN));
    wire.ask(&mut tcp, &question(0).framed());
    let first = question(ANSWER).record(1, ZONE, (rtype::SOA, IN), &soa(8));
    wire.answer(&mut tcp, &first.framed());
    for last in 0..20 {
        let owner = format!("ws{last}.corp.example");
        let next = Dns::new(6, ANSWER).record(1, &owner, (rtype::A, IN), &[10, 0, 1, last]);
        wire.answer(&mut tcp, &next.framed());
    }
    let end = Dns::new(6, ANSWER).record(1, ZONE, (rtype::SOA, IN), &soa(8));
    wire.answer(&mut tcp, &end.framed());
    // What follows on the connection is another exchange.
    wire.ask(&mut tcp, &question(0).framed());
    wire.answer(&mut tcp, &question(ANSWER | 5).framed());
    let (found, _) = found(&wire);
    let [granted, refused] = &found[..] else {
        panic!("{found:?}");
    };
    let answer = exchange(granted).answer.as_ref().unwrap();
    assert_eq!(
        (answer.messages, answer.total, answer.records.len()),
        (22, 22, 16)
    );
    assert_eq!(
        (granted.outcome, refused.outcome),
        (Outcome::Success, Outcome::Failure)
    );
}

#[test]
fn an_incremental_transfer_ends_with_its_newest_serial() {
    let transfers: [&[u32]; 3] = [&[8], &[8, 7, 8, 8], &[8, 6, 7, 7, 8, 8]];
    for serials in transfers {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_002, 53);
        let question = |flags| Dns::new(6, flags).question(ZONE, (rtype::IXFR, IN));
        wire.ask(&mut tcp, &question(0).framed());
        // Whoever is up to date gets one record, all others a message that holds more.
        let (first, rest) = serials.split_at(serials.len().min(2));
        let head = first.iter().fold(question(ANSWER), |head, serial| {
            head.record(1, ZONE, (rtype::SOA, IN), &soa(*serial))
        });
        wire.answer(&mut tcp, &head.framed());
        for serial in rest {
            let next = Dns::new(6, ANSWER).record(1, ZONE, (rtype::SOA, IN), &soa(*serial));
            wire.answer(&mut tcp, &next.framed());
        }
        wire.ask(&mut tcp, &question(0).framed());
        let (found, _) = found(&wire);
        assert_eq!(found.len(), 2, "{serials:?}");
        let answer = exchange(&found[0]).answer.as_ref().unwrap();
        assert_eq!(answer.messages as usize, 1 + rest.len());
    }
}

#[test]
fn the_longest_record_tells_its_size() {
    let question = |flags| Dns::new(6, flags).question("evil.example", (rtype::SIG, IN));
    let signature = [&[0; 18][..], &[0xc0, 12], &vec![1; 64_000]].concat();
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_002, 53);
    wire.ask(&mut tcp, &question(0).framed());
    let answer = question(ANSWER).record(1, "evil.example", (rtype::SIG, IN), &signature);
    wire.answer(&mut tcp, &answer.framed());
    let (found, _) = found(&wire);
    let answer = exchange(&found[0]).answer.as_ref().unwrap();
    let longest = LongestRecord {
        rtype: rtype::SIG,
        length: 64_020,
        compressed_signer: true,
    };
    assert_eq!(answer.longest, Some(longest));
}

#[test]
fn a_message_that_ends_early_is_an_error_and_its_question_still_a_fact() {
    let mut wire = Wire::new();
    let whole = Dns::new(1, 0)
        .question("ws1.corp.example", (rtype::A, IN))
        .record(3, "", (rtype::OPT, 1232), &[0; 8])
        .bytes();
    wire.udp(ASKER, DNS, &whole[..whole.len() - 4]);
    let (found, stats) = found(&wire);
    assert_eq!(&*exchange(&found[0]).qname, "ws1.corp.example");
    let counts = stats.protocol(Protocol::Dns);
    assert_eq!((counts.messages, counts.errors), (1, 1));
}

proptest! {
    /// Names and addresses as another writer of DNS, with its compression, puts them.
    #[test]
    fn what_another_writer_writes_is_read(
        host in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,5}",
        address in any::<[u8; 4]>(),
        id in any::<u16>(),
    ) {
        use domain::base::iana::{Class, Rcode, Rtype};
        use domain::base::name::Name;
        use domain::base::{MessageBuilder, StaticCompressor};
        use domain::rdata::{A, Cname};

        let owner: Name<Vec<u8>> = host.parse().unwrap();
        let alias: Name<Vec<u8>> = format!("alias.{host}").parse().unwrap();
        let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::new())).unwrap();
        builder.header_mut().set_id(id);
        let mut question = builder.question();
        question.push((&alias, Rtype::A)).unwrap();
        let asked = question.as_slice().to_vec();
        question.header_mut().set_qr(true);
        question.header_mut().set_rcode(Rcode::NOERROR);
        let mut answer = question.answer();
        answer.push((&alias, Class::IN, 60, Cname::new(&owner))).unwrap();
        let [a, b, c, d] = address;
        answer.push((&owner, Class::IN, 60, A::from_octets(a, b, c, d))).unwrap();
        let answered = answer.as_slice().to_vec();

        let mut wire = Wire::new();
        wire.udp(ASKER, DNS, &asked);
        wire.udp(DNS, ASKER, &answered);
        let (found, stats) = found(&wire);
        prop_assert_eq!(stats.protocol(Protocol::Dns).errors, 0);
        let it = exchange(&found[0]);
        prop_assert_eq!(&*it.qname, format!("alias.{host}"));
        let records = &it.answer.as_ref().unwrap().records;
        prop_assert_eq!(&records[0].data, &DnsData::Name((&*host).into()));
        prop_assert_eq!(&records[1].data, &DnsData::Address(IpAddr::from(address)));
        prop_assert_eq!(records[1].name.as_deref(), Some(&*host));
    }
}
