//! Turns a TOML error into one line that says where, what, and what would be right.

use super::ConfigError;

/// How alike two words must be (0 to 1) for one to be offered for the other.
const ALIKE: f64 = 0.7;

/// Explains why `text` was refused.
pub(super) fn explain(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    let place = error.span().map_or_else(
        || name.to_owned(),
        |span| {
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1;
            format!("{name}:{line}:{column}")
        },
    );
    ConfigError::Invalid {
        place,
        why: reword(error.message()),
    }
}

/// serde says "unknown field `a`, expected one of `b`, `c`", or "unknown variant ...".
fn reword(message: &str) -> String {
    let what = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "value"
    } else {
        return message.replace('\n', " ").trim().replace('`', "'");
    };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let nearest = known
        .iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(wrong, word), word))
        .filter(|&(alike, _)| alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, word)) => format!("unknown {what} '{wrong}'; did you mean '{word}'?"),
        None => format!("unknown {what} '{wrong}'; known here: {}", known.join(", ")),
    }
}
