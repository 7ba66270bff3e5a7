//! A Samba domain controller on a host of the lab.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::accounts::{ADMIN_PASSWORD, ldif};
use crate::host::{Host, PRIVATE, workgroup};
use crate::{REALM, authority};

/// What a controller must answer before it counts as up: Kerberos, the endpoint mapper, LDAP, SMB.
const PORTS: [u16; 4] = [88, 135, 389, 445];

/// How long a controller may take to answer on all [`PORTS`].
const START_LIMIT: Duration = Duration::from_secs(90);

/// Lines of a controller's smb.conf. Like most of Windows's, it takes directory binds that are neither
/// signed nor sealed, and RPC binds that protect nothing after them.
const LENIENCE: &str = "ldap server require strong auth = no\\
                        \\nallow dcerpc auth level connect:samr = yes\\
                        \\nallow dcerpc auth level connect:lsarpc = yes";

/// A running domain controller; stopped when dropped.
#[derive(Debug)]
pub struct Controller {
    samba: Child,
}

impl Controller {
    /// Makes a new domain on `host`, with the lab's accounts in it, and starts its controller. It
    /// has a share that everybody may write, `data`, and lets people change their passwords twice a
    /// day.
    ///
    /// # Errors
    /// If Samba's provisioning fails, or it does not answer within 90 seconds.
    pub fn provision(host: &Host) -> Result<Self> {
        let (address, interface, domain) = (host.address(), host.interface(), workgroup());
        host.script(&format!(
            "samba-tool domain provision --configfile=/dev/null --realm={REALM} --domain={domain} --server-role=dc \
                 --dns-backend=SAMBA_INTERNAL --adminpass='{ADMIN_PASSWORD}' \
                 --host-name={name} --host-ip={address} --targetdir={PRIVATE}/dc \
                 --option='interfaces=lo {interface}' --option='bind interfaces only=yes' 2>&1",
            name = host.name()
        ))?;
        host.script(&format!(
            "sed -i -e '/dns forwarder/d' -e '/^\\[global\\]/a {LENIENCE}' dc/etc/smb.conf
             printf '[data]\\npath = {PRIVATE}/data\\nread only = no\\n' >> dc/etc/smb.conf
             mkdir --mode=777 data
             samba-tool domain passwordsettings set --min-pwd-age=0 --history-length=0 \
                 --configfile=dc/etc/smb.conf"
        ))?;
        authority::found(host)?;
        host.write_private("accounts.ldif", ldif())?;
        host.script(&format!(
            "ldbmodify -H {PRIVATE}/dc/private/sam.ldb accounts.ldif"
        ))?;
        Self::start(host)
    }

    /// Makes `host` a further controller of the domain that `first` serves, without starting it: a
    /// real join with a real replication of the whole directory.
    ///
    /// # Errors
    /// If the join fails.
    pub fn enlist(host: &Host, first: Ipv4Addr) -> Result<()> {
        let interface = host.interface();
        host.script(&format!(
            "samba-tool domain join --configfile=/dev/null {REALM} DC --server=dc1.{domain} -U Administrator \
                 --password='{ADMIN_PASSWORD}' --dns-backend=SAMBA_INTERNAL \
                 --targetdir={PRIVATE}/dc --option='interfaces=lo {interface}' \
                 --option='bind interfaces only=yes' --option='dns forwarder={first}' 2>&1",
            domain = REALM.to_lowercase(),
        ))?;
        Ok(())
    }

    /// Starts the controller that `host` has been made.
    ///
    /// # Errors
    /// If it does not answer within 90 seconds.
    pub fn start(host: &Host) -> Result<Self> {
        // From now on the host's tools are those of a controller.
        host.script(&format!("cp {PRIVATE}/dc/etc/smb.conf {PRIVATE}/smb.conf"))?;
        let log = File::create(host.private_file("samba.log")).context("no log for samba")?;
        // Samba forks; a pid namespace under a parent that dies with us takes all of it down.
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child=KILL"])
            .args([
                "samba",
                "--foreground",
                "--no-process-group",
                "--debug-stdout",
                "-M",
                "prefork",
            ])
            .args(["--configfile", &format!("{PRIVATE}/smb.conf")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut controller = Self {
            samba: host.spawn(command)?,
        };
        controller.wait_until_up(host)?;
        Ok(controller)
    }

    fn wait_until_up(&mut self, host: &Host) -> Result<()> {
        let started = Instant::now();
        for port in PORTS {
            let address = SocketAddr::from((host.address(), port));
            let answers = || {
                host.namespace().inside(|| {
                    Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
                })
            };
            while !answers()? {
                let ended = self.samba.try_wait()?;
                if ended.is_some() || started.elapsed() > START_LIMIT {
                    let log = std::fs::read_to_string(host.private_file("samba.log"))?;
                    bail!(
                        "samba on {} does not answer on port {port}:\n{log}",
                        host.name()
                    );
                }
                sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // Both fail only if samba is gone already.
        let _ = self.samba.kill();
        let _ = self.samba.wait();
    }
}
