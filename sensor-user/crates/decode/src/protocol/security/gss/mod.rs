//! Security tokens unwrapped: GSS-API (RFC 2743 3.1), SPNEGO (RFC 4178), NEGOEX ([MS-NEGOEX]),
//! and what goes without any of them in DCE style ([MS-KILE] 3.4.5, [MS-SPNG]).

mod negoex;

use goshawk_model::{MechType, NegState, Negotiation};

use crate::der::{self, Value};

/// A security token without its wrapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened<'a> {
    pub(crate) token: Token<'a>,
    /// What the wrapping says about the mechanism to use; nothing where there is none.
    pub(crate) said: Negotiation,
}

/// What a security token turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A Kerberos message: AP-REQ, AP-REP or KRB-ERROR; behind IAKERB any other one, before
    /// user-to-user a KERB-TGT-REQUEST or -REPLY.
    Kerberos(&'a [u8]),
    /// An NTLM message.
    Ntlm(&'a [u8]),
    /// Something else, or nothing.
    Other,
}

/// SPNEGO inside GSS-API with a mechanism's own GSS-API framing inside is three layers deep;
/// NEGOEX adds one.
const MAX_LAYERS: usize = 6;
/// Mechanisms kept of a list; Windows offers five.
const MAX_MECHANISMS: usize = 16;

/// `InitialContextToken`, RFC 2743 3.1.
const INITIAL_CONTEXT_TOKEN: u8 = 0x60;
/// `NegTokenInit`, RFC 4178 4.2.1.
const NEG_TOKEN_INIT: u8 = 0xa0;
/// `NegTokenResp`, RFC 4178 4.2.2.
const NEG_TOKEN_RESP: u8 = 0xa1;
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";
/// TOK_ID of `IAKERB_PROXY` (draft-ietf-kitten-iakerb 3).
const IAKERB_PROXY: &[u8] = &[5, 1];

/// Takes all wrapping off `token`.
pub(crate) fn open(token: &[u8]) -> Opened<'_> {
    let mut said = Negotiation::default();
    let token = unwrap(token, &mut said);
    Opened { token, said }
}

fn unwrap<'a>(mut token: &'a [u8], said: &mut Negotiation) -> Token<'a> {
    for _ in 0..MAX_LAYERS {
        if token.starts_with(NTLM_SIGNATURE) {
            return Token::Ntlm(token);
        }
        let Some(&first) = token.first() else {
            return Token::Other;
        };
        let inner = match first {
            // AS-REQ to AP-REP, KRB-ERROR: [APPLICATION 10 to 15, 30].
            0x6a..=0x6f | 0x7e => return Token::Kerberos(token),
            INITIAL_CONTEXT_TOKEN => behind_mechanism(token),
            NEG_TOKEN_INIT => neg_token_init(token, said),
            NEG_TOKEN_RESP => neg_token_resp(token, said),
            // TOK_ID of what comes before user-to-user, draft-swift-win2k-krb-user2user 3.
            4 => {
                return match token {
                    [4, 0 | 1, message @ ..] if message.first() == Some(&der::SEQUENCE) => {
                        Token::Kerberos(message)
                    }
                    _ => Token::Other,
                };
            }
            // TOK_ID of AP-REQ, AP-REP and KRB-ERROR, RFC 4121 4.1.
            1..=3 => token.strip_prefix(&[first, 0]),
            _ if token.starts_with(negoex::SIGNATURE) => negoex::exchange(token, said),
            _ => token.strip_prefix(IAKERB_PROXY).and_then(behind_header),
        };
        match inner {
            Some(inner) => token = inner,
            None => return Token::Other,
        }
    }
    Token::Other
}

/// What follows `thisMech`. Which mechanism that is does not matter: Microsoft's mistyped OID for
/// Kerberos, 1.2.840.48018.1.2.2, and the right one frame the same tokens.
fn behind_mechanism(token: &[u8]) -> Option<&[u8]> {
    let (outer, _) = der::read(token)?;
    let (mechanism, inner) = der::read(outer.content)?;
    (mechanism.tag == der::OBJECT_IDENTIFIER).then_some(inner)
}

/// What follows an `IAKERB-HEADER`.
fn behind_header(token: &[u8]) -> Option<&[u8]> {
    let (header, inner) = der::read(token)?;
    (header.tag == der::SEQUENCE).then_some(inner)
}

/// `mechToken`: the first token of the mechanism that the client prefers. [MS-SPNG] 2.2.1 has
/// `negHints` where RFC 4178 has the `mechListMIC`.
fn neg_token_init<'a>(token: &'a [u8], said: &mut Negotiation) -> Option<&'a [u8]> {
    let sequence = choice(token)?;
    let mechanisms = sequence.field(0).and_then(Value::elements);
    said.offered = mechanisms
        .into_iter()
        .flatten()
        .take(MAX_MECHANISMS)
        .map(mechanism)
        .collect();
    said.mech_list_mic |= [3, 4].into_iter().any(|number| {
        let mic = sequence.field(number);
        mic.is_some_and(|mic| mic.tag == der::OCTET_STRING)
    });
    sequence.field(2)?.expect(der::OCTET_STRING)
}

/// `responseToken`: a further token of either side.
fn neg_token_resp<'a>(token: &'a [u8], said: &mut Negotiation) -> Option<&'a [u8]> {
    let sequence = choice(token)?;
    said.state = sequence.field(0).and_then(neg_state).or(said.state);
    said.chosen = sequence.field(1).map(mechanism).or(said.chosen);
    said.mech_list_mic |= sequence.field(3).is_some();
    sequence.field(2)?.expect(der::OCTET_STRING)
}

/// The `SEQUENCE` in a `NegotiationToken`.
fn choice(token: &[u8]) -> Option<Value<'_>> {
    let (outer, _) = der::read(token)?;
    der::read(outer.content).map(|(sequence, _)| sequence)
}

fn neg_state(value: Value<'_>) -> Option<NegState> {
    match value.expect(der::ENUMERATED)? {
        [0] => Some(NegState::AcceptCompleted),
        [1] => Some(NegState::AcceptIncomplete),
        [2] => Some(NegState::Reject),
        [3] => Some(NegState::RequestMic),
        _ => None,
    }
}

fn mechanism(value: Value<'_>) -> MechType {
    match value.expect(der::OBJECT_IDENTIFIER).unwrap_or_default() {
        b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" => MechType::Krb5,
        b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02" => MechType::MsKrb5,
        b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03" => MechType::Krb5UserToUser,
        b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" => MechType::Ntlm,
        b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" => MechType::Negoex,
        b"\x2b\x06\x01\x05\x02\x05" => MechType::Iakerb,
        b"\x2b\x06\x01\x05\x05\x02" => MechType::Spnego,
        _ => MechType::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8][..], content].concat()
    }

    fn spnego(tag: u8, token: &[u8]) -> Vec<u8> {
        let token = wrap(0xa2, &wrap(der::OCTET_STRING, token));
        wrap(tag, &wrap(der::SEQUENCE, &token))
    }

    /// 1.2.840.48018.1.2.2, [MS-SPNG] 2.2.1.
    const MS_KRB5: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2];
    /// 1.3.6.1.5.5.2
    const SPNEGO: [u8; 8] = [6, 6, 0x2b, 6, 1, 5, 5, 2];
    const AP_REQ: [u8; 4] = [0x6e, 2, 0x30, 0];

    #[test]
    fn kerberos_is_found_in_every_wrapping() {
        let framed = wrap(0x60, &[&MS_KRB5[..], &[1, 0], &AP_REQ].concat());
        let negotiated = wrap(0x60, &[&SPNEGO[..], &spnego(0xa0, &framed)].concat());
        let bare = wrap(0x60, &[&SPNEGO[..], &spnego(0xa0, &AP_REQ)].concat());
        for token in [AP_REQ.to_vec(), framed, negotiated, bare] {
            assert_eq!(open(&token).token, Token::Kerberos(&AP_REQ), "{token:x?}");
        }
    }

    #[test]
    fn ntlm_is_found_bare_and_negotiated() {
        let ntlm = b"NTLMSSP\0\x03\0\0\0";
        assert_eq!(open(ntlm).token, Token::Ntlm(ntlm));
        assert_eq!(open(&spnego(0xa1, ntlm)).token, Token::Ntlm(ntlm));
    }

    #[test]
    fn endless_wrapping_ends() {
        let token = (0..12).fold(AP_REQ.to_vec(), |token, _| spnego(0xa1, &token));
        assert_eq!(open(&token).token, Token::Other);
        assert_eq!(open(&[]).token, Token::Other);
    }

    /// Of the OIDs above, the contents.
    const NTLM: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
    const NEGOEX: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e";

    #[test]
    fn what_is_offered_and_chosen_is_told() {
        let list = [
            MS_KRB5.to_vec(),
            wrap(6, NEGOEX),
            wrap(6, NTLM),
            wrap(6, &[0x2a]),
        ]
        .concat();
        let fields = [
            wrap(0xa0, &wrap(der::SEQUENCE, &list)),
            wrap(0xa2, &wrap(der::OCTET_STRING, &AP_REQ)),
        ];
        let init = wrap(0xa0, &wrap(der::SEQUENCE, &fields.concat()));
        let opened = open(&init);
        assert_eq!(opened.token, Token::Kerberos(&AP_REQ));
        assert_eq!(
            opened.said.offered,
            [
                MechType::MsKrb5,
                MechType::Negoex,
                MechType::Ntlm,
                MechType::Other
            ]
        );
        assert!(!opened.said.mech_list_mic);

        let fields = [
            wrap(0xa0, &wrap(der::ENUMERATED, &[0])),
            wrap(0xa1, &wrap(6, NTLM)),
            wrap(0xa3, &wrap(der::OCTET_STRING, &[7; 16])),
        ];
        let said = open(&wrap(0xa1, &wrap(der::SEQUENCE, &fields.concat()))).said;
        assert_eq!(
            (said.state, said.chosen, said.mech_list_mic),
            (Some(NegState::AcceptCompleted), Some(MechType::Ntlm), true)
        );
    }

    #[test]
    fn the_hints_of_a_server_are_no_mic() {
        let hints = wrap(0xa3, &wrap(der::SEQUENCE, &[]));
        assert!(
            !open(&wrap(0xa0, &wrap(der::SEQUENCE, &hints)))
                .said
                .mech_list_mic
        );
    }

    #[test]
    fn what_comes_before_user_to_user_is_a_message() {
        let request = [0x30, 2, 0xa1, 0];
        let token = wrap(0x60, &[&MS_KRB5[..], &[4, 0], &request].concat());
        assert_eq!(open(&token).token, Token::Kerberos(&request));
        assert_eq!(open(&[4, 2, 0x30, 0]).token, Token::Other);
    }

    #[test]
    fn a_service_may_relay_to_the_kdc() {
        let as_req = [0x6a, 2, 0x30, 0];
        let token = [
            &[6, 6, 0x2b, 6, 1, 5, 2, 5][..],
            &[5, 1, 0x30, 2, 0xa1, 0],
            &as_req,
        ];
        let token = wrap(0x60, &token.concat());
        assert_eq!(open(&token).token, Token::Kerberos(&as_req));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..100), first in 0..5usize) {
            let first = [&[][..], &[0x60, 90], &[0xa0, 90, 0x30, 88], &[0xa1, 90, 0x30, 88],
                negoex::SIGNATURE][first];
            let token = [first, &bytes].concat();
            prop_assert!(open(&token).said.offered.len() <= MAX_MECHANISMS);
        }
    }
}
