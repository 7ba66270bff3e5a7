//! LDAP operations as activities (RFC 4511, [MS-ADTS] 3.1.1.3), over TCP and, as CLDAP, over UDP.
//!
//! Names of attributes are in one form: lower case, without options (`;binary`), and by their name
//! where a client asked for one by its OID. Texts are cut where an attacker could make them long;
//! values of passwords are never kept.

mod names;
mod text;

pub use names::{control, ds_flag, extension, matching_rule, result_code, result_name};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One operation: a request and, when it was seen, how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LdapOperation {
    /// `messageID`, the same in a request and its answers; of several rounds of a bind, the last.
    pub message_id: u32,
    /// What was asked. Who asked is in the activity's credentials.
    pub operation: Operation,
    /// `controlType` of each of the request's controls (RFC 4511 4.1.11), at most sixteen;
    /// [`control`] names some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<Box<str>>,
    /// How the request was protected on its way.
    pub protection: Protection,
    /// How the server answered; `None` where that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<LdapResult>,
    /// Bytes of the request; 0 where there is a password in it.
    pub request_bytes: u32,
    /// Bytes of the answers seen.
    pub response_bytes: u64,
}

/// What was asked. Where only answers were seen, there is no `request` in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operation {
    /// Authenticate (RFC 4511 4.2).
    Bind(Bind),
    /// Find objects (RFC 4511 4.5).
    Search(Search),
    /// Change an object (RFC 4511 4.6).
    Modify(Option<ModifyRequest>),
    /// Make an object (RFC 4511 4.7).
    Add(Option<AddRequest>),
    /// Delete an object (RFC 4511 4.8): its name.
    Delete(Option<Box<str>>),
    /// Rename or move an object (RFC 4511 4.9).
    ModifyDn(Option<ModifyDnRequest>),
    /// Ask whether an object has a value (RFC 4511 4.10).
    Compare(Option<CompareRequest>),
    /// Something that only an extension knows (RFC 4511 4.12).
    Extended(Option<ExtendedRequest>),
    /// The server speaks unasked (RFC 4511 4.4): `responseName`, [`extension::DISCONNECTION`].
    Notification(Box<str>),
    /// From here on the connection is TLS, begun by StartTLS or at once (LDAPS).
    Tls(TlsClient),
    /// From here on what the connection carries is sealed by its security layer, and only its ends
    /// can read it ([MS-ADTS] 5.1.1.1.2).
    Sealed,
}

/// How an operation was protected on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Not at all: it could have been read and changed.
    #[default]
    None,
    /// Signed: it could have been read.
    Signed,
    /// Sealed by the security layer of a SASL bind.
    Sealed,
    /// Inside TLS.
    Tls,
}

/// `LDAPResult`, RFC 4511 4.1.9.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LdapResult {
    /// `resultCode`
    pub result_code: u32,
    /// `matchedDN`
    #[serde(default, skip_serializing_if = "is_default")]
    pub matched_dn: Box<str>,
    /// `diagnosticMessage`
    #[serde(default, skip_serializing_if = "is_default")]
    pub diagnostic_message: Box<str>,
    /// The error that a Windows server names in it as `data 52e`: Win32, or 0 where there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub data: u32,
    /// `referral`, at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referral: Vec<Box<str>>,
}

/// A bind: all its rounds together, for SASL and Sicily take several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// What was asked, first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<BindRequest>,
    /// Requests and responses that it took, in pairs.
    pub rounds: u32,
}

/// `BindRequest`, RFC 4511 4.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindRequest {
    /// `version`
    pub version: u8,
    /// `name`: a DN, and with a simple bind to Windows also `DOMAIN\name` or `name@domain`
    /// ([MS-ADTS] 5.1.1.1.1).
    pub name: Box<str>,
    /// `authentication`
    pub authentication: Authentication,
}

/// How a client authenticates, `AuthenticationChoice`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Authentication {
    /// A name and a password in the clear (RFC 4513 5.1.3).
    Simple,
    /// Neither: nobody (RFC 4513 5.1.1).
    Anonymous,
    /// A name without a password, which proves nothing (RFC 4513 5.1.2).
    Unauthenticated,
    /// The SASL mechanism, `GSS-SPNEGO`.
    Sasl(Box<str>),
    /// Microsoft's own way to carry NTLM ([MS-ADTS] 5.1.1.1.3).
    Sicily,
    /// Another one, by its tag's number.
    Other(u8),
}

/// A search and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<SearchRequest>,
    /// Objects returned, `SearchResultEntry`.
    pub entries: u32,
    /// Names of the first four of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Box<str>>,
    /// `SearchResultReference`s returned.
    #[serde(default, skip_serializing_if = "is_default")]
    pub references: u32,
    /// Where it was an LDAP ping: what the domain controller tells of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netlogon: Option<Box<NetlogonResponse>>,
}

/// `SearchRequest`, RFC 4511 4.5.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// `baseObject`; empty for the root of the directory.
    pub base_object: Box<str>,
    /// `scope`
    pub scope: Scope,
    /// `sizeLimit`, objects; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub size_limit: u32,
    /// `timeLimit`, seconds; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub time_limit: u32,
    /// `filter` as text (RFC 4515), in the spelling of the wire.
    pub filter: Box<str>,
    /// The comparisons in it, each once, the first 128.
    pub conditions: Vec<Condition>,
    /// How many it has, repeated ones too.
    pub conditions_total: u32,
    /// How deep they are nested: 1 for one alone.
    pub filter_depth: u32,
    /// Whether the filter was not read to its end: longer, or nested deeper, than anybody asks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filter_cut: bool,
    /// `attributes` asked for, the first 256; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Box<str>>,
}

/// `scope` of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// `baseObject`
    Base,
    /// `singleLevel`
    One,
    /// `wholeSubtree`
    Subtree,
    /// Not one of those.
    Other,
}

/// One comparison of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The attribute; empty where a matching rule alone is named.
    pub attribute: Box<str>,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what, as RFC 4515 writes it: `alice`, `ali*`, `\01\05`; `*` for a mere presence.
    pub value: Box<str>,
    /// Whether it must not be so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub negated: bool,
}

/// How an attribute is compared, `Filter` of RFC 4511 4.5.1.7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Comparison {
    /// `equalityMatch`
    Equal,
    /// `substrings`
    Substrings,
    /// `greaterOrEqual`
    GreaterOrEqual,
    /// `lessOrEqual`
    LessOrEqual,
    /// `present`
    Present,
    /// `approxMatch`
    Approx,
    /// `extensibleMatch`, by this `matchingRule` ([`matching_rule`]); empty where none is named.
    Extensible(Box<str>),
}

/// `ModifyRequest`, RFC 4511 4.6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModifyRequest {
    /// `object`: the name of what is changed.
    pub object: Box<str>,
    /// `changes`, the first 128.
    pub changes: Vec<Change>,
    /// How many there are.
    pub changes_total: u32,
}

/// One of the `changes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `operation`
    pub operation: ChangeOperation,
    /// `modification`
    pub modification: Attribute,
}

/// `operation` of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChangeOperation {
    /// Add these values.
    Add,
    /// Delete these values, or all.
    Delete,
    /// Put these values in place of those there are.
    Replace,
    /// Add this number to the value (RFC 4525).
    Increment,
    /// Not one of those.
    Other,
}

/// An attribute and what is written to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `type`
    pub name: Box<str>,
    /// How many `vals`.
    pub values: u32,
    /// Their bytes; 0 where they are secret.
    pub bytes: u32,
    /// The first eight of them, for attributes whose values attacks are told by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Box<str>>,
}

/// `AddRequest`, RFC 4511 4.7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddRequest {
    /// `entry`: the new object's name.
    pub entry: Box<str>,
    /// `attributes`, the first 128.
    pub attributes: Vec<Attribute>,
    /// How many there are.
    pub attributes_total: u32,
}

/// `ModifyDNRequest`, RFC 4511 4.9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModifyDnRequest {
    /// `entry`
    pub entry: Box<str>,
    /// `newrdn`
    pub newrdn: Box<str>,
    /// `newSuperior`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_superior: Option<Box<str>>,
}

/// `CompareRequest`, RFC 4511 4.10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareRequest {
    /// `entry`
    pub entry: Box<str>,
    /// The attribute.
    pub attribute: Box<str>,
    /// The value, as in a [`Condition`].
    pub value: Box<str>,
}

/// `ExtendedRequest`, RFC 4511 4.12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedRequest {
    /// `requestName`, an OID; [`extension`] names some.
    pub request_name: Box<str>,
    /// Whose password is to be changed (`userIdentity`, RFC 3062); `None` for one's own, or where
    /// it is another extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_identity: Option<Box<str>>,
}

/// What a client says when it begins TLS (RFC 8446 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsClient {
    /// The newest version that it offers, 0x0303 for 1.2.
    pub version: u16,
    /// The name of the server that it wants (`server_name`, RFC 6066 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Box<str>>,
}

/// What a domain controller tells of itself in answer to a ping: `NETLOGON_SAM_LOGON_RESPONSE_EX`
/// and its older forms ([MS-ADTS] 6.3.1.7 to 6.3.1.9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetlogonResponse {
    /// `Opcode` ([MS-ADTS] 6.3.1.3): 19 and 23 for a user that is known or not asked for, 21 and 25
    /// for one that is not, 20 and 24 where the controller is paused.
    pub opcode: u16,
    /// `Flags` ([MS-ADTS] 6.3.1.2); [`ds_flag`] names some. 0 where the form has none.
    pub flags: u32,
    /// `DomainGuid`; nil where the form has none.
    pub domain_guid: Uuid,
    /// `DnsForestName`
    pub dns_forest_name: Box<str>,
    /// `DnsDomainName`
    pub dns_domain_name: Box<str>,
    /// `DnsHostName`
    pub dns_host_name: Box<str>,
    /// `NetbiosDomainName`
    pub netbios_domain_name: Box<str>,
    /// `NetbiosComputerName`
    pub netbios_computer_name: Box<str>,
    /// `UserName`: the user that was asked for.
    pub user_name: Box<str>,
    /// `DcSiteName`
    pub dc_site_name: Box<str>,
    /// `ClientSiteName`
    pub client_site_name: Box<str>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
