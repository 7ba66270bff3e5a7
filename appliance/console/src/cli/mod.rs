//! The command line.

mod check;
mod verbs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Level};
use crate::data::DataDir;
use crate::service::{Service, Signals};
use crate::{Error, Result};

const ABOUT: &str = "The Goshawk console: takes alerts from sensors, keeps them, shows them";

const LONG_ABOUT: &str = "\
The Goshawk console takes alerts from sensors over QUIC, keeps them in one SQLite file, and shows
them on a portal over HTTPS. It needs no configuration:

  goshawk-console run        start it; the first start prints the portal's address, the
                             certificate's fingerprint and a one-time password for 'admin'
  goshawk-console token      make a token for a new sensor, then on the sensor:
                             goshawk-sensor enroll TOKEN
  goshawk-console sensors    see how the sensors are doing

The other verbs work on the same data beside a running console.";

const AFTER: &str = "\
Exit status: 0 well, 1 something failed while working, 2 arguments or configuration are wrong,
77 the system does not permit it.";

#[derive(Parser)]
#[command(name = "goshawk-console", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: Verb,
}

/// Where the console's things are; every verb takes these.
#[derive(Args)]
struct Place {
    /// The data directory [default: /var/lib/goshawk-console for root and system users, else
    /// $XDG_DATA_HOME/goshawk-console]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A TOML file with settings; none is needed
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the console until SIGTERM or Ctrl-C
    Run {
        /// UDP address for sensors [default: [::]:4747]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// TCP address for the portal [default: [::]:8443]
        #[arg(long, value_name = "ADDR")]
        portal: Option<SocketAddr>,
    },
    /// Make a token that lets one new sensor in, and print it
    Token {
        /// Good only for a sensor of this name [default: any name]
        #[arg(long)]
        name: Option<String>,
        /// How long it is good for: 30m, 1h, 2d
        #[arg(long, default_value = "1h", value_parser = parse_length)]
        valid: Duration,
        /// Where the sensor finds this console [default: sensors.address of the configuration,
        /// else this machine's name and the port for sensors]
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// List the sensors and how they are doing
    Sensors {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shut a sensor out; its connection is closed within two seconds
    Revoke {
        /// The sensor's name
        name: String,
    },
    /// Give 'admin' a new one-time password and print it
    Password,
    /// Check configuration and data, and say what 'run' would do
    Check,
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("goshawk-console: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let config = match &cli.place.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    let path = match cli.place.data {
        Some(path) => path,
        None => DataDir::usual()?,
    };
    match cli.verb {
        Verb::Run { listen, portal } => serve(with_addresses(config, listen, portal), path),
        Verb::Token {
            name,
            valid,
            address,
        } => verbs::token(&config, &path, name.as_deref(), valid, address),
        Verb::Sensors { json } => verbs::sensors(&path, json),
        Verb::Revoke { name } => verbs::revoke(&path, &name),
        Verb::Password => verbs::password(&path),
        Verb::Check => check::check(&config, &path),
    }
}

fn with_addresses(
    mut config: Config,
    listen: Option<SocketAddr>,
    portal: Option<SocketAddr>,
) -> Config {
    if let Some(address) = listen {
        config.listen.sensors = address;
    }
    if let Some(address) = portal {
        config.listen.portal = address;
    }
    config
}

fn serve(config: Config, path: PathBuf) -> Result<()> {
    start_log(config.log.level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Runtime(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen()?;
        let service = Service::start(config, path).await?;
        verbs::print(&service.greeting()?)?;
        service.run(signals).await;
        Ok(())
    });
    // A blocking task that hangs, on a dead disk say, must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

/// One line an event on stderr; libraries speak up when something is wrong.
fn start_log(level: Level) {
    let filter = EnvFilter::builder().parse_lossy(format!(
        "{},quinn=error,quinn_proto=error,rustls=error,hyper=error",
        level.as_str()
    ));
    // The journal stamps lines itself.
    let timed = std::env::var_os("JOURNAL_STREAM").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    if timed {
        log.init();
    } else {
        log.without_time().init();
    }
}

/// Reads `30m`, `1h`, `2d`: a minute to a year.
fn parse_length(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a length of time from 1m to 365d, like 30m, 1h or 2d".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (count, unit) = text.split_at(split);
    let unit = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = count
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(wrong)?;
    if (1..=365 * 86_400).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in [("30m", 1_800), ("1h", 3_600), ("2d", 172_800), ("90s", 90)] {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "1",
            "h",
            "1w",
            "-1h",
            "0s",
            "366d",
            "99999999999999999999h",
        ] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }
}
