//! TLS around LDAP: StartTLS (RFC 4511 4.14) and LDAPS. Its records are counted and skipped; that a
//! client begins it, and whom it wants, is told once.

mod hello;

pub(super) use hello::tells;

use goshawk_model::ldap::{Operation, Protection, TlsClient};
use goshawk_model::{Outcome, Timestamp};

use self::hello::{HEADER, Said};
use super::asked::Asked;
use super::step::Step;
use crate::flow::Side;
use crate::protocol::{Context, Draft, Moment};
use crate::stats::Protocol;

/// How far TLS has come on a connection.
#[derive(Debug, Default)]
pub(super) enum Tls {
    #[default]
    Unseen,
    /// The client has begun.
    Begun(Box<Begun>),
    /// Nothing more is told of it, and there is nothing else: both sides have agreed on it where
    /// the server speaks nothing but TLS.
    All,
    /// Nothing more is told of it.
    Told,
}

/// The ports of LDAPS and of the global catalog's ([MS-ADTS] 5.1.1).
const TLS_PORTS: [u16; 2] = [636, 3269];

/// A client's beginning that waits for the server's word.
#[derive(Debug)]
pub(super) struct Begun {
    asked: Asked,
    deadline: Timestamp,
    hello: TlsClient,
}

impl Tls {
    /// Whether the connection is known to be TLS.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Unseen)
    }

    /// Whether nothing but TLS can come on the connection.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Takes a record.
    pub(super) fn record(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let Some(length) = hello::length(bytes) else {
            return if bytes.len() < HEADER {
                Step::Need(HEADER, 0)
            } else {
                Step::Astray
            };
        };
        if !matches!(self, Self::All | Self::Told) {
            let worth = if bytes.len() == HEADER {
                length.min(HEADER + 1)
            } else if hello::is_client_hello(bytes) {
                length
            } else {
                0
            };
            if bytes.len() < worth {
                return Step::Need(worth, length);
            }
            self.handshake(side, bytes.get(..length).unwrap_or(bytes), cx);
        }
        cx.stats.sealed(Protocol::Ldap);
        Step::Done(length)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Begun(begun) => Some(begun.deadline),
            Self::Unseen | Self::All | Self::Told => None,
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Self::Begun(begun) = self
            && begun.deadline <= now
        {
            let moment = Moment {
                time: begun.deadline,
                ..begun.asked.moment
            };
            self.tell(Outcome::Unknown, moment, cx);
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        if matches!(self, Self::Begun(_)) {
            let moment = cx.moment();
            self.tell(Outcome::Unknown, moment, cx);
        }
    }

    /// A record before it is settled that there is TLS.
    fn handshake(&mut self, side: Side, record: &[u8], cx: &mut Context<'_>) {
        match (hello::read(record), &*self) {
            (Some(Said::ClientHello(hello)), Self::Unseen) if cx.may_be_client(side) => {
                *self = Self::Begun(Box::new(Begun {
                    asked: Asked {
                        bytes: u32::try_from(record.len()).unwrap_or(u32::MAX),
                        ..Asked::unsaid(cx.moment(), side, Protection::Tls)
                    },
                    deadline: cx.time + cx.limits.answer_wait,
                    hello,
                }));
            }
            (said, Self::Begun(begun)) if begun.asked.client != side => {
                let outcome = match said {
                    Some(Said::Alert) => Outcome::Failure,
                    _ => Outcome::Success,
                };
                let moment = cx.moment();
                self.tell(outcome, moment, cx);
            }
            // Its beginning was not seen.
            (None, Self::Unseen) => *self = Self::Told,
            _ => {}
        }
    }

    fn tell(&mut self, outcome: Outcome, moment: Moment, cx: &mut Context<'_>) {
        if let Self::Begun(begun) = std::mem::replace(self, Self::Told) {
            let client = begun.asked.client;
            // Only who opened the connection to such a port cannot speak anything else there.
            let is_server = TLS_PORTS.contains(&cx.flow.end(client.other()).port());
            if outcome == Outcome::Success && is_server && cx.opener == Some(client) {
                *self = Self::All;
            }
            let kind = begun.asked.told(Operation::Tls(begun.hello), None);
            cx.emit(moment, client, Draft::new(kind, outcome));
        }
    }
}
