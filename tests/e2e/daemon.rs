//! The real daemon on a stand-in controller: what the lab recorded crosses its interface, and what it
//! finds arrives at a real console. Then the same with everything that can go wrong on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use etherparse::PacketBuilder;
use goshawk_lab::{Capture, DC1, Pace, Packet, STAGE_INTERFACE, Stage, compose, labels};
use goshawk_tests::{Console, Place, Portal, Programs, Sensor, eventually, holds_for, replay};
use nix::sys::signal::Signal;
use serde_json::Value;

/// How long an alert may take from its last packet to where it is looked for.
const SOON: Duration = Duration::from_secs(10);

const DOMAIN: &str = "[domain]\ncontrollers = [\"10.83.0.10\", \"10.83.0.11\"]\n";

struct Scene {
    stage: Stage,
    folder: tempfile::TempDir,
    sensor: Sensor,
}

impl Scene {
    fn new() -> Result<Self> {
        let stage = Stage::new()?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("sensor");
        let sensor = Sensor::new(&Programs::of_this_build(), &path, "dc1", &tables(""))?;
        Ok(Self {
            stage,
            folder,
            sensor,
        })
    }

    fn place(&self) -> Place<'_> {
        Place::In(self.stage.dc())
    }

    fn console(&self) -> Result<Console> {
        Console::start(
            &Programs::of_this_build(),
            self.place(),
            &self.folder.path().join("console"),
        )
    }

    fn play(&self, file: &str) -> Result<()> {
        self.play_capture(&recording(file)?, 4.0)
    }

    fn play_capture(&self, capture: &Capture, speed: f64) -> Result<()> {
        let pace = Pace {
            speed,
            longest_gap: Duration::from_millis(100),
        };
        self.stage.play(capture, &[IpAddr::V4(DC1)], pace).map(drop)
    }

    /// What is attached to the stand-in's interface, in the words of iproute2.
    fn attached(&self) -> Result<String> {
        self.stage.dc().sh(&format!(
            "ip -d link show dev {STAGE_INTERFACE} | grep -o 'prog/xdp.*' || true
             tc filter show dev {STAGE_INTERFACE} egress 2>/dev/null || true"
        ))
    }
}

fn tables(more: &str) -> String {
    let capture = format!("[capture]\nmode = \"host\"\ninterfaces = [\"{STAGE_INTERFACE}\"]\n");
    format!("{capture}{DOMAIN}{more}")
}

fn recording(file: &str) -> Result<Capture> {
    Capture::load(&labels::folder().join(file))
}

/// What an alert says, but for what depends on when it was captured.
fn gist(alert: &Value) -> String {
    format!(
        "{} {} {}",
        alert["externalId"], alert["source"], alert["targets"]
    )
}

#[test]
fn live_and_replay_find_the_same_and_the_portal_shows_it() -> Result<()> {
    let scene = Scene::new()?;
    let console = scene.console()?;
    scene.sensor.enroll(scene.place(), &console.token(&[])?)?;
    let running = scene.sensor.start(scene.place())?;
    let attacks = [
        "attack/spray-kinit.pcap.gz",
        "attack/enum-nmap.pcap.gz",
        "attack/kerberoast-kvno.pcap.gz",
        "attack/dcsync-secretsdump.pcap.gz",
    ];
    let mut expected = BTreeSet::new();
    for file in attacks {
        let path = labels::folder().join(file);
        let controllers = [DC1, goshawk_lab::DC2];
        expected.extend(
            replay(&[&path], &controllers, &[])
                .alerts
                .iter()
                .map(|alert| alert["externalId"].as_u64()),
        );
        scene.play(file)?;
    }
    let portal = console.sign_in(scene.place())?;
    let stored = || scene.place().inside(|| portal.alerts()).unwrap_or_default();
    eventually("every attack is in the portal", SOON, || {
        let ids: BTreeSet<_> = stored()
            .iter()
            .map(|alert| alert["externalId"].as_u64())
            .collect();
        (ids == expected).then_some(())
    })?;
    let dcsync = stored()
        .into_iter()
        .find(|alert| alert["externalId"] == 2006)
        .unwrap();
    let replayed = replay(
        &[&labels::folder().join("attack/dcsync-secretsdump.pcap.gz")],
        &[DC1, goshawk_lab::DC2],
        &[],
    );
    assert_eq!(gist(&dcsync), gist(&replayed.alerts[0]));
    let id = dcsync["id"].as_str().unwrap();
    let page = scene
        .place()
        .inside(|| portal.page(&format!("/alerts/{id}")))?;
    assert!(
        page.contains("10.83.0.66") && page.contains("T1003.006"),
        "{page}"
    );
    let status = scene.sensor.status()?;
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    assert!(
        status["drops"]
            .as_object()
            .unwrap()
            .keys()
            .all(|name| name == "not-ip"),
        "{status:#}"
    );
    running.stop()?;
    Ok(())
}

#[test]
fn ordinary_life_and_replication_between_controllers_are_silent() -> Result<()> {
    let scene = Scene::new()?;
    let running = scene.sensor.start(scene.place())?;
    for file in [
        "workday",
        "mistyped-passwords",
        "join-adcli",
        "replication",
        "service-tickets",
    ] {
        scene.play(&format!("benign/{file}.pcap.gz"))?;
    }
    assert!(
        scene.sensor.status()?["activities"].as_u64().unwrap() > 50,
        "it did see them"
    );
    assert!(holds_for(Duration::from_secs(2), || scene
        .sensor
        .alerts()
        .unwrap()
        .is_empty()));
    running.stop()?;
    Ok(())
}

/// DCSync follows the endpoint mapper's answer by a millisecond; a daemon that is not scheduled for
/// 200 must not be needed for the kernel to take it.
#[test]
fn a_daemon_stalled_after_an_endpoint_mapper_answer_still_finds_dcsync() -> Result<()> {
    let scene = Scene::new()?;
    let mut running = scene.sensor.start(scene.place())?;
    let mut before = recording("attack/dcsync-secretsdump.pcap.gz")?;
    let mut after = before.clone();
    let answer = before
        .packets
        .iter()
        .rposition(|packet| from_port(&packet.frame, 135))
        .unwrap();
    after.packets = before.packets.split_off(answer);
    scene.play_capture(&before, 4.0)?;
    running.running().signal(Signal::SIGSTOP)?;
    scene.play_capture(&after, f64::INFINITY)?;
    sleep(Duration::from_millis(200));
    assert!(scene.sensor.alerts_of(2006)?.is_empty(), "it was stopped");
    running.running().signal(Signal::SIGCONT)?;
    eventually("DCSync is found", SOON, || {
        scene
            .sensor
            .alerts_of(2006)
            .ok()
            .filter(|alerts| alerts.len() == 1)
    })?;
    running.stop()?;
    Ok(())
}

#[test]
fn what_nobody_can_read_stays_in_the_kernel_and_is_no_loss() -> Result<()> {
    let scene = Scene::new()?;
    let running = scene.sensor.start(scene.place())?;
    scene.play_capture(&ldaps(150), 1.0)?;
    let status = eventually("the sensor says what was left out", SOON, || {
        let status = scene.sensor.status().ok()?;
        (status["capture"]["shunted"].as_u64()? > 200).then_some(status)
    })?;
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    assert!(status["drops"]["stream-gap"].is_null(), "{status:#}");
    running.stop()?;
    Ok(())
}

#[test]
fn a_sensor_ends_in_time_and_leaves_nothing_attached() -> Result<()> {
    let scene = Scene::new()?;
    let before = scene.attached()?;
    let running = scene.sensor.start(scene.place())?;
    assert!(scene.attached()?.contains("xdp"), "{}", scene.attached()?);
    scene.play("attack/spray-kinit.pcap.gz")?;
    let took = running.stop()?;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(scene.attached()?, before);
    assert_eq!(
        scene.sensor.alerts_of(2023)?.len(),
        1,
        "what the ring held was read"
    );
    scene.sensor.start(scene.place())?.kill()?;
    eventually("the kernel detaches what was killed", SOON, || {
        scene.attached().ok().filter(|now| *now == before)
    })?;
    Ok(())
}

#[test]
fn a_restarted_sensor_goes_on_with_the_campaign_it_knows() -> Result<()> {
    let scene = Scene::new()?;
    let capture = recording("attack/dcsync-secretsdump.pcap.gz")?;
    let running = scene.sensor.start(scene.place())?;
    scene.play_capture(&capture, 4.0)?;
    let first = eventually("DCSync is found", SOON, || {
        scene.sensor.alerts_of(2006).ok()?.pop()
    })?;
    running.stop()?;
    let running = scene.sensor.start(scene.place())?;
    scene.play_capture(&capture, 4.0)?;
    scene.play("attack/enum-nmap.pcap.gz")?;
    eventually("what came after is found", SOON, || {
        scene.sensor.alerts_of(2003).ok()?.pop()
    })?;
    running.stop()?;
    let again = scene.sensor.alerts_of(2006)?;
    assert_eq!((again.len(), &again[0]["id"]), (1, &first["id"]));
    Ok(())
}

#[test]
fn a_reload_takes_over_what_it_can_and_names_the_rest() -> Result<()> {
    let scene = Scene::new()?;
    let mut running = scene.sensor.start(scene.place())?;
    let exclude = "[[exclude]]\ndetection = 2006\nsource = \"10.83.0.0/24\"\nreason = \"a test\"\n";
    scene.sensor.configure(
        "dc1",
        &tables(exclude).replace("[domain]", "workers = 1\n[domain]"),
    )?;
    running.running().signal(Signal::SIGHUP)?;
    eventually("the reload is logged", SOON, || {
        scene.sensor.log().contains("reloaded").then_some(())
    })?;
    assert!(
        scene.sensor.log().contains("capture.workers has changed"),
        "{}",
        scene.sensor.log()
    );
    scene.play("attack/dcsync-secretsdump.pcap.gz")?;
    scene.play("attack/enum-nmap.pcap.gz")?;
    eventually("the other attack is found", SOON, || {
        scene.sensor.alerts_of(2003).ok()?.pop()
    })?;
    assert!(
        scene.sensor.alerts_of(2006)?.is_empty(),
        "excluded since the reload"
    );
    scene
        .sensor
        .configure("dc1", "[domain]\ncontolers = []\n")?;
    running.running().signal(Signal::SIGHUP)?;
    eventually("the mistake is logged", SOON, || {
        scene.sensor.log().contains("controllers").then_some(())
    })?;
    running.stop()?;
    Ok(())
}

#[test]
fn a_keytab_is_taken_over_by_a_reload_and_a_broken_one_changes_nothing() -> Result<()> {
    let scene = Scene::new()?;
    let mut running = scene.sensor.start(scene.place())?;
    // Where the sensor may read also after it has given up its privileges.
    let keytab = scene.sensor.config().with_file_name("krbtgt.keytab");
    let with_keys = tables("").replace("[domain]", &format!("[domain]\nkeytab = {keytab:?}"));
    scene.sensor.configure("dc1", &with_keys)?;
    fs::copy(
        labels::folder().join("attack/diamond-ticket.keytab"),
        &keytab,
    )?;
    fs::set_permissions(&keytab, Permissions::from_mode(0o600))?;
    let mut reload = |said: &str| -> Result<()> {
        running.running().signal(Signal::SIGHUP)?;
        eventually("the reload is logged", SOON, || {
            scene.sensor.log().contains(said).then_some(())
        })
    };
    reload("opened with the keys of krbtgt/hawk.example")?;
    fs::write(&keytab, "broken")?;
    reload("the old keys stay")?;
    scene.play("attack/diamond-ticket.pcap.gz")?;
    eventually("what is inside the ticket is found", SOON, || {
        scene.sensor.alerts_of(2013).ok()?.pop()
    })?;
    running.stop()?;
    Ok(())
}

#[test]
fn systemd_hears_that_it_is_ready_alive_and_ending() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.folder.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(SOON))?;
    let mut running = scene
        .sensor
        .start_with(scene.place(), &[("NOTIFY_SOCKET", &path)])?;
    let mut heard = String::new();
    let mut wait_for = |word: &str| -> Result<()> {
        let mut message = [0; 4096];
        while !heard.contains(word) {
            let length = socket.recv(&mut message)?;
            heard += &String::from_utf8_lossy(&message[..length]);
            heard.push('\n');
        }
        Ok(())
    };
    for word in ["READY=1", "WATCHDOG=1", "STATUS="] {
        wait_for(word)?;
    }
    running.running().signal(Signal::SIGHUP)?;
    wait_for("RELOADING=1")?;
    running.stop()?;
    wait_for("STOPPING=1")
}

#[test]
fn without_a_console_alerts_wait_and_arrive_when_it_is_back() -> Result<()> {
    let scene = Scene::new()?;
    let mut console = scene.console()?;
    scene.sensor.enroll(scene.place(), &console.token(&[])?)?;
    let portal = console.sign_in(scene.place())?;
    let running = scene.sensor.start(scene.place())?;
    console.running().child().kill()?;
    console.running().child().wait()?;
    scene.play("attack/dcsync-secretsdump.pcap.gz")?;
    eventually("the sensor keeps it", SOON, || {
        scene.sensor.alerts_of(2006).ok()?.pop()
    })?;
    eventually(
        "the sensor says that nobody answers",
        Duration::from_secs(60),
        || {
            let status = scene.sensor.status().ok()?;
            (status["console"] == false && !status["problems"].as_array()?.is_empty()).then_some(())
        },
    )?;
    let console = console.kill_and_restart(scene.place())?;
    eventually("it arrives", Duration::from_secs(90), || {
        let stored = scene.place().inside(|| portal.alerts()).ok()?;
        (stored.len() == 1).then_some(())
    })?;
    drop(console);
    running.stop()?;
    Ok(())
}

/// Sensor and console are killed in the middle of a storm. What the sensor had committed is at the
/// console, once; no campaign became two.
#[test]
fn kill_nine_in_a_storm_loses_and_doubles_nothing() -> Result<()> {
    let scene = Scene::new()?;
    let mut console = scene.console()?;
    scene.sensor.enroll(scene.place(), &console.token(&[])?)?;
    let portal = console.sign_in(scene.place())?;
    let path = scene.folder.path().join("storm.pcap");
    compose(60_000, &path)?;
    let storm = Capture::load(&path)?;
    let mut committed = BTreeSet::new();
    let mut running = Some(scene.sensor.start(scene.place())?);
    for (round, part) in storm.packets.chunks(storm.packets.len() / 4).enumerate() {
        let mut piece = storm.clone();
        piece.packets = part.to_vec();
        scene.play_capture(&piece, f64::INFINITY)?;
        if round == 3 {
            break;
        }
        // Let the group commit of what is raised last (50 ms) pass or not, as it happens.
        committed.extend(ids(&scene.sensor.alerts()?));
        if round % 2 == 0 {
            running.take().unwrap().kill()?;
            committed.extend(ids(&scene.sensor.alerts()?));
            running = Some(scene.sensor.start(scene.place())?);
        } else {
            console = console.kill_and_restart(scene.place())?;
        }
    }
    assert!(committed.len() > 5, "it was a storm: {committed:?}");
    let stored = eventually(
        "everything spooled is at the console",
        Duration::from_secs(90),
        || {
            let spooled: BTreeMap<_, _> = revisions(&scene.sensor.alerts().ok()?);
            let list = scene.place().inside(|| all_alerts(&portal)).ok()?;
            (revisions(&list) == spooled).then_some(list)
        },
    )?;
    let stored_ids = ids(&stored);
    assert_eq!(stored_ids.len(), stored.len(), "each once");
    assert!(
        committed.is_subset(&stored_ids),
        "nothing committed is lost"
    );
    assert!(console.log().lines().all(|line| !line.contains("panicked")));
    running.unwrap().stop()?;
    Ok(())
}

#[test]
fn a_revoked_sensor_is_told_so_and_keeps_its_alerts() -> Result<()> {
    let scene = Scene::new()?;
    let console = scene.console()?;
    scene.sensor.enroll(scene.place(), &console.token(&[])?)?;
    let running = scene.sensor.start(scene.place())?;
    eventually("it is connected", SOON, || {
        (scene.sensor.status().ok()?["console"] == true).then_some(())
    })?;
    console.revoke("dc1")?;
    let problem = eventually(
        "it says that it is revoked",
        Duration::from_secs(30),
        || {
            let status = scene.sensor.status().ok()?;
            let problems = status["problems"].as_array()?.clone();
            problems
                .into_iter()
                .find(|line| line.as_str().is_some_and(|line| line.contains("revoked")))
        },
    )?;
    assert!(!problem.as_str().unwrap().contains('\n'));
    scene.play("attack/dcsync-secretsdump.pcap.gz")?;
    eventually("it keeps finding", SOON, || {
        scene.sensor.alerts_of(2006).ok()?.pop()
    })?;
    assert_eq!(
        scene.sensor.verb(Place::Here, "status", &[])?.status,
        1,
        "degraded"
    );
    running.stop()?;
    Ok(())
}

#[test]
fn a_console_with_another_authority_is_not_trusted() -> Result<()> {
    let scene = Scene::new()?;
    let console = scene.console()?;
    scene.sensor.enroll(scene.place(), &console.token(&[])?)?;
    let (sensors, portal) = (console.sensors(), console.portal());
    drop(console);
    let impostor = scene.folder.path().join("impostor");
    let programs = Programs::of_this_build();
    let _impostor = Console::start_on(&programs, scene.place(), &impostor, sensors, portal)?;
    let running = scene.sensor.start(scene.place())?;
    let problem = eventually("it says whom it does not trust", SOON, || {
        let status = scene.sensor.status().ok()?;
        status["problems"]
            .as_array()?
            .first()?
            .as_str()
            .map(str::to_owned)
    })?;
    assert!(
        problem.contains("CA") && problem.contains(&sensors.to_string()),
        "{problem}"
    );
    assert_eq!(scene.sensor.status()?["console"], false);
    running.stop()?;
    Ok(())
}

#[test]
fn alerts_go_to_a_file_of_json_lines_if_asked() -> Result<()> {
    let scene = Scene::new()?;
    let file = scene.folder.path().join("sensor/alerts.json");
    let output = format!("[output]\njson = \"{}\"\n", file.display());
    scene.sensor.configure("dc1", &tables(&output))?;
    let running = scene.sensor.start(scene.place())?;
    scene.play("attack/dcsync-secretsdump.pcap.gz")?;
    let line = eventually("the file has it", SOON, || first_line(&file))?;
    let alert: Value = serde_json::from_str(&line)?;
    assert!(
        line.starts_with("{\"kind\":\"alert\"") && alert["externalId"] == 2006,
        "{line}"
    );
    running.stop()?;
    Ok(())
}

fn first_line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.split_once('\n').map(|(line, _)| line.to_owned())
}

fn ids(alerts: &[Value]) -> BTreeSet<String> {
    alerts
        .iter()
        .filter_map(|alert| alert["id"].as_str())
        .map(str::to_owned)
        .collect()
}

fn revisions(alerts: &[Value]) -> BTreeMap<String, u64> {
    let pair = |alert: &Value| {
        Some((
            alert["id"].as_str()?.to_owned(),
            alert["revision"].as_u64()?,
        ))
    };
    alerts.iter().filter_map(pair).collect()
}

/// All pages of the portal's list.
fn all_alerts(portal: &Portal) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for page in 1.. {
        let some = portal.alerts_page(page)?;
        if some.is_empty() {
            break;
        }
        all.extend(some);
    }
    Ok(all)
}

/// Whether a frame is IPv4 TCP from this port.
fn from_port(frame: &[u8], port: u16) -> bool {
    use etherparse::{SlicedPacket, TransportSlice};
    matches!(
        SlicedPacket::from_ethernet(frame).map(|sliced| sliced.transport),
        Ok(Some(TransportSlice::Tcp(tcp))) if tcp.source_port() == port
    )
}

/// A connection over TLS to the stand-in, in which each side sends `count` records, one each ten
/// milliseconds.
fn ldaps(count: usize) -> Capture {
    const CLIENT: ([u8; 4], u16) = ([10, 83, 0, 50], 50_000);
    let server = (DC1.octets(), 636);
    let mut capture = Capture::default();
    let (mut asked, mut answered) = (1000, 7000);
    let mut say = |from_client: bool, syn: bool, payload: &[u8]| {
        let (from, to, sequence, acknowledged) = if from_client {
            (CLIENT, server, &mut asked, answered)
        } else {
            (server, CLIENT, &mut answered, asked)
        };
        let mut tcp = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from.0, to.0, 64)
            .tcp(from.1, to.1, *sequence, 64_000);
        if syn {
            tcp = tcp.syn();
        }
        if !(syn && from_client) {
            tcp = tcp.ack(acknowledged);
        }
        let mut frame = Vec::with_capacity(tcp.size(payload.len()));
        // A vector takes all that is written to it.
        let _ = tcp.write(&mut frame, payload);
        *sequence += payload.len() as u32 + u32::from(syn);
        let time = Duration::from_millis(10) * capture.packets.len() as u32;
        capture.packets.push(Packet { time, frame });
    };
    say(true, true, &[]);
    say(false, true, &[]);
    // The hellos of both sides, as short as they can be.
    say(
        true,
        false,
        &[&[22, 3, 1, 0, 43, 1, 0, 0, 39, 3, 3][..], &[0; 37]].concat(),
    );
    say(false, false, &[22, 3, 3, 0, 4, 2, 0, 0, 0]);
    for _ in 0..count {
        say(true, false, &[23, 3, 3, 0, 4, 9, 9, 9, 9]);
        say(false, false, &[23, 3, 3, 0, 4, 9, 9, 9, 9]);
    }
    capture
}
