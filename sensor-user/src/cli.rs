//! The command line: its help teaches, its exit statuses are a contract.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::capture::attach::{self, CaptureError, Kind, Plan};
use crate::config::{Config, ConfigError};
use crate::replay::{self, Ending};
use crate::{alerts, keytab, privilege, run, status, uplink};

/// Finds attacks on Active Directory in its network traffic.
///
/// On a domain controller: `goshawk-sensor check`, then `goshawk-sensor run` (or the systemd unit).
/// To report to a console: get a token with `goshawk-console token`, then
/// `goshawk-sensor enroll TOKEN`. To try it on a capture: `goshawk-sensor replay FILE`.
#[derive(Parser, Debug)]
#[command(name = "goshawk-sensor", version, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_STATUS: &str = "Exit status: 0 well, 1 failed or degraded, 2 arguments or configuration, \
                           3 not running (status), 77 no privilege.";

#[derive(Subcommand, Debug)]
enum Verb {
    /// Watch the network and raise alerts, until told to stop.
    Run {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Say what `run` would attach where, and whether the configuration is right.
    Check {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Ask a running sensor how it is.
    Status {
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the alerts that this sensor has raised.
    Alerts {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        options: alerts::Options,
    },
    /// Run captures through the same decoders and detections.
    Replay(replay::Options),
    /// Report to a console, with a token that `goshawk-console token` printed.
    Enroll {
        #[command(flatten)]
        config: ConfigFile,
        /// The token.
        token: String,
        /// Replace the papers of an earlier enrollment.
        #[arg(long)]
        force: bool,
    },
    /// Remove what a sensor that was killed left attached (the unit does this).
    Cleanup,
}

#[derive(clap::Args, Debug)]
struct ConfigFile {
    /// The configuration [default: /etc/goshawk/sensor.toml, if it is there].
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match Cli::parse().verb.carry_out() {
        Ok(status) => ExitCode::from(status),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_status(&error))
        }
    }
}

impl Verb {
    fn carry_out(self) -> anyhow::Result<u8> {
        match self {
            Self::Run { config } => {
                run::run(config.load()?, config.config.as_deref())?;
                Ok(0)
            }
            Self::Check { config } => check(&config.load()?),
            Self::Status { config, json } => status::show(&config.load()?.sensor.socket, json),
            Self::Alerts { config, options } => {
                alerts::show(&config.load()?.sensor.state_dir, &options)?;
                Ok(0)
            }
            Self::Replay(options) => {
                // The system's own configuration is not a recording's.
                let config = match &options.config {
                    Some(path) => Config::load(Some(path))?,
                    None => Config::default(),
                };
                Ok(match replay::run(&options, &config)? {
                    Ending::Whole => 0,
                    Ending::Partial => 1,
                })
            }
            Self::Enroll {
                config,
                token,
                force,
            } => {
                let config = config.load()?;
                let name = config.sensor_name();
                let user = privilege::user(&config.sensor.user)?;
                let state_dir = std::slice::from_ref(&config.sensor.state_dir);
                privilege::prepare_folders(state_dir, user.as_ref())?;
                let enrolled = uplink::enroll(&token, &config.sensor.state_dir, &name, force)?;
                println!(
                    "enrolled as '{}' with the console at {}",
                    enrolled.sensor, enrolled.address
                );
                Ok(0)
            }
            Self::Cleanup => {
                for removed in attach::cleanup()? {
                    println!("removed what was left on {removed}");
                }
                Ok(0)
            }
        }
    }
}

fn check(config: &Config) -> anyhow::Result<u8> {
    let keytab = keytab::guarded(config.domain.keytab.as_deref())?;
    let plan = Plan::make(&config.attach_request())?;
    println!(
        "The configuration is right. As the sensor '{}' this would be attached:",
        config.sensor_name()
    );
    for line in plan.to_string().lines() {
        println!("  {line}");
    }
    match config.domain.controllers.len() {
        0 => {
            println!(
                "No controllers are configured: replication by any other machine is an alert."
            );
        }
        count => println!("{count} controllers are configured."),
    }
    if let Some(keytab) = keytab {
        println!("Tickets are opened with the keys of {keytab}.");
        if !keytab.has_krbtgt() {
            println!(
                "There is no key of krbtgt among them: only tickets of these services are opened."
            );
        }
    }
    Ok(0)
}

fn exit_status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return 2;
        }
        if let Some(error) = cause.downcast_ref::<CaptureError>() {
            return match error.kind() {
                Kind::Privilege => 77,
                Kind::Configuration => 2,
                Kind::Runtime => 1,
            };
        }
        if let Some(error) = cause.downcast_ref::<uplink::EnrollError>() {
            return error.exit_code();
        }
    }
    1
}

/// Whoever reads our output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
