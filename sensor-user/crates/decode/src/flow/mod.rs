//! Layers 3 and 4: datagrams from their fragments, byte streams from their segments.
//!
//! Nothing here knows what the bytes mean; whoever reads a stream implements [`stream::Reader`].

pub(crate) mod duplicates;
pub(crate) mod fragments;
mod key;
mod queue;
pub(crate) mod stream;

pub(crate) use key::{FlowKey, Side};
