//! Makes seeds for the fuzz targets out of captures: each conversation as a story, in a folder for
//! each target.
//!
//! `cargo run -p goshawk-decode --example seeds -- FOLDER [CAPTURE...]`

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use goshawk_decode::LinkType;
use goshawk_model::Transport;

/// Which target reads what travels to which port.
const TARGETS: &[(&str, Transport, &[u16])] = &[
    ("kerberos", Transport::Tcp, &[88]),
    ("kerberos_udp", Transport::Udp, &[88]),
    ("kpasswd", Transport::Udp, &[464]),
    ("ldap", Transport::Tcp, &[389, 3268]),
    ("cldap", Transport::Udp, &[389]),
    ("smb", Transport::Tcp, &[445, 139]),
    ("dcerpc_http", Transport::Tcp, &[593]),
    ("http", Transport::Tcp, &[80, 5985]),
    ("dns", Transport::Udp, &[53, 5353, 5355]),
    ("dns_tcp", Transport::Tcp, &[53]),
    ("netbios_names", Transport::Udp, &[137]),
    ("netbios_datagrams", Transport::Udp, &[138]),
    ("sntp", Transport::Udp, &[123]),
    // Last, for it takes what no other takes.
    ("dcerpc", Transport::Tcp, &[]),
];
/// A story longer than this, bytes, slows the fuzzer down more than it teaches it.
const MAX_STORY: usize = 24 << 10;
/// Frames of one capture that go into a story for the target of all frames.
const FRAMES: usize = 40;

type End = (IpAddr, u16);

fn main() -> Result<(), String> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("say into which folder")?;
    let mut captures: Vec<PathBuf> = arguments.collect();
    if captures.is_empty() {
        captures = support::captures();
    }
    for capture in captures {
        let packets = support::read(&capture)?;
        let mut frames = Vec::new();
        let mut stories: BTreeMap<(Transport, End, End), Vec<u8>> = BTreeMap::new();
        for packet in &packets {
            if packet.link != LinkType::Ethernet {
                continue;
            }
            if frames.len() < MAX_STORY && stories.len() < FRAMES {
                add(&mut frames, false, &packet.data);
            }
            let Some((transport, source, destination, payload)) = payload(&packet.data) else {
                continue;
            };
            // The lower port is the server's, by and large.
            let from_server = source.1 < destination.1;
            let (client, server) = if from_server {
                (destination, source)
            } else {
                (source, destination)
            };
            let story = stories.entry((transport, server, client)).or_default();
            if !payload.is_empty() && story.len() + payload.len() < MAX_STORY {
                add(story, from_server, payload);
            }
        }
        write(&folder, "packets", &frames)?;
        for ((transport, server, _), story) in &stories {
            let target = TARGETS.iter().find(|(_, carrier, ports)| {
                carrier == transport && (ports.is_empty() || ports.contains(&server.1))
            });
            if let Some((target, ..)) = target.filter(|_| !story.is_empty()) {
                write(&folder, target, story)?;
            }
        }
    }
    Ok(())
}

fn payload(frame: &[u8]) -> Option<(Transport, End, End, &[u8])> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, destination): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    let (transport, ports, payload) = match packet.transport? {
        TransportSlice::Tcp(tcp) => {
            let ports = (tcp.source_port(), tcp.destination_port());
            (Transport::Tcp, ports, tcp.payload())
        }
        TransportSlice::Udp(udp) => {
            let ports = (udp.source_port(), udp.destination_port());
            (Transport::Udp, ports, udp.payload())
        }
        _ => return None,
    };
    Some((
        transport,
        (source, ports.0),
        (destination, ports.1),
        payload,
    ))
}

/// Adds a scene, in the format that the targets read.
fn add(story: &mut Vec<u8>, from_server: bool, payload: &[u8]) {
    let Ok(length) = u16::try_from(payload.len()) else {
        return;
    };
    story.push(u8::from(from_server));
    story.extend(length.to_le_bytes());
    story.extend(payload);
}

fn write(folder: &Path, target: &str, story: &[u8]) -> Result<(), String> {
    let folder = folder.join(target);
    let failed = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let name = goshawk_model::Digest::of(&[story]).to_string();
    fs::write(folder.join(name), story).map_err(failed)
}
