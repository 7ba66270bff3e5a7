//! A second opinion: Wireshark's dissectors see the same in the same captures.
//!
//! For each protocol there is a [`Comparison`] in a file of its own: how it reads *facts* out of
//! tshark's rows, and the same facts out of our activities. What differs fails the test, unless it
//! is listed as [`KNOWN`] with its reason.
//!
//! Without tshark the test fails and says so: `cargo xtask setup` installs it.
//!
//! `GOSHAWK_CAPTURES`, a list of folders as in `PATH`, has other captures compared instead of those
//! at hand; `--nocapture` shows how many messages both saw.

mod dcerpc;
mod dns;
mod http;
mod kerberos;
mod ldap;
mod netbios;
mod ntlm;
mod smb;
mod sntp;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;

use goshawk_decode::{Decoded, Protocol, Stats};
use goshawk_model::Activity;
use tally::Tally;

/// How often each fact was seen: `AS-REQ`, `request 3`.
type Facts = BTreeMap<String, u64>;

/// How one protocol is compared.
struct Comparison {
    /// Begins the name of each of its facts.
    protocol: &'static str,
    /// The fields of tshark that it reads, in the order of a row's columns.
    fields: &'static [&'static str],
    /// Facts that a packet's row tells.
    theirs: fn(&Row<'_>, &mut dyn FnMut(String)),
    /// Facts that an activity tells.
    ours: fn(&Activity, &mut dyn FnMut(String)),
}

/// What tshark says of one packet.
struct Row<'a> {
    /// The protocols in it, `eth:ethertype:ip:tcp:kerberos`.
    protocols: &'a str,
    /// For each field its values, in the order in which they occur.
    columns: &'a [Vec<&'a str>],
}

/// A difference that is meant.
struct Known {
    /// How the capture's path ends.
    capture: &'static str,
    /// The facts, each with its protocol; or the protocol alone, for all of them.
    facts: &'static [&'static str],
    /// Why tshark is wrong, or sees what no sensor should tell.
    reason: &'static str,
}

const COMPARISONS: &[Comparison] = &[
    kerberos::COMPARISON,
    dcerpc::COMPARISON,
    dns::COMPARISON,
    ldap::COMPARISON,
    ntlm::COMPARISON,
    http::COMPARISON,
    netbios::COMPARISON,
    sntp::COMPARISON,
    smb::SMB1,
    smb::SMB2,
    smb::SMB,
];

/// Protocols whose messages are counted too: a fact `messages` for each.
const COUNTED: &[Protocol] = &[
    Protocol::Kerberos,
    Protocol::Ldap,
    Protocol::Dcerpc,
    Protocol::Ntlm,
    Protocol::Http,
    Protocol::Smb1,
    Protocol::Smb2,
    Protocol::Dns,
    Protocol::Netbios,
    Protocol::Sntp,
];

const KNOWN: &[Known] = &[
    Known {
        capture: "arkime/smb-port80.pcap",
        facts: &["smb1", "smb2"],
        reason: "tshark knows SMB by its ports, this one is on 80",
    },
    Known {
        capture: "attack/ntlm-relay.pcap.gz",
        facts: &["smb", "smb2", "ntlm"],
        reason: "the relay listens on port 4445 as well, by which tshark does not know SMB",
    },
    Known {
        capture: "suricata-verify/smb-length-5770/input.pcap",
        facts: &["smb", "smb1", "smb2", "dcerpc", "kerberos messages"],
        reason: "everything passes a proxy on port 4445, by which tshark does not know SMB",
    },
    Known {
        capture: "suricata-verify/smb-eicar-file-segmentation-random/input.pcap",
        facts: &["smb", "smb1"],
        reason: "tshark does not find a message whose first segment is a single byte",
    },
    Known {
        capture: "smb2-frames-gap-payload-logging/smb2-peter-minus-p191.pcap",
        facts: &["smb2"],
        reason: "tshark gives up a stream behind a lost segment",
    },
    Known {
        capture: "zeek/dce-rpc/20-fids-no-close.pcap",
        facts: &["smb", "smb2", "dcerpc", "ntlm"],
        reason: "reassembling out of order, tshark gives up the stream; without, it sees the same",
    },
    Known {
        capture: "zeek/smb/smb1-OSS-fuzz-54883.pcap",
        facts: &["smb1"],
        reason: "a fuzzer's bytes on port 139, which begin with nothing that is SMB",
    },
    Known {
        capture: "OTRF-Security-Datasets/atomic/windows/lateral_movement/network/covenant_sharpwmi_create_dcerpc_wmi_covenant_sharpwmi_create_dcerpc_wmi_2020-08-06035621.cap",
        facts: &["kerberos messages"],
        reason: "tshark opens no token in the verifiers of a connection whose port an object resolver told",
    },
    Known {
        capture: "OTRF-Security-Datasets/atomic/windows/lateral_movement/network/empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_WORKSTATION5_2020-09-21001437.cap",
        facts: &["kerberos messages"],
        reason: "tshark opens no token in the verifiers of a connection whose port an object resolver told",
    },
    Known {
        capture: "OTRF-Security-Datasets/atomic/windows/lateral_movement/network/empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_WORKSTATION6_2020-09-21001437.cap",
        facts: &["kerberos messages"],
        reason: "tshark opens no token in the verifiers of a connection whose port an object resolver told",
    },
    Known {
        capture: "OTRF-Security-Datasets/atomic/windows/lateral_movement/network/covenant_psremoting_command_covenant_psremoting_command_2020-08-06115603.cap",
        facts: &["kerberos messages"],
        reason: "tshark opens no token in the answer to a second one on a connection of HTTP",
    },
    Known {
        capture: "suricata-verify/bug-8278-krb5-01/evasion.1.flow.1.segment.pcap",
        facts: &["kerberos"],
        reason: "two requests in one segment run together in a row of tshark",
    },
    Known {
        capture: "suricata-verify/smb-length-5786/input.pcap",
        facts: &["kerberos messages"],
        reason: "tshark knows no IAKERB",
    },
    Known {
        capture: "zeek/krb/smb_gssapi.pcap",
        facts: &["kerberos messages"],
        reason: "a server of Windows 2000 repeats its token as the MIC of the list; tshark counts both",
    },
    Known {
        capture: "zeek/dns-edns-ecs.pcap",
        facts: &["dns asked 0 weberlab.de 48"],
        reason: "asked again with the same id from the same port 5 s later, beyond tshark's patience",
    },
    Known {
        capture: "zeek/ipv6-fragmented-dns.pcap",
        facts: &["dns asked 0 txtpadding_3230.n1.netalyzr.icsi.berkeley.edu 16"],
        reason: "asked again with the same id from the same port 5 s later, beyond tshark's patience",
    },
    Known {
        capture: "401trg-detections/20171220_smb_psexec_add_user.pcap",
        facts: &["dns asked 0 download.windowsupdate.com 1"],
        reason: "asked again with the same id from the same port 8 s later, beyond tshark's patience",
    },
    Known {
        capture: "corelight/PetitPotam/PatchedDCUnauthenticatedTry.pcapng",
        facts: &["dns asked 0 desktop-ejj6ncl.local 255"],
        reason: "a probe that mDNS sends three times within a second is one question",
    },
    Known {
        capture: "suricata-verify/dns-tcp-ts-gap/input.pcap",
        facts: &["dns asked 0 www.google.com 1", "dns messages"],
        reason: "tshark gives up a stream behind a lost segment",
    },
    Known {
        capture: "401trg-detections/20171220_smb_psexec_add_user.pcap",
        facts: &["dns answer 0 2"],
        reason: "answers that the server repeats seconds later are told; tshark knows them for repetitions",
    },
    Known {
        capture: "corelight/PetitPotam/PatchedDCUnauthenticatedTry.pcapng",
        facts: &["dns answer 0 0"],
        reason: "what mDNS announces again seconds later is told again; tshark takes it for repetitions",
    },
    Known {
        capture: "suricata-verify/smb-length-5770/input.pcap",
        facts: &[
            "dns asked 0 _adisk._tcp.local 12",
            "dns asked 0 _afpovertcp._tcp.local 12",
            "dns asked 0 _rfb._tcp.local 12",
            "dns asked 0 _smb._tcp.local 12",
        ],
        reason: "mDNS asks with the id 0 again and again; tshark takes all for repetitions",
    },
    Known {
        capture: "zeek/dns-inverse-query.pcap",
        facts: &["dns"],
        reason: "its link layer is FDDI",
    },
    Known {
        capture: "zeek/dns-two-responses.pcap",
        facts: &["dns messages"],
        reason: "the second answer is the first packet shown twice",
    },
    Known {
        capture: "zeek/smb/raw_ntlm_in_smb.pcap",
        facts: &["smb1 messages"],
        reason: "the second datagram, with its mailslot, is the first packet shown twice",
    },
    Known {
        capture: "zeek/smb/raw_ntlm_in_smb.pcap",
        facts: &["netbios"],
        reason: "the second datagram is the first packet shown twice",
    },
    Known {
        capture: "zeek/dns/dns-invalid-names.pcap",
        facts: &["dns asked 0 <name contains a pointer that loops> 1"],
        reason: "a pointer that loops is no name",
    },
    Known {
        capture: "corelight/PetitPotam/PatchedDCUnauthenticatedTry.pcapng",
        facts: &["ldap"],
        reason: "tshark reads no security layer whose bind it has not seen; its tokens say that \
                 they are only signed",
    },
    Known {
        capture: "attack/ldap-enum-hound.pcap.gz",
        facts: &[
            "ldap messages",
            "ldap protocolOp 4",
            "ldap protocolOp 5",
            "ldap protocolOp 19",
            "ldap resultCode 0",
        ],
        reason: "tshark takes a signature for a message and loses a long signed result; of seven \
                 searches with three references each it sees the end of six",
    },
    Known {
        capture: "zeek/ldap/simpleauth-diff-port.pcap",
        facts: &["ldap"],
        reason: "tshark knows LDAP by its ports, this one is on another",
    },
    Known {
        capture: "suricata-verify/smb-length-5770/input.pcap",
        facts: &["dcerpc"],
        reason: "tshark knows SMB by its port; here a proxy offers it on another one as well",
    },
    Known {
        capture: "suricata-verify/smb-eicar-file-segmentation-random/input.pcap",
        facts: &["ntlm"],
        reason: "tshark does not put together what is cut in the middle of a header",
    },
    Known {
        capture: "arkime/ntlm_synthetic.pcap",
        facts: &["ntlm"],
        reason: "made by a script: SMB answers that say they are requests, a challenge in an LDAP \
                 answer's matched name, and TDS, which no controller speaks",
    },
    Known {
        capture: "lateral_movement/network/covenant_psremoting_command_covenant_psremoting_command_2020-08-06115603.cap",
        facts: &["http messages"],
        reason: "tshark gives up a stream behind a lost segment",
    },
];

/// Stands between the values of one field; no value holds it.
const AGGREGATOR: char = '\u{1f}';

#[test]
fn wireshark_sees_the_same() {
    let others = std::env::var_os("GOSHAWK_CAPTURES");
    let captures = others.as_ref().map_or_else(support::captures, |folders| {
        support::captures_in(std::env::split_paths(folders))
    });
    let found = compare_all(&captures);
    println!("{} captures, messages:\n{}", captures.len(), found.messages);
    let silent = COMPARISONS
        .iter()
        .find(|it| others.is_none() && !found.protocols.contains(it.protocol));
    assert!(
        silent.is_none_or(|it| it.fields.is_empty()),
        "a protocol was not compared"
    );
    let differences = found.differences;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    for it in KNOWN {
        assert!(!it.reason.is_empty());
        let is_here = captures.iter().any(|path| path.ends_with(it.capture));
        for fact in it.facts.iter().filter(|_| is_here) {
            let (capture, differs) = (it.capture, found.known.contains(&(it.capture, *fact)));
            assert!(differs, "{capture}: {fact} differs no more");
        }
    }
}

/// What comparing some captures has told.
#[derive(Default)]
struct Found {
    /// Of which tshark told a fact.
    protocols: BTreeSet<&'static str>,
    messages: Tally,
    /// Where we differ.
    differences: Vec<String>,
    /// Where that is known: the capture and the fact of a [`Known`].
    known: BTreeSet<(&'static str, &'static str)>,
}

fn compare_all(captures: &[PathBuf]) -> Found {
    // tshark takes longer to start than to read.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = captures.len().div_ceil(threads).max(1);
    let mut all = Found::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = captures
            .chunks(share)
            .map(|captures| scope.spawn(|| compare(captures)))
            .collect();
        for worker in workers {
            let found = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            all.protocols.extend(found.protocols);
            all.messages.merge(&found.messages);
            all.differences.extend(found.differences);
            all.known.extend(found.known);
        }
    });
    all
}

fn compare(captures: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in captures {
        let packets = support::read(path).unwrap_or_default();
        let (decoded, stats) = support::decode(&packets);
        let (ours, theirs) = (ours(&decoded, &stats), theirs(path));
        let told = |it: &&Comparison| theirs.keys().any(|fact| fact.starts_with(it.protocol));
        let told = COMPARISONS.iter().filter(told).map(|it| it.protocol);
        found.protocols.extend(told);
        found.messages.add(&theirs, &stats);
        let facts: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for fact in facts {
            let count = |facts: &Facts| facts.get(fact).copied().unwrap_or(0);
            let (our, their) = (count(&ours), count(&theirs));
            if our == their {
                continue;
            }
            let all = known(path, fact);
            if all.is_empty() {
                let file = path.display();
                let difference = format!("{file}: {fact}: {our}, tshark {their}");
                found.differences.push(difference);
            }
            found.known.extend(all);
        }
    }
    found
}

/// The known differences that a fact of a capture is one of.
fn known(path: &Path, fact: &str) -> Vec<(&'static str, &'static str)> {
    let protocol = fact.split(' ').next().unwrap_or_default();
    let of_capture = KNOWN.iter().filter(|known| path.ends_with(known.capture));
    let all = of_capture.flat_map(|it| it.facts.iter().map(|fact| (it.capture, *fact)));
    all.filter(|(_, known)| *known == fact || *known == protocol)
        .collect()
}

fn ours(decoded: &[Decoded], stats: &Stats) -> Facts {
    let mut facts = Facts::new();
    for protocol in COUNTED {
        let messages = stats.protocol(*protocol).messages;
        facts.insert(format!("{} messages", protocol.name()), messages);
    }
    for decoded in decoded {
        for it in COMPARISONS {
            (it.ours)(&decoded.activity, &mut |fact| {
                *facts.entry(format!("{} {fact}", it.protocol)).or_default() += 1;
            });
        }
    }
    facts
}

fn theirs(path: &Path) -> Facts {
    let mut facts = Facts::new();
    for line in tshark(path) {
        let values: Vec<Vec<&str>> = line
            .split('\t')
            .map(|column| {
                column
                    .split(AGGREGATOR)
                    .filter(|value| !value.is_empty())
                    .collect()
            })
            .collect();
        let Some((protocols, mut rest)) = values.split_first() else {
            continue;
        };
        let protocols = protocols.first().copied().unwrap_or_default();
        // An error of ICMP quotes the packet that it is about.
        if protocols
            .split(':')
            .any(|it| matches!(it, "icmp" | "icmpv6"))
        {
            continue;
        }
        for it in COMPARISONS {
            let Some((columns, others)) = rest.split_at_checked(it.fields.len()) else {
                continue;
            };
            rest = others;
            let row = Row { protocols, columns };
            (it.theirs)(&row, &mut |fact| {
                *facts.entry(format!("{} {fact}", it.protocol)).or_default() += 1;
            });
        }
    }
    facts
}

/// What tshark says of each packet.
fn tshark(path: &Path) -> Vec<String> {
    let mut command = Command::new("tshark");
    // Reassembly out of order is off by default.
    command.args(["-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-2"]);
    command.arg("-r").arg(path).args(["-T", "fields"]);
    command.args(["-E", &format!("aggregator={AGGREGATOR}")]);
    command.args(["-e", "frame.protocols"]);
    for field in COMPARISONS.iter().flat_map(|it| it.fields) {
        command.args(["-e", field]);
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("tshark: {error}; `cargo xtask setup` installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("aren't valid"), "tshark: {said}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}
