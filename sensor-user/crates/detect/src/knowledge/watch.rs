//! What the sensor could see, and when it was blind.
//!
//! "This ticket was never used" is worth something only where its use would have been seen.

use std::collections::VecDeque;
use std::net::IpAddr;

use goshawk_model::{Coverage, Gap, GapReason, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Gaps remembered; older ones concern nothing that is still undecided.
const GAPS: usize = 64;
/// Controllers whose coverage is remembered.
const CONTROLLERS: usize = 1_024;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Watch {
    gaps: VecDeque<Gap>,
    covered: Table<IpAddr, Timestamp, CONTROLLERS>,
}

impl Watch {
    pub(crate) fn gap(&mut self, gap: Gap) {
        if self.gaps.len() >= GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// A controller that is covered stays so from the earliest moment told.
    pub(crate) fn cover(&mut self, coverage: Coverage, now: Timestamp) {
        let from = self
            .covered
            .touch(coverage.controller, now, || coverage.from);
        *from = (*from).min(coverage.from);
    }

    /// Whether something may have been missed between `from` and `to`.
    pub(crate) fn blind(&self, from: Timestamp, to: Timestamp) -> bool {
        self.gaps.iter().any(|gap| gap.from <= to && gap.to >= from)
    }

    /// Why something may have been missed between `from` and `to`.
    pub(crate) fn gap_within(&self, from: Timestamp, to: Timestamp) -> Option<GapReason> {
        let touches = |gap: &&Gap| gap.from <= to && gap.to >= from;
        self.gaps.iter().rev().find(touches).map(|gap| gap.reason)
    }

    /// Whether anything was told of what is watched.
    pub(crate) fn is_told(&self) -> bool {
        self.covered.stats().len > 0
    }

    /// Since when a controller's traffic is seen.
    pub(crate) fn since(&self, controller: IpAddr) -> Option<Timestamp> {
        self.covered.get(&controller).copied()
    }

    /// Those of `controllers` whose traffic is not seen, where coverage was told at all.
    pub(crate) fn unseen<'a>(&self, controllers: &'a [IpAddr]) -> impl Iterator<Item = &'a IpAddr> {
        let told = self.covered.stats().len > 0;
        controllers
            .iter()
            .filter(move |controller| told && self.covered.get(*controller).is_none())
    }

    pub(super) fn stats(&self) -> TableStats {
        self.covered.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{at, ip};

    fn gap(from: u64, to: u64) -> Gap {
        Gap {
            from: at(from),
            to: at(to),
            reason: GapReason::Lost,
        }
    }

    #[test]
    fn a_gap_blinds_what_it_touches() {
        let mut watch = Watch::default();
        watch.gap(gap(10, 20));
        assert!(watch.blind(at(15), at(30)) && watch.blind(at(0), at(10)));
        assert!(!watch.blind(at(21), at(30)));
        for n in 0..GAPS as u64 {
            watch.gap(gap(100 + n, 100 + n));
        }
        assert_eq!(watch.gaps.len(), GAPS);
        assert!(!watch.blind(at(15), at(30)), "the oldest is forgotten");
    }

    #[test]
    fn unseen_are_the_controllers_not_covered() {
        let mut watch = Watch::default();
        let both = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(watch.unseen(&both).count(), 0, "nothing was told");
        let controller = both[0];
        watch.cover(
            Coverage {
                controller,
                from: at(5),
            },
            at(5),
        );
        assert_eq!(watch.unseen(&both).collect::<Vec<_>>(), [&both[1]]);
    }

    #[test]
    fn holds_no_more_controllers_than_its_limit() {
        let mut watch = Watch::default();
        for n in 0..=CONTROLLERS as u32 {
            let controller = IpAddr::from(n.to_be_bytes());
            watch.cover(
                Coverage {
                    controller,
                    from: at(5),
                },
                at(5),
            );
        }
        assert_eq!(watch.stats().len, CONTROLLERS);
        assert_eq!(watch.stats().evicted, 1);
    }
}
