//! NEGOEX: negotiation by GUID inside SPNEGO, for PKU2U between computers of no common domain and
//! for accounts of the cloud ([MS-NEGOEX]).

use goshawk_model::Negotiation;

use crate::wire::{Order, Wire};

/// `Signature` of every message ([MS-NEGOEX] 2.2.6.2).
pub(super) const SIGNATURE: &[u8] = b"NEGOEXTS";

/// `MessageType` ([MS-NEGOEX] 2.2.6.1) of what lists schemes.
const INITIATOR_NEGO: u32 = 0;
const ACCEPTOR_NEGO: u32 = 1;
/// `MessageType` of what holds a token of a scheme.
const CHALLENGE: u32 = 4;
const AP_REQUEST: u32 = 5;

/// Messages read of one token; a client sends a list and metadata for each scheme.
const MAX_MESSAGES: usize = 16;
/// Schemes kept of a list.
const MAX_SCHEMES: usize = 16;

/// The token of a scheme inside `token`, and the schemes that are offered.
pub(super) fn exchange<'a>(token: &'a [u8], said: &mut Negotiation) -> Option<&'a [u8]> {
    let mut rest = token;
    for _ in 0..MAX_MESSAGES {
        let mut wire = Wire::new(rest, Order::Little);
        if wire.take(SIGNATURE.len())? != SIGNATURE {
            return None;
        }
        let message_type = wire.u32()?;
        let _sequence = wire.u32()?;
        let _header_length = wire.u32()?;
        let length = usize::try_from(wire.u32()?).ok()?;
        let _conversation = wire.uuid()?;
        let (message, next) = rest.split_at_checked(length)?;
        match message_type {
            INITIATOR_NEGO | ACCEPTOR_NEGO => schemes(message, wire, said)?,
            CHALLENGE | AP_REQUEST => {
                let _scheme = wire.uuid()?;
                let offset = usize::try_from(wire.u32()?).ok()?;
                let length = usize::try_from(wire.u32()?).ok()?;
                return message.get(offset..)?.get(..length);
            }
            _ => {}
        }
        // One that claims to have no length would be read for ever.
        rest = Some(next).filter(|next| next.len() < rest.len())?;
    }
    None
}

/// `AuthSchemes` of a `NEGO_MESSAGE` ([MS-NEGOEX] 2.2.6.3).
fn schemes(message: &[u8], mut wire: Wire<'_>, said: &mut Negotiation) -> Option<()> {
    let _random = wire.take(32)?;
    let _version = wire.u64()?;
    let offset = usize::try_from(wire.u32()?).ok()?;
    let count = usize::from(wire.u16()?);
    let mut schemes = Wire::new(message.get(offset..)?, Order::Little);
    for _ in 0..count {
        let scheme = schemes.uuid()?;
        if said.schemes.len() < MAX_SCHEMES {
            said.schemes.push(scheme);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use uuid::{Uuid, uuid};

    use super::*;

    /// [MS-NEGOEX] 2.2.2
    const PKU2U: Uuid = uuid!("235f69ad-73fb-4dbc-8203-0629e739339b");

    fn message(message_type: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        for word in [message_type, 0, 40, 40 + body.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([9; 16]);
        [&bytes, body].concat()
    }

    fn nego(count: u16) -> Vec<u8> {
        let mut body = vec![0; 32 + 8];
        body.extend(96u32.to_le_bytes());
        body.extend(count.to_le_bytes());
        body.extend([0; 10]);
        body.extend(PKU2U.to_bytes_le());
        message(INITIATOR_NEGO, &body)
    }

    fn ap_request(token: &[u8]) -> Vec<u8> {
        let mut body = PKU2U.to_bytes_le().to_vec();
        for word in [64, token.len() as u32] {
            body.extend(word.to_le_bytes());
        }
        body.extend(token);
        message(AP_REQUEST, &body)
    }

    #[test]
    fn schemes_and_the_token_behind_them_are_found() {
        let token = [nego(1), message(2, &[1; 40]), ap_request(b"token")].concat();
        let mut said = Negotiation::default();
        assert_eq!(exchange(&token, &mut said), Some(&b"token"[..]));
        assert_eq!(said.schemes, [PKU2U]);
    }

    #[test]
    fn counts_and_lengths_that_lie_end_it() {
        let mut said = Negotiation::default();
        assert_eq!(exchange(&nego(2), &mut said), None);
        let mut endless = message(2, &[]);
        endless[20..24].fill(0);
        assert_eq!(exchange(&endless, &mut said), None);
        let mut outside = ap_request(b"token");
        outside[60] = 200;
        assert_eq!(exchange(&outside, &mut said), None);
    }
}
