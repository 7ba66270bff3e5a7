//! What the decoder needs no more.

use std::net::SocketAddr;

use crate::flow::{FlowKey, Side};

/// Connections that the kernel is to keep, until they are taken.
#[derive(Debug, Default)]
pub(super) struct Shunts(Vec<[SocketAddr; 2]>);

/// As many as may wait to be taken. Those beyond are asked for again, with their next packets.
const MAX_WAITING: usize = 1024;

impl Shunts {
    pub(super) fn ask(&mut self, key: FlowKey) {
        if self.0.len() < MAX_WAITING {
            self.0.push([key.end(Side::Low), key.end(Side::High)]);
        }
    }

    pub(super) fn take(&mut self) -> Vec<[SocketAddr; 2]> {
        std::mem::take(&mut self.0)
    }
}
