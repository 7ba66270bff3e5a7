//! From the kernel's stamps (nanoseconds since boot, suspend included) to UTC.
//!
//! The offset between the two is not constant: NTP slews UTC by up to 500 ppm, and
//! administrators step it. It is sampled again each second; a change that no slewing explains is
//! a step, which the engine must know of, because windows and lifetimes do not hold across it.

use std::time::Duration;

use goshawk_model::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// How long a sample of the offset is good.
const RESAMPLE: u64 = 1_000_000_000;

/// A change of the offset between two samples that is a step: far above what slewing can do in a
/// second, or in the minute that a stalled daemon may leave between samples.
const STEP: u64 = 50_000_000;

#[derive(Debug)]
pub(super) struct Clock {
    /// UTC less boot time, in nanoseconds.
    offset: u64,
    /// Boot time of the next sample.
    due: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let (boot, offset) = sample();
        Self {
            offset,
            due: boot + RESAMPLE,
        }
    }

    /// UTC of a kernel's stamp.
    pub(super) fn utc(&self, boot: u64) -> Timestamp {
        Timestamp::from_nanos(boot.wrapping_add(self.offset))
    }

    /// UTC now, on the same footing as [`Clock::utc`].
    pub(super) fn now(&self) -> Timestamp {
        self.utc(read(ClockId::CLOCK_BOOTTIME))
    }

    /// Samples the offset if that is due. If the clock was stepped: what time it would be
    /// without, and what time it is.
    pub(super) fn resample(&mut self) -> Option<(Timestamp, Timestamp)> {
        if read(ClockId::CLOCK_BOOTTIME) < self.due {
            return None;
        }
        let (boot, offset) = sample();
        self.due = boot + RESAMPLE;
        self.adopt(boot, offset)
    }

    fn adopt(&mut self, boot: u64, offset: u64) -> Option<(Timestamp, Timestamp)> {
        let before = self.utc(boot);
        let change = self.offset.abs_diff(offset);
        self.offset = offset;
        (change > STEP).then(|| (before, self.utc(boot)))
    }
}

/// Boot time, and UTC less boot time: of three readings the one with the narrowest window.
fn sample() -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..3 {
        let before = read(ClockId::CLOCK_BOOTTIME);
        let utc = read(ClockId::CLOCK_REALTIME);
        let window = read(ClockId::CLOCK_BOOTTIME).saturating_sub(before);
        let boot = before + window / 2;
        best = best.min((window, boot, utc.wrapping_sub(boot)));
    }
    (best.1, best.2)
}

/// A clock in nanoseconds. Both clocks read here exist on every kernel that the program loads
/// on, and neither is before its epoch; were one unreadable, zero stands for it.
fn read(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slewing_is_followed_in_silence() {
        let mut clock = Clock {
            offset: 1_000_000_000,
            due: 0,
        };
        assert_eq!(clock.adopt(5, 1_000_500_000), None);
        assert_eq!(clock.utc(5), Timestamp::from_nanos(1_000_500_005));
    }

    #[test]
    fn a_step_either_way_is_reported_with_both_times() {
        let mut clock = Clock {
            offset: 1_000_000_000,
            due: 0,
        };
        let at = Timestamp::from_nanos;
        assert_eq!(
            clock.adopt(5, 4_000_000_000),
            Some((at(1_000_000_005), at(4_000_000_005)))
        );
        assert_eq!(
            clock.adopt(6, 1_000_000_000),
            Some((at(4_000_000_006), at(1_000_000_006)))
        );
    }

    #[test]
    fn now_is_the_system_s_time() {
        let utc = read(ClockId::CLOCK_REALTIME);
        assert!(Clock::new().now().as_nanos().abs_diff(utc) < 1_000_000_000);
    }
}
