//! One machine of the lab: an address on the bridge, and private files where Samba, Kerberos and the
//! resolver look for them.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::accounts::{
    ADMIN_PASSWORD, GUESSES, PASSWORD, PEOPLE, SERVICES, SPRAYED_PASSWORD, base_dn,
};
use crate::lab::DC1;
use crate::namespace::{Namespace, succeed};
use crate::network::{INTERFACE, Network};
use crate::{REALM, authority, scene, tools};

/// Where a host keeps what is its own: a tmpfs over a folder that Debian ships empty. It exists in
/// the host's mount namespace alone and goes with it, so that nothing is left on disk.
pub const PRIVATE: &str = "/var/opt";

/// Every host's ticket cache.
const TICKETS: &str = "/var/opt/krb5cc";

/// A machine of the lab.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: Arc<Namespace>,
}

impl Host {
    /// Makes a host and plugs it into `network`; it resolves names at `dns`, which also is its KDC.
    ///
    /// # Errors
    /// As [`Namespace::new`]; also if the name is taken on this network.
    pub fn new(network: &Network, name: &str, address: Ipv4Addr, dns: Ipv4Addr) -> Result<Self> {
        let namespace = Namespace::new(name)?;
        network.plug(name, &namespace, address)?;
        namespace.sh(&format!("mount -t tmpfs -o mode=755 lab-{name} {PRIVATE}"))?;
        let host = Self {
            name: name.to_owned(),
            address,
            namespace: Arc::new(namespace),
        };
        host.furnish(dns)?;
        Ok(host)
    }

    /// The host's short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The host's interface on the lab's network.
    #[must_use]
    pub fn interface(&self) -> &'static str {
        INTERFACE
    }

    /// The namespaces underneath, to be shared with whoever works in them while scenes go on.
    #[must_use]
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// The network namespace, for `setns`.
    #[must_use]
    pub fn netns_fd(&self) -> BorrowedFd<'_> {
        self.namespace.netns_fd()
    }

    /// A file of [`PRIVATE`] as seen from outside the host.
    #[must_use]
    pub fn private_file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.namespace.outside_path(Path::new(PRIVATE).join(name))
    }

    /// Writes a file into [`PRIVATE`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_private(&self, name: &str, text: impl AsRef<[u8]>) -> Result<()> {
        self.namespace.write(Path::new(PRIVATE).join(name), text)
    }

    /// Starts `command` on the host; it dies with this process.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, command: Command) -> Result<Child> {
        self.namespace.spawn(self.dress(command))
    }

    /// Runs `command` on the host to its end and returns what it printed, whatever its exit status.
    ///
    /// # Errors
    /// If it cannot be started or waited for.
    pub fn run(&self, command: Command) -> Result<Output> {
        self.namespace.run(self.dress(command))
    }

    /// Runs a bash script on the host in its [`PRIVATE`] folder, stopping at the first line that
    /// fails, and returns what it printed. What the script finds set is listed in the lab's README.
    ///
    /// # Errors
    /// Shows the script's output when it fails.
    pub fn script(&self, text: &str) -> Result<String> {
        succeed(&self.run(shell(text))?, text).with_context(|| format!("on {}", self.name))
    }

    /// Starts such a script, whose last line must be an `exec`, as a server that ends when the
    /// returned value does. What it says is in a log in [`PRIVATE`].
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn serve(&self, text: &str) -> Result<Server> {
        let log = File::create(self.private_file("server.log"))?;
        let mut command = shell(text);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(Server(self.spawn(command)?))
    }

    /// Every host has its own ticket cache, Samba configuration and home, and the scenes' tools in
    /// its path.
    fn dress(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let tools = tools::venv().join("bin");
        command
            .env("HOME", PRIVATE)
            .env("KRB5CCNAME", TICKETS)
            .env("SMB_CONF_PATH", format!("{PRIVATE}/smb.conf"))
            .env(
                "PATH",
                format!("{path}:{}:/usr/sbin:/sbin", tools.display()),
            );
        command
    }

    fn furnish(&self, dns: Ipv4Addr) -> Result<()> {
        let (name, address) = (&self.name, self.address);
        let domain = REALM.to_lowercase();
        let workgroup = workgroup();
        self.namespace.write(
            format!("{PRIVATE}/hosts"),
            format!("127.0.0.1 localhost\n{address} {name}.{domain} {name}\n"),
        )?;
        self.namespace.write(
            format!("{PRIVATE}/resolv.conf"),
            format!("search {domain}\nnameserver {dns}\noptions timeout:2 attempts:2\n"),
        )?;
        // The last section is for controllers: Samba's KDC otherwise asks everybody to
        // pre-authenticate, whatever the account's flags say.
        self.namespace.write(
            format!("{PRIVATE}/krb5.conf"),
            format!(
                "[libdefaults]\n default_realm = {REALM}\n rdns = false\n dns_lookup_realm = false\n \
                 dns_lookup_kdc = true\n[realms]\n {REALM} = {{\n  kdc = {dns}\n{} }}\n\
                 [domain_realm]\n .{domain} = {REALM}\n {domain} = {REALM}\n\
                 [kdc]\n require-preauth = false\n",
                authority::client_settings()
            ),
        )?;
        self.namespace.write(
            format!("{PRIVATE}/smb.conf"),
            format!(
                "[global]\n realm = {REALM}\n workgroup = {workgroup}\n security = ads\n \
                 kerberos method = secrets only\n"
            ),
        )?;
        self.namespace.sh(&format!(
            "mkdir -p /run/samba /var/lib/samba /var/cache/samba /var/log/samba
             for file in hosts resolv.conf krb5.conf; do
                 mount --bind {PRIVATE}/$file /etc/$file
             done
             for folder in run lib cache log; do
                 mkdir -p {PRIVATE}/samba/$folder
             done
             mkdir -p {PRIVATE}/samba/lib/private
             mount --bind {PRIVATE}/samba/run /run/samba
             mount --bind {PRIVATE}/samba/lib /var/lib/samba
             mount --bind {PRIVATE}/samba/cache /var/cache/samba
             mount --bind {PRIVATE}/samba/log /var/log/samba"
        ))?;
        Ok(())
    }
}

/// A program that runs on a host, and no longer than this value lives.
#[derive(Debug)]
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A script, in the surroundings that every scene's scripts have.
fn shell(text: &str) -> Command {
    let mut shell = Command::new("/bin/bash");
    shell
        .args(["-euo", "pipefail", "-c", text])
        .current_dir(PRIVATE)
        .env("DOMAIN", REALM.to_lowercase())
        .env("REALM", REALM)
        .env("BASE", base_dn())
        .env("DC", DC1.to_string())
        .env("SCENES", scene::folder())
        .env("PYTHON", tools::venv().join("bin/python"))
        .env(
            "KERBEROS",
            format!("--use-kerberos=required --use-krb5-ccache={TICKETS}"),
        )
        .env("PASSWORD", PASSWORD)
        .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
        .env("SPRAYED_PASSWORD", SPRAYED_PASSWORD)
        .env("PEOPLE", PEOPLE.join(" "))
        .env("SERVICES", SERVICES.map(|(_, name)| name).join(" "))
        .env("GUESSES", GUESSES.join(" "));
    shell
}

/// The domain's short name: the first label of the realm.
pub(crate) fn workgroup() -> &'static str {
    REALM.split('.').next().unwrap_or(REALM)
}
