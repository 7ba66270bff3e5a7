//! All that surrounds a message, for tests of what reads it.

use goshawk_model::{Timestamp, Transport};

use super::{Context, Sensor, dcerpc, dns};
use crate::decoder::Decoded;
use crate::flow::FlowKey;
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::stats::Stats;

/// What a decoder shares, a flow, and the time.
pub(crate) struct Bench {
    pub(crate) limits: Limits,
    pub(crate) stats: Stats,
    pub(crate) out: Vec<Decoded>,
    pub(crate) time: Timestamp,
    sensor: Sensor,
    endpoints: dcerpc::Endpoints,
    keys: dns::Keys,
    inventory: Inventory,
    flow: FlowKey,
    sub: u32,
}

impl Bench {
    /// A flow over TCP from 10.0.0.9, the high side, to port 445 of 10.0.0.1.
    pub(crate) fn new() -> Self {
        let (server, client) = ([10, 0, 0, 1].into(), [10, 0, 0, 9].into());
        let (flow, _) = FlowKey::new(Transport::Tcp, (server, 445), (client, 50_000));
        Self {
            limits: Limits::default(),
            stats: Stats::default(),
            out: Vec::new(),
            time: Timestamp::from_parts(1, 0),
            sensor: Sensor::new("test".into()),
            endpoints: dcerpc::Endpoints::new(),
            keys: dns::Keys::new(),
            inventory: Inventory::new(),
            flow,
            sub: 0,
        }
    }

    pub(crate) fn context(&mut self) -> Context<'_> {
        Context {
            sensor: &self.sensor,
            limits: &self.limits,
            keytab: None,
            stats: &mut self.stats,
            endpoints: &mut self.endpoints,
            keys: &mut self.keys,
            inventory: &mut self.inventory,
            out: &mut self.out,
            flow: self.flow,
            opener: None,
            time: self.time,
            origin: 0,
            sub: &mut self.sub,
        }
    }
}
