//! Tokens that let a new sensor in, and the rules for a sensor's name.

use goshawk_model::frame::Token;

use crate::secret;

/// What every token's text begins with.
pub const PREFIX: &str = "goshawk1.";
/// The longest name of a sensor, characters (RFC 5280 A.1: ub-common-name).
pub const MAX_NAME: usize = 64;

/// A token as the text that is carried to the sensor: [`PREFIX`] and base64url of its CBOR.
pub fn token_text(token: &Token) -> String {
    let mut cbor = Vec::new();
    // Writing to memory cannot fail, and a token holds only text and bytes.
    ciborium::into_writer(token, &mut cbor).expect("CBOR into memory");
    format!("{PREFIX}{}", secret::text(&cbor))
}

/// Reads what [`token_text`] wrote.
pub fn parse_token(text: &str) -> Option<Token> {
    let cbor = secret::from_text(text.trim().strip_prefix(PREFIX)?)?;
    ciborium::from_reader(cbor.as_slice()).ok()
}

/// Checks that `name` can name a sensor: it stands in certificates, logs and file names.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME {
        Err(format!("a sensor's name has 1 to {MAX_NAME} characters"))
    } else if !name.chars().all(allowed) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Err(format!(
            "{name:?} cannot name a sensor: use ASCII letters, digits, '.', '-' and '_', \
             a letter or digit first"
        ))
    } else {
        Ok(())
    }
}

/// Checks that `address` reads as `host:port`.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(address: &str) -> Result<(), String> {
    let wrong = || format!("{address:?} is not HOST:PORT (example: console.corp.example:4747)");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let sound = !host.is_empty()
        && (bracketed || !host.contains(':'))
        && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    if sound && port.parse::<u16>().is_ok_and(|port| port > 0) {
        Ok(())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text() {
        let token = Token {
            address: "console.corp.example:4747".into(),
            ca_fingerprint: vec![7; 32],
            secret: vec![9; 32],
        };
        let text = token_text(&token);
        assert!(text.starts_with("goshawk1."));
        assert!(parse_token(&format!(" {text}\n")).unwrap() == token);
        for wrong in ["", "goshawk1.", "goshawk1.!!", "goshawk2.AAAA", &text[..30]] {
            assert!(parse_token(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn names_that_could_mislead_are_refused() {
        for name in ["dc1", "DC-1.corp_example", "9"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in ["", "-x", "a b", "../etc", "dc1\n", "dć", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for address in ["a:1", "192.0.2.1:4747", "[2001:db8::1]:4747"] {
            assert_eq!(check_address(address), Ok(()));
        }
        for address in [
            "",
            "a",
            ":1",
            "a:",
            "a:0",
            "a:70000",
            "2001:db8::1:1",
            "a b:1",
        ] {
            assert!(check_address(address).is_err(), "{address:?}");
        }
    }
}
