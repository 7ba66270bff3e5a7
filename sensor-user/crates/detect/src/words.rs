//! Small words for sentences that people read.

use std::fmt::Display;

use goshawk_model::kerberos::etype_name;

/// Names listed in a sentence before "and N more".
const LISTED: usize = 5;

/// `1 account`, `3 accounts`, `2 queries`.
pub(crate) fn count(n: u64, thing: &str) -> String {
    match thing.strip_suffix('y') {
        _ if n == 1 => format!("1 {thing}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {thing}s"),
    }
}

/// `a`, `a and b`, `a, b, c, d, e and 12 more`; `total` may exceed what `names` yields.
pub(crate) fn list<T: Display>(names: impl IntoIterator<Item = T>, total: u64) -> String {
    let mut shown: Vec<String> = names
        .into_iter()
        .take(LISTED)
        .map(|name| name.to_string())
        .collect();
    let more = total.saturating_sub(shown.len() as u64);
    if more > 0 {
        return format!("{} and {more} more", shown.join(", "));
    }
    match shown.pop() {
        Some(last) if shown.is_empty() => last,
        Some(last) => format!("{} and {last}", shown.join(", ")),
        None => "none".to_owned(),
    }
}

/// Encryption types in words, as a request offered them.
pub(crate) fn etypes(offered: &[i32]) -> String {
    list(
        offered.iter().map(|&etype| etype_name(etype)),
        offered.len() as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_sentence() {
        assert_eq!(count(1, "account"), "1 account");
        assert_eq!(count(2, "account"), "2 accounts");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!(list(["a"], 1), "a");
        assert_eq!(list(["a", "b"], 2), "a and b");
        assert_eq!(
            list(["a", "b", "c", "d", "e", "f"], 17),
            "a, b, c, d, e and 12 more"
        );
        assert_eq!(list::<&str>([], 0), "none");
        assert_eq!(etypes(&[23]), "rc4-hmac");
    }
}
