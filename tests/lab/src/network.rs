//! The wire of the lab: a bridge in a namespace of its own, which sees what a mirror port sees.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::namespace::Namespace;

/// The interface that every host has.
pub const INTERFACE: &str = "eth0";

/// The bridge's interface, where both directions of every conversation can be captured.
pub const BRIDGE: &str = "br0";

/// The switch's end of the mirror port's cable.
const MIRROR: &str = "mirror";

/// Hosts joined by veth pairs to one bridge.
#[derive(Debug)]
pub struct Network {
    switch: Namespace,
}

impl Network {
    /// Makes the bridge.
    ///
    /// # Errors
    /// As [`Namespace::new`].
    pub fn new() -> Result<Self> {
        let switch = Namespace::new("switch")?;
        // No learning delay, no spanning tree: a port forwards as soon as it is plugged in.
        switch.sh(&format!(
            "ip link add {BRIDGE} type bridge stp_state 0 forward_delay 0
             ip link set {BRIDGE} up"
        ))?;
        Ok(Self { switch })
    }

    /// Joins a namespace by a cable: `port` on the bridge, [`INTERFACE`] inside.
    ///
    /// # Errors
    /// If the name is taken or not a valid interface name.
    pub fn plug(&self, port: &str, guest: &Namespace, address: Ipv4Addr) -> Result<()> {
        let pid = guest.pid();
        self.switch.sh(&format!(
            "ip link add {port} type veth peer name {INTERFACE} netns {pid}
             ip link set {port} master {BRIDGE} up
             if [ -e /sys/class/net/{MIRROR} ]; then {copy}; fi",
            copy = copy_to_mirror(port)
        ))?;
        guest.sh(&format!(
            "ip address add {address}/24 dev {INTERFACE}
             ip link set {INTERFACE} up"
        ))?;
        Ok(())
    }

    /// A mirror port: a namespace whose [`INTERFACE`], without an address, receives a copy of every
    /// frame that any host sends. Hosts plugged in later are mirrored too.
    ///
    /// # Errors
    /// As [`Namespace::new`]; also if there is one already.
    pub fn mirror(&self) -> Result<Namespace> {
        let guest = Namespace::new("mirror")?;
        let pid = guest.pid();
        self.switch.sh(&format!(
            "ip link add {MIRROR} type veth peer name {INTERFACE} netns {pid}
             ip link set {MIRROR} up
             for port in $(ls /sys/class/net/{BRIDGE}/brif); do {copy}; done",
            copy = copy_to_mirror("$port")
        ))?;
        guest.sh(&format!("ip link set {INTERFACE} up"))?;
        Ok(guest)
    }

    /// The bridge's namespace, to capture in.
    #[must_use]
    pub fn switch(&self) -> &Namespace {
        &self.switch
    }
}

/// Shell commands that copy what a port receives: each frame enters the bridge once, so the copies of
/// all ports are each conversation's both directions, once. Of the classifiers that match everything,
/// every kernel has u32.
fn copy_to_mirror(port: &str) -> String {
    format!(
        "tc qdisc add dev {port} clsact && tc filter add dev {port} ingress u32 match u32 0 0 \
         action mirred egress mirror dev {MIRROR}"
    )
}
