//! `demo`: the product at work.
//!
//! A console and a sensor run in a network namespace of their own; the sensor's program is attached by
//! XDP and TC to the interface of a stand-in domain controller, and attacks that the lab recorded are
//! played across it. With `--live` it is a real Samba domain and the real tools. Nothing of it stays.

mod acts;
mod signals;
mod watch;

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use goshawk_lab::labels;
use goshawk_lab::{DC1, DC2, INTERFACE, Lab, Namespace, STAGE_INTERFACE, Stage};
use goshawk_tests::{Console, Place, Programs, RunningSensor, Sensor};

use self::acts::{Act, STORY};
use self::signals::Interrupt;
use self::watch::Watch;
use crate::{build, ebpf, setup, step};

/// Options of `demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the story, with a summary and an exit status.
    #[arg(long)]
    once: bool,
    /// A real Samba domain and the real tools instead of recordings.
    #[arg(long)]
    live: bool,
}

/// Where the portal would like to be reached.
const PORTAL_PORT: u16 = 8443;
/// How long an alert may take from the last packet to the terminal; one that waits for silence takes
/// longer than most.
const ALERT_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn run(options: &Options) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return without_root();
    }
    setup::run(&setup::Options {
        build_only: !options.live,
    })?;
    let built = build::build(&build::Options::default())?;
    let folder = built.sensor.parent().context("the build has no folder")?;
    let programs = Programs::in_folder(folder);
    let interrupt = Interrupt::listen()?;
    if options.live {
        eprintln!("── a Samba domain in network namespaces (some 20 seconds)");
        let mut lab = Lab::new()?;
        let dc = Arc::clone(lab.host("dc1")?.namespace());
        let mut play = |act: &Act| act.scene()?.play(&mut lab).map(drop);
        show(options, &programs, &dc, INTERFACE, &interrupt, &mut play)
    } else {
        let stage = Stage::new()?;
        let mut play = |act: &Act| {
            let capture = act.capture()?;
            stage
                .play(&capture, &[IpAddr::V4(DC1)], act.pace())
                .map(drop)
        };
        show(
            options,
            &programs,
            stage.dc(),
            STAGE_INTERFACE,
            &interrupt,
            &mut play,
        )
    }
}

/// The story, on a controller's `interface` in namespace `dc`.
fn show(
    options: &Options,
    programs: &Programs,
    dc: &Namespace,
    interface: &str,
    interrupt: &Interrupt,
    play: &mut dyn FnMut(&Act) -> Result<()>,
) -> Result<()> {
    let place = Place::In(dc);
    let folder = tempfile::Builder::new().prefix("goshawk-demo-").tempdir()?;
    eprintln!("── console and sensor");
    let console = Console::start(programs, place, &folder.path().join("console"))?;
    let portal = open_portal(dc, console.portal())?;
    let password = console
        .password()
        .context("the console printed no password")?;
    eprintln!("  portal    https://localhost:{}", portal.port());
    eprintln!("  user      admin");
    eprintln!("  password  {password}   (once: you choose your own)");
    let sensor = start_sensor(
        programs,
        place,
        &folder.path().join("sensor"),
        interface,
        &console,
    )?;
    eprintln!("  sensor    {}", attachment(&sensor));
    let watch = Watch::start(&sensor.0, std::io::stdout().is_terminal())?;

    let mut missed = Vec::new();
    for act in STORY {
        if interrupt.came() {
            break;
        }
        eprintln!("\n▶ {}", act.about);
        play(act)?;
        for &expected in act.alerts {
            if !watch.has_seen(expected, ALERT_WITHIN, interrupt) {
                missed.push(format!("{}: no alert {expected}", act.about));
            }
        }
    }
    if options.once {
        return summary(&console, place, &watch, missed);
    }
    eprintln!(
        "\nThe alerts are in the portal: https://localhost:{}",
        portal.port()
    );
    eprintln!("Ctrl-C ends the demo and leaves nothing behind.");
    interrupt.wait();
    eprintln!("\nGone.");
    Ok(())
}

/// What the story should have shown, held against what the portal shows.
fn summary(
    console: &Console,
    place: Place<'_>,
    watch: &Watch,
    mut missed: Vec<String>,
) -> Result<()> {
    let session = console.sign_in(place)?;
    let stored = place.inside(|| session.alerts())?;
    let expected: usize = STORY.iter().map(|act| act.alerts.len()).sum();
    let in_portal = |id: u16| stored.iter().any(|alert| alert["externalId"] == id);
    for act in STORY {
        for &id in act.alerts.iter().filter(|&&id| !in_portal(id)) {
            missed.push(format!("{}: alert {id} is not in the portal", act.about));
        }
    }
    let known = |id: u16| STORY.iter().any(|act| act.alerts.contains(&id));
    for false_alarm in watch.seen().into_iter().filter(|&id| !known(id)) {
        missed.push(format!("a false alarm: {false_alarm}"));
    }
    eprintln!("\n── summary");
    if missed.is_empty() {
        println!(
            "{} acts, {expected} attacks: all found, all in the portal, no false alarm.",
            STORY.len()
        );
        return Ok(());
    }
    for line in &missed {
        eprintln!("  ✗ {line}");
    }
    bail!("{} of the story's findings are wrong", missed.len())
}

/// Opens the portal to this machine's browser, at the usual port or another.
fn open_portal(dc: &Namespace, inside: SocketAddr) -> Result<SocketAddr> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listen(PORTAL_PORT)
        .or_else(|_| listen(0))
        .context("no port for the portal")?;
    let address = listener.local_addr()?;
    dc.forward(listener, inside)?;
    Ok(address)
}

fn start_sensor(
    programs: &Programs,
    place: Place<'_>,
    folder: &Path,
    interface: &str,
    console: &Console,
) -> Result<(Sensor, RunningSensor)> {
    let tables = format!(
        "[capture]\nmode = \"host\"\ninterfaces = [\"{interface}\"]\n\
         [domain]\ncontrollers = [\"{DC1}\", \"{DC2}\"]\n"
    );
    let sensor = Sensor::new(programs, folder, "dc1", &tables)?;
    sensor.enroll(place, &console.token(&[])?)?;
    let running = sensor.start(place)?;
    Ok((sensor, running))
}

fn attachment((sensor, _): &(Sensor, RunningSensor)) -> String {
    let status = sensor.status().unwrap_or_default();
    let lines = status["capture"]["attachments"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let lines: Vec<&str> = lines.iter().filter_map(serde_json::Value::as_str).collect();
    lines.join("; ")
}

/// The same recordings, through userspace: loading a kernel program needs root.
fn without_root() -> Result<()> {
    eprintln!("not root, so no program goes into the kernel and there is no portal: the same");
    eprintln!("recordings are replayed through the sensor's userspace. As root you see it all.");
    ebpf::build().ok();
    let mut command = step::cargo();
    command.args(["build", "--locked", "-p", "goshawk-sensor"]);
    step::quiet("sensor", &mut command)?;
    let config = tempfile::Builder::new()
        .prefix("goshawk-demo-")
        .suffix(".toml")
        .tempfile()?;
    std::fs::write(
        config.path(),
        format!("[domain]\ncontrollers = [\"{DC1}\", \"{DC2}\"]\n"),
    )?;
    for act in STORY {
        eprintln!("\n▶ {}", act.about);
        let mut replay = Command::new(step::target().join("debug/goshawk-sensor"));
        replay.arg("replay").arg("--config").arg(config.path());
        replay.arg(labels::folder().join(act.file));
        step::open(act.file, &mut replay)?;
    }
    Ok(())
}
