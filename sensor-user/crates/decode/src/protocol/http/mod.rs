//! HTTP/1.1 (RFC 9112), as far as authentication goes (RFC 4559, [MS-N2HT]).
//!
//! Of a request and its answer the heads are read, without a copy; bodies are skipped. Most web
//! traffic authenticates nobody and leaves nothing behind but its place in the stream.

mod authorization;
mod body;
mod exchange;
mod head;

use goshawk_model::Timestamp;

use self::body::Part;
use self::exchange::Exchanges;
use self::head::Head;
use super::{Context, Conversation};
use crate::flow::stream::{Progress, Verdict};
use crate::flow::{FlowKey, Side};
use crate::limits::Limits;
use crate::stats::{Drop, Protocol};

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    low: Part,
    high: Part,
    exchanges: Exchanges,
}

/// Whether a request or an answer starts here.
pub(crate) fn tells_stream(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    head::tells(bytes)
}

impl Conversation for Connection {
    fn starts_message(&self, bytes: &[u8], _cx: &Context<'_>) -> Verdict {
        head::tells(bytes)
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let mut taken = 0_usize;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let part = self.part(side);
            let Some(step) = part.step(rest) else {
                *part = Part::default();
                cx.stats.drop(Drop::LongMessage);
                return Progress::Astray;
            };
            let done = match step {
                body::Step::Head(length) => {
                    let head = rest.get(..length).unwrap_or(rest);
                    match self.head(side, head, cx) {
                        Some(body) => length.saturating_add(body),
                        None => return Progress::Astray,
                    }
                }
                body::Step::Skip(length) => length,
                body::Step::More => break,
            };
            taken = taken.saturating_add(done);
        }
        Progress::Read {
            taken,
            need: 0,
            length: 0,
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        if head::tells(head) == Verdict::Yes
            && let Some(whole) = head::lines(head)
        {
            self.head(side, &whole, cx);
            *self.part(side) = Part::default();
        }
    }

    fn lost(&mut self, side: Side) {
        *self.part(side) = Part::default();
        self.exchanges.lost(side);
    }

    fn matters(&self) -> bool {
        self.exchanges.matter()
    }

    /// Once it is a tunnel, or another protocol, what is inside is not HTTP any more.
    fn is_opaque(&self) -> bool {
        let is_rest = [self.low, self.high] == [Part::Rest, Part::Rest];
        is_rest && self.exchanges.deadline().is_none()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.exchanges.deadline()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.exchanges.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.exchanges.close(cx);
    }
}

impl Connection {
    fn part(&mut self, side: Side) -> &mut Part {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }

    /// Takes a head; returns how many bytes behind it are of no interest.
    fn head(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Option<usize> {
        let head = head::parse(bytes).filter(|head| {
            let client = match head {
                Head::Request(_) => side,
                Head::Response(_) => side.other(),
            };
            cx.may_be_client(client)
        });
        cx.stats.message(Protocol::Http, head.is_some());
        let head = head?;
        let framing = match head {
            Head::Request(request) => {
                let framing = request.headers.framing;
                self.exchanges.request(side, &request, cx);
                framing.of_request()
            }
            Head::Response(response) => {
                let asked = self.exchanges.response(side.other(), &response, cx);
                if asked.opens_tunnel(response.status) {
                    (self.low, self.high) = (Part::Rest, Part::Rest);
                    return Some(0);
                }
                response.headers.framing.of_response(response.status, asked)
            }
        };
        let (part, skipped) = body::start(framing);
        *self.part(side) = part;
        Some(skipped)
    }
}
