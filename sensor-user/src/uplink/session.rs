//! One conversation with the console, from hello to goodbye.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goshawk_model::frame::{Frame, Hello, Renew, SCHEMA, Welcome};
use goshawk_model::{SensorHealth, Timestamp};
use quinn::{Connection, SendStream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{info, warn};

use super::papers::{Papers, Request};
use super::spool::{Spool, SpoolView};
use super::state::State;
use super::trouble::{Trouble, TroubleKind, skew};
use super::wire::{FrameReader, WireError, send};

/// Items sent and not yet acknowledged, at most.
const WINDOW: usize = 256;
/// How long the console has to say welcome.
const WELCOME_PATIENCE: Duration = Duration::from_secs(10);
/// How long items may stay unacknowledged before the conversation is begun anew.
const ACK_PATIENCE: Duration = Duration::from_secs(60);
/// How often health is told, and the clock compared.
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);
/// How often the certificate's age is looked at.
const RENEW_INTERVAL: Duration = Duration::from_secs(3600);
/// A certificate with less than this left should have been renewed long ago.
const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 86_400);

/// What a conversation needs to know.
pub(super) struct Parties<'a> {
    pub(super) state_dir: &'a Path,
    pub(super) papers: &'a Papers,
    pub(super) mode: &'a str,
    pub(super) view: &'a mut SpoolView,
    pub(super) health: &'a mut watch::Receiver<SensorHealth>,
    /// When set, everything should be delivered by then.
    pub(super) stop: &'a mut watch::Receiver<Option<Instant>>,
    pub(super) state: &'a State,
}

/// Talks until the sensor stops (`Ok`) or something breaks.
pub(super) async fn converse(connection: &Connection, parties: Parties<'_>) -> Result<(), Trouble> {
    let address = parties.papers.address.clone();
    let broken = |error: WireError| Trouble::broken(&address, &error);
    let (mut outgoing, incoming) = connection.open_bi().await.map_err(|e| broken(e.into()))?;
    let mut incoming = FrameReader::new(incoming);
    let mut spool = Spool::open_existing(&parties.view.path).map_err(|error| local(&error))?;
    let hello = Frame::Hello(Hello {
        sensor: parties.papers.sensor.clone(),
        build: env!("CARGO_PKG_VERSION").into(),
        schema: SCHEMA,
        clock: now(),
        mode: parties.mode.to_owned(),
        spool: spool.id().map_err(|error| local(&error))?,
    });
    send(&mut outgoing, &hello).await.map_err(broken)?;
    let welcome = match timeout(WELCOME_PATIENCE, incoming.next()).await {
        Ok(Ok(Frame::Welcome(welcome))) => welcome,
        Ok(Ok(Frame::Refused(no))) => {
            return Err(Trouble::refused(&address, &no.reason, no.permanent));
        }
        Ok(Ok(_)) => {
            return Err(Trouble::passing(
                TroubleKind::Imposter,
                format!("the console at {address} does not begin with a welcome"),
            ));
        }
        Ok(Err(error)) => return Err(broken(error)),
        Err(_) => return Err(Trouble::unreachable(&address)),
    };
    if !spool
        .reconcile(welcome.acknowledged)
        .map_err(|error| local(&error))?
    {
        return Err(Trouble::passing(
            TroubleKind::Local,
            format!(
                "the console knows more of the spool {} than is in it, as after a restore: it \
                 gets a new name",
                parties.view.path.display()
            ),
        ));
    }
    parties.state.connected(&address);
    Session {
        clock: ConsoleClock::set(&welcome),
        in_flight: VecDeque::with_capacity(WINDOW),
        last_sent: welcome.acknowledged,
        more: true,
        progress: Instant::now(),
        renewing: None,
        spool,
        outgoing,
        parties,
    }
    .run(&mut incoming)
    .await
}

struct Session<'a> {
    parties: Parties<'a>,
    spool: Spool,
    outgoing: SendStream,
    clock: ConsoleClock,
    /// Sequences sent and not acknowledged, in order.
    in_flight: VecDeque<u64>,
    last_sent: u64,
    /// Whether the spool may hold what was not sent yet.
    more: bool,
    /// When the console last acknowledged something, or had nothing to acknowledge.
    progress: Instant,
    /// A request on its way; at most one a conversation.
    renewing: Option<Request>,
}

impl Session<'_> {
    async fn run(mut self, incoming: &mut FrameReader) -> Result<(), Trouble> {
        let generation = self.parties.view.committed.borrow_and_update().generation;
        let mut health = interval(HEALTH_INTERVAL);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renew = interval(RENEW_INTERVAL);
        let mut stop_at = None;
        loop {
            if stop_at.is_none() {
                stop_at = *self.parties.stop.borrow_and_update();
                // The last commit may not have been heard of yet.
                self.more |= stop_at.is_some();
            }
            self.fill_window().await?;
            if let Some(deadline) = stop_at
                && (Instant::now() >= deadline || (!self.more && self.in_flight.is_empty()))
            {
                // Finishing fails only where the connection is gone already.
                let _ = self.outgoing.finish();
                return Ok(());
            }
            tokio::select! {
                frame = incoming.next() => {
                    let frame = frame.map_err(|error| self.broken(&error))?;
                    self.take(frame, incoming.has_frame())?;
                }
                changed = self.parties.view.committed.changed() => {
                    let now = self.parties.view.committed.borrow().generation;
                    if changed.is_err() || (now != generation && generation != 0) {
                        return Err(Trouble::passing(TroubleKind::Local, "the spool was replaced".into()));
                    }
                    self.more = true;
                }
                _ = health.tick() => self.tell_health().await?,
                _ = renew.tick() => self.ask_renewal().await?,
                changed = self.parties.stop.changed() => {
                    // Nobody is left who could say stop: that is one.
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(stop_at.unwrap_or_else(Instant::now)), if stop_at.is_some() => {}
                () = sleep_until(self.progress + ACK_PATIENCE), if !self.in_flight.is_empty() => {
                    return Err(Trouble::passing(TroubleKind::Unreachable, format!(
                        "the console at {} has kept no alert for {} s: look at its log",
                        self.parties.papers.address, ACK_PATIENCE.as_secs()
                    )));
                }
            }
        }
    }

    /// Sends what is pending, as far as the window allows.
    async fn fill_window(&mut self) -> Result<(), Trouble> {
        while self.more && self.in_flight.len() < WINDOW {
            let room = WINDOW - self.in_flight.len();
            // A short read on this runtime's only thread: nothing else waits for it.
            let items = self
                .spool
                .pending(self.last_sent, room)
                .map_err(|error| local(&error))?;
            self.more = items.len() == room;
            if self.in_flight.is_empty() {
                self.progress = Instant::now();
            }
            for item in items {
                let sequence = item.sequence;
                self.send(&Frame::Item(Box::new(item))).await?;
                self.in_flight.push_back(sequence);
                self.last_sent = sequence;
            }
        }
        Ok(())
    }

    /// `another`: whether the next frame has come already, so that many acknowledgements are one
    /// commit.
    fn take(&mut self, frame: Frame, another: bool) -> Result<(), Trouble> {
        match frame {
            Frame::Ack(ack) => {
                while self
                    .in_flight
                    .front()
                    .is_some_and(|&sent| sent <= ack.sequence)
                {
                    self.in_flight.pop_front();
                    self.progress = Instant::now();
                }
                self.more = true;
                // An acknowledgement that cannot be noted (the disk is full: the writer says so)
                // costs a repetition after the next welcome at most.
                if !another
                    && self
                        .spool
                        .acknowledge(ack.sequence.min(self.last_sent))
                        .is_ok()
                {
                    self.count_pending();
                }
                Ok(())
            }
            Frame::Renewed(renewed) => {
                self.accept_renewal(&renewed.certificate);
                Ok(())
            }
            Frame::Refused(no) => Err(Trouble::refused(
                &self.parties.papers.address,
                &no.reason,
                no.permanent,
            )),
            // Frames that only sensors send say nothing to one.
            _ => Ok(()),
        }
    }

    fn count_pending(&self) {
        if let Ok(pending) = self.spool.pending_count() {
            self.parties.view.pending.store(pending, Ordering::Relaxed);
        }
    }

    async fn tell_health(&mut self) -> Result<(), Trouble> {
        self.parties.state.clock(self.clock.skew(now()));
        let papers = self.parties.papers;
        let late = papers.remaining(now()) < EXPIRY_WARNING;
        self.parties
            .state
            .expiry((late && self.renewing.is_some()).then(|| {
                format!(
                    "this sensor's certificate runs out at {} and the console has not renewed it: \
                 look at the console's log, or enroll again with --force",
                    papers.not_after
                )
            }));
        let health = self.parties.health.borrow_and_update().clone();
        self.send(&Frame::Health(Box::new(health))).await
    }

    async fn ask_renewal(&mut self) -> Result<(), Trouble> {
        if self.renewing.is_some() || !self.parties.papers.renewal_due(now()) {
            return Ok(());
        }
        match Request::new(&self.parties.papers.sensor) {
            Ok(request) => {
                let csr = request.csr.clone();
                self.renewing = Some(request);
                self.send(&Frame::Renew(Renew { csr })).await
            }
            Err(line) => {
                warn!("{line}");
                Ok(())
            }
        }
    }

    fn accept_renewal(&mut self, certificate: &[u8]) {
        let Some(request) = &self.renewing else {
            return;
        };
        match Papers::renew(
            self.parties.state_dir,
            request,
            certificate,
            &self.parties.papers.ca,
        ) {
            Ok(()) => info!("the console renewed this sensor's certificate"),
            Err(line) => warn!("this sensor's certificate was not renewed: {line}"),
        }
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), Trouble> {
        match send(&mut self.outgoing, frame).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn broken(&self, error: &WireError) -> Trouble {
        Trouble::broken(&self.parties.papers.address, error)
    }
}

/// The console's clock, as the welcome had it, running on by our monotonic one: when somebody sets
/// this machine's clock right, the problem ends at once.
struct ConsoleClock {
    told: Timestamp,
    at: Instant,
}

impl ConsoleClock {
    fn set(welcome: &Welcome) -> Self {
        Self {
            told: welcome.clock,
            at: Instant::now(),
        }
    }

    fn skew(&self, mine: Timestamp) -> Option<String> {
        skew(mine, self.told + self.at.elapsed())
    }
}

/// This machine's clock.
pub(super) fn now() -> Timestamp {
    Timestamp::ZERO
        + SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
}

fn local(error: &super::spool::SpoolError) -> Trouble {
    Trouble::passing(TroubleKind::Local, error.to_string())
}
