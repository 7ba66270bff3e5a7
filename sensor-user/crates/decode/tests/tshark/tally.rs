//! How many messages of each protocol both saw.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use goshawk_decode::Stats;

use super::{COUNTED, Facts};

/// Sums over captures, by protocol.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<&'static str, Counts>);

#[derive(Clone, Copy, Default)]
struct Counts {
    theirs: u64,
    ours: u64,
    /// Of each capture the smaller number: what one capture has too many makes up for nothing.
    both: u64,
    /// Of ours, those not understood.
    errors: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, theirs: &Facts, ours: &Stats) {
        for protocol in COUNTED {
            let name = protocol.name();
            let ours = ours.protocol(*protocol);
            let fact = format!("{name} messages");
            let theirs = theirs.get(&fact).copied().unwrap_or_default();
            self.count(name).add(Counts {
                theirs,
                ours: ours.messages,
                both: theirs.min(ours.messages),
                errors: ours.errors,
            });
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (name, counts) in &other.0 {
            self.count(name).add(*counts);
        }
    }

    fn count(&mut self, name: &'static str) -> &mut Counts {
        self.0.entry(name).or_default()
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.theirs += other.theirs;
        self.ours += other.ours;
        self.both += other.both;
        self.errors += other.errors;
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        for (name, counts) in &self.0 {
            let Counts {
                theirs,
                ours,
                both,
                errors,
            } = *counts;
            writeln!(
                f,
                "{name:10} tshark {theirs:7}, ours {ours:7}, both {both:7} ({:.2}%), \
                 errors {errors} ({:.2}%)",
                share(both, theirs),
                share(errors, ours),
            )?;
        }
        Ok(())
    }
}
