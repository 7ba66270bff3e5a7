//! Sessions of nobody: what a controller tells anyone who asks.
//!
//! Null sessions of SMB with calls to the account database and shares over them, and anonymous
//! LDAP that reads more than the root of the directory, which is for everybody (RFC 4512 5.1).
//! Secure channels begin without a session by design ([MS-NRPC] 3.1.4.1), so NETLOGON is not told;
//! nor are pings and what is refused.

use goshawk_model::ldap::Operation;
use goshawk_model::rpc::{NETLOGON, RpcTransport};
use goshawk_model::{Activity, Kind, Mechanism, Outcome, Severity};

use super::super::asker::Asker;
use super::{Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9035,
    name: "anonymous-sessions",
    title: "Anonymous session that was answered",
    severity: Severity::Low,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "A server answers questions of people who do not say who they are: names, groups and shares are the first thing an attacker wants.",
    help: "Seen are calls over null sessions and anonymous LDAP searches that were answered.",
    look_alikes: "Old software that lists shares or browses the network without logging on.",
    remediation: &[
        "Find out what asks without logging on, and let it log on.",
        "Refuse anonymous access at the server (RestrictAnonymous, 'restrict anonymous = 2', dsHeuristics without anonymous LDAP).",
    ],
};

pub(in crate::detections) type AnonymousSessions = Exposure<Nobody>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Nobody;

impl Weakness for Nobody {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP.and(Kinds::RPC);
    const TABLE: &'static str = "anonymous-sessions-told";
    const DOES: &'static str = "asks, without saying who it is,";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let by = activity.credentials.as_ref()?;
        if by.mechanism != Mechanism::Anonymous || activity.outcome != Outcome::Success {
            return None;
        }
        let told = match &activity.kind {
            Kind::Ldap(operation) => match &operation.operation {
                Operation::Search(search) => {
                    let request = search.request.as_ref()?;
                    search.entries > 0 && !request.base_object.is_empty()
                }
                _ => false,
            },
            Kind::Rpc(call) => {
                let pipe = matches!(call.transport, RpcTransport::Pipe(_));
                let interface = call.interface?;
                pipe && interface != NETLOGON && call.status.is_none_or(|status| status == 0)
            }
            _ => false,
        };
        let nobody = Asker {
            ip: activity.client.ip,
            account: None,
        };
        told.then(|| Shown::by(&nobody, activity, scene))
    }
}
