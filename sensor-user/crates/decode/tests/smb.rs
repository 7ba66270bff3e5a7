//! What is done over SMB as activities: from the first negotiation to the last file closed.

mod support;

use std::time::Duration;

use goshawk_decode::{Decoded, Drop, Limits, Protocol, Stats};
use goshawk_model::rpc::{DRSUAPI, RpcCall, RpcTransport};
use goshawk_model::smb::{
    CreateAction, Disposition, FileAccess, ShareType, SmbOperation, Transaction,
};
use goshawk_model::{Account, Kind, Outcome};
use proptest::prelude::*;

use support::ntlm::utf16;
use support::smb::*;
use support::wire::{Tcp, Wire};
use support::{decode, decode_with};

const PIPE_TRANSCEIVE: u32 = 0x0011_c017;

/// A connection on which alice is logged on and connected to a share.
fn connected(share: &str, share_type: u8) -> (Wire, Tcp) {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 445);
    logon(&mut wire, &mut tcp, share, share_type);
    (wire, tcp)
}

fn operations(decoded: &[Decoded]) -> Vec<&SmbOperation> {
    let mut operations = Vec::new();
    for it in decoded {
        if let Kind::Smb(operation) = &it.activity.kind {
            operations.push(operation);
        }
    }
    operations
}

fn files(decoded: &[Decoded]) -> Vec<(&FileAccess, Outcome)> {
    let mut files = Vec::new();
    for it in decoded {
        if let Kind::Smb(SmbOperation::File(access)) = &it.activity.kind {
            files.push((&**access, it.activity.outcome));
        }
    }
    files
}

fn calls(decoded: &[Decoded]) -> Vec<&RpcCall> {
    let mut calls = Vec::new();
    for it in decoded {
        if let Kind::Rpc(call) = &it.activity.kind {
            calls.push(&**call);
        }
    }
    calls
}

fn transactions(decoded: &[Decoded]) -> Vec<&Transaction> {
    let mut transactions = Vec::new();
    for it in operations(decoded) {
        if let SmbOperation::Transaction(transaction) = it {
            transactions.push(&**transaction);
        }
    }
    transactions
}

fn errors(stats: &Stats) -> (u64, u64) {
    let errors = |protocol| stats.protocol(protocol).errors;
    (errors(Protocol::Smb1), errors(Protocol::Smb2))
}

#[test]
fn a_negotiation_tells_what_both_sides_can() {
    let ciphers = |ids: &[u16]| (2, words(&[&[ids.len() as u16], ids].concat()));
    let hashes = (1, words(&[1, 2, 1, 0xaaaa]));
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 445);
    let offered = [
        hashes.clone(),
        ciphers(&[2, 1]),
        (5, utf16("dc1.corp.example")),
    ];
    let asked = Smb2::negotiate(0, &[0x0202, 0x0210, 0x0300, 0x0302, 0x0311], &offered);
    wire.ask(&mut tcp, &asked.frame());
    let chosen = [hashes, ciphers(&[1])];
    wire.answer(&mut tcp, &Smb2::negotiated(0, 0x0311, &chosen).frame());
    let (decoded, stats) = decode(&wire.packets);
    let [SmbOperation::Negotiate(negotiate)] = operations(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(negotiate.offered, ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"]);
    assert_eq!(negotiate.chosen.as_deref(), Some("3.1.1"));
    let client = negotiate.client.as_ref().unwrap();
    assert_eq!(
        (client.hashes.as_slice(), client.ciphers.as_slice()),
        (&[1][..], &[2, 1][..])
    );
    assert_eq!(client.name.as_deref(), Some("dc1.corp.example"));
    let server = negotiate.server.as_ref().unwrap();
    assert_eq!(
        (server.ciphers.as_slice(), server.security_mode),
        (&[1][..], 3)
    );
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn a_session_is_an_account_and_its_share_a_place() {
    let (wire, _) = connected("\\\\DC1\\SysVol", 1);
    let (decoded, stats) = decode(&wire.packets);
    let [SmbOperation::Session(session), SmbOperation::Tree(tree)] = operations(&decoded)[..]
    else {
        panic!("{decoded:?}");
    };
    assert_eq!((session.session, session.status), (SESSION, None));
    assert_eq!(tree.share.server.as_deref(), Some("dc1"));
    assert_eq!(tree.share.name.as_deref(), Some("SysVol"));
    assert_eq!(tree.share.share_type, Some(ShareType::Disk));
    let tree = &decoded.last().unwrap().activity;
    let actor = tree.actor.as_ref().unwrap();
    assert_eq!(
        (&actor.account, actor.authenticated),
        (&Account::new("alice", "corp"), true)
    );
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn a_refused_logon_says_why() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 445);
    wire.ask(
        &mut tcp,
        &Smb2::session_setup(
            1,
            0,
            &support::messages::ntlm_authenticate("CORP", "alice", "WS1"),
        )
        .frame(),
    );
    wire.answer(&mut tcp, &Smb2::refusal(1, 1, 0xc000_006d).frame());
    let (decoded, _) = decode(&wire.packets);
    let SmbOperation::Session(session) = operations(&decoded)[0] else {
        panic!("{decoded:?}");
    };
    assert_eq!(session.status, Some(0xc000_006d));
    assert!(
        decoded
            .iter()
            .all(|it| it.activity.outcome == Outcome::Failure)
    );
}

/// A server that maps bad passwords to its guest answers a wrong one with success ([MS-SMB2] 2.2.6,
/// SMB2_SESSION_FLAG_IS_GUEST).
#[test]
fn who_is_not_let_go_stays() {
    const LOGOFF: u16 = 2;
    for refused in [true, false] {
        let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
        wire.ask(&mut tcp, &Smb2::new(LOGOFF, 4, vec![4, 0, 0, 0]).frame());
        let answer = if refused {
            Smb2::refusal(LOGOFF, 4, 0xc000_000d)
        } else {
            Smb2::done(LOGOFF, 4)
        };
        wire.answer(&mut tcp, &answer.frame());
        wire.ask(&mut tcp, &Smb2::create(5, "x.exe", 2, 0).frame());
        wire.answer(&mut tcp, &Smb2::created(5, 2, 0, FILE).frame());
        let (decoded, _) = decode(&wire.packets);
        let created = &decoded.last().unwrap().activity;
        let share = files(&decoded)[0].0.share.as_ref();
        assert_eq!(
            (created.actor.is_some(), share.is_some()),
            (refused, refused)
        );
    }
}

#[test]
fn a_guest_is_not_the_account_he_named() {
    const IS_GUEST: u16 = 1;
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 445);
    let authenticate = support::messages::ntlm_authenticate("CORP", "alice", "WS1");
    wire.ask(&mut tcp, &Smb2::session_setup(1, 0, &authenticate).frame());
    let answer = Smb2::session_answer(1, IS_GUEST, &[]);
    wire.answer(&mut tcp, &answer.frame());
    let (decoded, _) = decode(&wire.packets);
    let named = |it: &Decoded| it.activity.actor.clone();
    let actors: Vec<_> = decoded.iter().filter_map(named).collect();
    assert!(!actors.is_empty(), "{decoded:?}");
    assert!(actors.iter().all(|actor| !actor.authenticated));
    let logon = decoded
        .iter()
        .find(|it| matches!(it.activity.kind, Kind::Ntlm(_)));
    assert_eq!(logon.unwrap().activity.outcome, Outcome::Unknown);
}

#[test]
fn a_file_is_one_activity_however_often_it_is_read_and_written() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    wire.ask(
        &mut tcp,
        &Smb2::create(4, "Windows\\NTDS\\ntds.dit", 3, 0x40).frame(),
    );
    wire.answer(&mut tcp, &Smb2::created(4, 2, 0, FILE).frame());
    // Two reads in flight.
    wire.ask(&mut tcp, &Smb2::read(5, FILE, 4000).frame());
    wire.ask(&mut tcp, &Smb2::read(6, FILE, 4000).frame());
    wire.answer(&mut tcp, &Smb2::read_answer(6, &[1; 1000]).frame());
    wire.answer(&mut tcp, &Smb2::read_answer(5, &[1; 4000]).frame());
    wire.ask(&mut tcp, &Smb2::write(7, FILE, &[2; 300]).frame());
    wire.answer(&mut tcp, &Smb2::written(7, 300).frame());
    wire.ask(&mut tcp, &Smb2::write(8, FILE, &[2; 300]).frame());
    wire.answer(&mut tcp, &Smb2::refusal(9, 8, 0xc000_0022).frame());
    wire.ask(&mut tcp, &Smb2::close(9, FILE).frame());
    wire.answer(&mut tcp, &Smb2::closed(9).frame());
    let (decoded, stats) = decode(&wire.packets);
    let [(file, Outcome::Success)] = files(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(file.path.as_deref(), Some("Windows\\NTDS\\ntds.dit"));
    assert_eq!(file.share.as_ref().unwrap().to_string(), "\\\\dc1\\C$");
    assert_eq!(
        (file.disposition, file.action),
        (Some(Disposition::OpenIf), Some(CreateAction::Created))
    );
    assert_eq!((file.read, file.written), (5000, 300));
    assert_eq!(&*file.contexts, ["MxAc".into()]);
    assert_eq!(file.status, Some(0xc000_0022));
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn megabytes_pass_by_unread() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    let payload = vec![0; 9 << 20];
    wire.ask(&mut tcp, &Smb2::create(4, "big", 1, 0).frame());
    wire.answer(&mut tcp, &Smb2::created(4, 1, 0, FILE).frame());
    wire.ask(&mut tcp, &Smb2::write(5, FILE, &payload).frame());
    wire.answer(&mut tcp, &Smb2::written(5, payload.len() as u32).frame());
    wire.ask(&mut tcp, &Smb2::read(6, FILE, 9 << 20).frame());
    wire.answer(&mut tcp, &Smb2::read_answer(6, &payload).frame());
    wire.ask(&mut tcp, &Smb2::close(7, FILE).frame());
    wire.answer(&mut tcp, &Smb2::closed(7).frame());
    // Hardly more room than a packet has.
    let limits = Limits {
        max_buffered: 8192,
        max_buffered_per_direction: 4096,
        ..Limits::default()
    };
    let (decoded, stats) = decode_with(&wire.packets, limits);
    let [(file, _)] = files(&decoded)[..] else {
        panic!("{:?}", files(&decoded));
    };
    assert_eq!((file.read, file.written), (9 << 20, 9 << 20));
    assert_eq!(stats.drops().map(|(_, count)| count).sum::<u64>(), 0);
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn a_compound_opens_uses_and_closes_at_once() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    let asked = [
        Smb2::create(4, "dir", 1, 1),
        Smb2::query_directory(5, SAME, "*.xml").related(),
        Smb2::read(6, SAME, 4096).related(),
        Smb2::close(7, SAME).related(),
    ];
    wire.ask(&mut tcp, &compound(&asked));
    let answered = [
        Smb2::created(4, 1, 77, FILE),
        Smb2::done(14, 5),
        Smb2::read_answer(6, &[5; 4096]),
        Smb2::closed(7),
    ];
    wire.answer(&mut tcp, &compound(&answered));
    let (decoded, stats) = decode(&wire.packets);
    let [(file, Outcome::Success)] = files(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(
        (file.listed.as_deref(), file.read, file.size),
        (Some("*.xml"), 4096, 77)
    );
    assert!(file.directory);
    // Three of the logon and the share, each with its answer, and four.
    assert_eq!(stats.protocol(Protocol::Smb2).messages, 2 * (3 + 4));
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn what_is_changed_of_a_file_is_told_with_it() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    wire.ask(&mut tcp, &Smb2::create(4, "a.txt", 1, 0x1000).frame());
    wire.answer(&mut tcp, &Smb2::created(4, 1, 0, FILE).frame());
    let name = utf16("b.txt");
    let rename = [&[0; 16][..], &(name.len() as u32).to_le_bytes(), &name].concat();
    wire.ask(&mut tcp, &Smb2::set_info(5, 1, 10, FILE, &rename).frame());
    wire.answer(&mut tcp, &Smb2::done(17, 5).frame());
    wire.ask(&mut tcp, &Smb2::set_info(6, 3, 0, FILE, &[1; 40]).frame());
    wire.answer(&mut tcp, &Smb2::done(17, 6).frame());
    // Its connection ends before it is closed.
    wire.close(&tcp);
    let (decoded, _) = decode(&wire.packets);
    let [(file, _)] = files(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(file.renamed_to.as_deref(), Some("b.txt"));
    assert!(file.deleted && file.security_set);
}

#[test]
fn a_refused_opening_is_told_too() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\ADMIN$", 1);
    wire.ask(&mut tcp, &Smb2::create(4, "x.exe", 2, 0).frame());
    wire.answer(&mut tcp, &Smb2::refusal(5, 4, 0xc000_0022).frame());
    let (decoded, _) = decode(&wire.packets);
    let [(file, Outcome::Failure)] = files(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!((file.status, file.action), (Some(0xc000_0022), None));
}

#[test]
fn a_file_open_for_long_is_told_as_it_stands_and_once_more_if_it_goes_on() {
    for goes_on in [false, true] {
        let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
        wire.ask(&mut tcp, &Smb2::create(4, "log", 1, 0).frame());
        wire.answer(&mut tcp, &Smb2::created(4, 1, 0, FILE).frame());
        wire.wait(Duration::from_secs(90));
        if goes_on {
            wire.ask(&mut tcp, &Smb2::write(5, FILE, &[2; 10]).frame());
            wire.answer(&mut tcp, &Smb2::written(5, 10).frame());
        }
        wire.ask(&mut tcp, &Smb2::close(6, FILE).frame());
        wire.answer(&mut tcp, &Smb2::closed(6).frame());
        let (decoded, _) = decode(&wire.packets);
        let files = files(&decoded);
        assert!(files[0].0.open && !files[0].0.again);
        assert_eq!(files.len(), 1 + usize::from(goes_on));
        if goes_on {
            assert!(!files[1].0.open && files[1].0.again);
            assert_eq!(files[1].0.written, 10);
        }
    }
}

/// What is still to be told when nothing more is seen: at the end, or after an hour of silence.
fn forgotten(wire: &mut Wire) -> [Vec<Decoded>; 2] {
    let (at_the_end, _) = decode(&wire.packets);
    wire.wait(Duration::from_secs(2 * 3600));
    wire.open(50_999, 445);
    let (after_silence, _) = decode(&wire.packets);
    [at_the_end, after_silence]
}

#[test]
fn what_the_server_was_slow_to_answer_is_told_in_the_end() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    wire.ask(&mut tcp, &Smb2::create(4, "slow", 1, 0).frame());
    let parked = Smb2::refusal(5, 4, PENDING).asynchronous();
    wire.answer(&mut tcp, &parked.frame());
    wire.wait(Duration::from_secs(100));
    wire.ask(&mut tcp, &Smb2::create(5, "next", 1, 0).frame());
    wire.answer(&mut tcp, &Smb2::refusal(5, 5, 0xc000_0022).frame());
    let last = wire.time;
    for decoded in forgotten(&mut wire) {
        let found = files(&decoded);
        let [(_, Outcome::Failure), (slow, Outcome::Unknown)] = found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(slow.path.as_deref(), Some("slow"));
        assert!(decoded.last().unwrap().activity.time >= last);
    }
}

#[test]
fn what_was_done_after_a_file_was_told_is_told_in_the_end() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    wire.ask(&mut tcp, &Smb2::create(4, "log", 1, 0).frame());
    wire.answer(&mut tcp, &Smb2::created(4, 1, 0, FILE).frame());
    wire.wait(Duration::from_secs(90));
    wire.ask(&mut tcp, &Smb2::write(5, FILE, &[2; 10]).frame());
    wire.answer(&mut tcp, &Smb2::written(5, 10).frame());
    for decoded in forgotten(&mut wire) {
        let written: Vec<_> = files(&decoded)
            .iter()
            .map(|(file, _)| (file.again, file.written))
            .collect();
        assert_eq!(written, [(false, 0), (true, 10)]);
    }
}

/// The one call of `opnum` 3, and the pipe whose opening was told.
fn assert_called(decoded: &[Decoded], pipe: &str) {
    let calls = calls(decoded);
    assert_eq!(calls.len(), 1, "{decoded:?}");
    assert_eq!(calls[0].transport, RpcTransport::Pipe(pipe.into()));
    assert_eq!((calls[0].interface, calls[0].opnum), (Some(DRSUAPI), 3));
    let (file, outcome) = files(decoded)[0];
    assert!(file.pipe);
    assert_eq!(
        (file.path.as_deref(), outcome),
        (Some(pipe), Outcome::Success)
    );
}

#[test]
fn a_pipe_carries_calls_in_writes_and_reads_and_at_once() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\IPC$", 2);
    wire.ask(&mut tcp, &Smb2::create(4, "\\SRVSVC", 1, 0).frame());
    wire.answer(&mut tcp, &Smb2::created(4, 1, 0, FILE).frame());
    let [bind, call] = rpc(DRSUAPI, 3);
    wire.ask(&mut tcp, &Smb2::write(5, FILE, &bind.0).frame());
    wire.answer(&mut tcp, &Smb2::written(5, bind.0.len() as u32).frame());
    wire.ask(&mut tcp, &Smb2::read(6, FILE, 1024).frame());
    // It takes its time, and comes in two pieces.
    wire.answer(
        &mut tcp,
        &Smb2::refusal(8, 6, PENDING).asynchronous().frame(),
    );
    wire.wait(Duration::from_secs(20));
    let (first, second) = bind.1.split_at(20);
    let overflow = Smb2::read_answer(6, first)
        .status(0x8000_0005)
        .asynchronous();
    wire.answer(&mut tcp, &overflow.frame());
    wire.ask(&mut tcp, &Smb2::read(7, FILE, 1024).frame());
    wire.answer(&mut tcp, &Smb2::read_answer(7, second).frame());
    wire.ask(
        &mut tcp,
        &Smb2::ioctl(8, PIPE_TRANSCEIVE, FILE, &call.0).frame(),
    );
    wire.answer(
        &mut tcp,
        &Smb2::ioctl_answer(8, PIPE_TRANSCEIVE, FILE, &call.1).frame(),
    );
    let (decoded, stats) = decode(&wire.packets);
    assert_called(&decoded, "srvsvc");
    let call = decoded
        .iter()
        .find(|it| matches!(it.activity.kind, Kind::Rpc(_)))
        .unwrap();
    assert_eq!(call.activity.outcome, Outcome::Success);
    assert_eq!(
        call.activity.actor.as_ref().unwrap().account,
        Account::new("alice", "corp")
    );
    assert_eq!(stats.protocol(Protocol::Dcerpc).messages, 4);
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn calls_in_the_middle_of_a_conversation_are_read() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 445);
    // Neither SYN nor anything of the logon is there.
    wire.packets.clear();
    let [bind, call] = rpc(DRSUAPI, 3);
    for (id, (asked, answered)) in [bind, call].iter().enumerate() {
        let id = 100 + 2 * id as u64;
        wire.ask(&mut tcp, &Smb2::write(id, FILE, asked).frame());
        wire.answer(&mut tcp, &Smb2::written(id, asked.len() as u32).frame());
        wire.ask(&mut tcp, &Smb2::read(id + 1, FILE, 1024).frame());
        wire.answer(&mut tcp, &Smb2::read_answer(id + 1, answered).frame());
    }
    let (decoded, _) = decode(&wire.packets);
    let calls = calls(&decoded);
    assert_eq!((calls.len(), calls[0].interface), (1, Some(DRSUAPI)));
}

#[test]
fn behind_a_lost_segment_the_next_message_is_found() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    wire.ask(&mut tcp, &Smb2::create(4, "lost", 1, 0).frame());
    wire.packets.pop();
    wire.wait(Duration::from_secs(5));
    wire.ask(&mut tcp, &Smb2::create(5, "found", 1, 0).frame());
    wire.answer(&mut tcp, &Smb2::created(5, 1, 0, FILE).frame());
    wire.wait(Duration::from_secs(5));
    wire.ask(&mut tcp, &Smb2::close(6, FILE).frame());
    wire.answer(&mut tcp, &Smb2::closed(6).frame());
    let (decoded, stats) = decode(&wire.packets);
    let paths: Vec<_> = files(&decoded)
        .iter()
        .map(|(file, _)| file.path.as_deref())
        .collect();
    assert!(paths.contains(&Some("found")), "{paths:?}");
    assert!(stats.dropped(Drop::StreamGap) > 0);
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn sealed_messages_are_counted_for_their_session() {
    let mut sealed = b"\xfdSMB".to_vec();
    sealed.extend([0; 40]);
    sealed.extend(SESSION.to_le_bytes());
    sealed.extend([7; 100]);
    for ends in [true, false] {
        let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
        for _ in 0..3 {
            wire.ask(&mut tcp, &frame(&sealed));
            wire.answer(&mut tcp, &frame(&[&sealed[..], &[7; 5000]].concat()));
        }
        if ends {
            wire.close(&tcp);
        }
        let (decoded, stats) = decode(&wire.packets);
        let is_sealed = |it: &&SmbOperation| matches!(it, SmbOperation::Sealed(_));
        let all = operations(&decoded);
        let told: Vec<_> = all.into_iter().filter(is_sealed).collect();
        // Once, for nothing comes behind it.
        let [SmbOperation::Sealed(told)] = told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(told.open, !ends);
        assert_eq!((told.requests, told.request_bytes), (3, 300));
        assert_eq!((told.responses, told.response_bytes), (3, 3 * 5100));
        assert!(decoded.last().unwrap().activity.actor.is_some());
        assert_eq!(stats.protocol(Protocol::Smb2).sealed, 6);
    }
}

#[test]
fn a_compressed_message_that_overflows_is_told() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    let compressed = |original: u32, offset: u32| {
        let mut bytes = b"\xfcSMB".to_vec();
        bytes.extend(original.to_le_bytes());
        bytes.extend(words(&[1, 0]));
        bytes.extend(offset.to_le_bytes());
        bytes.extend(Smb2::close(9, FILE).bytes());
        bytes.extend([0; 40]);
        frame(&bytes)
    };
    // The first tells that there are such; the second, being well, is not told; what lies in front
    // of it as it was is read.
    for (original, offset) in [(4096, 88), (4096, 88), (u32::MAX, 16), (4096, 1 << 20)] {
        wire.ask(&mut tcp, &compressed(original, offset));
    }
    let (decoded, stats) = decode(&wire.packets);
    let told: Vec<_> = operations(&decoded)
        .into_iter()
        .filter_map(|it| match it {
            SmbOperation::Compressed(it) => Some((it.original_size, it.contradictory)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(4096, false), (u32::MAX, true), (4096, true)]);
    assert_eq!(stats.protocol(Protocol::Smb2).messages, 6 + 4);
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn a_referral_is_asked_for() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\IPC$", 2);
    let input = [&[4, 0][..], &utf16("\\corp.example\\sysvol"), &[0, 0]].concat();
    wire.ask(&mut tcp, &Smb2::ioctl(4, 0x0006_0194, SAME, &input).frame());
    wire.answer(&mut tcp, &Smb2::refusal(11, 4, 0xc000_0225).frame());
    let (decoded, _) = decode(&wire.packets);
    let Some(SmbOperation::Ioctl(ioctl)) = operations(&decoded).pop() else {
        panic!("{decoded:?}");
    };
    assert_eq!(ioctl.name.as_deref(), Some("FSCTL_DFS_GET_REFERRALS"));
    assert_eq!(ioctl.path.as_deref(), Some("\\corp.example\\sysvol"));
    assert_eq!(ioctl.status, Some(0xc000_0225));
}

/// A null session of SMB 1 on IPC$.
fn smb1_connected() -> (Wire, Tcp) {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 139);
    let dialects = b"\x02LANMAN1.0\0\x02NT LM 0.12\0".to_vec();
    wire.ask(&mut tcp, &Smb1::new(0x72, 1, vec![], dialects).frame());
    let mut chosen = words(&[1]);
    chosen.extend([0x0f, 0, 0, 0, 0]);
    chosen.extend([0; 8 + 4]);
    chosen.extend([0x14, 0, 0, 0]);
    chosen.extend([0; 10]);
    chosen.push(8);
    let names = [&[7; 8][..], &utf16("CORP"), &[0, 0], &utf16("DC1"), &[0, 0]].concat();
    wire.answer(&mut tcp, &Smb1::answer(0x72, 1, chosen, names).frame());
    let setup = andx(&[4356, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    let strings = b"\0\0\0Windows 2000 2195\0Windows 2000 5.0\0".to_vec();
    let setup = Smb1::new(0x73, 2, setup, strings);
    let tree = Smb1::new(0x75, 2, andx(&[0, 1]), b"\0\\\\DC1\\IPC$\0?????\0".to_vec());
    wire.ask(&mut tcp, &setup.chained(&tree));
    let accepted = Smb1::answer(0x73, 2, andx(&[0]), b"Unix\0Samba\0CORP\0".to_vec());
    let connected = Smb1::answer(0x75, 2, andx(&[0]), b"IPC\0\0".to_vec());
    wire.answer(&mut tcp, &accepted.chained(&connected));
    (wire, tcp)
}

#[test]
fn an_old_logon_chained_to_its_share() {
    let (wire, _) = smb1_connected();
    let (decoded, stats) = decode(&wire.packets);
    let [
        SmbOperation::Negotiate(negotiate),
        SmbOperation::Session(session),
        SmbOperation::Tree(tree),
    ] = operations(&decoded)[..]
    else {
        panic!("{decoded:?}");
    };
    assert_eq!(negotiate.chosen.as_deref(), Some("NT LM 0.12"));
    let server = negotiate.server.as_ref().unwrap();
    assert_eq!(
        (server.name.as_deref(), server.security_mode),
        (Some("DC1"), 3)
    );
    let client = session.smb1.as_ref().unwrap();
    assert_eq!(&*client.native_os, "Windows 2000 2195");
    assert!(session.null && !client.lm_response);
    assert_eq!(tree.share.to_string(), "\\\\dc1\\IPC$");
    assert_eq!(tree.share.share_type, Some(ShareType::Pipe));
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn a_pipe_of_smb1_carries_calls() {
    let (mut wire, mut tcp) = smb1_connected();
    let mut create = [&[0xff, 0, 0, 0, 0][..], &words(&[7]), &[0; 16]].concat();
    create.extend([0; 8]);
    create.extend([1, 0, 0, 0]);
    create.extend([0; 9]);
    wire.ask(
        &mut tcp,
        &Smb1::new(0xa2, 3, create, b"\\srvsvc\0".to_vec()).frame(),
    );
    let mut created = vec![0xff, 0, 0, 0, 0];
    created.extend(words(&[0x4000, 1, 0]));
    created.extend([0; 56]);
    created.push(0);
    wire.answer(&mut tcp, &Smb1::answer(0xa2, 3, created, vec![]).frame());
    let [bind, call] = rpc(DRSUAPI, 3);
    let mut write = [&andx(&[0x4000, 0, 0, 0, 0, 0, 0, 0])[..], &[0; 0]].concat();
    write.extend(words(&[bind.0.len() as u16, 32 + 1 + 24 + 2]));
    wire.ask(&mut tcp, &Smb1::new(0x2f, 4, write, bind.0.clone()).frame());
    wire.answer(
        &mut tcp,
        &Smb1::answer(0x2f, 4, andx(&[0, 0, 0, 0]), vec![]).frame(),
    );
    let read = andx(&[0x4000, 0, 0, 1024, 0, 0, 0, 0]);
    wire.ask(&mut tcp, &Smb1::new(0x2e, 5, read, vec![]).frame());
    let mut answer = andx(&[0, 0, 0, bind.1.len() as u16, 32 + 1 + 24 + 2, 0]);
    answer.extend([0; 8]);
    wire.answer(&mut tcp, &Smb1::answer(0x2e, 5, answer, bind.1).frame());
    let asked = Smb1::transaction(
        0x25,
        6,
        &[0x26, 0x4000],
        b"\\PIPE\\\0",
        call.0.len() as u16,
        &call.0,
    );
    wire.ask(&mut tcp, &asked.frame());
    wire.answer(
        &mut tcp,
        &Smb1::transaction_answer(0x25, 6, &call.1).frame(),
    );
    let (decoded, stats) = decode(&wire.packets);
    assert_called(&decoded, "srvsvc");
    assert!(transactions(&decoded).is_empty());
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn paths_are_renamed_and_deleted_without_being_opened() {
    let (mut wire, mut tcp) = smb1_connected();
    let names = b"\x04\\a.txt\0\x04\\b.txt\0".to_vec();
    wire.ask(&mut tcp, &Smb1::new(0x07, 3, words(&[0]), names).frame());
    wire.answer(&mut tcp, &Smb1::answer(0x07, 3, vec![], vec![]).frame());
    let name = b"\x04\\b.txt\0".to_vec();
    wire.ask(&mut tcp, &Smb1::new(0x06, 4, words(&[0]), name).frame());
    let refused = Smb1::answer(0x06, 4, vec![], vec![]).status(0xc000_0022);
    wire.answer(&mut tcp, &refused.frame());
    let (decoded, stats) = decode(&wire.packets);
    let [(renamed, Outcome::Success), (deleted, Outcome::Failure)] = files(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(renamed.path.as_deref(), Some("a.txt"));
    assert_eq!(renamed.renamed_to.as_deref(), Some("b.txt"));
    assert_eq!(deleted.path.as_deref(), Some("b.txt"));
    assert!(deleted.deleted);
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn files_are_opened_by_the_commands_of_the_first_clients() {
    let (mut wire, mut tcp) = smb1_connected();
    let on_disk = |message: Smb1| Smb1 { tid: 9, ..message }.frame();
    let (open, create, create_new, close) = (0x02, 0x03, 0x0f, 0x04);
    for (mid, command, asked, answered) in [
        (3, open, words(&[2, 0]), words(&[70, 0, 0, 0, 4000, 0, 2])),
        (4, create, words(&[0, 0, 0]), words(&[71])),
        (5, create_new, words(&[0, 0, 0]), words(&[72])),
    ] {
        let name = b"\x04\\x.exe\0".to_vec();
        wire.ask(&mut tcp, &on_disk(Smb1::new(command, mid, asked, name)));
        wire.answer(
            &mut tcp,
            &on_disk(Smb1::answer(command, mid, answered, vec![])),
        );
        let fid = words(&[67 + mid, 0, 0]);
        wire.ask(&mut tcp, &on_disk(Smb1::new(close, 10 + mid, fid, vec![])));
        wire.answer(
            &mut tcp,
            &on_disk(Smb1::answer(close, 10 + mid, vec![], vec![])),
        );
    }
    let name = b"\x04\\y.exe\0".to_vec();
    wire.ask(&mut tcp, &on_disk(Smb1::new(open, 6, words(&[0, 0]), name)));
    let refused = Smb1::answer(open, 6, vec![], vec![]).status(0xc000_0022);
    wire.answer(&mut tcp, &on_disk(refused));
    let (decoded, stats) = decode(&wire.packets);
    let all = files(&decoded);
    let told: Vec<_> = all
        .iter()
        .map(|(file, outcome)| {
            let path = file.path.as_deref().unwrap_or_default();
            (
                path,
                file.disposition,
                file.action,
                file.access,
                file.size,
                *outcome,
            )
        })
        .collect();
    use CreateAction::{Created, Opened};
    use Disposition::{Create, Open, OverwriteIf};
    use Outcome::{Failure, Success};
    assert_eq!(
        told,
        [
            ("x.exe", Some(Open), Some(Opened), 3, 4000, Success),
            ("x.exe", Some(OverwriteIf), None, 3, 0, Success),
            ("x.exe", Some(Create), Some(Created), 3, 0, Success),
            ("y.exe", Some(Open), None, 1, 0, Failure),
        ]
    );
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn transactions_that_exploits_are_made_of_are_told_as_they_are() {
    let (mut wire, mut tcp) = smb1_connected();
    // DoublePulsar answers under another id (by 0x10).
    wire.ask(
        &mut tcp,
        &Smb1::transaction(0x32, 65, &[0x0e], b"", 0, b"").frame(),
    );
    let refused = Smb1::answer(0x32, 81, vec![], vec![]).status(0xc000_0002);
    wire.answer(&mut tcp, &refused.frame());
    // The probe for MS17-010 peeks at a pipe that is not there.
    wire.ask(
        &mut tcp,
        &Smb1::transaction(0x25, 66, &[0x23, 0], b"\\PIPE\\\0", 0, b"").frame(),
    );
    let refused = Smb1::answer(0x25, 66, vec![], vec![]).status(0xc000_0205);
    wire.answer(&mut tcp, &refused.frame());
    // EternalBlue begins as one kind of transaction and goes on as another.
    wire.ask(
        &mut tcp,
        &Smb1::transaction(0x32, 67, &[0x0e], b"", 5000, &[0; 100]).frame(),
    );
    wire.answer(&mut tcp, &Smb1::answer(0x32, 67, vec![], vec![]).frame());
    for _ in 0..3 {
        let secondary = words(&[0, 5000, 0, 0, 0, 200, 32 + 1 + 18 + 2, 100, 0]);
        wire.ask(
            &mut tcp,
            &Smb1::new(0x26, 67, secondary, vec![9; 200]).frame(),
        );
    }
    wire.close(&tcp);
    let (decoded, stats) = decode(&wire.packets);
    let [pulsar, peek, blue] = transactions(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(
        (pulsar.subcommand, pulsar.mid, pulsar.answer_mid),
        (Some(0x0e), 65, Some(81))
    );
    assert_eq!(pulsar.status, Some(0xc000_0002));
    assert_eq!(
        (peek.subcommand, peek.fid, peek.status),
        (Some(0x23), Some(0), Some(0xc000_0205))
    );
    assert_eq!(peek.name.as_deref(), Some("\\PIPE\\"));
    assert_eq!(
        (blue.command, blue.secondary, blue.secondaries),
        (0x32, Some(0x26), 3)
    );
    assert_eq!((blue.total_data, blue.data), (5000, 700));
    assert_eq!(errors(&stats), (0, 0));
}

#[test]
fn netbios_tells_who_calls() {
    let encoded = |name: &str| {
        let padded = format!("{name:<15} ");
        let letters = padded
            .bytes()
            .flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]);
        [32].into_iter()
            .chain(letters)
            .chain([0])
            .collect::<Vec<u8>>()
    };
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 139);
    let request = [
        &[0x81, 0, 0, 68][..],
        &encoded("*SMBSERVER"),
        &encoded("WS1"),
    ]
    .concat();
    wire.ask(&mut tcp, &request);
    wire.answer(&mut tcp, &[0x83, 0, 0, 1, 0x82]);
    let (decoded, _) = decode(&wire.packets);
    let [SmbOperation::Netbios(session)] = operations(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!((&*session.called, &*session.calling), ("*SMBSERVER", "WS1"));
    assert_eq!(session.error, Some(0x82));
    assert_eq!(decoded[0].activity.client.name.as_deref(), Some("ws1"));
}

#[test]
fn tables_stay_within_their_bounds_and_forget_nothing_silently() {
    let (mut wire, mut tcp) = connected("\\\\dc1\\C$", 1);
    for id in 0..100 {
        wire.ask(
            &mut tcp,
            &Smb2::create(10 + id, &format!("file{id}"), 1, 0).frame(),
        );
        wire.answer(&mut tcp, &Smb2::created(10 + id, 1, 0, (id, id)).frame());
    }
    for id in 0..100 {
        let place = (SESSION + 1 + id, 100 + id as u32);
        let asked = Smb2::session_setup(200 + id, place.0, b"token");
        wire.ask(&mut tcp, &asked.frame());
        let accepted = Smb2::session_answer(200 + id, 0, &[]).within(place.0, 0);
        wire.answer(&mut tcp, &accepted.frame());
        let asked = Smb2::tree_connect(400 + id, "\\\\dc1\\x").within(place.0, 0);
        wire.ask(&mut tcp, &asked.frame());
        let answer = Smb2::tree_answer(400 + id, 1).within(place.0, place.1);
        wire.answer(&mut tcp, &answer.frame());
    }
    for id in 0..100 {
        wire.ask(
            &mut tcp,
            &Smb2::create(700 + id, &format!("never{id}"), 1, 0).frame(),
        );
    }
    let limits = Limits {
        max_smb_files: 8,
        max_smb_sessions: 8,
        max_smb_trees: 8,
        max_smb_requests: 8,
        ..Limits::default()
    };
    let (decoded, stats) = decode_with(&wire.packets, limits);
    assert_eq!(files(&decoded).len(), 200);
    // Files, sessions with that of alice, and trees with hers.
    assert_eq!(stats.dropped(Drop::SmbEvicted), 92 + 93 + 93);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 92);
}

/// Everything above that is answered, in few packets.
fn story() -> Vec<Vec<u8>> {
    let [bind, call] = rpc(DRSUAPI, 3);
    vec![
        Smb2::negotiate(0, &[0x0311], &[(2, words(&[1, 1]))]).frame(),
        Smb2::negotiated(0, 0x0311, &[(2, words(&[1, 1]))]).frame(),
        Smb2::session_setup(1, 0, b"NTLMSSP\0\x01\0\0\0").frame(),
        Smb2::session_answer(1, 0, &[]).frame(),
        Smb2::tree_connect(3, "\\\\dc1\\IPC$").frame(),
        Smb2::tree_answer(3, 2).frame(),
        compound(&[
            Smb2::create(4, "srvsvc", 1, 0),
            Smb2::close(5, SAME).related(),
        ]),
        compound(&[Smb2::created(4, 1, 0, FILE), Smb2::closed(5)]),
        Smb2::write(6, FILE, &bind.0).frame(),
        Smb2::read(7, FILE, 100).frame(),
        Smb2::read_answer(7, &bind.1).frame(),
        Smb2::ioctl(8, PIPE_TRANSCEIVE, FILE, &call.0).frame(),
        Smb2::ioctl_answer(8, PIPE_TRANSCEIVE, FILE, &call.1).frame(),
        Smb2::set_info(9, 1, 10, FILE, &[0; 30]).frame(),
        Smb2::query_directory(10, FILE, "*").frame(),
        Smb1::transaction(0x32, 65, &[0x0e], b"", 500, &[0; 100]).frame(),
        Smb1::transaction(0x25, 6, &[0x26, 0x4000], b"\\PIPE\\\0", 9, &[5; 9]).frame(),
        Smb1::new(0x73, 2, andx(&[0; 11]), vec![0; 40]).chained(&Smb1::new(
            0x75,
            2,
            andx(&[0, 1]),
            vec![65; 20],
        )),
        Smb1::new(0x72, 1, vec![], b"\x02NT LM 0.12\0".to_vec()).frame(),
        Smb1::new(0x2f, 4, andx(&[0; 12]), vec![0; 50]).frame(),
    ]
}

proptest! {
    #[test]
    fn any_change_to_any_message_is_survived(
        order in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..40),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..40),
    ) {
        let mut story = story();
        for (message, at, value) in changes {
            // The frame stays whole, so that what is in it is read.
            let message = message.get_mut(&mut story);
            let at = 8 + at.index(message.len() - 8);
            message[at] = value;
        }
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_005, 445);
        for (message, from_client) in order {
            let message = message.get(&story);
            if from_client {
                wire.ask(&mut tcp, message);
            } else {
                wire.answer(&mut tcp, message);
            }
        }
        wire.close(&tcp);
        decode(&wire.packets);
    }

    #[test]
    fn segments_of_any_size_tell_the_same(sizes in proptest::collection::vec(1..200usize, 1..20)) {
        let whole: Vec<u8> = story().concat();
        let told = |sizes: &[usize]| {
            let mut wire = Wire::new();
            let mut tcp = wire.open(50_005, 445);
            let mut rest = &whole[..];
            for size in sizes.iter().cycle() {
                let (part, next) = rest.split_at((*size).min(rest.len()));
                wire.ask(&mut tcp, part);
                rest = next;
                if rest.is_empty() {
                    break;
                }
            }
            let (decoded, stats) = decode(&wire.packets);
            let mut kinds: Vec<_> = decoded.into_iter().map(|it| it.activity.kind).collect();
            kinds.sort_by_key(|kind| format!("{kind:?}"));
            (kinds, [Protocol::Smb1, Protocol::Smb2].map(|it| stats.protocol(it)))
        };
        prop_assert_eq!(told(&sizes), told(&[1400]));
    }
}
