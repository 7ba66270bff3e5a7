//! What the client answers the challenge with ([MS-NLMP] 2.2.2.3 to 2.2.2.8, 3.3).

use goshawk_model::ntlm::{AvPairs, LmResponse, NtResponse, flag};
use goshawk_model::{Digest, Timestamp};

use super::pairs;

/// What is kept of `LmChallengeResponse` and `NtChallengeResponse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) lm_response: LmResponse,
    pub(super) nt_response: NtResponse,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) target_info: AvPairs,
    pub(super) digest: Option<Digest>,
}

/// Length of an LM, LMv2 or NTLMv1 response.
const SHORT: usize = 24;
/// Length of the client's challenge, which NTLM2 sends in place of an LM response.
const CHALLENGE: usize = 8;
/// Length of `NTProofStr`, which begins an NTLMv2 response ([MS-NLMP] 2.2.2.8).
const PROOF: usize = 16;
/// In `NTLMv2_CLIENT_CHALLENGE` ([MS-NLMP] 2.2.2.7), behind `RespType` and `HiRespType`: where the
/// clock is, and where the AV pairs begin.
const TIMESTAMP: usize = 8;
const AV_PAIRS: usize = 28;

/// Tells responses apart by their form.
pub(super) fn read(lm: &[u8], nt: &[u8], flags: u32) -> Response {
    let nt_response = nt_response(lm, nt, flags);
    let client_challenge = match nt_response {
        NtResponse::Ntlmv2 => nt.get(PROOF..).unwrap_or_default(),
        _ => &[],
    };
    let random = matches!(nt_response, NtResponse::Ntlm2 | NtResponse::Ntlmv2);
    Response {
        lm_response: lm_response(lm, nt, nt_response),
        nt_response,
        timestamp: client_challenge.get(TIMESTAMP..).and_then(pairs::file_time),
        target_info: pairs::parse(client_challenge.get(AV_PAIRS..).unwrap_or_default()),
        digest: random.then(|| Digest::of(&[nt])),
    }
}

fn nt_response(lm: &[u8], nt: &[u8], flags: u32) -> NtResponse {
    let is_challenge = lm.len() == SHORT && is_zero(lm.get(CHALLENGE..).unwrap_or_default());
    match nt.len() {
        0 => NtResponse::Absent,
        SHORT if is_challenge && flags & flag::EXTENDED_SESSIONSECURITY != 0 => NtResponse::Ntlm2,
        SHORT => NtResponse::Ntlmv1,
        // `RespType` and `HiRespType` are 1.
        length if length >= PROOF + AV_PAIRS && nt.get(PROOF..PROOF + 2) == Some(&[1, 1]) => {
            NtResponse::Ntlmv2
        }
        _ => NtResponse::Other,
    }
}

fn lm_response(lm: &[u8], nt: &[u8], nt_response: NtResponse) -> LmResponse {
    match nt_response {
        NtResponse::Ntlm2 => LmResponse::Challenge,
        _ if is_zero(lm) => LmResponse::Absent,
        _ if lm.len() != SHORT => LmResponse::Other,
        _ if lm == nt => LmResponse::Copy,
        NtResponse::Ntlmv2 => LmResponse::Lmv2,
        _ => LmResponse::Lm,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
