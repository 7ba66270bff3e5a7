//! Kerberos exchanges as activities (RFC 4120), and the names of its numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Account, Carrier, Digest};

/// `KDCOptions` bit 28 counted from the most significant: `enc-tkt-in-skey`, user-to-user.
pub const OPTION_ENC_TKT_IN_SKEY: u32 = 0x0000_0008;
/// `KDCOptions`: `cname-in-addl-tkt`, constrained delegation ([MS-SFU] 2.2.3).
pub const OPTION_CNAME_IN_ADDL_TKT: u32 = 0x0002_0000;

/// Pre-authentication types that detections read (RFC 4120 7.5.2, RFC 4556, RFC 6113, [MS-KILE]).
pub mod padata {
    /// `PA-TGS-REQ`.
    pub const TGS_REQ: i32 = 1;
    /// `PA-ENC-TIMESTAMP`: proof of the password.
    pub const ENC_TIMESTAMP: i32 = 2;
    /// `PA-PK-AS-REQ-OLD`: a certificate, draft 9.
    pub const PK_AS_REQ_OLD: i32 = 15;
    /// `PA-PK-AS-REQ`: a certificate (RFC 4556).
    pub const PK_AS_REQ: i32 = 16;
    /// `PA-FOR-USER`: S4U2self ([MS-SFU] 2.2.1).
    pub const FOR_USER: i32 = 129;
    /// `PA-S4U-X509-USER` ([MS-SFU] 2.2.2).
    pub const S4U_X509_USER: i32 = 130;
    /// `PA-FX-COOKIE` (RFC 6113 5.2).
    pub const FX_COOKIE: i32 = 133;
    /// `PA-FX-FAST`: the request proper is armoured (RFC 6113 5.4).
    pub const FX_FAST: i32 = 136;
    /// `PA-ENCRYPTED-CHALLENGE` (RFC 6113 5.4.6).
    pub const ENCRYPTED_CHALLENGE: i32 = 138;
    /// `PA-SPAKE` (RFC 9588).
    pub const SPAKE: i32 = 151;
}

/// Error codes that detections read (RFC 4120 7.5.9).
pub mod error {
    /// `KDC_ERR_C_PRINCIPAL_UNKNOWN`: no such client.
    pub const C_PRINCIPAL_UNKNOWN: i32 = 6;
    /// `KDC_ERR_S_PRINCIPAL_UNKNOWN`: no such service.
    pub const S_PRINCIPAL_UNKNOWN: i32 = 7;
    /// `KDC_ERR_ETYPE_NOSUPP`: none of the encryption types offered will do.
    pub const ETYPE_NOSUPP: i32 = 14;
    /// `KDC_ERR_CLIENT_REVOKED`: disabled, expired or locked out.
    pub const CLIENT_REVOKED: i32 = 18;
    /// `KDC_ERR_KEY_EXPIRED`: the password is right but old.
    pub const KEY_EXPIRED: i32 = 23;
    /// `KDC_ERR_PREAUTH_FAILED`: a wrong password.
    pub const PREAUTH_FAILED: i32 = 24;
    /// `KDC_ERR_PREAUTH_REQUIRED`: the account exists and asks for proof.
    pub const PREAUTH_REQUIRED: i32 = 25;
    /// `KRB_AP_ERR_SKEW`: clocks differ too much.
    pub const AP_SKEW: i32 = 37;
    /// `KRB_AP_ERR_INAPP_CKSUM`: an authenticator without a proper checksum over the request.
    pub const INAPP_CKSUM: i32 = 50;
    /// `KRB_ERR_RESPONSE_TOO_BIG`: ask again over TCP.
    pub const RESPONSE_TOO_BIG: i32 = 52;
    /// `KDC_ERR_WRONG_REALM`: a referral.
    pub const WRONG_REALM: i32 = 68;
}

/// RC4 encryption, whose tickets crack fast: `rc4-hmac` (RFC 4757).
pub const ETYPE_RC4_HMAC: i32 = 23;

/// An AS exchange: a client asks for its first ticket (RFC 4120 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsExchange {
    /// What was asked; `None` when only the answer was seen.
    pub request: Option<AsRequest>,
    /// The client that the answer names, or else the request's; `None` when hidden by FAST.
    pub client: Option<Account>,
    /// The service, usually `krbtgt/REALM`, as `name/instance@realm` in the wire's case.
    pub service: Option<Box<str>>,
    /// How it ended.
    pub answer: Answer,
}

/// The readable part of an AS-REQ (RFC 4120 5.4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsRequest {
    /// `kdc-options`, most significant bit first.
    pub kdc_options: u32,
    /// `etype`, in the client's order of preference.
    pub etypes: Vec<i32>,
    /// `padata-type` of each pre-authentication element, in order.
    pub padata: Vec<i32>,
    /// NetBIOS names in `addresses`: the workstation's name (RFC 4120 7.5.3).
    pub netbios_addresses: Vec<Box<str>>,
    /// `nonce`; a retransmission repeats it.
    pub nonce: u32,
    /// A digest of the request's bytes; a retransmission repeats it.
    pub digest: Digest,
}

/// A TGS exchange: a client turns its ticket into another (RFC 4120 3.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TgsExchange {
    /// What was asked; `None` when only the answer was seen.
    pub request: Option<TgsRequest>,
    /// The client that the answer names; `None` when hidden by FAST (`WELLKNOWN/ANONYMOUS`) or
    /// not answered with a ticket.
    pub client: Option<Account>,
    /// The service asked for, as `class/instance@realm` in the wire's case.
    pub service: Option<Box<str>>,
    /// How it ended.
    pub answer: Answer,
}

/// The readable part of a TGS-REQ (RFC 4120 5.4.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TgsRequest {
    /// The ticket presented in `PA-TGS-REQ`; where it was issued tells who asks.
    pub presented: Option<Ticket>,
    /// `kdc-options`, most significant bit first.
    pub kdc_options: u32,
    /// `etype`, in the client's order of preference.
    pub etypes: Vec<i32>,
    /// `padata-type` of each element, in order.
    pub padata: Vec<i32>,
    /// `name-type` of the service's name (RFC 4120 6.2); -128 is Microsoft's `NT-MS-PRINCIPAL`.
    pub name_type: i32,
    /// `additional-tickets`: user-to-user and delegation.
    pub additional: Vec<Ticket>,
    /// `nonce`; a retransmission repeats it.
    pub nonce: u32,
    /// A digest of the request's bytes; a retransmission repeats it.
    pub digest: Digest,
}

/// How a KDC answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A ticket, in an AS-REP or TGS-REP.
    Issued {
        /// The ticket.
        ticket: Ticket,
        /// The encryption type of the reply's own sealed part: the client's long-term key in an
        /// AS-REP, which is what AS-REP roasting cracks.
        reply_etype: i32,
    },
    /// A KRB-ERROR with this code ([`error`]).
    Refused(i32),
    /// No answer was seen.
    Unseen,
}

/// A ticket as its bearer and the wire know it: its sealed part's identity, not its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Digest of `enc-part.cipher`; equal wherever this ticket is carried.
    pub id: Digest,
    /// The service it is for, as `class/instance@realm` in the wire's case.
    pub service: Box<str>,
    /// `enc-part.etype`.
    pub etype: i32,
    /// `enc-part.kvno`.
    pub kvno: Option<u32>,
    /// Length of `enc-part.cipher`, bytes; grows with the PAC.
    pub length: u32,
}

/// A ticket presented to a service: an AP exchange (RFC 4120 3.2), wherever it was carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApExchange {
    /// The ticket presented.
    pub ticket: Ticket,
    /// The protocol that carried it.
    pub carrier: Carrier,
    /// KRB-ERROR code, where the service refused.
    pub error: Option<i32>,
}

/// The name of an encryption type, `aes256-cts-hmac-sha1-96` (RFC 3961 registry).
pub fn etype_name(etype: i32) -> &'static str {
    match etype {
        1 => "des-cbc-crc",
        3 => "des-cbc-md5",
        16 => "des3-cbc-sha1",
        17 => "aes128-cts-hmac-sha1-96",
        18 => "aes256-cts-hmac-sha1-96",
        19 => "aes128-cts-hmac-sha256-128",
        20 => "aes256-cts-hmac-sha384-192",
        ETYPE_RC4_HMAC => "rc4-hmac",
        24 => "rc4-hmac-exp",
        -135 => "rc4-hmac-old-exp",
        -133 => "rc4-hmac-old",
        -128 => "rc4-md4",
        _ => "other",
    }
}

/// The name of a KRB-ERROR code, `KDC_ERR_PREAUTH_FAILED` (RFC 4120 7.5.9).
pub fn error_name(code: i32) -> &'static str {
    match code {
        0 => "KDC_ERR_NONE",
        error::C_PRINCIPAL_UNKNOWN => "KDC_ERR_C_PRINCIPAL_UNKNOWN",
        error::S_PRINCIPAL_UNKNOWN => "KDC_ERR_S_PRINCIPAL_UNKNOWN",
        9 => "KDC_ERR_NULL_KEY",
        12 => "KDC_ERR_POLICY",
        13 => "KDC_ERR_BADOPTION",
        error::ETYPE_NOSUPP => "KDC_ERR_ETYPE_NOSUPP",
        16 => "KDC_ERR_PADATA_TYPE_NOSUPP",
        error::CLIENT_REVOKED => "KDC_ERR_CLIENT_REVOKED",
        20 => "KDC_ERR_TGT_REVOKED",
        error::KEY_EXPIRED => "KDC_ERR_KEY_EXPIRED",
        error::PREAUTH_FAILED => "KDC_ERR_PREAUTH_FAILED",
        error::PREAUTH_REQUIRED => "KDC_ERR_PREAUTH_REQUIRED",
        29 => "KDC_ERR_SVC_UNAVAILABLE",
        31 => "KRB_AP_ERR_BAD_INTEGRITY",
        32 => "KRB_AP_ERR_TKT_EXPIRED",
        33 => "KRB_AP_ERR_TKT_NYV",
        34 => "KRB_AP_ERR_REPEAT",
        35 => "KRB_AP_ERR_NOT_US",
        36 => "KRB_AP_ERR_BADMATCH",
        error::AP_SKEW => "KRB_AP_ERR_SKEW",
        41 => "KRB_AP_ERR_MODIFIED",
        44 => "KRB_AP_ERR_BADKEYVER",
        error::INAPP_CKSUM => "KRB_AP_ERR_INAPP_CKSUM",
        error::RESPONSE_TOO_BIG => "KRB_ERR_RESPONSE_TOO_BIG",
        60 => "KRB_ERR_GENERIC",
        error::WRONG_REALM => "KDC_ERR_WRONG_REALM",
        _ => "KRB_ERROR",
    }
}

impl fmt::Display for AsExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            service,
            answer,
            ..
        } = self;
        let client = client.as_ref().map_or("?", Account::as_str);
        let service = service.as_deref().unwrap_or("?");
        write!(f, "kerberos AS {client} for {service}: {answer}")
    }
}

impl fmt::Display for TgsExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.as_deref().unwrap_or("?");
        write!(f, "kerberos TGS for {service}: {}", self.answer)
    }
}

impl fmt::Display for ApExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carrier = self.carrier.name();
        write!(
            f,
            "kerberos AP in {carrier} with a ticket for {}",
            self.ticket.service
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued { ticket, .. } => write!(f, "ticket, {}", etype_name(ticket.etype)),
            Self::Refused(code) => write!(f, "{} ({code})", error_name(*code)),
            Self::Unseen => f.write_str("no answer seen"),
        }
    }
}
