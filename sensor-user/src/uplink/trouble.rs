//! Why there is no conversation with the console, in words that say what to do.

use std::time::Duration;

use goshawk_model::Timestamp;
use quinn::ConnectionError;
use rustls::{AlertDescription, CertificateError, Error};

use super::tls::Verdict;
use super::wire::WireError;

/// What went wrong, and whether trying again soon can help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// One clear line.
    pub(crate) line: String,
    /// Whether somebody must do something first.
    pub(crate) permanent: bool,
    pub(crate) kind: TroubleKind,
}

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// Nobody answers, or no longer.
    Unreachable,
    /// Whoever answers is not the console.
    Imposter,
    /// A clock is off.
    Clock,
    /// The console does not want this sensor.
    Refused,
    /// Something on this machine.
    Local,
}

/// Clocks that differ by more than this are a problem: Kerberos allows no more either
/// (RFC 4120 section 1.6), and alerts of several sensors are told in one order.
const MAX_SKEW: Duration = Duration::from_secs(300);

impl Trouble {
    /// Something passing.
    pub(crate) fn passing(kind: TroubleKind, line: String) -> Self {
        Self {
            line,
            permanent: false,
            kind,
        }
    }

    /// Something that somebody must see to.
    pub(crate) fn permanent(kind: TroubleKind, line: String) -> Self {
        Self {
            line,
            permanent: true,
            kind,
        }
    }

    /// The console's name has no address.
    pub(crate) fn unknown_host(address: &str, why: &str) -> Self {
        Self::passing(
            TroubleKind::Unreachable,
            format!("the console's address {address} cannot be resolved: {why}"),
        )
    }

    /// Nobody answers.
    pub(crate) fn unreachable(address: &str) -> Self {
        Self::passing(
            TroubleKind::Unreachable,
            format!(
                "the console at {address} does not answer: is it running, and may UDP pass to that port?"
            ),
        )
    }

    /// A connection that could not be made.
    pub(crate) fn connecting(address: &str, error: &ConnectionError, verdict: &Verdict) -> Self {
        if let Some(error) = verdict.error() {
            return Self::not_trusted(address, &error);
        }
        match error {
            ConnectionError::TimedOut => Self::unreachable(address),
            ConnectionError::VersionMismatch => Self::permanent(
                TroubleKind::Imposter,
                format!("what answers at {address} speaks another QUIC: it is no Goshawk console"),
            ),
            _ => Self::lost(address, error),
        }
    }

    /// A conversation that broke.
    pub(crate) fn broken(address: &str, error: &WireError) -> Self {
        match error {
            WireError::Connection(error) => Self::lost(address, error),
            _ => Self::passing(TroubleKind::Unreachable, format!("{error} ({address})")),
        }
    }

    /// The console said no.
    pub(crate) fn refused(address: &str, reason: &str, permanent: bool) -> Self {
        Self {
            line: format!(
                "the console at {address} refuses this sensor: {}",
                one_line(reason)
            ),
            permanent,
            kind: TroubleKind::Refused,
        }
    }

    fn lost(address: &str, error: &ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => Self::passing(
                TroubleKind::Unreachable,
                format!("the console at {address} no longer answers"),
            ),
            ConnectionError::ApplicationClosed(close) => {
                let reason = String::from_utf8_lossy(&close.reason);
                Self::passing(
                    TroubleKind::Unreachable,
                    if reason.is_empty() {
                        format!("the console at {address} closed the connection")
                    } else {
                        let reason = one_line(&reason);
                        format!("the console at {address} closed the connection: {reason}")
                    },
                )
            }
            ConnectionError::ConnectionClosed(close) => alert(close.error_code).map_or_else(
                || Self::passing(TroubleKind::Unreachable, format!("{address}: {error}")),
                |alert| Self::alerted(address, alert),
            ),
            _ => Self::passing(TroubleKind::Unreachable, format!("{address}: {error}")),
        }
    }

    /// We do not believe the console's certificate.
    fn not_trusted(address: &str, error: &Error) -> Self {
        let clock = |now: Option<u64>| {
            let now = now.map_or_else(String::new, |now| {
                format!(" ({})", Timestamp::from_parts(now, 0))
            });
            Self::passing(
                TroubleKind::Clock,
                format!(
                    "by this machine's clock{now} the certificate of the console at {address} is \
                     not valid: set the clocks of both machines"
                ),
            )
        };
        match error {
            Error::InvalidCertificate(
                CertificateError::ExpiredContext { time, .. }
                | CertificateError::NotValidYetContext { time, .. },
            ) => clock(Some(time.as_secs())),
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::NotValidYet,
            ) => clock(None),
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::ApplicationVerificationFailure,
            ) => Self::permanent(
                TroubleKind::Imposter,
                format!(
                    "what answers at {address} has another CA than this sensor's console: if the \
                     console was set up anew, enroll again with a new token and --force; if not, \
                     somebody is in between"
                ),
            ),
            error => Self::permanent(
                TroubleKind::Imposter,
                format!("the certificate of the console at {address} is not good: {error}"),
            ),
        }
    }

    /// TLS at the console's side says no.
    fn alerted(address: &str, alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::NoApplicationProtocol => Self::permanent(
                TroubleKind::Imposter,
                format!("what answers at {address} is no Goshawk console of this version"),
            ),
            AlertDescription::CertificateExpired => Self::permanent(
                TroubleKind::Refused,
                format!(
                    "the console at {address} says that this sensor's certificate has run out: \
                     set the clocks of both machines, or enroll again with a new token and --force"
                ),
            ),
            alert => Self::permanent(
                TroubleKind::Refused,
                format!(
                    "the console at {address} does not take this sensor's certificate ({alert:?}): \
                     enroll again with a new token and --force"
                ),
            ),
        }
    }
}

/// What to say when this machine's clock reads `mine` where the console's reads `theirs`.
pub(crate) fn skew(mine: Timestamp, theirs: Timestamp) -> Option<String> {
    let (behind, ahead) = (theirs.since(mine), mine.since(theirs));
    let (by, direction) = if behind > ahead {
        (behind, "behind")
    } else {
        (ahead, "ahead of")
    };
    (by > MAX_SKEW).then(|| {
        format!(
            "this machine's clock is {} {direction} the console's; alerts carry its time: set \
             both clocks (NTP)",
            rough(by)
        )
    })
}

/// A duration as people say it, to the minute.
fn rough(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The TLS alert in a QUIC error (RFC 9001 section 4.8: 0x0100 and the alert).
fn alert(code: quinn::TransportErrorCode) -> Option<AlertDescription> {
    let code = u64::from(code);
    let alert = u8::try_from(code.checked_sub(0x100)?).ok()?;
    Some(AlertDescription::from(alert))
}

/// A peer's words, fit for a line of a log.
pub(crate) fn one_line(text: &str) -> String {
    const MAX: usize = 300;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_said_as_people_say_it() {
        let noon = Timestamp::from_parts(1_772_359_200, 0);
        let line = |seconds| skew(noon, noon + Duration::from_secs(seconds));
        assert_eq!(line(300), None);
        assert!(
            line(3600)
                .unwrap()
                .starts_with("this machine's clock is 1 h 0 min behind")
        );
        assert!(line(3 * 86_400 + 7260).unwrap().contains("3 d 2 h behind"));
        let ahead = skew(noon + Duration::from_secs(360), noon).unwrap();
        assert!(ahead.contains("6 min ahead of the console's"));
    }

    #[test]
    fn a_peers_words_stay_on_one_line() {
        let trouble = Trouble::refused("c:1", "no\nfake log line\u{1b}[31m", true);
        assert!(!trouble.line.contains(['\n', '\u{1b}']));
        assert!(one_line(&"x".repeat(5000)).len() <= 300);
    }

    #[test]
    fn tls_alerts_are_known_by_their_quic_codes() {
        let code = quinn::TransportErrorCode::crypto(45);
        assert_eq!(alert(code), Some(AlertDescription::CertificateExpired));
        assert_eq!(alert(quinn::TransportErrorCode::NO_ERROR), None);
    }
}
