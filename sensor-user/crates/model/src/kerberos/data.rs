//! What pre-authentication data and error data tell in clear text, beside their types.
//!
//! Nothing in here cracks: of what a password has sealed only the encryption type is kept.

use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::{Account, Certificate};

/// What the `padata` of a request tell (RFC 4120 5.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestData {
    /// Encryption type of the proof that the client knows its key: of `PA-ENC-TIMESTAMP` or
    /// `PA-ENCRYPTED-CHALLENGE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_etype: Option<i32>,
    /// A certificate instead of a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkinit: Option<Box<Pkinit>>,
    /// `PA-FX-FAST`: an armoured request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fast: Option<Box<Fast>>,
    /// `include-pac` of `PA-PAC-REQUEST`; a ticket without a PAC is what MS14-068 and noPac ask
    /// for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_pac: Option<bool>,
    /// `flags` of `PA-PAC-OPTIONS`, most significant bit first ([`RequestData::CLAIMS`] and so on).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pac_options: Option<u32>,
    /// `PA-FOR-USER`: a ticket in somebody else's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_user: Option<Box<ForUser>>,
    /// `PA-S4U-X509-USER`: the same, by name or by certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s4u_x509_user: Option<Box<S4uX509User>>,
    /// `KERB-KEY-LIST-REQ`: encryption types of the long-term keys asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_list: Vec<i32>,
}

impl RequestData {
    /// `PA-PAC-OPTIONS`: claims are wanted ([MS-KILE] 2.2.10).
    pub const CLAIMS: u32 = 0x8000_0000;
    /// `PA-PAC-OPTIONS`: the client knows of branch controllers.
    pub const BRANCH_AWARE: u32 = 0x4000_0000;
    /// `PA-PAC-OPTIONS`: to be forwarded to a full domain controller.
    pub const FORWARD_TO_FULL_DC: u32 = 0x2000_0000;
    /// `PA-PAC-OPTIONS`: resource-based constrained delegation ([MS-SFU] 2.2.5).
    pub const RESOURCE_BASED_CONSTRAINED_DELEGATION: u32 = 0x1000_0000;

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `PA-PK-AS-REQ` (RFC 4556 3.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pkinit {
    /// Whether it is of the older form that Windows 2000 introduced (draft 9, [MS-PKCA]).
    pub draft: bool,
    /// Whether somebody signed it; who asks for an anonymous ticket does not (RFC 8062 4.1).
    pub signed: bool,
    /// Whether the reply's key is agreed on with Diffie-Hellman, and not sealed for the
    /// certificate's key.
    pub diffie_hellman: bool,
    /// The signer's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// `PA-FX-FAST` in a request (RFC 6113 5.4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fast {
    /// `armor-type`; `None` where the ticket of a TGS-REQ is the armour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armor_type: Option<i32>,
    /// The ticket that the armour is made from, of a computer as a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armor: Option<Ticket>,
    /// Encryption type of `enc-fast-req`.
    pub etype: i32,
}

/// `PA-FOR-USER` ([MS-SFU] 2.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForUser {
    /// In whose name, `userName` and `userRealm`.
    pub user: Account,
    /// `auth-package`, `Kerberos` as a rule.
    pub auth_package: Box<str>,
}

/// `PA-S4U-X509-USER` ([MS-SFU] 2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S4uX509User {
    /// In whose name, `cname` and `crealm`; `None` where only a certificate tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Account>,
    /// `subject-certificate`: whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// `options`, most significant bit first ([`S4uX509User::UNCONDITIONAL_DELEGATION`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<u32>,
}

impl S4uX509User {
    /// `options`: the ticket of a delegated managed account is asked for, by a machine that may run
    /// services under it.
    pub const UNCONDITIONAL_DELEGATION: u32 = 0x0800_0000;

    /// Whether it is for a delegated managed account.
    pub fn is_managed_account(&self) -> bool {
        self.options
            .is_some_and(|options| options & Self::UNCONDITIONAL_DELEGATION != 0)
    }
}

/// What a KDC's answer tells beside how it ended: `padata` of a reply, `e-data` of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerData {
    /// `padata-type` of each element of the reply, or of the `METHOD-DATA` of an error, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub padata: Vec<i32>,
    /// `PA-ETYPE-INFO2`, `PA-ETYPE-INFO` or `PA-PW-SALT`: how the client's key is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub etype_info: Vec<EtypeInfo>,
    /// `status` of a `KERB-EXT-ERROR`, an NTSTATUS ([MS-KILE] 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// `crealm` of `KDC_ERR_WRONG_REALM`: the realm to ask instead (RFC 6806 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referred_realm: Option<Box<str>>,
    /// `KERB-SUPERSEDED-BY-USER`: the account that took this one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<Account>,
}

impl AnswerData {
    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `ETYPE-INFO2-ENTRY` (RFC 4120 5.2.7.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtypeInfo {
    /// `etype`; `None` where `PA-PW-SALT` told the salt alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etype: Option<i32>,
    /// `salt`: the realm and the account's name as it was when the key was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Box<str>>,
}
