//! Presentation contexts: which interface a context id stands for ([C706] 12.6.3.1).

use uuid::{Uuid, uuid};

use super::pdu::{Proposal, Verdict};
use crate::protocol::Few;
use crate::stats::{Drop, Stats};

/// [MS-RPCE] 2.2.5: the transfer syntax with sizes of 8 bytes.
const NDR64: Uuid = uuid!("71710533-beba-4937-8319-b5dbef9ccc36");

/// `p_cont_def_result_t` ([C706] 12.6.3.1).
const ACCEPTED: u16 = 0;
const USER_REJECTION: u16 = 1;
const PROVIDER_REJECTION: u16 = 2;
/// `proposed_transfer_syntaxes_not_supported` of `p_provider_reason_t`.
const TRANSFER_SYNTAX_NOT_SUPPORTED: u16 = 2;

/// Proposals that wait for their verdict; a client makes one at a time.
const MAX_OFFERS: usize = 4;

/// The presentation contexts of one connection.
///
/// A context counts from its proposal on, so that calls are understood when only the client's side
/// was captured; what the server rejects is taken out again.
#[derive(Debug, Default)]
pub(super) struct Presentations {
    contexts: Vec<Presentation>,
    offers: Few<Offer>,
}

/// One context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Presentation {
    pub(super) id: u16,
    pub(super) interface: Uuid,
    pub(super) ndr64: bool,
}

#[derive(Debug)]
struct Offer {
    call_id: u32,
    ids: Vec<u16>,
}

impl Presentations {
    /// What `id` stands for.
    pub(super) fn get(&self, id: u16) -> Option<Presentation> {
        self.contexts
            .iter()
            .find(|context| context.id == id)
            .copied()
    }

    /// A bind or alter_context proposes contexts.
    pub(super) fn propose(
        &mut self,
        call_id: u32,
        proposals: impl Iterator<Item = Proposal>,
        room: usize,
        stats: &mut Stats,
    ) {
        let mut ids = Vec::new();
        for proposal in proposals {
            let id = proposal.id;
            let context = Presentation {
                id,
                interface: proposal.interface,
                ndr64: proposal.transfer_syntax == Some(NDR64),
            };
            ids.push(id);
            let has_room = self.contexts.len() < room;
            match self.contexts.iter_mut().find(|known| known.id == id) {
                Some(known) => *known = context,
                None if has_room => self.contexts.push(context),
                None => stats.drop(Drop::ContextRefused),
            }
        }
        if self.offers.len() >= MAX_OFFERS {
            self.offers.pop_front();
        }
        self.offers.push_back(Offer { call_id, ids });
    }

    /// A bind_ack or alter_context_resp tells which are accepted. Returns those whose interface the
    /// server does not let this client call, and why.
    pub(super) fn decide(
        &mut self,
        call_id: u32,
        verdicts: impl Iterator<Item = Verdict>,
    ) -> Vec<(Uuid, u16)> {
        let mut refused = Vec::new();
        for (id, verdict) in self.take_offer(call_id).into_iter().zip(verdicts) {
            let Some(index) = self.contexts.iter().position(|known| known.id == id) else {
                continue;
            };
            if verdict.result == ACCEPTED {
                if let Some(context) = self.contexts.get_mut(index) {
                    context.ndr64 = verdict.transfer_syntax == NDR64;
                }
                continue;
            }
            let context = self.contexts.remove(index);
            // Clients offer an interface once for each transfer syntax, and get one of them.
            let is_refused = matches!(verdict.result, USER_REJECTION | PROVIDER_REJECTION)
                && verdict.reason != TRANSFER_SYNTAX_NOT_SUPPORTED;
            let refusal = (context.interface, verdict.reason);
            if is_refused && !refused.contains(&refusal) {
                refused.push(refusal);
            }
        }
        refused
    }

    /// A bind_nak rejects them all. Returns their interfaces.
    pub(super) fn reject(&mut self, call_id: u32) -> Vec<Uuid> {
        let ids = self.take_offer(call_id);
        let mut refused = Vec::new();
        self.contexts.retain(|context| {
            let is_kept = !ids.contains(&context.id);
            if !is_kept && !refused.contains(&context.interface) {
                refused.push(context.interface);
            }
            is_kept
        });
        refused
    }

    fn take_offer(&mut self, call_id: u32) -> Vec<u16> {
        let is_asked = |offer: &Offer| offer.call_id == call_id;
        self.offers
            .iter()
            .position(is_asked)
            .and_then(|index| self.offers.remove(index))
            .map(|offer| offer.ids)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::{DRSUAPI, EPM};

    use super::*;

    fn proposal(id: u16, interface: Uuid) -> Proposal {
        Proposal {
            id,
            interface,
            transfer_syntax: None,
        }
    }

    fn verdict(result: u16, reason: u16, transfer_syntax: Uuid) -> Verdict {
        Verdict {
            result,
            reason,
            transfer_syntax,
        }
    }

    #[test]
    fn what_the_server_rejects_is_gone() {
        let mut contexts = Presentations::default();
        let mut stats = Stats::default();
        let offered = [proposal(0, DRSUAPI), proposal(1, DRSUAPI), proposal(2, EPM)];
        contexts.propose(7, offered.into_iter(), 8, &mut stats);
        assert_eq!(contexts.get(0).unwrap().interface, DRSUAPI);
        let verdicts = [
            verdict(PROVIDER_REJECTION, 1, Uuid::nil()),
            verdict(ACCEPTED, 0, NDR64),
            verdict(ACCEPTED, 0, Uuid::nil()),
        ];
        let refused = contexts.decide(7, verdicts.into_iter());
        assert_eq!(refused, [(DRSUAPI, 1)]);
        assert_eq!(contexts.get(0), None);
        assert!(contexts.get(1).unwrap().ndr64);
        assert!(!contexts.get(2).unwrap().ndr64);
        contexts.propose(8, [proposal(3, EPM)].into_iter(), 8, &mut stats);
        assert_eq!(contexts.reject(8), [EPM]);
        assert_eq!(contexts.get(3), None);
    }

    #[test]
    fn what_is_only_negotiated_is_no_refusal() {
        let mut contexts = Presentations::default();
        let mut stats = Stats::default();
        let offered = [
            proposal(0, DRSUAPI),
            proposal(1, DRSUAPI),
            proposal(2, DRSUAPI),
        ];
        contexts.propose(7, offered.into_iter(), 8, &mut stats);
        let verdicts = [
            verdict(
                PROVIDER_REJECTION,
                TRANSFER_SYNTAX_NOT_SUPPORTED,
                Uuid::nil(),
            ),
            verdict(ACCEPTED, 0, NDR64),
            verdict(3, 3, Uuid::nil()),
        ];
        assert_eq!(contexts.decide(7, verdicts.into_iter()), []);
    }

    #[test]
    fn a_flood_of_proposals_stays_within_its_bounds() {
        let mut contexts = Presentations::default();
        let mut stats = Stats::default();
        for id in 0..100 {
            contexts.propose(id.into(), [proposal(id, EPM)].into_iter(), 8, &mut stats);
            assert!(contexts.contexts.len() <= 8 && contexts.offers.len() <= MAX_OFFERS);
        }
        assert_eq!(stats.dropped(Drop::ContextRefused), 92);
    }
}
