//! What a tool offered before it proved anything: whether it had a password or a key alone.
//!
//! A password makes keys of every encryption type, a stolen key is of one. Tools ask without a proof
//! first, as RFC 4120 3.1.1 has it, and by what they offer then, they show what they were given.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsRequest, error};
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::Stack;
use super::stacks;
use crate::detections::{is_rc4, is_rc4_only, proves_identity};
use crate::table::{Table, TableStats};

/// Offers remembered.
const OFFERS: usize = 8_192;
/// The proof follows at once.
const FORGET: Duration = Duration::from_secs(60);

/// What was offered from an address for an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Offers(Table<(IpAddr, Account), Offer, OFFERS>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Offer {
    /// RC4 and something else.
    mixed: bool,
    /// AES was offered and the controller had none to take.
    fell_back: bool,
}

/// What a tool was given to log on with, as far as its requests show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Secret {
    /// A password.
    Password,
    /// A password or a key.
    Either,
    /// A key.
    Key,
}

impl Offers {
    /// What the tool that sent `request`, with a proof in it, was given.
    pub(crate) fn secret(
        &self,
        (ip, account): (IpAddr, &Account),
        request: &AsRequest,
        tool: Stack,
    ) -> Secret {
        let offer = self.0.get(&(ip, account.clone()));
        match (tool, offer) {
            // It takes every type that its secret has keys for.
            (Stack::Minikerberos, Some(Offer { mixed: true, .. })) => Secret::Password,
            (Stack::Minikerberos, None) => Secret::Either,
            // It makes AES-256 of a password, and falls back to RC4.
            (Stack::Impacket, offer) => match *request.etypes {
                [AES_256] => Secret::Either,
                _ if offer.is_some_and(|it| it.fell_back) => Secret::Password,
                _ => Secret::Key,
            },
            _ => Secret::Key,
        }
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let (Some(request), Some(account)) = (&exchange.request, &exchange.client) else {
            return;
        };
        if proves_identity(&request.padata)
            || !stacks::of_as(request, activity.time).is_some_and(Stack::is_tool)
        {
            return;
        }
        let key = (activity.client.ip, account.clone());
        let offer = self.0.touch(key, now, Offer::default);
        offer.mixed = request.etypes.iter().any(|&it| is_rc4(it)) && !is_rc4_only(&request.etypes);
        let refused = Answer::Refused(error::ETYPE_NOSUPP);
        offer.fell_back |= exchange.answer == refused && !is_rc4_only(&request.etypes);
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - FORGET);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

/// `aes256-cts-hmac-sha1-96` (RFC 3962).
const AES_256: i32 = 18;

#[cfg(test)]
mod tests {
    use goshawk_model::kerberos::padata;

    use super::*;
    use crate::build::{Net, ip};

    const FROM: &str = "10.0.0.9";

    fn asked(net: &Net, etypes: &[i32], code: i32) -> Activity {
        let mut asked = net.tool_logon("alice", FROM, "none", etypes);
        if let Kind::As(exchange) = &mut asked.kind {
            exchange.answer = Answer::Refused(code);
            if let Some(request) = &mut exchange.request {
                request.padata = vec![padata::PAC_REQUEST];
            }
        }
        asked
    }

    fn secret(before: &[Activity], etypes: &[i32], tool: Stack) -> Secret {
        let mut offers = Offers::default();
        for activity in before {
            offers.learn(activity, activity.time);
        }
        let request = AsRequest {
            etypes: etypes.to_vec(),
            ..AsRequest::default()
        };
        let alice = Account::new("alice", "corp.example");
        offers.secret((ip(FROM), &alice), &request, tool)
    }

    #[test]
    fn impacket_makes_aes_of_a_password() {
        let net = Net::default();
        let ask = |etypes: &[i32]| [asked(&net, etypes, error::PREAUTH_REQUIRED)];
        let of = |etypes: &[i32]| secret(&ask(etypes), etypes, Stack::Impacket);
        assert_eq!(of(&[18]), Secret::Either);
        assert_eq!(of(&[17]), Secret::Key);
        assert_eq!(of(&[23]), Secret::Key);
        let fell_back = [
            asked(&net, &[18], error::ETYPE_NOSUPP),
            asked(&net, &[23], error::PREAUTH_REQUIRED),
        ];
        assert_eq!(secret(&fell_back, &[23], Stack::Impacket), Secret::Password);
    }

    #[test]
    fn minikerberos_offers_all_that_it_has() {
        let net = Net::default();
        let of = |offered: &[i32]| {
            let before = [asked(&net, offered, error::PREAUTH_REQUIRED)];
            secret(&before, &[18], Stack::Minikerberos)
        };
        assert_eq!(of(&[1, 2, 3, 16, 23, 24, 18, 17]), Secret::Password);
        assert_eq!(of(&[18]), Secret::Key);
        assert_eq!(of(&[23, 24]), Secret::Key);
        assert_eq!(secret(&[], &[18], Stack::Minikerberos), Secret::Either);
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut offers = Offers::default();
        for n in 0..=OFFERS as u32 {
            let mut activity = asked(&net, &[18], error::PREAUTH_REQUIRED);
            activity.client.ip = IpAddr::from((0x0a01_0000 + n).to_be_bytes());
            offers.learn(&activity, activity.time);
        }
        let stats = offers.stats();
        assert_eq!((stats.len, stats.evicted), (OFFERS, 1));
    }
}
