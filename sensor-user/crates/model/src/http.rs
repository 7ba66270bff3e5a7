//! Logons over HTTP as activities (RFC 9110 11, RFC 4559).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A request that shows credentials, or that asks for something which is worth an attack: an
/// enrolment service, remote management. Who asked is in the activity's credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpLogon {
    /// The method (RFC 9110 9), cut.
    pub method: Box<str>,
    /// The path that is asked for, cut; without the query, which may hold secrets.
    pub path: Box<str>,
    /// `Host`, cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<str>>,
    /// `User-Agent`, cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
    /// The scheme of the credentials in this request. A connection that has authenticated by NTLM
    /// stays so, without further ones: the activity has the confidence `medium` then, for a proxy
    /// may send on it what others ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<HttpScheme>,
    /// Whether the credentials are for a proxy (RFC 9110 11.7).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy: bool,
    /// The status code of the answer (RFC 9110 15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Authentication schemes (RFC 9110 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HttpScheme {
    /// SPNEGO (RFC 4559).
    Negotiate,
    /// NTLM ([MS-NTHT]).
    Ntlm,
    /// A Kerberos ticket in GSS-API framing, as remote management sends it ([MS-WSMV] 2.2.9.1.1).
    Kerberos,
    /// Name and password (RFC 7617); the password is not kept.
    Basic,
}

impl HttpScheme {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Kerberos => "Kerberos",
            Self::Basic => "Basic",
        }
    }
}

impl fmt::Display for HttpLogon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, .. } = self;
        write!(f, "http {method} {path}")?;
        if let Some(scheme) = self.scheme {
            write!(f, " with {}", scheme.name())?;
        }
        match self.status {
            Some(status) => write!(f, ": {status}"),
            None => f.write_str(": no answer seen"),
        }
    }
}
