//! NTLM: what its three messages say ([MS-NLMP] 2.2.1), and nothing that could be cracked.
//!
//! Older clients send shorter messages, without MIC, without version, or without flags; what is
//! there shows in where the payload begins. Offsets are not believed, and fields may overlap.

mod fields;
mod pairs;
mod response;

use goshawk_model::Digest;
use goshawk_model::ntlm::{NtlmAuthenticate, NtlmChallenge, NtlmLogon, NtlmNegotiate, flag};

use self::fields::Fields;
use self::response::Response;

/// One of the three messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Negotiate(NtlmNegotiate),
    Challenge(NtlmChallenge),
    Authenticate(Box<NtlmAuthenticate>),
}

impl Message {
    /// Whether it is the client that sends such a message.
    pub(super) fn is_from_client(&self) -> bool {
        !matches!(self, Self::Challenge(_))
    }

    /// Whether it is what comes next after what was seen of `logon`, or later: some may be lost.
    pub(super) fn follows(&self, logon: &NtlmLogon) -> bool {
        match self {
            Self::Negotiate(_) => false,
            Self::Challenge(_) => logon.challenge.is_none() && logon.authenticate.is_none(),
            Self::Authenticate(_) => logon.authenticate.is_none(),
        }
    }
}

/// Begins every message.
const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// Length of CHALLENGE_MESSAGE before `TargetInfoFields` were added, with its `Reserved` field.
const CHALLENGE_WITHOUT_INFO: usize = 40;
/// Length of AUTHENTICATE_MESSAGE before session keys and flags were added.
const AUTHENTICATE_WITHOUT_FLAGS: usize = 52;
/// Length of AUTHENTICATE_MESSAGE before `Version` was added.
const AUTHENTICATE_WITHOUT_VERSION: usize = 64;
/// Where its `MIC` is, 16 bytes; behind `Version`, whether that is used or not.
const MIC: std::ops::Range<usize> = 72..88;

/// Reads a message; `None` if it is malformed.
pub(super) fn parse(message: &[u8]) -> Option<Message> {
    let mut fields = Fields::new(message, SIGNATURE)?;
    match fields.u32()? {
        1 => negotiate(fields).map(Message::Negotiate),
        2 => challenge(fields).map(Message::Challenge),
        3 => authenticate(fields)
            .map(Box::new)
            .map(Message::Authenticate),
        _ => None,
    }
}

/// Names in it are in the OEM code page: nothing is negotiated yet.
fn negotiate(mut fields: Fields<'_>) -> Option<NtlmNegotiate> {
    let flags = fields.u32()?;
    let mut negotiate = NtlmNegotiate {
        flags,
        ..NtlmNegotiate::default()
    };
    if flags & (flag::OEM_DOMAIN_SUPPLIED | flag::OEM_WORKSTATION_SUPPLIED) != 0 {
        let (domain, workstation) = (fields.bytes()?, fields.bytes()?);
        if flags & flag::OEM_DOMAIN_SUPPLIED != 0 {
            negotiate.domain = fields::text(domain, false);
        }
        if flags & flag::OEM_WORKSTATION_SUPPLIED != 0 {
            negotiate.workstation = fields::text(workstation, false);
        }
    } else {
        // What the two triples point to does not count.
        fields.skip(16);
    }
    negotiate.version = fields.version(flags);
    Some(negotiate)
}

fn challenge(mut fields: Fields<'_>) -> Option<NtlmChallenge> {
    let target_name = fields.bytes()?;
    let flags = fields.u32()?;
    let server_challenge = fields.take(8)?;
    fields.skip(8);
    let has_info = fields.payload() > CHALLENGE_WITHOUT_INFO && flags & flag::TARGET_INFO != 0;
    let target_info = if has_info {
        fields.bytes()?
    } else {
        fields.skip(8);
        &[]
    };
    Some(NtlmChallenge {
        flags,
        version: fields.version(flags),
        target_name: fields::text(target_name, flags & flag::UNICODE != 0),
        target_info: pairs::parse(target_info),
        digest: Digest::of(&[server_challenge]),
    })
}

fn authenticate(mut fields: Fields<'_>) -> Option<NtlmAuthenticate> {
    let (lm, nt) = (fields.bytes()?, fields.bytes()?);
    let (domain, user, workstation) = (fields.bytes()?, fields.bytes()?, fields.bytes()?);
    let mut flags = 0;
    let mut session_key: &[u8] = &[];
    let is_old =
        (AUTHENTICATE_WITHOUT_FLAGS..AUTHENTICATE_WITHOUT_VERSION).contains(&fields.payload());
    if !is_old {
        session_key = fields.bytes()?;
        flags = fields.u32()?;
    }
    let version = fields.version(flags);
    let mic = fields
        .before_payload(MIC)
        .is_some_and(|mic| mic.iter().any(|&byte| byte != 0));
    let unicode = flags & flag::UNICODE != 0;
    let Response {
        lm_response,
        nt_response,
        timestamp,
        target_info,
        digest,
    } = response::read(lm, nt, flags);
    Some(NtlmAuthenticate {
        flags,
        version,
        user: fields::text(user, unicode),
        domain: fields::text(domain, unicode),
        workstation: fields::text(workstation, unicode),
        lm_response,
        nt_response,
        mic,
        session_key: !session_key.is_empty(),
        timestamp,
        target_info,
        digest,
    })
}

#[cfg(test)]
mod tests;
