//! The console's wall clock, in the model's terms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goshawk_model::Timestamp;

/// The time now. A clock before 1970 reads as the epoch.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_parts(since.as_secs(), since.subsec_nanos())
}

/// How far `theirs` is ahead of `ours`, in nanoseconds; negative when behind. Saturates.
pub fn offset(theirs: Timestamp, ours: Timestamp) -> i64 {
    let difference = i128::from(theirs.as_nanos()) - i128::from(ours.as_nanos());
    difference.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// A length of time in the two largest units that matter: `3 d 4 h`, `12 min`, `5 s`.
pub fn readable(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<_> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if shown.is_empty() {
        "0 s".into()
    } else {
        shown.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_has_a_sign_and_an_end() {
        let noon = Timestamp::from_parts(1_772_366_400, 0);
        assert_eq!(offset(noon + Duration::from_secs(2), noon), 2_000_000_000);
        assert_eq!(offset(noon, noon + Duration::from_secs(2)), -2_000_000_000);
        assert_eq!(offset(Timestamp::MAX, Timestamp::ZERO), i64::MAX);
    }

    #[test]
    fn lengths_read_in_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (3_600, "1 h"),
            (3_661, "1 h 1 min"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(readable(Duration::from_secs(seconds)), text);
        }
    }
}
