//! Operations under way: each waits for its answer by its `messageID`.

use std::sync::Arc;

use goshawk_model::ldap::{LdapResult, Operation, Search, SearchRequest};
use goshawk_model::{Credentials, Outcome, Timestamp};

use super::asked::Asked;
use super::ber::Ber;
use super::message::op;
use super::result::{self, Answer};
use super::{netlogon, request, text};
use crate::flow::Side;
use crate::protocol::{Context, Draft, Few, Fingerprint, Moment};
use crate::stats::Drop;

/// Names of objects kept of those that a search returns.
const MAX_NAMES: usize = 4;

/// The operations of one connection.
#[derive(Debug, Default)]
pub(super) struct Operations {
    pending: Few<Pending>,
}

/// One of them.
#[derive(Debug)]
struct Pending {
    client: Side,
    id: u32,
    /// Of the request's bytes, over UDP, where they may come twice.
    fingerprint: Option<Fingerprint>,
    /// When it will have waited long enough; `None` for one that was told then, and that may go on:
    /// a search that reports changes goes on for hours.
    deadline: Option<Timestamp>,
    /// `None` once it was told. It is remembered, so that what else belongs to it is not taken for
    /// another.
    open: Option<Open>,
}

/// What is known of an operation that was not told yet.
#[derive(Debug)]
struct Open {
    asked: Asked,
    operation: Operation,
    credentials: Option<Arc<Credentials>>,
}

impl Operations {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// A client asks for `operation`.
    pub(super) fn ask(
        &mut self,
        asked: Asked,
        operation: Operation,
        credentials: Option<&Arc<Credentials>>,
        fingerprint: Option<Fingerprint>,
        cx: &mut Context<'_>,
    ) {
        let (client, id) = (asked.client, asked.id);
        if fingerprint.is_some()
            && self
                .pending
                .iter()
                .any(|pending| pending.fingerprint == fingerprint && pending.client == client)
        {
            // A client that hears nothing asks again, and a mirror port may show it twice.
            return;
        }
        // Its id is taken again: the answer was lost, or it was abandoned.
        if let Some(index) = self.position(client, id) {
            self.drop(index, cx);
        }
        self.keep(
            Pending {
                client,
                id,
                fingerprint,
                deadline: Some(cx.time + cx.limits.answer_wait),
                open: Some(Open {
                    asked,
                    operation,
                    credentials: credentials.cloned(),
                }),
            },
            cx,
        );
    }

    /// The client no longer wants the operation `id`. What was on its way still comes.
    pub(super) fn abandon(&mut self, client: Side, id: u32, cx: &mut Context<'_>) {
        let index = self.position(client, id);
        if let Some(pending) = index.and_then(|index| self.pending.get_mut(index)) {
            if !cx.is_udp() {
                pending.deadline = None;
            }
            let moment = cx.moment();
            pending.tell(None, moment, cx);
        }
    }

    /// Whether the operation `id` is a ping: what answers it is worth reading.
    pub(super) fn is_ping(&self, client: Side, id: u32) -> bool {
        self.position(client, id)
            .and_then(|index| self.pending.get(index)?.open.as_ref())
            .is_some_and(|open| match &open.operation {
                Operation::Search(Search {
                    request: Some(request),
                    ..
                }) => is_ping(request),
                _ => false,
            })
    }

    /// A search returns something, or an operation tells how far it is.
    pub(super) fn progress(
        &mut self,
        tag: u8,
        answered: Asked,
        mut body: Ber<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        let (client, id) = (answered.client, answered.id);
        let index = match self.position(client, id) {
            Some(index) => index,
            None => {
                let Some(operation) = request::of_response(tag) else {
                    return true;
                };
                self.keep(
                    Pending {
                        client,
                        id,
                        fingerprint: None,
                        deadline: None,
                        open: Some(Open {
                            asked: Asked {
                                response_bytes: 0,
                                ..answered
                            },
                            operation,
                            credentials: None,
                        }),
                    },
                    cx,
                );
                self.pending.len() - 1
            }
        };
        let Some(pending) = self.pending.get_mut(index) else {
            return true;
        };
        let Some(open) = &mut pending.open else {
            return true;
        };
        pending.deadline = Some(cx.time + cx.limits.answer_wait);
        open.asked.response_bytes += answered.response_bytes;
        let Operation::Search(search) = &mut open.operation else {
            return true;
        };
        match tag {
            op::SEARCH_RESULT_ENTRY => {
                search.entries = search.entries.saturating_add(1);
                let Some(name) = body.octets() else {
                    return false;
                };
                if search.names.len() < MAX_NAMES {
                    search.names.push(text::cut(name, text::MAX_DN));
                }
                if search.request.as_ref().is_some_and(is_ping) {
                    search.netlogon = netlogon::in_attributes(body).map(Box::new);
                }
            }
            op::SEARCH_RESULT_REFERENCE => search.references = search.references.saturating_add(1),
            _ => {}
        }
        true
    }

    /// An operation ends; whether that was understood.
    pub(super) fn answer(
        &mut self,
        tag: u8,
        answered: Asked,
        body: Ber<'_>,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(answer) = result::read(body) else {
            return false;
        };
        let (client, id) = (answered.client, answered.id);
        let moment = answered.moment;
        let index = self.position(client, id).filter(|&index| {
            self.pending.get(index).is_some_and(|pending| {
                pending
                    .open
                    .as_ref()
                    .is_none_or(|open| request::fits(&open.operation, tag))
            })
        });
        let Some(index) = index else {
            // Only the answer was seen.
            let Some(operation) = request::of_response(tag) else {
                return true;
            };
            let mut pending = Pending {
                client,
                id,
                fingerprint: None,
                deadline: Some(cx.time + cx.limits.answer_wait),
                open: Some(Open {
                    asked: answered,
                    operation,
                    credentials: None,
                }),
            };
            pending.tell(Some(&answer), moment, cx);
            if cx.is_udp() {
                self.keep(pending, cx);
            }
            return true;
        };
        if let Some(pending) = self.pending.get_mut(index) {
            if let Some(open) = &mut pending.open {
                open.asked.response_bytes += answered.response_bytes;
            }
            pending.tell(Some(&answer), moment, cx);
        }
        if !cx.is_udp() {
            self.pending.remove(index);
        }
        true
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.pending
            .iter()
            .filter_map(|pending| pending.deadline)
            .min()
    }

    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        let is_due = |pending: &Pending| pending.deadline.is_some_and(|due| due <= now);
        while let Some(index) = self.pending.iter().position(is_due) {
            let Some(pending) = self.pending.get_mut(index) else {
                break;
            };
            let due = pending.deadline.take();
            if let (Some(open), Some(time)) = (&pending.open, due) {
                let moment = Moment {
                    time,
                    ..open.asked.moment
                };
                pending.tell(None, moment, cx);
            }
            if cx.is_udp() {
                self.pending.remove(index);
            }
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(mut pending) = self.pending.pop_front() {
            if pending.open.is_some() {
                let moment = cx.moment();
                pending.tell(None, moment, cx);
            }
        }
    }

    fn position(&self, client: Side, id: u32) -> Option<usize> {
        self.pending
            .iter()
            .rposition(|pending| pending.id == id && pending.client == client)
    }

    fn keep(&mut self, pending: Pending, cx: &mut Context<'_>) {
        if self.pending.len() >= cx.limits.max_pending {
            let told = self
                .pending
                .iter()
                .position(|pending| pending.open.is_none());
            if told.is_none() {
                cx.stats.drop(Drop::PendingEvicted);
            }
            self.drop(told.unwrap_or(0), cx);
        }
        self.pending.push_back(pending);
    }

    /// Forgets one, and tells what is known of it.
    fn drop(&mut self, index: usize, cx: &mut Context<'_>) {
        if let Some(mut pending) = self.pending.remove(index)
            && pending.open.is_some()
        {
            let moment = cx.moment();
            pending.tell(None, moment, cx);
        }
    }
}

impl Pending {
    /// Emits it, once.
    fn tell(&mut self, answer: Option<&Answer<'_>>, moment: Moment, cx: &mut Context<'_>) {
        let Some(open) = self.open.take() else {
            return;
        };
        let (entries, name) = match &open.operation {
            Operation::Search(search) => (search.entries, search.request.as_ref().and_then(asker)),
            _ => (0, None),
        };
        let outcome = answer.map_or(Outcome::Unknown, |answer| {
            result::outcome(answer.code, entries)
        });
        let result: Option<LdapResult> = answer.map(Answer::result);
        let mut draft = Draft::new(open.asked.told(open.operation, result), outcome);
        if let Some(credentials) = &open.credentials {
            draft = draft.by(credentials);
        }
        draft.client_name = draft.client_name.or(name);
        cx.emit(moment, self.client, draft);
    }
}

/// Whether a search is a ping ([MS-ADTS] 6.3.3): it asks the root for `netlogon`.
fn is_ping(request: &SearchRequest) -> bool {
    request.base_object.is_empty()
        && request
            .attributes
            .iter()
            .any(|attribute| **attribute == *"netlogon")
}

/// The computer that pings, as it says itself: `Host` of [MS-ADTS] 6.3.3.1.
fn asker(request: &SearchRequest) -> Option<Box<str>> {
    if !is_ping(request) {
        return None;
    }
    let host = request
        .conditions
        .iter()
        .find(|condition| &*condition.attribute == "host")?;
    let name = host.value.split('.').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_lowercase().into())
}
