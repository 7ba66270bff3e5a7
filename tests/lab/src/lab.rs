//! The whole lab: a wire, its hosts, a domain.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use crate::authority;
use crate::domain::Controller;
use crate::host::Host;
use crate::network::Network;
use crate::tools;

/// The first domain controller, which is also the domain's name server.
pub const DC1: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 10);
/// The second domain controller, once [`Lab::second_controller`] has been asked for.
pub const DC2: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 11);
/// Where a console may run.
pub const CONSOLE: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 5);
/// Where ordinary people work.
pub const WS1: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 21);
/// A workstation that has not joined the domain yet.
pub const WS2: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 22);
/// Another one.
pub const WS3: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 23);
/// Where the attacks come from.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 66);

const HOSTS: [(&str, Ipv4Addr); 6] = [
    ("console", CONSOLE),
    ("dc1", DC1),
    ("ws1", WS1),
    ("ws2", WS2),
    ("ws3", WS3),
    ("attacker", ATTACKER),
];

/// A Samba domain with its hosts; gone when dropped, or when this process dies, however it dies.
#[derive(Debug)]
pub struct Lab {
    // Controllers stop before their hosts vanish: fields drop in this order.
    second: Option<Controller>,
    _first: Controller,
    hosts: BTreeMap<String, Host>,
    network: Network,
}

impl Lab {
    /// Brings up `dc1` with its domain, three workstations, `attacker` and `console`; takes some 15
    /// seconds.
    ///
    /// # Errors
    /// Names missing tools and what installs them; without root says so; shows Samba's words if it
    /// does not start.
    pub fn new() -> Result<Self> {
        tools::ensure()?;
        let network = Network::new()?;
        let mut hosts = BTreeMap::new();
        for (name, address) in HOSTS {
            hosts.insert(name.to_owned(), Host::new(&network, name, address, DC1)?);
        }
        let first = Controller::provision(&hosts["dc1"])?;
        for file in authority::CLIENT_FILES {
            let text = fs::read(hosts["dc1"].private_file(file))?;
            hosts["ws1"].write_private(file, text)?;
        }
        Ok(Self {
            second: None,
            _first: first,
            hosts,
            network,
        })
    }

    /// A host by its name.
    ///
    /// # Errors
    /// If there is no such host; the message lists those there are.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts.get(name).with_context(|| {
            let names: Vec<&str> = self.hosts.keys().map(String::as_str).collect();
            format!("the lab has no host {name}; it has {}", names.join(", "))
        })
    }

    /// All hosts, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// Adds a machine to the network.
    ///
    /// # Errors
    /// If the name is taken, or longer than an interface's name may be (15 bytes).
    pub fn add_host(&mut self, name: &str, address: Ipv4Addr) -> Result<&Host> {
        let host = Host::new(&self.network, name, address, DC1)?;
        Ok(self.hosts.entry(name.to_owned()).or_insert(host))
    }

    /// Makes sure that there is a machine for a second controller, `dc2`.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn second_controllers_host(&mut self) -> Result<&Host> {
        if !self.hosts.contains_key("dc2") {
            self.add_host("dc2", DC2)?;
        }
        self.host("dc2")
    }

    /// Makes sure that a second controller, `dc2`, has joined; it need not run.
    ///
    /// # Errors
    /// If the join fails.
    pub fn enlist_second_controller(&mut self) -> Result<()> {
        let dc2 = self.second_controllers_host()?;
        if dc2.private_file("dc").exists() {
            Ok(())
        } else {
            Controller::enlist(dc2, DC1)
        }
    }

    /// Makes sure that a second controller, `dc2`, has joined and runs.
    ///
    /// # Errors
    /// If the join or the start fails.
    pub fn second_controller(&mut self) -> Result<()> {
        if self.second.is_none() {
            self.enlist_second_controller()?;
            self.second = Some(Controller::start(self.host("dc2")?)?);
        }
        Ok(())
    }

    /// The wire.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }
}
