//! NTLM authentications as activities ([MS-NLMP]), and the names of its flags.
//!
//! What is kept tells who authenticates, with which strength, and whether one authentication is
//! the other end of another. Nothing in here could be cracked: of challenges and responses there
//! are digests at most.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Carrier, Digest, Status, Timestamp};

/// `NegotiateFlags` that detections read ([MS-NLMP] 2.2.2.5).
pub mod flag {
    /// `NTLMSSP_NEGOTIATE_UNICODE`: texts are UTF-16, else the OEM code page's.
    pub const UNICODE: u32 = 0x0000_0001;
    /// `NTLMSSP_NEGOTIATE_SIGN`: messages will be signed.
    pub const SIGN: u32 = 0x0000_0010;
    /// `NTLMSSP_NEGOTIATE_SEAL`: messages will be sealed.
    pub const SEAL: u32 = 0x0000_0020;
    /// `NTLMSSP_NEGOTIATE_OEM_DOMAIN_SUPPLIED`: NEGOTIATE names the client's domain.
    pub const OEM_DOMAIN_SUPPLIED: u32 = 0x0000_1000;
    /// `NTLMSSP_NEGOTIATE_OEM_WORKSTATION_SUPPLIED`: NEGOTIATE names the client.
    pub const OEM_WORKSTATION_SUPPLIED: u32 = 0x0000_2000;
    /// `NTLMSSP_NEGOTIATE_ALWAYS_SIGN`: what a relay has to take away.
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    /// `NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY`.
    pub const EXTENDED_SESSIONSECURITY: u32 = 0x0008_0000;
    /// `NTLMSSP_NEGOTIATE_TARGET_INFO`: CHALLENGE holds AV pairs.
    pub const TARGET_INFO: u32 = 0x0080_0000;
    /// `NTLMSSP_NEGOTIATE_VERSION`: the message holds a version.
    pub const VERSION: u32 = 0x0200_0000;
    /// `NTLMSSP_NEGOTIATE_KEY_EXCH`: the client chooses the session key.
    pub const KEY_EXCH: u32 = 0x4000_0000;
}

/// `MsvAvFlags` ([MS-NLMP] 2.2.2.1).
pub mod av_flag {
    /// The account's authentication is constrained.
    pub const CONSTRAINED: u32 = 1;
    /// The AUTHENTICATE message holds a MIC. One that says so and has none was tampered with
    /// (CVE-2019-1040, "drop the MIC").
    pub const MIC: u32 = 2;
    /// The target name was not confirmed by the client.
    pub const UNTRUSTED_SPN: u32 = 4;
}

/// One authentication, as far as its messages were seen: who wants only the challenge, which
/// tells the server's names and version, stops before AUTHENTICATE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NtlmLogon {
    /// The protocol that carried it.
    pub carrier: Carrier,
    /// NEGOTIATE_MESSAGE, from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiate: Option<NtlmNegotiate>,
    /// CHALLENGE_MESSAGE, from the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<NtlmChallenge>,
    /// AUTHENTICATE_MESSAGE, from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticate: Option<NtlmAuthenticate>,
    /// The status with which the carrier refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NtlmNegotiate {
    /// `NegotiateFlags` ([`flag`]).
    pub flags: u32,
    /// `Version` of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<NtlmVersion>,
    /// `DomainName`, in the wire's case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
    /// `WorkstationName`, in the wire's case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstation: Option<Box<str>>,
}

/// CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NtlmChallenge {
    /// `NegotiateFlags` ([`flag`]).
    pub flags: u32,
    /// `Version` of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<NtlmVersion>,
    /// `TargetName`: the server's domain, or itself where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<Box<str>>,
    /// `TargetInfo`.
    #[serde(default, skip_serializing_if = "AvPairs::is_empty")]
    pub target_info: AvPairs,
    /// Digest of `ServerChallenge`: servers choose it at random, so the same one on two connections
    /// is handed on by somebody in between.
    pub digest: Digest,
}

/// AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NtlmAuthenticate {
    /// `NegotiateFlags` ([`flag`]).
    pub flags: u32,
    /// `Version` of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<NtlmVersion>,
    /// `UserName`, in the wire's case; absent in an anonymous logon. The account in its normal form
    /// is the activity's actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<str>>,
    /// `DomainName`, in the wire's case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
    /// `Workstation`, in the wire's case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstation: Option<Box<str>>,
    /// What `LmChallengeResponse` is.
    pub lm_response: LmResponse,
    /// What `NtChallengeResponse` is.
    pub nt_response: NtResponse,
    /// Whether there is a `MIC`.
    pub mic: bool,
    /// Whether there is an `EncryptedRandomSessionKey`.
    pub session_key: bool,
    /// When the client says it is, in an NTLMv2 response ([MS-NLMP] 2.2.2.7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// AV pairs of an NTLMv2 response: the challenge's, and those of the client.
    #[serde(default, skip_serializing_if = "AvPairs::is_empty")]
    pub target_info: AvPairs,
    /// Digest of `NtChallengeResponse`, equal wherever the same response is replayed or relayed to.
    ///
    /// Only of NTLMv2 and NTLM2 responses: they depend on 64 random bits of the client's which are
    /// not kept, so that no password can be tried on the digest. An NTLMv1 response depends on
    /// nothing but the password and the server's challenge, which a rogue server chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// AV pairs ([MS-NLMP] 2.2.2.1): who the server is, and how the client means it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvPairs {
    /// `MsvAvNbComputerName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netbios_computer: Option<Box<str>>,
    /// `MsvAvNbDomainName`; the computer's own name where it is in no domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netbios_domain: Option<Box<str>>,
    /// `MsvAvDnsComputerName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_computer: Option<Box<str>>,
    /// `MsvAvDnsDomainName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_domain: Option<Box<str>>,
    /// `MsvAvDnsTreeName`: the forest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_tree: Option<Box<str>>,
    /// `MsvAvFlags` ([`av_flag`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// `MsvAvTimestamp`: the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Whether there is `MsvAvSingleHost`: the client's machine identity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_host: bool,
    /// `MsvAvTargetName`: the service that the client means to reach, `cifs/fs1.corp.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<Box<str>>,
    /// `MsvAvChannelBindings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_bindings: Option<ChannelBindings>,
}

/// `MsvAvChannelBindings` of a client that knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelBindings {
    /// All zeros: not bound to any TLS channel.
    Zero,
    /// Bound to one.
    Bound,
}

/// What `LmChallengeResponse` is ([MS-NLMP] 2.2.2.3, 2.2.2.4, 3.3.1, 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LmResponse {
    /// Nothing, or zeros.
    Absent,
    /// LM: from the password in capitals, in halves.
    Lm,
    /// The NTLMv1 response once more, by clients that do not send LM.
    Copy,
    /// No response: the client's challenge for NTLM2.
    Challenge,
    /// LMv2.
    Lmv2,
    /// None of these.
    Other,
}

/// What `NtChallengeResponse` is ([MS-NLMP] 2.2.2.6, 2.2.2.8, 3.3.1, 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NtResponse {
    /// Nothing.
    Absent,
    /// NTLMv1.
    Ntlmv1,
    /// NTLMv1 with extended session security, "NTLM2".
    Ntlm2,
    /// NTLMv2.
    Ntlmv2,
    /// None of these.
    Other,
}

/// `VERSION` ([MS-NLMP] 2.2.2.10): the operating system, or what a tool pretends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NtlmVersion {
    /// `ProductMajorVersion`.
    pub major: u8,
    /// `ProductMinorVersion`.
    pub minor: u8,
    /// `ProductBuild`.
    pub build: u16,
    /// `NTLMRevisionCurrent`, 15.
    pub revision: u8,
}

impl NtlmLogon {
    /// Nothing seen yet.
    pub const fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            negotiate: None,
            challenge: None,
            authenticate: None,
            status: None,
        }
    }

    /// What the server says of itself; where its own message was not seen, what the client repeats
    /// of it.
    pub fn target_info(&self) -> Option<&AvPairs> {
        let challenge = self.challenge.as_ref().map(|it| &it.target_info);
        let repeated = self.authenticate.as_ref().map(|it| &it.target_info);
        challenge.or(repeated).filter(|pairs| !pairs.is_empty())
    }
}

impl NtlmAuthenticate {
    /// Whether nobody authenticates: a null session ([MS-NLMP] 3.2.5.1.2).
    pub fn is_anonymous(&self) -> bool {
        self.user.is_none() && self.nt_response == NtResponse::Absent
    }

    /// Whether the client says that there is a MIC and there is none: somebody took it out.
    pub fn lacks_mic(&self) -> bool {
        !self.mic && self.target_info.flags.unwrap_or(0) & av_flag::MIC != 0
    }
}

impl AvPairs {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for NtlmLogon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ntlm in {}", self.carrier.name())?;
        match &self.authenticate {
            Some(authenticate) if authenticate.is_anonymous() => f.write_str(", anonymous")?,
            Some(authenticate) => {
                let user = authenticate.user.as_deref().unwrap_or("?");
                let domain = authenticate.domain.as_deref().unwrap_or("");
                let response = authenticate.nt_response.name();
                write!(f, " as {domain}\\{user} with {response}")?;
            }
            None => f.write_str(", no account shown")?,
        }
        match self.status {
            Some(status) => write!(f, ": {status}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NtlmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

impl NtResponse {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "no NT response",
            Self::Ntlmv1 => "NTLMv1",
            Self::Ntlm2 => "NTLM2",
            Self::Ntlmv2 => "NTLMv2",
            Self::Other => "a response of no known form",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticate(user: Option<&str>, nt_response: NtResponse) -> NtlmAuthenticate {
        NtlmAuthenticate {
            flags: flag::UNICODE,
            version: None,
            user: user.map(Into::into),
            domain: user.map(|_| "CORP".into()),
            workstation: None,
            lm_response: LmResponse::Absent,
            nt_response,
            mic: false,
            session_key: false,
            timestamp: None,
            target_info: AvPairs::default(),
            digest: None,
        }
    }

    #[test]
    fn a_logon_reads_as_one_line() {
        let mut logon = NtlmLogon::new(Carrier::Smb);
        assert_eq!(logon.to_string(), "ntlm in smb, no account shown");
        logon.authenticate = Some(authenticate(None, NtResponse::Absent));
        assert_eq!(logon.to_string(), "ntlm in smb, anonymous");
        logon.authenticate = Some(authenticate(Some("Alice"), NtResponse::Ntlmv2));
        logon.status = Some(Status::Ntstatus(0xc000_006d));
        assert_eq!(
            logon.to_string(),
            r"ntlm in smb as CORP\Alice with NTLMv2: NTSTATUS 0xc000006d"
        );
    }

    #[test]
    fn what_is_absent_takes_no_room() {
        let logon = NtlmLogon {
            authenticate: Some(authenticate(Some("Alice"), NtResponse::Ntlm2)),
            ..NtlmLogon::new(Carrier::Http)
        };
        let json = serde_json::to_string(&logon).unwrap();
        assert_eq!(
            json,
            r#"{"carrier":"http","authenticate":{"flags":1,"user":"Alice","domain":"CORP","lm_response":"absent","nt_response":"ntlm2","mic":false,"session_key":false}}"#
        );
        assert_eq!(serde_json::from_str::<NtlmLogon>(&json).unwrap(), logon);
    }
}
