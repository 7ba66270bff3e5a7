//! Which sensors' builds the console takes.

use goshawk_model::frame::{Hello, SCHEMA};

/// How many minor versions older a sensor may be.
const OLDER_MINORS: u64 = 2;

/// Checks the build and layout that a sensor says it has.
///
/// # Errors
/// Which side must be updated.
pub(super) fn check(hello: &Hello) -> Result<(), String> {
    let ours = env!("CARGO_PKG_VERSION");
    check_against(hello, ours)
}

fn check_against(hello: &Hello, ours: &str) -> Result<(), String> {
    let newer = || {
        Err(format!(
            "the sensor ({}) is newer than this console ({ours}): update the console first",
            printable(&hello.build)
        ))
    };
    if hello.schema > SCHEMA {
        return newer();
    }
    let (Some(theirs), Some(our)) = (release(&hello.build), release(ours)) else {
        return Err(format!(
            "the sensor's version {:?} is none",
            printable(&hello.build)
        ));
    };
    if theirs > our {
        newer()
    } else if theirs.0 < our.0 || theirs.1 + OLDER_MINORS < our.1 {
        Err(format!(
            "the sensor ({}) is too old for this console ({ours}), which takes sensors up to \
             {OLDER_MINORS} minor versions older: update the sensor",
            printable(&hello.build)
        ))
    } else {
        Ok(())
    }
}

/// Major and minor version.
fn release(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

fn printable(build: &str) -> String {
    build
        .chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(build: &str, schema: u16, ours: &str) -> Result<(), String> {
        let hello = Hello {
            build: build.into(),
            schema,
            ..Hello::default()
        };
        check_against(&hello, ours)
    }

    #[test]
    fn sensors_may_be_two_minor_versions_older() {
        for (build, ours) in [
            ("0.4.0", "0.4.9"),
            ("0.4.9", "0.4.0"),
            ("0.2.7", "0.4.0"),
            ("1.0.0-rc.1", "1.2.0"),
        ] {
            assert_eq!(verdict(build, SCHEMA, ours), Ok(()), "{build} at {ours}");
        }
        for (build, ours, advice) in [
            ("0.1.9", "0.4.0", "update the sensor"),
            ("0.9.0", "1.0.0", "update the sensor"),
            ("0.5.0", "0.4.9", "update the console"),
            ("2.0.0", "1.9.0", "update the console"),
            ("", "0.1.0", "is none"),
            ("\u{1b}[31mx", "0.1.0", "is none"),
        ] {
            let reason = verdict(build, SCHEMA, ours).unwrap_err();
            assert!(reason.contains(advice), "{reason}");
            assert!(!reason.contains('\u{1b}'));
        }
    }

    #[test]
    fn a_later_layout_is_not_guessed_at() {
        assert!(verdict("0.1.0", SCHEMA + 1, "0.1.0").is_err());
    }

    #[test]
    fn this_build_takes_its_own_sensors() {
        let hello = Hello {
            build: env!("CARGO_PKG_VERSION").into(),
            schema: SCHEMA,
            ..Hello::default()
        };
        assert_eq!(check(&hello), Ok(()));
    }
}
