//! Once a second: counters, interfaces, health, and the watchdog.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use crossbeam_channel::{Receiver, Sender, select, tick};
use goshawk_decode::Keytab;
use goshawk_model::{CaptureHealth, Drops, Gap, GapReason, SensorHealth, Timestamp};
use nix::sys::signal::Signal;
use sd_notify::NotifyState;
use sensor_ebpf::Counter;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::mind::{Order, View, lock};
use super::now;
use super::shunts::Shunts;
use crate::alerts_log::AlertsLog;
use crate::capture::kernel::{Change, Counts, Kernel};
use crate::config::Config;
use crate::keytab;
use crate::logging::Logging;
use crate::settings;
use crate::uplink::Handle;
use crate::uplink::spool::SpoolWriter;

/// How long a worker or the engine may stand still before the watchdog is no longer fed.
const STALLED: Duration = Duration::from_secs(10);
/// How long a loss stays a health problem.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Everything the house looks after.
pub(super) struct House {
    pub(super) config: Config,
    /// The file it was read from, for SIGHUP.
    pub(super) path: Option<PathBuf>,
    pub(super) name: Arc<str>,
    pub(super) own_addresses: Vec<IpAddr>,
    /// Where workers find the keys that tickets are opened with.
    pub(super) keytab: watch::Sender<Option<Arc<Keytab>>>,
    pub(super) kernel: Kernel,
    pub(super) spool: Arc<SpoolWriter>,
    pub(super) log: Option<Arc<AlertsLog>>,
    pub(super) uplink: Handle,
    pub(super) health: watch::Sender<SensorHealth>,
    pub(super) view: Arc<Mutex<View>>,
    pub(super) orders: Sender<Order>,
    pub(super) logging: Logging,
    pub(super) started: Timestamp,
    pub(super) losses: Losses,
    pub(super) shunts: Shunts,
}

/// Packets lost on the way from the kernel, and when that was last seen.
#[derive(Default)]
pub(super) struct Losses {
    lost: u64,
    looked: Option<Timestamp>,
    latest: Option<(Instant, u64)>,
}

impl House {
    /// Keeps house until a signal ends it.
    ///
    /// # Errors
    /// If a decoder has failed for good.
    pub(super) fn keep(
        &mut self,
        signals: &Receiver<Signal>,
        endpoints: &Receiver<SocketAddr>,
        shunts: &Receiver<[SocketAddr; 2]>,
        failures: &Receiver<anyhow::Error>,
    ) -> Result<()> {
        let seconds = tick(Duration::from_secs(1));
        self.look();
        sd(&[NotifyState::Ready]);
        loop {
            select! {
                recv(signals) -> signal => match signal {
                    Ok(Signal::SIGHUP) => self.reload(),
                    Ok(signal) => {
                        info!("{signal}: detaching, draining, saving");
                        sd(&[NotifyState::Stopping]);
                        return Ok(());
                    }
                    Err(_) => return Ok(()),
                },
                recv(endpoints) -> endpoint => if let Ok(endpoint) = endpoint
                    && let Err(error) = self.kernel.learn(endpoint.ip(), endpoint.port())
                {
                    warn!("cannot learn the endpoint {endpoint}: {error}");
                },
                recv(shunts) -> ends => if let Ok(ends) = ends {
                    self.shunts.add(ends, &mut self.kernel);
                },
                recv(failures) -> failure => return Err(failure
                    .unwrap_or_else(|_| anyhow::anyhow!("a decoder ended"))),
                recv(seconds) -> _ => self.look(),
            }
        }
    }

    /// Looks at everything once.
    fn look(&mut self) {
        for change in self.kernel.refresh() {
            match change {
                Change::Lost { interface } => {
                    warn!("interface {interface} is gone; waiting for it");
                }
                Change::Back { interface } => {
                    info!("interface {interface} is back and watched again");
                }
            }
        }
        self.shunts.expire(&mut self.kernel);
        let counts = match self.kernel.counters() {
            Ok(counts) => Some(counts),
            Err(error) => {
                error!("{error}");
                None
            }
        };
        if let Some(counts) = &counts {
            self.notice_losses(counts);
        }
        let view = lock(&self.view).clone();
        let health = self.health_of(counts.as_ref(), &view);
        let status = match health.problems.first() {
            Some(problem) => problem.clone(),
            None => format!("{} packets, {} alerts", health.packets, health.alerts),
        };
        self.health.send_replace(health);
        let moving = view.looked.is_some_and(|(looked, watermark)| {
            looked.elapsed() < STALLED && now().since(watermark) < STALLED
        });
        if moving {
            sd(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
        } else {
            sd(&[NotifyState::Status(&status)]);
        }
    }

    /// Lost packets are a gap: what was not seen is not absent.
    fn notice_losses(&mut self, counts: &Counts) {
        let lost = counts
            .iter()
            .filter(|(counter, _)| counter.is_loss())
            .map(|(_, count)| count)
            .sum();
        let time = now();
        if lost > self.losses.lost {
            let new = lost - self.losses.lost;
            let from = self.losses.looked.unwrap_or(self.started);
            let gap = Gap {
                from,
                to: time,
                reason: GapReason::Lost,
            };
            if self.orders.try_send(Order::Gap(gap)).is_err() {
                warn!("the engine is too busy to hear of {new} lost packets");
            }
            if self
                .losses
                .latest
                .is_none_or(|(when, _)| when.elapsed() > REMEMBERED)
            {
                warn!(
                    "{new} packets were lost between kernel and sensor; see `goshawk-sensor status`"
                );
            }
            let before = self.losses.latest.map_or(0, |(_, count)| count);
            self.losses.latest = Some((Instant::now(), before + new));
        } else if self
            .losses
            .latest
            .is_some_and(|(when, _)| when.elapsed() > REMEMBERED)
        {
            self.losses.latest = None;
        }
        self.losses.lost = lost;
        self.losses.looked = Some(time);
    }

    fn health_of(&self, counts: Option<&Counts>, view: &View) -> SensorHealth {
        let attachments = self.kernel.attached();
        let mut problems: Vec<String> = attachments
            .iter()
            .filter(|attached| !attached.present)
            .map(|attached| {
                format!(
                    "interface {} is gone: its traffic is not seen",
                    attached.interface
                )
            })
            .collect();
        if let Some((_, lost)) = self.losses.latest {
            problems.push(format!(
                "{lost} packets were lost in the last minutes: raise capture.ring_kib or capture.workers"
            ));
        }
        problems.extend(self.spool.problems());
        problems.extend(self.log.iter().flat_map(|log| log.problems()));
        problems.extend(self.uplink.problems());
        problems.extend(view.unsaved.clone());
        SensorHealth {
            sensor: self.name.to_string(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            time: now(),
            started: self.started,
            capture: CaptureHealth {
                mode: self.config.capture.mode.name().to_owned(),
                attachments: attachments.iter().map(ToString::to_string).collect(),
                shunted: counts.map_or(0, |counts| counts.get(Counter::Shunted)),
            },
            drops: drops(counts, view),
            packets: view.counts.decoders.packets,
            activities: view.activities,
            alerts: view.alerts,
            messages: view
                .counts
                .decoders
                .protocols()
                .map(|(name, count)| (name.to_owned(), count.messages))
                .collect(),
            spooled: self.spool.pending(),
            console: self.uplink.connected(),
            problems,
            learning: view.learning.clone(),
        }
    }

    /// SIGHUP: domain, exclusions, learning and log level; what else has changed is named.
    fn reload(&mut self) {
        sd(&[NotifyState::Reloading]);
        match Config::load(self.path.as_deref()) {
            Err(error) => error!("not reloaded, the old configuration stays: {error}"),
            Ok(new) => {
                for key in self.config.needs_restart(&new) {
                    warn!("{key} has changed, which takes effect when the sensor is restarted");
                }
                self.logging.set(new.sensor.log);
                self.reload_keytab(&new);
                let engine = settings::for_live(&new, &self.name, self.own_addresses.clone());
                if self.orders.send(Order::Reload(Box::new(engine))).is_ok() {
                    info!("reloaded domain, exclusions, learning and log level");
                }
                self.config.domain = new.domain;
                self.config.exclude = new.exclude;
                self.config.learning = new.learning;
                self.config.sensor.log = new.sensor.log;
            }
        }
        if let Some(log) = &self.log {
            log.reopen();
        }
        sd(&[NotifyState::Ready]);
    }

    /// The keytab is read again, as far as that is still allowed.
    fn reload_keytab(&self, new: &Config) {
        match keytab::guarded(new.domain.keytab.as_deref()) {
            Ok(keytab) => {
                match &keytab {
                    Some(keytab) => info!("tickets are opened with the keys of {keytab}"),
                    None if self.keytab.borrow().is_some() => info!("tickets are opened no more"),
                    None => {}
                }
                self.keytab.send_replace(keytab);
            }
            Err(error) => error!(
                "the keytab is not read again, the old keys stay: {error}; after a restart the sensor \
                 reads it before it gives up its privileges"
            ),
        }
    }
}

fn drops(counts: Option<&Counts>, view: &View) -> Drops {
    let kernel = counts
        .into_iter()
        .flat_map(Counts::iter)
        .filter(|(counter, _)| counter.is_loss());
    kernel
        .map(|(counter, count)| (counter.name(), count))
        .chain(view.counts.source.iter().copied())
        .chain(view.counts.decoders.drops())
        .chain([("out-of-order", view.late)])
        .filter(|&(_, count)| count > 0)
        .map(|(name, count)| (name.to_owned(), count))
        .chain(view.forgotten.iter().cloned())
        .collect()
}

/// Tells systemd, where it listens.
fn sd(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}
