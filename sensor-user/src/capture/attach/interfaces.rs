//! What this machine's interfaces are, as far as attaching to them needs to know.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::CaptureError;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether its frames begin with an Ethernet header (those of `lo` do).
    pub ethernet: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether a default route leads through it.
    pub default_route: bool,
    /// Whether it is a bridge.
    pub bridge: bool,
    /// The driver of the hardware behind it, if there is any.
    pub driver: Option<String>,
}

/// ARPHRD_ETHER and ARPHRD_LOOPBACK (linux/if_arp.h).
const ETHERNET: [u16; 2] = [1, 772];

/// Drivers of (virtual) hardware that take up native XDP without a reset of the link.
const CALM_DRIVERS: [&str; 3] = ["virtio_net", "hv_netvsc", "vmxnet3"];

impl Interface {
    /// All interfaces of the calling thread's network namespace, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn all() -> Result<Vec<Self>, CaptureError> {
        let entries = getifaddrs().map_err(|error| CaptureError::System {
            what: "the list of interfaces",
            source: error.into(),
        })?;
        let routes = default_routes();
        let mut order = Vec::new();
        let mut found: BTreeMap<String, Self> = BTreeMap::new();
        for entry in entries {
            let name = entry.interface_name;
            let interface = found.entry(name.clone()).or_insert_with(|| {
                order.push(name.clone());
                Self {
                    up: entry.flags.contains(InterfaceFlags::IFF_UP),
                    ethernet: false,
                    loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                    addresses: Vec::new(),
                    default_route: routes.contains(&name),
                    bridge: sysfs(&name, "bridge").exists(),
                    driver: driver(&name),
                    name,
                }
            });
            let Some(address) = entry.address else {
                continue;
            };
            if let Some(link) = address.as_link_addr() {
                interface.ethernet = ETHERNET.contains(&link.hatype());
            } else if let Some(v4) = address.as_sockaddr_in() {
                interface.addresses.push(v4.ip().into());
            } else if let Some(v6) = address.as_sockaddr_in6() {
                interface.addresses.push(v6.ip().into());
            }
        }
        Ok(order.iter().filter_map(|name| found.remove(name)).collect())
    }

    /// An address by which others reach this machine here. Link-local IPv6 addresses do not
    /// count: every interface that is up has one.
    pub(super) fn in_use(&self) -> Option<IpAddr> {
        self.addresses
            .iter()
            .copied()
            .find(|address| match address {
                IpAddr::V4(_) => true,
                IpAddr::V6(v6) => !v6.is_unicast_link_local(),
            })
    }

    /// The driver, if it is one that may reset the link when native XDP is attached.
    pub(super) fn driver_that_resets(&self) -> Option<String> {
        self.driver
            .clone()
            .filter(|driver| !CALM_DRIVERS.contains(&driver.as_str()))
    }
}

fn sysfs(name: &str, file: &str) -> PathBuf {
    PathBuf::from(format!("/sys/class/net/{name}/{file}"))
}

fn driver(name: &str) -> Option<String> {
    let link = fs::read_link(sysfs(name, "device/driver")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// Names of the interfaces through which a default route leads. Best effort: without procfs no
/// interface has one.
fn default_routes() -> Vec<String> {
    // The calling thread's own namespace, not that of the process's first thread.
    let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
    let mut names = default_routes_v4(&read("route").unwrap_or_default());
    names.extend(default_routes_v6(&read("ipv6_route").unwrap_or_default()));
    names
}

/// Columns: interface, destination, gateway, flags, references, use, metric, mask (proc_net(5)).
fn default_routes_v4(table: &str) -> Vec<String> {
    let unspecified = format!("{:08X}", u32::from(Ipv4Addr::UNSPECIFIED));
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|c| c.get(1) == c.get(7) && c.get(1).is_some_and(|dest| *dest == unspecified))
        .filter_map(|columns| columns.first().map(ToString::to_string))
        .collect()
}

/// Columns: destination, its prefix length, source, its prefix length, next hop, metric,
/// references, use, flags, interface. The kernel lists a rejecting default on `lo`, too.
fn default_routes_v6(table: &str) -> Vec<String> {
    let unspecified = format!("{:032x}", u128::from(Ipv6Addr::UNSPECIFIED));
    let lines = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|c| c.first().is_some_and(|dest| *dest == unspecified) && c.get(1) == Some(&"00"))
        .filter_map(|columns| columns.get(9).map(ToString::to_string))
        .filter(|name| name != "lo")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_those_without_destination_and_mask() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
                  eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_routes_v4(v4), ["eth0"]);
        let zero = "0".repeat(32);
        let v6 = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 eth2\n\
             fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 1 0 00000001 eth3\n\
             {zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(default_routes_v6(&v6), ["eth2"]);
    }

    #[test]
    fn loopback_is_found_with_its_kind() {
        let all = Interface::all().unwrap();
        let lo = all.iter().find(|interface| interface.loopback).unwrap();
        assert!(lo.ethernet && !lo.bridge && lo.driver.is_none());
    }
}
