//! `LDAPResult`, RFC 4511 4.1.9.

use goshawk_model::Outcome;
use goshawk_model::ldap::{LdapResult, result_code};

use super::ber::Ber;
use super::text;

/// Longest message kept, bytes.
const MAX_MESSAGE: usize = 256;
/// URIs kept.
const MAX_REFERRALS: usize = 4;
/// `referral`
const REFERRAL: u8 = 0xa3;

/// What ends an operation.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) code: u32,
    /// `matchedDN`; with Sicily the server's token.
    pub(super) matched_dn: &'a [u8],
    message: &'a [u8],
    referral: Option<Ber<'a>>,
    /// What follows: the parts of a bind's and of an extended operation's response.
    pub(super) rest: Ber<'a>,
}

/// Reads the components of `LDAPResult`.
pub(super) fn read(mut body: Ber<'_>) -> Option<Answer<'_>> {
    let code = body.number()?;
    let matched_dn = body.octets().or(body.is_cut().then_some(&[]))?;
    let message = body.octets().or(body.is_cut().then_some(&[]))?;
    Some(Answer {
        code,
        matched_dn,
        message,
        referral: body.optional(REFERRAL),
        rest: body,
    })
}

impl Answer<'_> {
    pub(super) fn result(&self) -> LdapResult {
        let diagnostic_message = text::cut(self.message, MAX_MESSAGE);
        let mut referral = self.referral.unwrap_or(Ber::new(&[], false));
        LdapResult {
            result_code: self.code,
            matched_dn: text::cut(self.matched_dn, text::MAX_DN),
            data: data(&diagnostic_message),
            diagnostic_message,
            referral: std::iter::from_fn(|| referral.octets())
                .take(MAX_REFERRALS)
                .map(|uri| text::cut(uri, text::MAX_DN))
                .collect(),
        }
    }
}

/// How an operation with this result ended that returned so many objects.
pub(super) fn outcome(code: u32, entries: u32) -> Outcome {
    match code {
        result_code::SUCCESS | result_code::COMPARE_FALSE | result_code::COMPARE_TRUE => {
            Outcome::Success
        }
        // There is more; but this much was handed out.
        result_code::TIME_LIMIT_EXCEEDED
        | result_code::SIZE_LIMIT_EXCEEDED
        | result_code::ADMIN_LIMIT_EXCEEDED
            if entries > 0 =>
        {
            Outcome::Success
        }
        _ => Outcome::Failure,
    }
}

/// The Win32 error in a Windows server's message, `80090308: LdapErr: DSID-0C090446, comment:
/// AcceptSecurityContext error, data 52e, v4563`: why a bind failed. Samba's say the same.
fn data(message: &str) -> u32 {
    let digits = message.split_once(" data ").map_or("", |(_, behind)| {
        behind.split([',', ' ']).next().unwrap_or("")
    });
    u32::from_str_radix(digits, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refused_bind_is_found() {
        let message = "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, \
                       data 52e, v4563";
        assert_eq!(data(message), 0x52e);
        assert_eq!(data("0000208D: NameErr: data zebra"), 0);
        assert_eq!(data(""), 0);
    }

    #[test]
    fn a_result_with_a_referral_is_read() {
        let bytes = [
            &[10, 1, 10, 4, 2, b'd', b'c', 4, 0, 0xa3, 5, 4, 3][..],
            b"uri",
            &[0x87, 1, 9],
        ]
        .concat();
        let mut answer = read(Ber::new(&bytes, false)).unwrap();
        let result = answer.result();
        assert_eq!((result.result_code, &*result.matched_dn), (10, "dc"));
        assert_eq!(result.referral, ["uri".into()]);
        assert_eq!(answer.rest.octets(), Some(&[9][..]));
    }

    #[test]
    fn what_a_limit_left_over_was_handed_out() {
        assert_eq!(outcome(4, 1000), Outcome::Success);
        assert_eq!(outcome(4, 0), Outcome::Failure);
        assert_eq!(outcome(49, 0), Outcome::Failure);
    }
}
