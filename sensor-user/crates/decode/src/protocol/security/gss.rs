//! Security tokens unwrapped: GSS-API (RFC 2743 3.1), SPNEGO (RFC 4178), and what goes without
//! either in DCE style ([MS-KILE] 3.4.5, [MS-SPNG]).

use crate::der::{self, Value};

/// What a security token turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A Kerberos message: AP-REQ, AP-REP or KRB-ERROR.
    Kerberos(&'a [u8]),
    /// An NTLM message.
    Ntlm(&'a [u8]),
    /// Something else, or nothing.
    Other,
}

/// SPNEGO inside GSS-API with a mechanism's own GSS-API framing inside is three layers deep.
const MAX_LAYERS: usize = 6;

/// `InitialContextToken`, RFC 2743 3.1.
const INITIAL_CONTEXT_TOKEN: u8 = 0x60;
/// `NegTokenInit`, RFC 4178 4.2.
const NEG_TOKEN_INIT: u8 = 0xa0;
/// `NegTokenResp`, RFC 4178 4.2.
const NEG_TOKEN_RESP: u8 = 0xa1;
/// `mechToken` of the first, `responseToken` of the second.
const MECH_TOKEN: u8 = 2;
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Takes all wrapping off `token`.
pub(crate) fn unwrap(token: &[u8]) -> Token<'_> {
    let mut token = token;
    for _ in 0..MAX_LAYERS {
        if token.starts_with(NTLM_SIGNATURE) {
            return Token::Ntlm(token);
        }
        let Some(&first) = token.first() else {
            return Token::Other;
        };
        let inner = match first {
            // AP-REQ, AP-REP, KRB-ERROR: [APPLICATION 14, 15, 30].
            0x6e | 0x6f | 0x7e => return Token::Kerberos(token),
            INITIAL_CONTEXT_TOKEN => behind_mechanism(token),
            NEG_TOKEN_INIT | NEG_TOKEN_RESP => mech_token(token),
            // TOK_ID of the same three, RFC 4121 4.1.
            1..=3 => token.strip_prefix(&[first, 0]),
            _ => None,
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

fn mech_token(token: &[u8]) -> Option<&[u8]> {
    let (outer, _) = der::read(token)?;
    let (sequence, _) = der::read(outer.content)?;
    sequence
        .field(MECH_TOKEN)
        .and_then(|token: Value<'_>| token.expect(der::OCTET_STRING))
}

#[cfg(test)]
mod tests {
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
            assert_eq!(unwrap(&token), Token::Kerberos(&AP_REQ), "{token:x?}");
        }
    }

    #[test]
    fn ntlm_is_found_bare_and_negotiated() {
        let ntlm = b"NTLMSSP\0\x03\0\0\0";
        assert_eq!(unwrap(ntlm), Token::Ntlm(ntlm));
        assert_eq!(unwrap(&spnego(0xa1, ntlm)), Token::Ntlm(ntlm));
    }

    #[test]
    fn endless_wrapping_ends() {
        let token = (0..12).fold(AP_REQ.to_vec(), |token, _| spnego(0xa1, &token));
        assert_eq!(unwrap(&token), Token::Other);
        assert_eq!(unwrap(&[]), Token::Other);
    }
}
