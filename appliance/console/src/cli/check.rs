//! `check`: is everything in order, and what would `run` do?

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::verbs::print;
use crate::config::Config;
use crate::data::DataDir;
use crate::pki::Authority;
use crate::secret::fingerprint_text;
use crate::service::{portal_url, reachable};
use crate::store::{Store, alerts, sensors};
use crate::{Error, Result, clock};

/// Says what would be used; the first thing that is wrong is the error.
pub(super) fn check(config: &Config, path: &Path) -> Result<()> {
    print("configuration: in order")?;
    if path.exists() {
        // Two answers: in order, or not.
        check_data(path).map_err(|error| Error::Configuration(error.to_string()))?;
    } else {
        print(&format!(
            "data: {} will be made at the first start",
            path.display()
        ))?;
    }
    let running = DataDir::open(path).is_ok_and(|data| data.is_locked());
    if running {
        print("console: runs in this directory now")?;
    } else {
        check_ports(config)?;
    }
    print(&format!(
        "sensors: UDP {}\nportal: {}",
        config.listen.sensors,
        portal_url(config.listen.portal)
    ))
}

fn check_data(path: &Path) -> Result<()> {
    let data = DataDir::open(path)?;
    if !data.file("ca.pem").exists() {
        return print(&format!(
            "data: {} is ready for a first start",
            path.display()
        ));
    }
    let authority = Authority::open(&data)?;
    let store = Store::open(&data)?;
    if let Some(damage) = store.damage()? {
        return Err(Error::Runtime(format!(
            "the store in {} is damaged ({damage}): restore it from a backup",
            path.display()
        )));
    }
    let (alerts, sensors) =
        store.read_now(|c| Ok((alerts::count(c)?, sensors::list(c, clock::now())?)))?;
    print(&format!(
        "data: {}, {alerts} alerts, {} sensors\nauthority: SHA-256 {}",
        path.display(),
        sensors.len(),
        fingerprint_text(&authority.fingerprint())
    ))
}

/// Binds and lets go: nothing else tells as surely whether `run` could.
fn check_ports(config: &Config) -> Result<()> {
    let (udp, tcp) = (
        reachable(config.listen.sensors),
        reachable(config.listen.portal),
    );
    UdpSocket::bind(udp).map_err(|error| taken("UDP", udp, &error))?;
    TcpListener::bind(tcp).map_err(|error| taken("TCP", tcp, &error))?;
    Ok(())
}

fn taken(what: &str, address: SocketAddr, error: &std::io::Error) -> Error {
    Error::Configuration(format!("cannot listen on {what} {address}: {error}"))
}
