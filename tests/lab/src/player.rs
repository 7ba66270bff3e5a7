//! A stand-in for a domain controller, and a player that makes recorded traffic cross its interface.
//!
//! Two namespaces, one cable. What the recorded controller sent leaves through its interface, so that
//! a program on TC egress sees it; all else arrives there, so that XDP sees it. Neither side has an
//! address: no kernel answers, and nothing but the recording is on the cable.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use etherparse::{NetSlice, SlicedPacket};

use crate::capture::Capture;
use crate::link::{Mac, PacketSocket};
use crate::namespace::Namespace;
use crate::segment::segment;

/// The stand-in controller's interface: where a sensor in host mode attaches.
pub const STAGE_INTERFACE: &str = "dc0";

/// The other end of the cable.
const OUTSIDE_INTERFACE: &str = "out0";

/// The cable's MTU, Ethernet's usual one.
const MTU: usize = 1_500;

/// A stand-in controller and the world outside it.
#[derive(Debug)]
pub struct Stage {
    dc: Namespace,
    outside: Namespace,
}

/// How fast a capture is played.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// 1.0 is as recorded, 2.0 twice as fast; infinity is as fast as the cable takes it.
    pub speed: f64,
    /// Recorded silence longer than this is cut to it, before `speed` applies.
    pub longest_gap: Duration,
}

impl Default for Pace {
    /// As recorded, without silences of more than 200 ms.
    fn default() -> Self {
        Self {
            speed: 1.0,
            longest_gap: Duration::from_millis(200),
        }
    }
}

/// What was put on the cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Frames that the stand-in controller sent.
    pub sent: usize,
    /// Frames that it received.
    pub received: usize,
}

impl Stage {
    /// Makes both namespaces and the cable.
    ///
    /// # Errors
    /// As [`Namespace::new`].
    pub fn new() -> Result<Self> {
        let (dc, outside) = (Namespace::new("dc1")?, Namespace::new("outside")?);
        let pid = outside.pid();
        dc.sh(&format!(
            "ip link add {STAGE_INTERFACE} mtu {MTU} type veth \
                 peer name {OUTSIDE_INTERFACE} mtu {MTU} netns {pid}
             ip link set {STAGE_INTERFACE} arp off up"
        ))?;
        outside.sh(&format!("ip link set {OUTSIDE_INTERFACE} arp off up"))?;
        Ok(Self { dc, outside })
    }

    /// The stand-in controller's namespace: run the sensor here, on [`STAGE_INTERFACE`].
    #[must_use]
    pub fn dc(&self) -> &Namespace {
        &self.dc
    }

    /// The namespace at the other end of the cable.
    #[must_use]
    pub fn outside(&self) -> &Namespace {
        &self.outside
    }

    /// Plays `capture` across the cable, with the addresses `dc` behind [`STAGE_INTERFACE`] and all
    /// others outside. Returns when the last frame is sent.
    ///
    /// # Errors
    /// If a frame cannot be segmented or sent.
    pub fn play(&self, capture: &Capture, dc: &[IpAddr], pace: Pace) -> Result<Played> {
        let inner = self.dc.inside(|| PacketSocket::open(STAGE_INTERFACE))?;
        let outer = self
            .outside
            .inside(|| PacketSocket::open(OUTSIDE_INTERFACE))?;
        let mut played = Played::default();
        let mut clock = Clock::new(pace);
        for packet in &capture.packets {
            clock.wait_for(packet.time);
            let leaves = source(&packet.frame).is_some_and(|source| dc.contains(&source));
            for mut frame in segment(&packet.frame, MTU)? {
                let (from, to) = if leaves {
                    (&inner, &outer)
                } else {
                    (&outer, &inner)
                };
                address(&mut frame, to.mac(), from.mac());
                from.send(&frame).context("cannot play a frame")?;
                *(if leaves {
                    &mut played.sent
                } else {
                    &mut played.received
                }) += 1;
            }
        }
        Ok(played)
    }
}

fn source(frame: &[u8]) -> Option<IpAddr> {
    match SlicedPacket::from_ethernet(frame).ok()?.net? {
        NetSlice::Ipv4(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Ipv6(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Arp(_) => None,
    }
}

/// Gives the frame the cable's own hardware addresses: a foreign one would be dropped as somebody
/// else's right after XDP. Whatever is on the cable has been segmented and so has both addresses.
fn address(frame: &mut [u8], to: Mac, from: Mac) {
    if let Some(addresses) = frame.get_mut(..12) {
        addresses[..6].copy_from_slice(&to);
        addresses[6..].copy_from_slice(&from);
    }
}

/// Turns recorded time into time to wait.
struct Clock {
    pace: Pace,
    last: Option<Duration>,
    due: Instant,
}

impl Clock {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            last: None,
            due: Instant::now(),
        }
    }

    fn wait_for(&mut self, time: Duration) {
        let gap = self
            .last
            .map_or(Duration::ZERO, |last| time.saturating_sub(last));
        // A stamp may lie before its neighbour's by microseconds; time itself does not go back.
        self.last = self.last.max(Some(time));
        let seconds = gap.min(self.pace.longest_gap).as_secs_f64() / self.pace.speed;
        self.due += Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let wait = self.due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            sleep(wait);
        }
    }
}
