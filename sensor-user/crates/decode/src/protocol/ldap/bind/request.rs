//! `BindRequest`: what a client shows.

use std::sync::Arc;

use goshawk_model::ldap::{Authentication, BindRequest, result_code};
use goshawk_model::{Account, Carrier, Credentials, Mechanism, Status, Timestamp};

use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::ldap::ber::Ber;
use crate::protocol::ldap::text;
use crate::protocol::security::{Ending, Handshake};

/// `AuthenticationChoice`: `simple`, `sasl`, and Microsoft's `sicilyPackageDiscovery`,
/// `sicilyNegotiate`, `sicilyResponse` ([MS-ADTS] 5.1.1.1.3).
const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
const SICILY_PACKAGE_DISCOVERY: u8 = 0x89;
const SICILY_NEGOTIATE: u8 = 0x8a;
const SICILY_RESPONSE: u8 = 0x8b;

const DIGEST_MD5: &str = "DIGEST-MD5";
const PLAIN: &str = "PLAIN";
const EXTERNAL: &str = "EXTERNAL";
/// Longest name of a mechanism: 20 characters (RFC 4422 3.1), and room for those who know better.
const MAX_MECHANISM: usize = 64;

/// What one request shows.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    /// A password, which stays where it is.
    Password,
    /// A token of the SASL mechanism.
    Sasl {
        mechanism: Box<str>,
        token: &'a [u8],
    },
    /// A token of Sicily; whether it is the last one.
    Sicily { last: bool, token: &'a [u8] },
    /// Something else.
    Other,
}

/// What is gathered about who binds.
#[derive(Debug)]
pub(super) enum Proof {
    /// Security tokens tell.
    Tokens(Handshake),
    /// The request names the account itself.
    Named(Arc<Credentials>),
}

/// Reads a request.
pub(super) fn read(mut body: Ber<'_>) -> Option<(BindRequest, Shown<'_>)> {
    let version = u8::try_from(body.number()?).unwrap_or(u8::MAX);
    let name = text::cut(body.octets()?, text::MAX_DN);
    let choice = body.element()?;
    let mut content = choice.content;
    let (authentication, shown) = match choice.tag {
        SIMPLE => {
            let authentication = match (name.is_empty(), content.bytes().is_empty()) {
                (true, true) => Authentication::Anonymous,
                (false, true) => Authentication::Unauthenticated,
                _ => Authentication::Simple,
            };
            (authentication, Shown::Password)
        }
        SASL => {
            let mechanism = text::cut(content.octets()?, MAX_MECHANISM);
            let token = content.octets().unwrap_or_default();
            let authentication = Authentication::Sasl(mechanism.clone());
            (authentication, Shown::Sasl { mechanism, token })
        }
        SICILY_PACKAGE_DISCOVERY | SICILY_NEGOTIATE | SICILY_RESPONSE => {
            let (last, token) = (choice.tag == SICILY_RESPONSE, content.bytes());
            (Authentication::Sicily, Shown::Sicily { last, token })
        }
        tag => (Authentication::Other(tag & 0x1f), Shown::Other),
    };
    let request = BindRequest {
        version,
        name,
        authentication,
    };
    Some((request, shown))
}

impl Shown<'_> {
    /// Whether it continues a bind by `begun`; `answered` says whether the server has asked for
    /// more.
    pub(super) fn continues(&self, begun: Option<&Authentication>, answered: bool) -> bool {
        match (self, begun) {
            (Self::Sasl { mechanism, token }, Some(Authentication::Sasl(begun))) => {
                mechanism.eq_ignore_ascii_case(begun) && (answered || !begins(mechanism, token))
            }
            (Self::Sicily { last, .. }, Some(Authentication::Sicily)) => *last || answered,
            // The server has asked for more before the first request was seen.
            (Self::Sasl { .. } | Self::Sicily { .. }, None) => answered,
            _ => false,
        }
    }
}

/// Whether a token is the first of its mechanism, which has one of its own at most: in GSS-API an
/// `InitialContextToken` (RFC 2743 3.1) or NTLM's NEGOTIATE_MESSAGE.
fn begins(mechanism: &str, token: &[u8]) -> bool {
    let is = |name: &str| mechanism.eq_ignore_ascii_case(name);
    if is(PLAIN) || is(EXTERNAL) {
        true
    } else if is("GSSAPI") || is("GSS-SPNEGO") {
        token.first() == Some(&0x60) || token.starts_with(b"NTLMSSP\0\x01")
    } else {
        token.is_empty()
    }
}

impl Proof {
    /// The proof that a bind begins with.
    pub(super) fn of(request: &BindRequest) -> Self {
        let named = |mechanism, account| {
            Self::Named(Arc::new(Credentials {
                account,
                ..Credentials::new(mechanism)
            }))
        };
        match &request.authentication {
            Authentication::Simple => {
                let account = Account::from_dn(&request.name)
                    .unwrap_or_else(|| Account::new(&request.name, ""));
                named(
                    Mechanism::Password,
                    (!request.name.is_empty()).then_some(account),
                )
            }
            // A name alone proves nothing and is worth nothing (RFC 4513 5.1.2).
            Authentication::Anonymous | Authentication::Unauthenticated => {
                named(Mechanism::Anonymous, None)
            }
            Authentication::Sasl(mechanism) if mechanism.eq_ignore_ascii_case(PLAIN) => {
                named(Mechanism::Password, None)
            }
            Authentication::Sasl(mechanism)
                if [DIGEST_MD5, EXTERNAL]
                    .iter()
                    .any(|named| mechanism.eq_ignore_ascii_case(named)) =>
            {
                named(Mechanism::Other, None)
            }
            _ => Self::Tokens(Handshake::new(Carrier::Ldap)),
        }
    }

    /// The client shows something.
    pub(super) fn show(&mut self, client: Side, shown: &Shown<'_>, cx: &mut Context<'_>) {
        match (self, shown) {
            (Self::Tokens(handshake), Shown::Sasl { token, .. } | Shown::Sicily { token, .. }) => {
                handshake.client(client, token, cx);
            }
            (Self::Named(credentials), Shown::Sasl { mechanism, token }) => {
                if let Some(account) = account(mechanism, token) {
                    Arc::make_mut(credentials).account = Some(account);
                }
            }
            _ => {}
        }
    }

    /// The server has decided, with this result code, or will not be heard any more.
    pub(super) fn settle(&mut self, code: Option<u32>, cx: &mut Context<'_>) {
        let accepted = code == Some(result_code::SUCCESS);
        match self {
            Self::Tokens(handshake) => {
                match code {
                    Some(_) if accepted => handshake.end(Ending::Accepted, cx),
                    Some(code) => handshake.end(Ending::Refused(Some(Status::Ldap(code))), cx),
                    None => {}
                }
                handshake.close(cx);
            }
            Self::Named(credentials) => Arc::make_mut(credentials).proven = accepted,
        }
    }

    pub(super) fn credentials(&self) -> &Arc<Credentials> {
        match self {
            Self::Tokens(handshake) => handshake.credentials(),
            Self::Named(credentials) => credentials,
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Tokens(handshake) => handshake.deadline(),
            Self::Named(_) => None,
        }
    }

    /// The server asks for more.
    pub(super) fn challenge(&mut self, client: Side, token: &[u8], cx: &mut Context<'_>) {
        if let Self::Tokens(handshake) = self {
            handshake.server(client, token, cx);
        }
    }
}

/// The account that a token names in the clear; never what proves it.
fn account(mechanism: &str, token: &[u8]) -> Option<Account> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let account = if mechanism.eq_ignore_ascii_case(PLAIN) {
        // authzid NUL authcid NUL passwd (RFC 4616 2).
        text(token.split(|&byte| byte == 0).nth(1)?)
    } else if mechanism.eq_ignore_ascii_case(DIGEST_MD5) {
        let token = text(token);
        let realm = directive(&token, "realm").unwrap_or_default();
        return Some(Account::new(directive(&token, "username")?, realm));
    } else {
        text(token)
    };
    // `u:` and `dn:` say which kind of name it is (RFC 4513 5.2.1.8).
    let account = account.strip_prefix("u:").unwrap_or(&account);
    let account = account.strip_prefix("dn:").unwrap_or(account);
    (!account.is_empty())
        .then(|| Account::from_dn(account).unwrap_or_else(|| Account::new(account, "")))
}

/// The value of a directive, `username="alice"` (RFC 2831 2.1.2).
fn directive<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    response.match_indices(name).find_map(|(at, _)| {
        let before = response.get(..at)?;
        let is_whole = before.is_empty() || before.ends_with([',', ' ']);
        let value = response.get(at + name.len()..)?.strip_prefix("=\"")?;
        is_whole.then_some(value)?.split('"').next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(name: &str, tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 1, 3, 4, name.len() as u8];
        bytes.extend(name.as_bytes());
        bytes.extend([tag, content.len() as u8]);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn a_simple_bind_tells_how_little_it_proves() {
        for (name, password, expected) in [
            ("", "", Authentication::Anonymous),
            ("cn=a", "", Authentication::Unauthenticated),
            ("cn=a", "secret", Authentication::Simple),
        ] {
            let bytes = bind(name, SIMPLE, password.as_bytes());
            let (request, _) = read(Ber::new(&bytes, false)).unwrap();
            assert_eq!(request.authentication, expected);
            assert!(!format!("{request:?}").contains("secret"));
        }
    }

    #[test]
    fn names_in_tokens_are_found_and_passwords_are_not() {
        let digest = br#"username="alice",realm="corp.example",nonce="x",response=0123"#;
        assert_eq!(
            account("digest-md5", digest),
            Some(Account::new("alice", "corp.example"))
        );
        assert_eq!(
            account("PLAIN", b"u:x\0alice\0secret"),
            Some(Account::new("alice", ""))
        );
        assert_eq!(
            account("EXTERNAL", b"dn:cn=alice,dc=corp,dc=example"),
            Some(Account::new("alice", "corp.example"))
        );
        assert_eq!(account("DIGEST-MD5", b""), None);
        assert_eq!(account("PLAIN", b"\0"), None);
    }
}
