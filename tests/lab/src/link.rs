//! A raw socket on one interface: whole frames out, nothing in.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socket};

/// A hardware address.
pub(crate) type Mac = [u8; 6];

/// How long a full queue may stay full before sending gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends frames out of one interface, through its TC egress.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: OwnedFd,
    mac: Mac,
}

impl PacketSocket {
    /// Opens a socket on `interface` of the calling thread's network namespace.
    ///
    /// # Errors
    /// If there is no such interface, or without the privilege for raw sockets.
    pub(crate) fn open(interface: &str) -> Result<Self> {
        let name = CString::new(interface)?;
        let index = if_nametoindex(name.as_c_str())
            .with_context(|| format!("there is no interface {interface}"))?;
        // Protocol 0: the socket only sends; frames that arrive are not queued on it.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .context("cannot open a raw socket; it needs root")?;
        bind(&socket, index).with_context(|| format!("cannot bind to {interface}"))?;
        let mac = hardware_address(interface)?;
        Ok(Self { socket, mac })
    }

    /// The interface's own address.
    pub(crate) fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends one frame, waiting while the interface's queue is full.
    ///
    /// # Errors
    /// If the frame is refused, or the queue stays full for five seconds.
    pub(crate) fn send(&self, frame: &[u8]) -> Result<()> {
        let begun = Instant::now();
        loop {
            match send(self.socket.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(nix::errno::Errno::ENOBUFS) if begun.elapsed() < PATIENCE => {
                    sleep(Duration::from_micros(100));
                }
                Err(error) => bail!("{} bytes: {error}", frame.len()),
            }
        }
    }
}

fn bind(socket: &impl AsFd, index: u32) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain numbers, for which all zeros are valid values.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_ifindex = index.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let pointer = (&raw const address).cast();
    // SAFETY: `pointer` and `length` are those of `address`, which lives through the call.
    let result = unsafe { libc::bind(socket.as_fd().as_raw_fd(), pointer, length) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn hardware_address(interface: &str) -> Result<Mac> {
    let interfaces = nix::ifaddrs::getifaddrs().context("cannot list interfaces")?;
    interfaces
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr()?.addr())
        .with_context(|| format!("{interface} has no hardware address"))
}
