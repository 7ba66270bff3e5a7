//! The daemon: ingest, portal and housekeeping from start to stop.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goshawk_model::Timestamp;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::data::{DataDir, Lock};
use crate::ingest::Ingest;
use crate::pki::{Authority, Identity, LEAF_LIFETIME};
use crate::portal::{Portal, Server};
use crate::store::alerts::MAX_ALERTS;
use crate::store::sessions::{self, Lifetime};
use crate::store::{Store, alerts, sensors, users};
use crate::{Error, Result, clock, password};

/// How often what has run out is removed and certificates are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// How often systemd is told how we are, unless its watchdog asks for more.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// The signals that end the console. Listen before anybody can know that it runs.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on SIGTERM and SIGINT wait to be received. Call within a tokio runtime.
    ///
    /// # Errors
    /// If the system does not deliver signals.
    pub fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::Runtime(format!("cannot receive signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A console that runs.
#[derive(Debug)]
pub struct Service {
    config: Config,
    data: DataDir,
    store: Store,
    authority: Arc<Authority>,
    ingest: Ingest,
    ingest_identity: Arc<Identity>,
    ingest_issued: Timestamp,
    portal: Server,
    portal_identity: Arc<Identity>,
    first_password: Option<String>,
    _lock: Lock,
}

impl Service {
    /// Starts everything. Call within a tokio runtime.
    ///
    /// # Errors
    /// If the data directory, the store or the authority cannot be used, or a port is taken.
    pub async fn start(config: Config, data: PathBuf) -> Result<Self> {
        let data = DataDir::create(&data)?;
        let lock = data.lock()?;
        let store = Store::open(&data)?;
        let authority = Arc::new(Authority::open(&data)?);
        let first_password = first_password(&store)?;
        store.write_now(sensors::all_left)?;

        let ingest_identity = Identity::new(authority.ingest_identity()?);
        let ingest = Ingest::start(
            reachable(config.listen.sensors),
            Arc::clone(&authority),
            Arc::clone(&ingest_identity),
            store.clone(),
        )?;
        let names = portal_names(&config);
        let portal_identity = Identity::new(authority.portal_identity(&data, &names)?);
        let lifetime = Lifetime {
            idle: config.portal.idle(),
            absolute: config.portal.absolute(),
        };
        let router = Portal::new(store.clone(), lifetime)?.router();
        let portal = Server::start(
            reachable(config.listen.portal),
            Arc::clone(&portal_identity),
            router,
        )
        .await?;
        Ok(Self {
            config,
            data,
            store,
            authority,
            ingest,
            ingest_identity,
            ingest_issued: clock::now(),
            portal,
            portal_identity,
            first_password,
            _lock: lock,
        })
    }

    /// Where sensors connect.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn sensors_address(&self) -> Result<SocketAddr> {
        self.ingest.local_address()
    }

    /// Where the portal listens.
    pub const fn portal_address(&self) -> SocketAddr {
        self.portal.address()
    }

    /// The store, which the command line's verbs share.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The admin's one-time password, if this start made one.
    pub fn first_password(&self) -> Option<&str> {
        self.first_password.as_deref()
    }

    /// What somebody who starts a console for the first time needs to know.
    ///
    /// # Errors
    /// If a socket is gone.
    pub fn greeting(&self) -> Result<String> {
        let sensors = self.sensors_address()?;
        let mut lines = vec![
            format!("Goshawk console {}", env!("CARGO_PKG_VERSION")),
            format!("  portal       {}", portal_url(self.portal_address())),
            format!(
                "  fingerprint  SHA-256 {}",
                self.portal_identity.fingerprint()
            ),
            format!("  sensors      UDP {sensors}"),
            format!("  data         {}", self.data.path().display()),
        ];
        if let Some(password) = &self.first_password {
            lines.push(format!("  user         {}", users::ADMIN));
            if stdout_is_journal() {
                lines.push("  password     made with 'goshawk-console password'".into());
            } else {
                lines.push(format!("  password     {password}"));
                lines
                    .push("               (once: at the first sign-in you choose your own)".into());
            }
        }
        Ok(lines.join("\n"))
    }

    /// Works until SIGTERM or SIGINT, then stops in under two seconds.
    pub async fn run(mut self, mut signals: Signals) {
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 3);
        let mut life = interval(watchdog.map_or(SIGN_OF_LIFE, |often| often.min(SIGN_OF_LIFE)));
        life.set_missed_tick_behavior(MissedTickBehavior::Delay);
        notify(&[NotifyState::Ready]);
        loop {
            tokio::select! {
                () = signals.stop() => break,
                _ = housekeeping.tick() => self.keep_house().await,
                _ = life.tick() => self.show_life().await,
            }
        }
        self.stop().await;
    }

    /// Ends what is under way and closes every connection.
    pub async fn stop(self) {
        notify(&[NotifyState::Stopping]);
        info!("the console stops");
        tokio::join!(self.ingest.stop(), self.portal.stop());
    }

    async fn keep_house(&mut self) {
        let retention = self.config.retention.length();
        let lifetime = Lifetime {
            idle: self.config.portal.idle(),
            absolute: self.config.portal.absolute(),
        };
        let pruned = self
            .store
            .write(move |tx| {
                let now = clock::now();
                sessions::prune(tx, lifetime, now)?;
                alerts::prune(tx, now, retention, MAX_ALERTS)
            })
            .await;
        match pruned {
            Ok(0) => {}
            Ok(count) => info!("{count} alerts were older than the retention, and removed"),
            Err(error) => error!("cannot remove what has run out: {error}"),
        }
        if let Err(error) = self.renew_certificates() {
            error!("cannot renew a certificate: {error}");
        }
    }

    fn renew_certificates(&mut self) -> Result<()> {
        let now = clock::now();
        if now.since(self.ingest_issued) > LEAF_LIFETIME / 3 {
            self.ingest_identity
                .replace(self.authority.ingest_identity()?);
            self.ingest_issued = now;
        }
        let before = self.portal_identity.fingerprint();
        let names = portal_names(&self.config);
        self.portal_identity
            .replace(self.authority.portal_identity(&self.data, &names)?);
        let after = self.portal_identity.fingerprint();
        if before != after {
            warn!("the portal has a new certificate, fingerprint SHA-256 {after}");
        }
        Ok(())
    }

    /// Tells systemd that we are well, which takes a store that answers.
    async fn show_life(&self) {
        match timeout(SIGN_OF_LIFE, self.store.read(alerts::count)).await {
            Ok(Ok(count)) => {
                let status = format!(
                    "{} sensors connected, {count} alerts kept",
                    self.ingest.connected()
                );
                notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            }
            Ok(Err(error)) => error!("the store does not answer: {error}"),
            Err(_) => error!("the store does not answer in time"),
        }
    }
}

/// The portal's address as one would type it into a browser on this machine or near it.
pub fn portal_url(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() {
        hostname()
    } else {
        match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }
    };
    format!("https://{host}:{}/", address.port())
}

/// `[::]` takes IPv4 too, but needs a kernel with IPv6; without one `0.0.0.0` is meant.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let any_six = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    if any_six && UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_err() {
        (Ipv4Addr::UNSPECIFIED, address.port()).into()
    } else {
        address
    }
}

/// This machine's name, `localhost` if it has none that certificates can carry.
pub fn hostname() -> String {
    let plain = |name: &String| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    };
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(plain)
        .unwrap_or_else(|| "localhost".into())
}

/// Names and addresses for the portal's certificate.
fn portal_names(config: &Config) -> Vec<String> {
    let mut names = vec![
        hostname(),
        "localhost".to_owned(),
        Ipv4Addr::LOCALHOST.to_string(),
        Ipv6Addr::LOCALHOST.to_string(),
    ];
    let listen = config.listen.portal.ip();
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.extend(config.portal.names.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn first_password(store: &Store) -> Result<Option<String>> {
    if store.read_now(|c| users::find(c, users::ADMIN))?.is_some() {
        return Ok(None);
    }
    let password = password::one_time()?;
    let hash = password::hash(&password)?;
    store.write_now(|tx| users::set_password(tx, users::ADMIN, &hash, true, clock::now()))?;
    Ok(Some(password))
}

/// Whether what we print ends up in the journal, where a password has no business
/// (systemd.exec(5): `JOURNAL_STREAM` names the device and inode of the stream).
fn stdout_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let stdout = std::io::stdout();
    !stdout.is_terminal()
        && nix::sys::stat::fstat(stdout.as_fd())
            .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Without systemd there is nobody to tell, which is no failure.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot tell systemd: {error}");
    }
}
