//! What is in a ticket, where the sensor was given the key that it is sealed with.
//!
//! The session key is not kept, and no other secret: a PAC may hold the account's hash, which stays
//! where it is.

use serde::{Deserialize, Serialize};

use crate::{Account, Timestamp};

/// The sealed part of a ticket, opened (`EncTicketPart`, RFC 4120 5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Opened {
    /// Version of the key that opened it, as the keytab numbers it.
    pub kvno: u32,
    /// `flags`, most significant bit first.
    pub flags: u32,
    /// `cname` and `crealm`: whose ticket it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Account>,
    /// `contents` of `transited`: realms on the way, as they are written.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub transited: Box<str>,
    /// `authtime`: when the client authenticated; the same in every ticket that was had by this one.
    pub authtime: Timestamp,
    /// `starttime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttime: Option<Timestamp>,
    /// `endtime`; at most the year 2554.
    pub endtime: Timestamp,
    /// `renew-till`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_till: Option<Timestamp>,
    /// The PAC, if there is one that can be read ([MS-PAC]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pac: Option<Box<Pac>>,
}

/// A privilege attribute certificate: who the client is, for Windows ([MS-PAC] 2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Pac {
    /// `ulType` of each buffer, in order ([MS-PAC] 2.4).
    pub buffers: Vec<u32>,
    /// `KERB_VALIDATION_INFO`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logon: Option<LogonInfo>,
    /// `Name` of `PAC_CLIENT_INFO` ([MS-PAC] 2.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<Box<str>>,
    /// `ClientId` of `PAC_CLIENT_INFO`: the `authtime` of the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Timestamp>,
    /// `SamName` of `UPN_DNS_INFO` ([MS-PAC] 2.10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sam_name: Option<Box<str>>,
    /// `Sid` of `UPN_DNS_INFO`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<Box<str>>,
    /// `Flags` of `PAC_ATTRIBUTES_INFO`: 1 where a PAC was asked for, 2 where it was given unasked
    /// ([MS-PAC] 2.14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<u32>,
    /// `UserSid` of `PAC_REQUESTOR` ([MS-PAC] 2.15).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestor: Option<Box<str>>,
    /// The signature of who sealed the ticket ([MS-PAC] 2.8.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_signature: Option<Signature>,
    /// The KDC's, over that of the server ([MS-PAC] 2.8.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kdc_signature: Option<Signature>,
    /// The KDC's over the ticket without its PAC ([MS-PAC] 2.8.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_signature: Option<Signature>,
    /// The KDC's over the PAC ([MS-PAC] 2.8.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_signature: Option<Signature>,
}

impl Pac {
    /// `ulType` of `KERB_VALIDATION_INFO`.
    pub const LOGON_INFO: u32 = 1;
    /// `ulType` of the server's signature.
    pub const SERVER_SIGNATURE: u32 = 6;
    /// `ulType` of the KDC's signature.
    pub const KDC_SIGNATURE: u32 = 7;
    /// `ulType` of `PAC_CLIENT_INFO`.
    pub const CLIENT_INFO: u32 = 10;
    /// `ulType` of `UPN_DNS_INFO`.
    pub const UPN_DNS_INFO: u32 = 12;
    /// `ulType` of the ticket's signature.
    pub const TICKET_SIGNATURE: u32 = 16;
    /// `ulType` of `PAC_ATTRIBUTES_INFO`.
    pub const ATTRIBUTES_INFO: u32 = 17;
    /// `ulType` of `PAC_REQUESTOR`.
    pub const REQUESTOR: u32 = 18;
    /// `ulType` of the extended signature.
    pub const EXTENDED_SIGNATURE: u32 = 19;
}

/// `KERB_VALIDATION_INFO`: identity and groups ([MS-PAC] 2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct LogonInfo {
    /// `EffectiveName`: the `sAMAccountName`.
    pub user: Box<str>,
    /// `LogonServer`: the controller that authenticated the client, by its NetBIOS name.
    pub server: Box<str>,
    /// `LogonDomainName`: the domain's NetBIOS name.
    pub domain: Box<str>,
    /// `LogonDomainId`: the domain's SID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_sid: Option<Box<str>>,
    /// `UserId`: the account's number in the domain.
    pub user_id: u32,
    /// `PrimaryGroupId`.
    pub primary_group_id: u32,
    /// `GroupIds`: numbers of groups of the domain, the lowest first, at most 128.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// `ExtraSids` and the groups of `ResourceGroupIds`: those of well-known numbers first, at most 64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_sids: Vec<Box<str>>,
}

/// A signature ([MS-PAC] 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// `SignatureType`, the type of the checksum: -138 `HMAC_MD5`, 15 and 16 `HMAC_SHA1_96` with AES.
    #[serde(rename = "type")]
    pub kind: i32,
    /// Whether it is right.
    pub verdict: Verdict,
}

/// Whether a signature is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was made with the key that it must be made with.
    Valid,
    /// It was not, or what it is over was changed.
    Wrong,
    /// It is a checksum without a key, which anybody can make.
    Unkeyed,
    /// The keytab has not the key that would tell.
    Unchecked,
}
