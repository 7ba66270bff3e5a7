//! Machines from which an attack was told.
//!
//! What an intruder's own tools do, bind in clear text, speak an old protocol, log on as nobody, is no
//! state of the domain that somebody should mend.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use goshawk_model::{Confidence, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::Output;
use crate::table::{Table, TableStats};

/// Machines remembered.
const MACHINES: usize = 16_384;
/// A machine is looked at in another light for so long.
const FORGET: Duration = Duration::from_secs(24 * 3600);

/// The numbers of exposures.
const EXPOSURE: RangeInclusive<u16> = 9030..=9039;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Suspects(Table<IpAddr, (), MACHINES>);

impl Suspects {
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.0.stats().len > 0 && self.0.get(&ip).is_some()
    }

    /// Learns from what is told. Exposure is a state; what is neither grave nor likely is a stale password.
    pub(crate) fn learn(&mut self, told: &[Output], now: Timestamp) {
        for alert in told.iter().map(Output::alert) {
            let is_doubtful =
                alert.severity == Severity::Low && alert.confidence == Confidence::Low;
            if !EXPOSURE.contains(&alert.external_id)
                && !is_doubtful
                && let Some(ip) = alert.source.ip
            {
                self.0.touch(ip, now, || ());
            }
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - FORGET);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::Outcome;
    use goshawk_model::rpc::drsuapi::DRS_GET_NC_CHANGES;

    use super::*;
    use crate::build::{Net, at};
    use crate::{Engine, Input, Settings};

    /// An alert that is told, from these machines.
    fn told(id: u16, confidence: Confidence, from: impl Iterator<Item = IpAddr>) -> Vec<Output> {
        let call = Net::default().drs("10.0.0.9", DRS_GET_NC_CHANGES, None, Outcome::Success);
        let found = Engine::new(Settings::default()).observe(Input::Activity(call));
        let alert = found.first().expect("an attack").alert();
        let alerts = from.map(|ip| {
            let mut alert = alert.clone();
            alert.severity = Severity::Low;
            (alert.external_id, alert.confidence, alert.source.ip) = (id, confidence, Some(ip));
            Output::Raised(alert)
        });
        alerts.collect()
    }

    #[test]
    fn a_state_makes_no_suspect() {
        let ip = IpAddr::from([10, 0, 0, 9]);
        let mut suspects = Suspects::default();
        for (id, confidence) in [(9030, Confidence::High), (2023, Confidence::Low)] {
            suspects.learn(&told(id, confidence, [ip].into_iter()), at(1));
            assert!(!suspects.has(ip), "{id}");
        }
        suspects.learn(&told(2429, Confidence::High, [ip].into_iter()), at(1));
        assert!(suspects.has(ip));
        suspects.expire(at(2 * 24 * 3600));
        assert!(!suspects.has(ip), "a day later");
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let mut suspects = Suspects::default();
        let machines = (0..=MACHINES as u32).map(|n| IpAddr::from(n.to_be_bytes()));
        suspects.learn(&told(2006, Confidence::High, machines), at(1));
        let stats = suspects.stats();
        assert_eq!((stats.len, stats.evicted), (MACHINES, 1));
    }
}
