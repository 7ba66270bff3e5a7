//! Where alerts go: the spool always, a file of JSON lines if asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::Sender;
use goshawk_detect::Output;
use goshawk_model::{Activity, Kind};
use tracing::info;

use crate::alerts_log::AlertsLog;
use crate::pipeline::mind::Listener;
use crate::uplink::spool::SpoolWriter;

/// What hears the engine.
pub(super) struct Outlets {
    /// The way to the console, and this machine's own record.
    pub(super) spool: Arc<SpoolWriter>,
    /// For other programs on this machine.
    pub(super) log: Option<Arc<AlertsLog>>,
    /// Endpoints that the endpoint mapper told, for the kernel to take from now on.
    pub(super) endpoints: Sender<SocketAddr>,
    /// Alerts raised so far.
    pub(super) raised: u64,
}

impl Listener for Outlets {
    fn activity(&mut self, activity: &Activity) {
        if let Kind::Endpoint(mapped) = &activity.kind {
            // The kernel learns an endpoint from its first packet too, so a full queue costs nothing.
            let _ = self.endpoints.try_send(mapped.endpoint);
        }
    }

    fn output(&mut self, output: Output) {
        if let Output::Raised(alert) = &output {
            self.raised += 1;
            info!(
                "{} severity alert {}: {} (revision {})",
                alert.severity, alert.external_id, alert.title, alert.revision
            );
        }
        let (Output::Raised(alert) | Output::Updated(alert) | Output::Closed(alert)) = output;
        if let Some(log) = &self.log {
            log.push(alert.clone());
        }
        self.spool.push(alert);
    }
}
