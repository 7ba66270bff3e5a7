//! The verbs that work on the store beside a running console.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use goshawk_model::frame::Token;
use serde_json::json;

use crate::config::Config;
use crate::data::DataDir;
use crate::enrollment::{check_address, check_name, token_text};
use crate::pki::Authority;
use crate::service::hostname;
use crate::store::sensors::{self, Sensor};
use crate::store::{Store, tokens, users};
use crate::{Error, Result, clock, password as passwords, secret};

/// `token`
pub(super) fn token(
    config: &Config,
    path: &Path,
    name: Option<&str>,
    valid: Duration,
    address: Option<String>,
) -> Result<()> {
    if let Some(name) = name {
        check_name(name).map_err(Error::Configuration)?;
    }
    let address = address
        .or_else(|| config.sensors.address.clone())
        .unwrap_or_else(|| format!("{}:{}", hostname(), config.listen.sensors.port()));
    check_address(&address).map_err(Error::Configuration)?;
    // A token may be made before the console's first start: both come to the same authority.
    let data = DataDir::create(path)?;
    let authority = Authority::open(&data)?;
    let store = Store::open(&data)?;
    let secret = secret::random()?;
    store.write_now(|tx| tokens::add(tx, &secret, name, clock::now(), valid))?;
    print(&token_text(&Token {
        address: address.clone(),
        ca_fingerprint: authority.fingerprint().to_vec(),
        secret: secret.to_vec(),
    }))?;
    // On stderr, so that the token can be taken from stdout as it is.
    eprintln!(
        "good once, for {}, for {}; on the sensor: goshawk-sensor enroll TOKEN\n\
         the sensor will look for this console at {address}",
        clock::readable(valid),
        name.map_or_else(
            || "any one sensor".to_owned(),
            |name| format!("sensor {name}")
        ),
    );
    Ok(())
}

/// `sensors`
pub(super) fn sensors(path: &Path, as_json: bool) -> Result<()> {
    let store = open(path)?;
    let sensors = store.read_now(|c| sensors::list(c, clock::now()))?;
    if as_json {
        return print(&json!({ "sensors": sensors }).to_string());
    }
    if sensors.is_empty() {
        return print("no sensors yet: run 'goshawk-console token', then enroll one with it");
    }
    print(&sensors.iter().map(lines).collect::<Vec<_>>().join("\n"))
}

/// `revoke`
pub(super) fn revoke(path: &Path, name: &str) -> Result<()> {
    let store = open(path)?;
    match store.write_now(|tx| sensors::revoke(tx, name, clock::now()))? {
        Some(true) => print(&format!("sensor {name} is revoked")),
        Some(false) => print(&format!("sensor {name} was revoked already")),
        None => {
            let known = store.read_now(|c| sensors::list(c, clock::now()))?;
            Err(Error::Configuration(unknown(name, &known)))
        }
    }
}

/// `password`
pub(super) fn password(path: &Path) -> Result<()> {
    let store = open(path)?;
    let password = passwords::one_time()?;
    let hash = passwords::hash(&password)?;
    store.write_now(|tx| users::set_password(tx, users::ADMIN, &hash, true, clock::now()))?;
    print(&password)?;
    eprintln!(
        "a one-time password for {}, who is signed out everywhere; \
         at the next sign-in a new one must be chosen",
        users::ADMIN
    );
    Ok(())
}

/// Writes a line to stdout; whoever closed the pipe has seen enough.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Runtime(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn open(path: &Path) -> Result<Store> {
    Store::open(&DataDir::open(path)?)
}

fn lines(sensor: &Sensor) -> String {
    let state = if sensor.revoked.is_some() {
        "revoked"
    } else if sensor.connected {
        "connected"
    } else {
        "not connected"
    };
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let seen = sensor
        .last_seen
        .map_or_else(|| "never".into(), |seen| seen.to_string());
    let mut text = format!(
        "{}  {state}  last seen {seen}  mode {}  version {}",
        sensor.name,
        or_unknown(&sensor.mode),
        or_unknown(&sensor.build),
    );
    for problem in &sensor.problems {
        // A sensor's words, which may hold what moves a terminal's cursor.
        let plain: String = problem.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("\n  ! {plain}"));
    }
    text
}

fn unknown(name: &str, known: &[Sensor]) -> String {
    let nearest = known
        .iter()
        .map(|sensor| (strsim::jaro_winkler(name, &sensor.name), &sensor.name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((_, nearest)) => format!("no sensor is named {name:?}; did you mean '{nearest}'?"),
        None => {
            format!("no sensor is named {name:?}: 'goshawk-console sensors' lists those there are")
        }
    }
}
