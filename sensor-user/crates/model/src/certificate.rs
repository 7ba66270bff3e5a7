//! X.509 certificates as evidence.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a certificate says (RFC 5280), bounded; nobody has checked its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// `issuer`, as RFC 4514 text.
    pub issuer: Box<str>,
    /// `subject`, as RFC 4514 text.
    pub subject: Box<str>,
    /// `serialNumber`, lower-case hexadecimal.
    pub serial: Box<str>,
    /// `notBefore`; at least 1970.
    pub not_before: Timestamp,
    /// `notAfter`; at most the year 2554.
    pub not_after: Timestamp,
    /// Whether issuer and subject are one: nobody vouches for it. So are the certificates of
    /// Windows Hello, and of shadow credentials.
    pub self_signed: bool,
    /// `dNSName` among the subject's alternative names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<Box<str>>,
    /// User principal names among them, OID 1.3.6.1.4.1.311.20.2.3 (RFC 4556 appendix C).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upns: Vec<Box<str>>,
    /// `rfc822Name` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Box<str>>,
    /// The account's SID, OID 1.3.6.1.4.1.311.25.2 ([MS-WCCE] 2.2.2.7.7.4), or
    /// `tag:microsoft.com,2022-09-14:sid:` among the alternative names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Box<str>>,
    /// `extKeyUsage`: dotted OIDs of what it is for; none is for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eku: Vec<Box<str>>,
    /// Dotted OIDs of its extensions, in their order: an authority makes all of its certificates
    /// with the same ones, a forger forgets some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Box<str>>,
    /// The kind of the public key.
    pub key_algorithm: KeyAlgorithm,
    /// Its size, bits; 0 where that is not known.
    pub key_bits: u32,
    /// SHA-256 of `subjectPublicKeyInfo`, hexadecimal: the same key is the same wherever it is
    /// seen, in a logon or in an attribute.
    pub key_sha256: Box<str>,
}

/// Kinds of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA.
    Rsa,
    /// An elliptic curve.
    Ec,
    /// Another one.
    Other,
}
