//! What packets of one conversation have in common.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use goshawk_model::{Flow, Transport};

/// A flow in either direction: its two ends in a fixed order.
///
/// VLAN ids are not part of it: one direction may have lost its tag on the way to a mirror port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowKey {
    transport: Transport,
    low: (IpAddr, u16),
    high: (IpAddr, u16),
}

/// In as few words as it takes: every packet's flow is looked up.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (ip, port) in [self.low, self.high] {
            match ip {
                IpAddr::V4(ip) => state.write_u64(u64::from(ip.to_bits()) << 16 | u64::from(port)),
                IpAddr::V6(ip) => {
                    state.write_u128(ip.to_bits());
                    state.write_u16(port);
                }
            }
        }
    }
}

/// One of the two ends of a [`FlowKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
}

impl FlowKey {
    /// The flow of a packet, and the end that sent it.
    pub(crate) fn new(
        transport: Transport,
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
    ) -> (Self, Side) {
        let (low, high, side) = if source <= destination {
            (source, destination, Side::Low)
        } else {
            (destination, source, Side::High)
        };
        let key = Self {
            transport,
            low,
            high,
        };
        (key, side)
    }

    pub(crate) fn is_udp(&self) -> bool {
        self.transport == Transport::Udp
    }

    /// Whether one of the two ports is `port`.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.low.1 == port || self.high.1 == port
    }

    /// Address and port of one end.
    pub(crate) fn end(&self, side: Side) -> SocketAddr {
        let (ip, port) = match side {
            Side::Low => self.low,
            Side::High => self.high,
        };
        SocketAddr::new(ip, port)
    }

    /// The flow as its client sees it.
    pub(crate) fn seen_from(&self, client: Side) -> Flow {
        Flow {
            transport: self.transport,
            client: self.end(client),
            server: self.end(client.other()),
        }
    }
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let (client, server) = (
            (IpAddr::from([10, 0, 0, 9]), 50_000),
            (IpAddr::from([10, 0, 0, 1]), 88),
        );
        let (there, asker) = FlowKey::new(Transport::Tcp, client, server);
        let (back, answerer) = FlowKey::new(Transport::Tcp, server, client);
        assert_eq!(there, back);
        assert_eq!(asker, answerer.other());
        assert_eq!(
            there.seen_from(asker).to_string(),
            "tcp 10.0.0.9:50000 > 10.0.0.1:88"
        );
    }
}
