//! What endpoint mappers told whom.

use std::net::{IpAddr, SocketAddr};

use lru::LruCache;
use uuid::Uuid;

/// The interfaces that clients were told to find at an endpoint: a hint at what they then call
/// there when their bind was not seen.
///
/// Many interfaces share one endpoint of a domain controller, so the client is part of the key:
/// what it asked for last is most likely what it calls.
pub(crate) struct Endpoints {
    told: LruCache<(IpAddr, SocketAddr), Uuid>,
}

impl Endpoints {
    pub(crate) fn new() -> Self {
        Self {
            told: LruCache::unbounded(),
        }
    }

    /// `client` was told that `interface` listens at `endpoint`. At most `room` are remembered.
    pub(super) fn learn(
        &mut self,
        client: IpAddr,
        endpoint: SocketAddr,
        interface: Uuid,
        room: usize,
    ) {
        self.told.put((client, endpoint), interface);
        while self.told.len() > room {
            self.told.pop_lru();
        }
    }

    /// What `client` was last told to find at `endpoint`.
    pub(super) fn interface(&mut self, client: IpAddr, endpoint: SocketAddr) -> Option<Uuid> {
        self.told.get(&(client, endpoint)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_answers_stays_within_its_bound() {
        let mut endpoints = Endpoints::new();
        let client = IpAddr::from([10, 0, 0, 9]);
        for port in 0..1000 {
            let endpoint = SocketAddr::from(([10, 0, 0, 1], port));
            endpoints.learn(client, endpoint, Uuid::from_u128(port.into()), 16);
            assert!(endpoints.told.len() <= 16);
        }
        let latest = SocketAddr::from(([10, 0, 0, 1], 999));
        assert_eq!(
            endpoints.interface(client, latest),
            Some(Uuid::from_u128(999))
        );
        let first = SocketAddr::from(([10, 0, 0, 1], 0));
        assert_eq!(endpoints.interface(client, first), None);
    }
}
