//! The `Authorization` and `WWW-Authenticate` fields (RFC 9110 11.4, 11.6, 11.7).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use goshawk_model::http::HttpScheme;
use goshawk_model::{Account, Credentials, Mechanism};

/// A field's value: the scheme, and what it shows, in base 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) scheme: HttpScheme,
    shown: &'a [u8],
}

/// Not every client pads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl<'a> Authorization<'a> {
    /// Reads a value; `None` if the scheme is none that is known here, or nothing is shown: a
    /// server names the schemes that it would take.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let space = value.iter().position(u8::is_ascii_whitespace)?;
        let (scheme, shown) = value.split_at_checked(space)?;
        let scheme = [
            HttpScheme::Negotiate,
            HttpScheme::Ntlm,
            HttpScheme::Kerberos,
            HttpScheme::Basic,
        ]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.name().as_bytes()))?;
        let shown = shown.trim_ascii();
        // `realm="..."` of a server is nothing that is shown.
        let is_shown = !shown.is_empty() && !shown.contains(&b'"');
        is_shown.then_some(Self { scheme, shown })
    }

    /// The security token; `None` if it is none.
    pub(super) fn token(&self) -> Option<Vec<u8>> {
        (self.scheme != HttpScheme::Basic)
            .then(|| BASE64.decode(self.shown).ok())
            .flatten()
    }

    /// What `Basic` claims (RFC 7617 2). The password is forgotten here.
    pub(super) fn password(&self) -> Option<Credentials> {
        if self.scheme != HttpScheme::Basic {
            return None;
        }
        let text = BASE64.decode(self.shown).ok()?;
        let end = text.iter().position(|&byte| byte == b':')?;
        let user = String::from_utf8_lossy(text.get(..end)?);
        Some(Credentials {
            account: (!user.is_empty()).then(|| Account::new(&user, "")),
            ..Credentials::new(Mechanism::Password)
        })
    }
}
