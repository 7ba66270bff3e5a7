//! A second opinion: Wireshark's dissectors count the same messages in the same captures.
//!
//! Without tshark the test fails and says so: `cargo xtask setup` installs it.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use goshawk_model::Kind;
use goshawk_model::kerberos::Answer;

/// How often each message was counted: `AS-REQ`, `TGS-REP`, `request 3`.
type Counts = BTreeMap<String, u64>;

#[test]
fn wireshark_counts_the_same_messages() {
    let captures = support::captures();
    // tshark takes longer to start than to read.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = captures.len().div_ceil(threads).max(1);
    let (compared, differences) = std::thread::scope(|scope| {
        let workers: Vec<_> = captures
            .chunks(share)
            .map(|captures| scope.spawn(|| compare(captures)))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join().unwrap());
        results.fold(
            (0, Vec::new()),
            |(compared, mut all), (more, differences)| {
                all.extend(differences);
                (compared + more, all)
            },
        )
    });
    println!(
        "{compared} messages compared in {} captures",
        captures.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// How many messages tshark found, and where we differ.
fn compare(captures: &[PathBuf]) -> (u64, Vec<String>) {
    let mut differences = Vec::new();
    let mut compared = 0;
    for path in captures {
        let packets = support::read(path).unwrap_or_default();
        let (ours, theirs) = (ours(&packets), theirs(path));
        compared += theirs.values().sum::<u64>();
        let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let count = |counts: &Counts| counts.get(name).copied().unwrap_or(0);
            let (our, their) = (count(&ours), count(&theirs));
            if our != their {
                let file = path.display();
                differences.push(format!("{file}: {name}: {our}, tshark {their}"));
            }
        }
    }
    (compared, differences)
}

fn ours(packets: &[support::Packet]) -> Counts {
    let mut counts = Counts::new();
    let mut count = |name: String| *counts.entry(name).or_default() += 1;
    for decoded in support::decode(packets).0 {
        let (asked, request, reply, answer) = match &decoded.activity.kind {
            Kind::As(exchange) => (
                exchange.request.is_some(),
                "AS-REQ",
                "AS-REP",
                &exchange.answer,
            ),
            Kind::Tgs(exchange) => (
                exchange.request.is_some(),
                "TGS-REQ",
                "TGS-REP",
                &exchange.answer,
            ),
            Kind::Rpc(call) => {
                count(format!("request {}", call.opnum));
                continue;
            }
            _ => continue,
        };
        if asked {
            count(request.into());
        }
        match answer {
            Answer::Issued { .. } => count(reply.into()),
            Answer::Refused(_) => count("KRB-ERROR".into()),
            Answer::Unseen => {}
        }
    }
    counts
}

fn theirs(path: &Path) -> Counts {
    // Only what travels bare, as our exchanges do; named pipes over SMB come elsewhere.
    let filter = "(kerberos && !gss-api && !spnego && !smb && !smb2 && !ldap && !dcerpc) || \
                  (dcerpc.pkt_type == 0 && tcp && !smb && !smb2 && !nbss)";
    let fields = [
        "kerberos.msg_type",
        "dcerpc.pkt_type",
        "dcerpc.cn_flags.first_frag",
        "dcerpc.opnum",
    ];
    let mut counts = Counts::new();
    let mut count = |name: String| *counts.entry(name).or_default() += 1;
    for line in tshark(path, filter, &fields) {
        let mut columns = line.split('\t').map(|column| column.split(','));
        let mut column = || columns.next().unwrap_or_else(|| "".split(','));
        let (messages, types, firsts, mut opnums) = (column(), column(), column(), column());
        let pdus: Vec<_> = types.zip(firsts).filter(|(kind, _)| *kind == "0").collect();
        for (_, first) in &pdus {
            if let (Some(opnum), "1") = (opnums.next(), *first) {
                count(format!("request {opnum}"));
            }
        }
        // Tickets in a bind are not exchanges of their own.
        for message in messages.filter(|_| pdus.is_empty()) {
            match message {
                "10" => count("AS-REQ".into()),
                "11" => count("AS-REP".into()),
                "12" => count("TGS-REQ".into()),
                "13" => count("TGS-REP".into()),
                "30" => count("KRB-ERROR".into()),
                _ => {}
            }
        }
    }
    counts
}

/// The fields of the packets that match `filter`, a packet a line.
fn tshark(path: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    // Reassembly out of order is off by default.
    command.args(["-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-2"]);
    command
        .arg("-r")
        .arg(path)
        .args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("tshark: {error}; `cargo xtask setup` installs it"));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}
