//! Controllers that serve each other.

use goshawk_model::inventory::SightingSource;
use goshawk_model::rpc::{DRSUAPI, RpcCall};
use goshawk_model::{Activity, Confidence, Outcome};

use super::Seen;

pub(super) fn call(activity: &Activity, call: &RpcCall, tell: &mut dyn FnMut(Seen)) {
    if call.interface == Some(DRSUAPI) && activity.outcome == Outcome::Success {
        let source = SightingSource::Replication;
        tell(Seen::controller(
            activity.server.ip,
            source,
            Confidence::Medium,
        ));
    }
}
