//! The keys that clients agreed on with DNS servers, and what they authenticated with.

use std::net::IpAddr;
use std::sync::Arc;

use goshawk_model::Credentials;
use lru::LruCache;

use crate::stats::{Drop, Stats};

/// Keys of GSS-TSIG (RFC 3645): agreed on over TCP, they sign updates that travel on other flows of
/// the same two machines.
pub(crate) struct Keys {
    /// Client, server and the key's name.
    agreed: LruCache<(IpAddr, IpAddr, Box<str>), Arc<Credentials>>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            agreed: LruCache::unbounded(),
        }
    }

    /// The two agreed on a key. At most `room` are remembered.
    pub(super) fn learn(
        &mut self,
        (client, server): (IpAddr, IpAddr),
        name: &str,
        credentials: &Arc<Credentials>,
        room: usize,
        stats: &mut Stats,
    ) {
        self.agreed
            .put((client, server, name.into()), Arc::clone(credentials));
        while self.agreed.len() > room && self.agreed.pop_lru().is_some() {
            stats.drop(Drop::KeyEvicted);
        }
    }

    /// What the client authenticated with when it agreed on the key.
    pub(super) fn credentials(
        &mut self,
        (client, server): (IpAddr, IpAddr),
        name: &str,
    ) -> Option<&Arc<Credentials>> {
        self.agreed.get(&(client, server, name.into()))
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::Mechanism;

    use super::*;

    #[test]
    fn a_flood_of_keys_stays_within_its_bound_and_is_counted() {
        let (mut keys, mut stats) = (Keys::new(), Stats::default());
        let ends = (IpAddr::from([10, 0, 0, 9]), IpAddr::from([10, 0, 0, 1]));
        let credentials = Arc::new(Credentials::new(Mechanism::Kerberos));
        for key in 0..100 {
            keys.learn(ends, &key.to_string(), &credentials, 16, &mut stats);
        }
        assert_eq!(keys.agreed.len(), 16);
        assert_eq!(stats.dropped(Drop::KeyEvicted), 84);
        assert!(keys.credentials(ends, "99").is_some());
        assert!(keys.credentials(ends, "0").is_none());
        assert!(keys.credentials((ends.1, ends.0), "99").is_none());
    }
}
