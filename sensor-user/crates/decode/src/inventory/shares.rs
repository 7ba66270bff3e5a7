//! Servers by the name in the paths of their shares, which may be an alias.

use goshawk_model::inventory::SightingSource;
use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Confidence, Outcome};

use super::{Seen, dns};

/// Shares that clients reach by the name of the domain ([MS-DFSC] 3.1.5.1).
const OF_DOMAINS: [&str; 2] = ["sysvol", "netlogon"];

pub(super) fn operation(activity: &Activity, operation: &SmbOperation, tell: &mut dyn FnMut(Seen)) {
    let SmbOperation::Tree(tree) = operation else {
        return;
    };
    let is_domains = |share: &str| OF_DOMAINS.iter().any(|it| share.eq_ignore_ascii_case(it));
    if activity.outcome != Outcome::Success || tree.share.name.as_deref().is_some_and(is_domains) {
        return;
    }
    let server = tree.share.server.as_deref();
    if let Some(name) = server.filter(|name| !name.contains('.') || dns::is_host(name)) {
        let source = SightingSource::SmbShare;
        Seen::called(activity.server.ip, name, source, Confidence::Low)
            .into_iter()
            .for_each(tell);
    }
}
