//! `run`: the daemon. Its start-up and its end, in order.
//!
//! 1. Plan, load, attach: what needs privilege, and what most often fails.
//! 2. Folders made and given away; privileges dropped, before any thread exists.
//! 3. Spool, alert log, uplink, status socket; the engine restored from its snapshot.
//! 4. A thread for each ring, one for the engine; this one keeps house once a second.
//! 5. On SIGTERM: detach, let the workers drain their rings, let the engine think, save, flush.

mod house;
mod mind;
mod outlets;
mod shunts;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, bounded};
use goshawk_model::{SensorHealth, Timestamp};
use nix::sys::signal::{SigSet, Signal};
use tokio::sync::watch;
use tracing::info;

use crate::alerts_log::AlertsLog;
use crate::capture::attach::{Interface, Mode, Plan};
use crate::capture::kernel::Kernel;
use crate::config::Config;
use crate::pipeline::REPORTS_IN_FLIGHT;
use crate::pipeline::deal::Deal;
use crate::pipeline::worker::Worker;
use crate::uplink::spool::SpoolWriter;
use crate::uplink::{Uplink, UplinkConfig};
use crate::{keytab, logging, privilege, settings, status};
use house::House;
use mind::{LiveMind, Order};
use outlets::Outlets;

/// How long workers and engine may take to end.
const FAREWELL: Duration = Duration::from_millis(700);
/// How long spool and console may take after that; all told less than two seconds.
const GOODBYE: Duration = Duration::from_millis(400);
/// Endpoints told by the endpoint mapper that may wait to be learned.
const ENDPOINTS_IN_FLIGHT: usize = 256;
/// Connections that may wait to be shunted.
const SHUNTS_IN_FLIGHT: usize = 1024;

/// Watches the network until a signal says to stop. `path` is where `config` came from.
///
/// # Errors
/// If the sensor cannot start, or cannot go on; one clear line each.
pub fn run(config: Config, path: Option<&Path>) -> Result<()> {
    let logging = logging::start(config.sensor.log);
    let started = now();
    let name: Arc<str> = config.sensor_name().into();
    // Blocked before any thread exists, so that the one that waits for them gets them all.
    let signals = block_signals()?;

    // Read before the right to read it is given up.
    let keytab = keytab::guarded(config.domain.keytab.as_deref())?;
    if let Some(keytab) = &keytab {
        privilege::forbid_dumps()?;
        info!("tickets are opened with the keys of {keytab}");
    }
    let plan = Plan::make(&config.attach_request())?;
    let mut kernel = Kernel::load(&config.kernel_settings())?;
    kernel.attach(&plan)?;
    for attached in kernel.attached() {
        info!("watching {attached}");
    }
    give_up_privileges(&config)?;

    let signals = await_signals(signals)?;
    let state_dir = config.sensor.state_dir.clone();
    let limit = u64::from(config.sensor.spool_mib) << 20;
    let spool = Arc::new(SpoolWriter::start(&state_dir, limit).context("cannot start the spool")?);
    let log = config
        .output
        .json
        .as_deref()
        .map(AlertsLog::start)
        .transpose()?
        .map(Arc::new);
    let (health, watch) = watch::channel(SensorHealth::starting(&name, started));
    let uplink_config = UplinkConfig {
        state_dir: state_dir.clone(),
        mode: config.capture.mode.name().to_owned(),
    };
    let uplink =
        Uplink::start(uplink_config, &spool, watch.clone()).context("cannot start the uplink")?;
    let _status = status::Server::start(&config.sensor.socket, watch)?;

    let stop = Arc::new(AtomicBool::new(false));
    let (keytab, keys) = watch::channel(keytab);
    let (reports, inbox) = bounded(REPORTS_IN_FLIGHT);
    let (failed, failures) = bounded(1);
    let (shunts, shunted) = bounded(SHUNTS_IN_FLIGHT);
    let sources = kernel.sources();
    let count = sources.len();
    let deal = Deal::live(config.live_tunnels());
    let mut workers = Vec::new();
    for (index, source) in sources.into_iter().enumerate() {
        let mut worker = Worker::new(index, source, &name, deal)
            .with_keys(keys.clone())
            .until(Arc::clone(&stop));
        if config.capture.shunt {
            worker = worker.shunting(shunts.clone());
        }
        let (reports, failed) = (reports.clone(), failed.clone());
        workers.push(spawn(&format!("decode-{index}"), move || {
            if let Err(error) = worker.run(&reports) {
                // One failure ends the sensor; the house needs to hear of one only.
                let _ = failed.try_send(error);
            }
        })?);
    }
    drop((reports, failed));

    let own_addresses = match plan.mode {
        Mode::Host => own_addresses()?,
        Mode::Gateway | Mode::Tap => Vec::new(),
    };
    let (endpoints, learned) = bounded(ENDPOINTS_IN_FLIGHT);
    let (orders, inbox_of_orders) = bounded(16);
    let view = Arc::new(Mutex::default());
    let outlets = Outlets {
        spool: Arc::clone(&spool),
        log: log.clone(),
        endpoints,
        raised: 0,
    };
    let mind = LiveMind::new(
        settings::for_live(&config, &name, own_addresses.clone()),
        state_dir,
        count,
        outlets,
        Arc::clone(&view),
    );
    let mind = spawn("think", move || mind.run(&inbox, &inbox_of_orders))?;

    let mut house = House {
        path: path.map(Path::to_owned),
        name,
        own_addresses,
        keytab,
        kernel,
        spool,
        log,
        uplink,
        health,
        view,
        orders,
        logging,
        started,
        losses: house::Losses::default(),
        shunts: shunts::Shunts::default(),
        config,
    };
    let ended = house.keep(&signals, &learned, &shunted, &failures);

    house.kernel.detach();
    stop.store(true, Ordering::Release);
    let deadline = Instant::now() + FAREWELL;
    // The engine hears the farewell after the last report of a worker, or at the deadline.
    let _ = house.orders.send(Order::Farewell(deadline));
    for thread in workers.into_iter().chain([mind]) {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a thread failed while it ended"))?;
    }
    let in_memory = house.spool.flush(GOODBYE);
    if in_memory > 0 {
        tracing::error!("{in_memory} alerts could not be spooled and are lost");
    }
    house.uplink.shutdown(GOODBYE);
    info!("ended");
    ended
}

/// Makes the folders that are written, and leaves root.
fn give_up_privileges(config: &Config) -> Result<()> {
    let user = privilege::user(&config.sensor.user)?;
    let mut folders: Vec<PathBuf> = vec![config.sensor.state_dir.clone()];
    folders.extend(config.sensor.socket.parent().map(Path::to_owned));
    folders.extend(
        config
            .output
            .json
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned),
    );
    privilege::prepare_folders(&folders, user.as_ref())?;
    privilege::drop_to(user.as_ref(), &folders)
}

/// Keeps the signals that mean something to us from ending the process.
fn block_signals() -> Result<SigSet> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block().context("cannot block signals")?;
    Ok(set)
}

/// Each of the signals arrives on the channel.
fn await_signals(signals: SigSet) -> Result<Receiver<Signal>> {
    let (sender, receiver) = bounded(4);
    spawn("signals", move || {
        while let Ok(signal) = signals.wait() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn own_addresses() -> Result<Vec<IpAddr>> {
    let interfaces = Interface::all()?;
    Ok(interfaces
        .into_iter()
        .flat_map(|interface| interface.addresses)
        .collect())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .with_context(|| format!("cannot start the thread '{name}'"))
}

/// The system's clock.
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), since.subsec_nanos())
}
