//! `alerts`: what this sensor has found, read from its spool; useful without a console.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::json::AlertLine;
use crate::text::AlertText;
use crate::uplink::spool::{Spool, spool_path};

/// What to show.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Go on showing alerts as they are raised and updated.
    #[arg(long, short)]
    pub follow: bool,
    /// Print JSON objects, one a line.
    #[arg(long)]
    pub json: bool,
}

/// Alerts read at a time.
const PAGE: usize = 256;
/// How often the spool is looked at while following.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Shows each alert of the spool in `state_dir` in its latest state, and follows if asked to.
///
/// # Errors
/// If there is no spool, it cannot be read, or standard output cannot be written.
pub fn show(state_dir: &Path, options: &Options) -> Result<()> {
    let path = spool_path(state_dir);
    let mut spool = Spool::open_to_read(&path)
        .context("no alerts to read here: has a sensor run with this configuration?")?;
    let mut out = io::stdout().lock();
    let colour = out.is_terminal();
    let mut after = 0;
    loop {
        let items = spool.latest_after(after, PAGE)?;
        for item in &items {
            after = item.sequence;
            if options.json {
                serde_json::to_writer(&mut out, &AlertLine::from(&item.alert))?;
                writeln!(out)?;
            } else {
                writeln!(
                    out,
                    "{}",
                    AlertText {
                        alert: &item.alert,
                        colour
                    }
                )?;
            }
        }
        out.flush()?;
        if items.len() == PAGE {
            continue;
        }
        if !options.follow {
            return Ok(());
        }
        sleep(LOOK_EVERY);
        if spool.is_orphan() {
            // A daemon found its spool damaged and began a new one.
            if let Ok(fresh) = Spool::open_to_read(&path) {
                spool = fresh;
                after = 0;
            }
        }
    }
}
