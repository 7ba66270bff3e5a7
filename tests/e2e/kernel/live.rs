//! The program on interfaces: a controller and a client in network namespaces, joined by a veth
//! cable.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use aya::programs::{SchedClassifier, TcAttachType};
use aya::util::KernelVersion;
use etherparse::{SlicedPacket, TransportSlice};
use goshawk_lab::Namespace;
use goshawk_sensor::capture::attach::{CaptureError, Kind, Mode, Plan, Request, Rung, cleanup};
use goshawk_sensor::capture::kernel::{Change, Kernel, Settings};
use sensor_ebpf::Counter;

use crate::{Captured, Sensor, frames};

pub(crate) const CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

/// A controller and a client, each with `eth0` at its end of one cable.
pub(crate) struct Cable {
    pub(crate) controller: Namespace,
    pub(crate) client: Namespace,
}

impl Cable {
    pub(crate) fn new() -> Self {
        let cable = Self {
            controller: Namespace::new("controller").unwrap(),
            client: Namespace::new("client").unwrap(),
        };
        cable.plug();
        cable
    }

    fn plug(&self) {
        let client = self.client.pid();
        self.controller
            .sh(&format!(
                "ip link add eth0 type veth peer name eth0 netns {client}
                 ip address add {CONTROLLER}/24 dev eth0
                 ip link set eth0 up"
            ))
            .unwrap();
        self.client
            .sh(&format!(
                "ip address add {CLIENT}/24 dev eth0; ip link set eth0 up"
            ))
            .unwrap();
    }

    /// Makes the controller's `eth0` a port of a bridge, whose interface has no native XDP.
    fn bridge(&self) {
        self.controller
            .sh(&format!(
                "ip link add br0 type bridge
                 ip address flush dev eth0
                 ip link set eth0 master br0
                 ip address add {CONTROLLER}/24 dev br0
                 ip link set br0 address 02:00:00:00:00:01 up"
            ))
            .unwrap();
    }

    /// Runs `work` in the controller's network, in a thread that may panic with its own message.
    pub(crate) fn at_controller<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.controller.inside(|| Ok(work())).unwrap()
    }

    /// One datagram from the client to a port of the controller's.
    fn send(&self, port: u16, payload: &[u8]) {
        self.client
            .inside(|| {
                let socket = UdpSocket::bind((CLIENT, 0))?;
                socket.send_to(payload, (CONTROLLER, port))?;
                Ok(())
            })
            .unwrap();
    }

    /// A frame from the client, byte for byte.
    fn send_raw(&self, frame: &[u8]) {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let script = format!(
            "import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(('eth0', 0))
wire.send(bytes.fromhex('{hex}'))"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &script]);
        let output = self.client.run(python).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// What is attached to the controller's `eth0`, a line each: none, if nothing is left behind.
    fn leftovers(&self) -> Vec<String> {
        let link = self
            .controller
            .sh("ip -details link show dev eth0")
            .unwrap();
        let xdp = link
            .lines()
            .filter(|line| line.contains("xdp"))
            .map(str::to_owned);
        let mut found: Vec<String> = xdp.collect();
        for side in ["ingress", "egress"] {
            // Where there is no clsact qdisc, tc says so and fails.
            let list = format!("tc filter show dev eth0 {side} 2>&1 || true");
            let filters = self.controller.sh(&list).unwrap();
            let ours = filters.lines().filter(|line| line.contains("sensor_"));
            found.extend(ours.map(str::to_owned));
        }
        // Kernels without TCX do not know the question.
        self.at_controller(|| {
            for side in [TcAttachType::Ingress, TcAttachType::Egress] {
                let programs =
                    SchedClassifier::query_tcx("eth0", side).map(|(_, programs)| programs);
                let programs = programs.unwrap_or_default().into_iter();
                found.extend(programs.filter_map(|p| p.name_as_str().map(str::to_owned)));
            }
        });
        found
    }
}

/// How TC programs are attached on this kernel.
fn tc_rung() -> Rung {
    if KernelVersion::current().unwrap() >= KernelVersion::new(6, 6, 0) {
        Rung::Tcx
    } else {
        Rung::Clsact
    }
}

pub(crate) fn request(mode: Mode, interfaces: &[&str]) -> Request {
    let interfaces = interfaces.iter().map(|&name| name.to_owned()).collect();
    Request {
        mode,
        interfaces,
        ..Request::default()
    }
}

impl Sensor {
    /// Attaches; to be called in the network that is to be watched.
    fn attached(request: &Request) -> Result<Self, CaptureError> {
        let mut sensor = Self::new();
        sensor.kernel.attach(&Plan::make(request)?)?;
        Ok(sensor)
    }
}

/// The frames that hold `payload`.
fn holding<'a>(captured: &'a [Captured], payload: &[u8]) -> Vec<&'a Captured> {
    captured
        .iter()
        .filter(|frame| {
            frame
                .data
                .windows(payload.len())
                .any(|window| window == payload)
        })
        .collect()
}

#[test]
fn a_large_reply_through_offloaded_egress_arrives_whole() {
    let reply: Vec<u8> = (0..200_000_u32).map(|i| (i / 251 + i) as u8).collect();
    let cable = Cable::new();
    let (mut sensor, rungs) = cable.at_controller(|| {
        let sensor = Sensor::attached(&request(Mode::Host, &["eth0"])).unwrap();
        let rungs: Vec<_> = sensor
            .kernel
            .attached()
            .into_iter()
            .map(|point| (point.interface, point.ingress, point.egress))
            .collect();
        (sensor, rungs)
    });
    assert_eq!(
        rungs,
        [
            ("eth0".to_owned(), Some(Rung::NativeXdp), Some(tc_rung())),
            ("lo".to_owned(), None, Some(tc_rung())),
        ]
    );
    let listener = cable.at_controller(|| TcpListener::bind((CONTROLLER, 88)).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut peer, _) = listener.accept().unwrap();
            let mut question = [0; 8];
            peer.read_exact(&mut question).unwrap();
            peer.write_all(&reply).unwrap();
        });
        let received = cable.client.inside(|| {
            let mut peer = TcpStream::connect(SocketAddr::from((CONTROLLER, 88)))?;
            peer.write_all(b"question")?;
            let mut received = Vec::new();
            peer.read_to_end(&mut received)?;
            Ok(received)
        });
        assert_eq!(received.unwrap(), reply);
    });
    let captured = sensor.drain_until(|captured| stream(captured, 88).len() >= reply.len());
    assert_eq!(stream(&captured, 88), reply);
    assert_eq!(holding(&captured, b"question").len(), 1);
    let longest = captured.iter().map(|frame| frame.data.len()).max().unwrap();
    assert!(
        longest > 2 * 1_514,
        "offloads were off: the longest frame has {longest} bytes"
    );
    let lost: Vec<_> = sensor
        .counts()
        .iter()
        .filter(|(counter, n)| counter.is_loss() && *n > 0)
        .collect();
    assert_eq!(lost, []);
}

/// The bytes that `port` sent, in order, up to the first gap.
fn stream(captured: &[Captured], port: u16) -> Vec<u8> {
    let mut segments = BTreeMap::new();
    let mut start = None;
    for frame in captured {
        let packet = SlicedPacket::from_ethernet(&frame.data).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            continue;
        };
        if tcp.source_port() != port {
            continue;
        }
        if tcp.syn() {
            start = Some(tcp.sequence_number().wrapping_add(1));
        }
        segments.insert(tcp.sequence_number(), tcp.payload().to_vec());
    }
    let Some(start) = start else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    while let Some(more) = segments.get(&start.wrapping_add(bytes.len() as u32)) {
        if more.is_empty() {
            break;
        }
        bytes.extend_from_slice(more);
    }
    bytes
}

#[test]
fn loopback_is_seen_once() {
    let cable = Cable::new();
    let mut sensor = cable.at_controller(|| {
        let sensor = Sensor::attached(&request(Mode::Host, &["eth0"])).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket
            .send_to(b"a ticket of its own", (Ipv4Addr::LOCALHOST, 88))
            .unwrap();
        sensor
    });
    let captured =
        sensor.drain_until(|captured| !holding(captured, b"a ticket of its own").is_empty());
    assert_eq!(holding(&captured, b"a ticket of its own").len(), 1);
}

#[test]
fn a_vlan_tag_is_followed_in_the_frame_and_beside_it() {
    let frame = frames::vlan(&[5]);
    let untagged = [&frame[..12], &frame[16..]].concat();
    // XDP comes before the stack, which takes the tag out of the frame.
    let cable = Cable::new();
    let mut sensor =
        cable.at_controller(|| Sensor::attached(&request(Mode::Gateway, &["eth0"])).unwrap());
    cable.send_raw(&frame);
    sensor.drain_until(|captured| captured.iter().any(|copy| copy.data == frame));
    drop(sensor);
    // TC comes after it.
    cable.bridge();
    let mut sensor =
        cable.at_controller(|| Sensor::attached(&request(Mode::Gateway, &["br0"])).unwrap());
    assert_eq!(sensor.kernel.attached()[0].ingress, Some(tc_rung()));
    cable.send_raw(&frame);
    sensor.drain_until(|captured| captured.iter().any(|copy| copy.data == untagged));
}

#[test]
fn without_native_xdp_arriving_frames_are_seen_by_tc() {
    let cable = Cable::new();
    cable.bridge();
    let (mut sensor, ingress) = cable.at_controller(|| {
        let sensor = Sensor::attached(&request(Mode::Gateway, &["br0"])).unwrap();
        let ingress = sensor.kernel.attached()[0].ingress;
        (sensor, ingress)
    });
    assert_eq!(ingress, Some(tc_rung()));
    cable.send(88, b"by way of a bridge");
    sensor.drain_until(|captured| holding(captured, b"by way of a bridge").len() == 1);
}

#[test]
fn generic_xdp_is_used_when_asked_for() {
    let cable = Cable::new();
    cable
        .controller
        .sh("ip link add br0 type bridge; ip link set br0 up")
        .unwrap();
    let rung = cable.at_controller(|| {
        let asked = Request {
            allow_generic: true,
            ..request(Mode::Gateway, &["br0"])
        };
        Sensor::attached(&asked).unwrap().kernel.attached()[0].ingress
    });
    assert_eq!(rung, Some(Rung::GenericXdp));
}

#[test]
fn a_tap_keeps_its_copies_from_the_stack() {
    let cable = Cable::new();
    let settings = Settings {
        drop: true,
        ..Settings::default()
    };
    let mut tap = Sensor::load(&settings);
    let forced = Request {
        force_tap: true,
        ..request(Mode::Tap, &["eth0"])
    };
    cable.at_controller(|| tap.kernel.attach(&Plan::make(&forced).unwrap()).unwrap());
    let socket = cable.at_controller(|| UdpSocket::bind((CONTROLLER, 88)).unwrap());
    // The tap drops ARP answers too, so the client is told where the controller is.
    let mac = cable
        .controller
        .sh("cat /sys/class/net/eth0/address")
        .unwrap();
    cable
        .client
        .sh(&format!(
            "ip neighbour add {CONTROLLER} lladdr {} dev eth0",
            mac.trim()
        ))
        .unwrap();
    cable.send(88, b"a copy");
    tap.drain_until(|captured| holding(captured, b"a copy").len() == 1);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 16]).is_err());
    // Detached, packets reach the stack: a moment later, for a process that another test forks
    // holds the link until it executes its program.
    tap.kernel.detach();
    socket.set_nonblocking(false).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let received = (0..200).find_map(|_| {
        cable.send(88, b"for the stack");
        socket.recv(&mut [0; 16]).ok()
    });
    assert_eq!(received, Some(b"for the stack".len()));
}

#[test]
fn a_tap_on_an_interface_in_use_is_refused() {
    let cable = Cable::new();
    let error = cable.at_controller(|| Plan::make(&request(Mode::Tap, &["eth0"])).unwrap_err());
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(error.to_string().contains("10.77.0.1"), "{error}");
    cable
        .controller
        .sh("ip address flush dev eth0; ip route add default dev eth0")
        .unwrap();
    let error = cable.at_controller(|| Plan::make(&request(Mode::Tap, &["eth0"])).unwrap_err());
    assert!(error.to_string().contains("default route"), "{error}");
}

#[test]
fn a_missing_interface_is_one_clear_line() {
    let cable = Cable::new();
    let error = cable.at_controller(|| Plan::make(&request(Mode::Host, &["eth7"])).unwrap_err());
    assert_eq!(error.kind(), Kind::Configuration);
    assert_eq!(
        error.to_string(),
        "interface 'eth7' does not exist; this machine has: lo, eth0"
    );
}

#[test]
fn a_taken_slot_is_reported_and_nothing_else_stays_attached() {
    let cable = Cable::new();
    cable
        .controller
        .sh("ip link add spare type veth peer name other; ip link set spare up")
        .unwrap();
    cable.at_controller(|| {
        let first = Sensor::attached(&request(Mode::Gateway, &["spare"])).unwrap();
        let error = Sensor::attached(&request(Mode::Gateway, &["eth0", "spare"]))
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(&error, CaptureError::Taken { name, .. } if name == "spare"),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::Runtime);
        drop(first);
    });
    assert_eq!(cable.leftovers(), Vec::<String>::new());
    cable.at_controller(|| {
        Sensor::attached(&request(Mode::Gateway, &["eth0", "spare"])).unwrap();
    });
}

#[test]
fn nothing_stays_attached() {
    let cable = Cable::new();
    let mut sensor =
        cable.at_controller(|| Sensor::attached(&request(Mode::Host, &["eth0"])).unwrap());
    let attached = cable.leftovers();
    assert!(
        attached.iter().any(|line| line.contains("xdp")),
        "{attached:?}"
    );
    assert!(
        attached.iter().any(|line| line.contains("sensor_egress")),
        "{attached:?}"
    );
    cable.at_controller(|| sensor.kernel.detach());
    assert_eq!(cable.leftovers(), Vec::<String>::new());
    cable.at_controller(|| drop(Sensor::attached(&request(Mode::Host, &["eth0"])).unwrap()));
    assert_eq!(cable.leftovers(), Vec::<String>::new());
}

#[test]
fn what_a_killed_sensor_left_is_replaced_and_can_be_cleaned() {
    // A link ends with its process; a filter of the clsact qdisc, on kernels before 6.6, does not.
    let left: &[&str] = if tc_rung() == Rung::Clsact {
        &["lo"]
    } else {
        &[]
    };
    let cable = Cable::new();
    let filters = || {
        let list = cable
            .controller
            .sh("tc filter show dev lo egress 2>&1 || true")
            .unwrap();
        list.matches("direct-action").count()
    };
    let leak = || {
        cable.at_controller(|| {
            mem::forget(Sensor::attached(&request(Mode::Host, &["lo"])).unwrap());
        });
    };
    leak();
    assert_eq!(filters(), left.len());
    cable.at_controller(|| drop(Sensor::attached(&request(Mode::Host, &["lo"])).unwrap()));
    assert_eq!(
        filters(),
        0,
        "the leftover was replaced, and went with its successor"
    );
    leak();
    assert_eq!(filters(), left.len());
    assert_eq!(cable.at_controller(|| cleanup().unwrap()), left);
    assert_eq!(filters(), 0);
}

#[test]
fn an_interface_that_returns_is_attached_to_again() {
    let cable = Cable::new();
    let eth0 = || "eth0".to_owned();
    let mut sensor = cable.at_controller(|| {
        let mut sensor = Sensor::attached(&request(Mode::Host, &["eth0"])).unwrap();
        assert_eq!(sensor.kernel.refresh(), []);
        sensor
    });
    cable.controller.sh("ip link del eth0").unwrap();
    let changes = cable.at_controller(|| sensor.kernel.refresh());
    assert_eq!(changes, [Change::Lost { interface: eth0() }]);
    assert!(!sensor.kernel.attached()[0].present);
    cable.plug();
    let changes = cable.at_controller(|| sensor.kernel.refresh());
    assert_eq!(changes, [Change::Back { interface: eth0() }]);
    cable.send(88, b"after its return");
    sensor.drain_until(|captured| holding(captured, b"after its return").len() == 1);
}

#[test]
fn without_the_privilege_it_says_so() {
    std::thread::spawn(|| {
        // Capabilities are a thread's own; this thread ends with the test.
        caps::clear(None, caps::CapSet::Effective).unwrap();
        let error = Kernel::load(&Settings::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Privilege);
        assert!(error.to_string().contains("CAP_BPF"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    })
    .join()
    .unwrap();
}

#[test]
fn the_flood_that_a_stalled_daemon_misses_is_counted() {
    let cable = Cable::new();
    let mut sensor =
        cable.at_controller(|| Sensor::attached(&request(Mode::Gateway, &["eth0"])).unwrap());
    cable
        .client
        .inside(|| {
            let socket = UdpSocket::bind((CLIENT, 0))?;
            for _ in 0..12_000 {
                socket.send_to(&[7; 1_400], (CONTROLLER, 88))?;
            }
            Ok(())
        })
        .unwrap();
    let counts = sensor.counts();
    assert!(counts.get(Counter::RingFull) > 0);
    let lost = counts.get(Counter::RingFull);
    assert_eq!(
        counts.get(Counter::Matched),
        counts.get(Counter::Copied) + lost
    );
    assert_eq!(sensor.drain().len() as u64, counts.get(Counter::Copied));
}
