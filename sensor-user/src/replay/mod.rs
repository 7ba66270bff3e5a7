//! `replay`: captures through the same decoders and engine as live packets.

mod deal;
mod deck;
mod show;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::{io, iter, thread};

use anyhow::{Context, anyhow};
use crossbeam_channel::bounded;
use goshawk_decode::Keytab;
use goshawk_detect::{Engine, Input};
use goshawk_model::{Coverage, Timestamp};
use tokio::sync::watch;

use crate::capture::file::{Captures, Problem};
use crate::config::Config;
use crate::json::StatsLine;
use crate::keytab::Keys;
use crate::pipeline::deal::Deal;
use crate::pipeline::mind::Mind;
use crate::pipeline::worker::Worker;
use crate::pipeline::{Counts, REPORTS_IN_FLIGHT, default_workers};
use crate::{keytab, settings};
use deck::Deck;
use show::Show;

/// What to replay, and what to show of it.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Captures: pcap or pcapng, plain, gzip or zstd; `-` is standard input. Several are merged by
    /// time.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The sensor's configuration, for the domain's controllers, keytab and exclusions.
    #[arg(long, value_name = "TOML")]
    pub config: Option<PathBuf>,
    /// Print JSON objects, one a line, and nothing else.
    #[arg(long)]
    pub json: bool,
    /// Print every activity too, not only alerts.
    #[arg(long)]
    pub activities: bool,
    /// End standard error with one JSON object of counters.
    #[arg(long)]
    pub stats: bool,
    /// Threads that decode; the result is the same for any number [default: one per core, at most 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// Read the captures one after another instead of merging them by time.
    #[arg(long)]
    pub sequential: bool,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was read.
    Whole,
    /// A file could not be read, or not to its end.
    Partial,
}

/// Replays; alerts go to standard output, complaints to standard error.
///
/// # Errors
/// If the keytab cannot be read, standard output cannot be written, or a thread cannot be started.
pub fn run(options: &Options, config: &Config) -> anyhow::Result<Ending> {
    let started = Instant::now();
    let workers = options.workers.map_or_else(default_workers, usize::from);
    let deal = Deal::replay(workers, config.tunnels_in_captures());
    let sensor: Arc<str> = config.sensor_name().into();
    let (_keytab, keys) = watch::channel(keytab(config)?);
    let mut deck = Deck::new(Captures::open(&options.files, options.sequential), deal);

    let show = Show::new(options.json, options.activities);
    let engine = Engine::new(settings::for_replay(config, &sensor));
    let mut mind = Mind::new(engine, deal.workers(), show);
    // A capture covers the controllers it is configured with from its first packet on.
    if let Some(from) = deck.begins() {
        cover(&mut mind, config, from);
    }
    let (counts, show, mut captures) = if deal.workers() == 1 {
        alone(deck, (deal, &keys), &sensor, mind)?
    } else {
        together(deck, (deal, &keys), &sensor, mind)?
    };
    let ending = complain(&mut captures);
    show.finish()?;
    if options.stats {
        let line = StatsLine::new(
            &counts.decoders,
            captures.losses(),
            started.elapsed().as_secs_f64(),
        );
        eprintln!("{}", serde_json::to_string(&line)?);
    }
    Ok(ending)
}

/// Reads, decodes and thinks in this thread.
fn alone(
    deck: Deck,
    (deal, keys): (Deal, &Keys),
    sensor: &Arc<str>,
    mind: Mind<Show>,
) -> anyhow::Result<(Counts, Show, Captures)> {
    let mut worker = Worker::new(0, deck, sensor, deal).with_keys(keys.clone());
    let mut failed = None;
    let reports = iter::from_fn(|| {
        let report = worker.report();
        report.map_err(|error| failed = Some(error)).ok().flatten()
    });
    let (counts, show) = mind.run_to_end(reports);
    match failed {
        Some(error) => Err(error),
        None => Ok((counts, show, worker.into_source().into_captures())),
    }
}

/// Decodes in threads of their own, reads in another, and thinks in this one.
fn together(
    deck: Deck,
    (deal, keys): (Deal, &Keys),
    sensor: &Arc<str>,
    mind: Mind<Show>,
) -> anyhow::Result<(Counts, Show, Captures)> {
    let (reports, inbox) = bounded(REPORTS_IN_FLIGHT);
    let (dealer, hands) = deal::dealer(deal);
    let workers = hands
        .into_iter()
        .enumerate()
        .map(|(index, hand)| {
            let worker = Worker::new(index, hand, sensor, deal).with_keys(keys.clone());
            let reports = reports.clone();
            thread::Builder::new()
                .name(format!("decode-{index}"))
                .spawn(move || worker.run(&reports))
        })
        .collect::<io::Result<Vec<_>>>()
        .context("cannot start a thread")?;
    drop(reports);
    let reader = thread::Builder::new()
        .name("read".to_owned())
        .spawn(move || dealer.deal(deck))
        .context("cannot start a thread")?;

    let (counts, show) = mind.run_to_end(inbox);
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a decoder failed"))??;
    }
    let captures = reader.join().map_err(|_| anyhow!("the reader failed"))?;
    Ok((counts, show, captures))
}

/// The keys to open tickets with. A capture and its keys lie on their owner's desk: that others can
/// read them is only said.
fn keytab(config: &Config) -> anyhow::Result<Option<Arc<Keytab>>> {
    let Some(path) = &config.domain.keytab else {
        return Ok(None);
    };
    let loaded = keytab::load(path)?;
    if let Some(exposed) = loaded.exposed {
        eprintln!("warning: {exposed}");
    }
    Ok(Some(loaded.keytab))
}

fn cover(mind: &mut Mind<Show>, config: &Config, from: Timestamp) {
    for &controller in &config.domain.controllers {
        mind.tell(Input::Coverage(Coverage { controller, from }));
    }
}

/// Says on standard error what could not be read.
fn complain(captures: &mut Captures) -> Ending {
    let mut ending = Ending::Whole;
    for problem in captures.take_problems() {
        match problem {
            Problem::Failed(error) => {
                eprintln!("error: {error}");
                ending = Ending::Partial;
            }
            Problem::Cut(path) => {
                eprintln!(
                    "warning: {}: its last record is cut; all before it was read",
                    path.display()
                );
            }
        }
    }
    ending
}
