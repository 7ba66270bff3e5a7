//! Requests lately answered: UDP repeats what it lost, and a repeat is not a second try.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::Answer;
use goshawk_model::{Activity, Digest, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Requests remembered.
const REQUESTS: usize = 65_536;

/// Clients give up repeating after some 30 seconds.
const REPEATS: Duration = Duration::from_secs(120);

/// Who asked, and what: the digest of the request's bytes.
type Request = (IpAddr, Digest);

/// Request → the error it was answered with, 0 for a ticket; `None` while unanswered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Requests(Table<Request, Option<i32>, REQUESTS>);

impl Requests {
    /// Whether `activity` is the same request with the same answer as one before. The same request
    /// with another answer is news: "too big, come again over TCP", and then the ticket.
    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) -> bool {
        let (digest, answer) = match &activity.kind {
            Kind::As(exchange) => (
                exchange.request.as_ref().map(|asked| asked.digest),
                &exchange.answer,
            ),
            Kind::Tgs(exchange) => (
                exchange.request.as_ref().map(|asked| asked.digest),
                &exchange.answer,
            ),
            _ => return false,
        };
        let Some(digest) = digest.filter(|&digest| digest != Digest::default()) else {
            return false;
        };
        let answer = match answer {
            Answer::Issued { .. } => Some(0),
            Answer::Refused(code) => Some(*code),
            Answer::Unseen => None,
        };
        let mut new = false;
        let known = self.0.touch((activity.client.ip, digest), now, || {
            new = true;
            answer
        });
        // An answer that was not seen adds nothing to one that was.
        let repeated = !new && (*known == answer || answer.is_none());
        *known = answer.or(*known);
        repeated
    }

    /// Whether the same bytes were sent from `ip` lately: seen before and behind a translator of
    /// addresses, a request has two senders.
    pub(crate) fn sent_from(&self, ip: IpAddr, digest: Digest) -> bool {
        digest != Digest::default() && self.0.get(&(ip, digest)).is_some()
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - REPEATS);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    #[test]
    fn the_same_request_with_the_same_answer_is_a_repeat() {
        let net = Net::default();
        let mut requests = Requests::default();
        let first = net.refused("alice", "10.0.0.7", 52);
        assert!(!requests.learn(&first, at(1)));
        assert!(requests.learn(&first, at(1)));
        let mut over_tcp = first.clone();
        if let Kind::As(exchange) = &mut over_tcp.kind {
            exchange.answer = Answer::Refused(25);
        }
        assert!(!requests.learn(&over_tcp, at(1)));
        assert!(!requests.learn(&net.refused("alice", "10.0.0.7", 52), at(1)));
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut requests = Requests::default();
        for _ in 0..=REQUESTS {
            requests.learn(&net.refused("alice", "10.0.0.7", 25), at(1));
        }
        assert_eq!(requests.stats().len, REQUESTS);
        assert_eq!(requests.stats().evicted, 1);
    }
}
