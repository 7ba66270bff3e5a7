//! Packets from the kernel's rings: each worker thread owns one ring and drains it.

mod assembly;
mod clock;

use std::os::fd::AsFd;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use goshawk_decode::{Frame, LinkType};
use goshawk_model::Timestamp;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sensor_ebpf::{Header, Link};

use self::assembly::Assembly;
use self::clock::Clock;
use super::{Progress, Source};

/// The most frames handed over in one call, so that watermarks keep coming in a flood.
const BATCH: usize = 4096;

/// The kernel calls only when much is waiting; for less the source comes by itself this often.
const NAP: Duration = Duration::from_millis(5);
/// The same, when nothing has come for [`QUIET_CALLS`] calls.
const LONG_NAP: Duration = Duration::from_millis(25);
const QUIET_CALLS: u32 = 100;

/// A frame may lie between its stamp and its ring for as long as its CPU is taken away (a
/// virtual one may be): so much older than "now" a watermark is.
const SLACK: Duration = Duration::from_millis(2);

/// What a ring lost or mended, beside what the kernel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// Frames of several records of which one is missing.
    pub incomplete: u64,
    /// Records that this daemon cannot read.
    pub malformed: u64,
    /// Frames that came after a watermark had said they would not; they are given its time.
    pub late: u64,
    /// Steps of the system's clock.
    pub clock_steps: u64,
}

/// The packets of one ring.
pub struct RingSource {
    worker: u16,
    ring: RingBuf<MapData>,
    assembly: Assembly,
    clock: Clock,
    step: Option<(Timestamp, Timestamp)>,
    /// Frames so far.
    sequence: u64,
    /// No frame is stamped earlier: the watermark that was promised, or the last frame's time.
    floor: Timestamp,
    quiet_calls: u32,
    counts: RingCounts,
}

impl RingSource {
    pub(super) fn new(worker: u16, ring: RingBuf<MapData>) -> Self {
        Self {
            worker,
            ring,
            assembly: Assembly::default(),
            clock: Clock::new(),
            step: None,
            sequence: 0,
            floor: Timestamp::ZERO,
            quiet_calls: 0,
            counts: RingCounts::default(),
        }
    }

    /// What was lost or mended so far.
    pub fn counts(&self) -> RingCounts {
        RingCounts {
            incomplete: self.assembly.incomplete,
            ..self.counts
        }
    }

    /// Hands over what is ready, at most [`BATCH`] frames; returns how many that were.
    fn drain(&mut self, sink: &mut dyn FnMut(usize, Frame<'_>)) -> usize {
        let mut frames = 0;
        while frames < BATCH {
            let Some(record) = self.ring.next() else {
                break;
            };
            let Some((header, body)) = Header::split(&record) else {
                self.counts.malformed += 1;
                continue;
            };
            let link = match header.link() {
                Some(Link::Ethernet) => LinkType::Ethernet,
                Some(Link::Ip) => LinkType::RawIp,
                None => {
                    self.counts.malformed += 1;
                    continue;
                }
            };
            let Some(data) = self.assembly.add(&header, body) else {
                continue;
            };
            let stamped = self.clock.utc(header.time);
            if stamped + SLACK < self.floor {
                self.counts.late += 1;
            }
            self.floor = self.floor.max(stamped);
            self.sequence += 1;
            frames += 1;
            let frame = Frame {
                time: self.floor,
                origin: (u64::from(self.worker) << 48) | self.sequence,
                link,
                wire_len: header.frame_len,
                data,
            };
            // The worker of a ring has one decoder.
            sink(0, frame);
        }
        frames
    }

    /// Waits until much is in the ring, or a nap has passed.
    fn wait(&self, patience: Duration) -> anyhow::Result<()> {
        let nap = if self.quiet_calls > QUIET_CALLS {
            LONG_NAP
        } else {
            NAP
        }
        .min(patience);
        let timeout = PollTimeout::try_from(nap).unwrap_or(PollTimeout::ZERO);
        let mut ready = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(anyhow::anyhow!("cannot wait for packets: {}", error.desc())),
        }
    }
}

impl Source for RingSource {
    /// Never ends: rings have no last packet.
    ///
    /// Frames of one ring are handed over in the order in which they entered it. Those of
    /// different CPUs may have entered in another order than they were stamped, microseconds
    /// apart; the later one then gets the earlier one's time, so that time does not run back.
    fn poll(
        &mut self,
        patience: Duration,
        sink: &mut dyn FnMut(usize, Frame<'_>),
    ) -> anyhow::Result<Progress> {
        if let Some(step) = self.clock.resample() {
            self.counts.clock_steps += 1;
            self.step = Some(step);
            // After a step back earlier times are right again.
            self.floor = self.floor.min(step.1);
        }
        let mut now = self.clock.now();
        let mut frames = self.drain(sink);
        if frames == 0 && !patience.is_zero() {
            self.wait(patience)?;
            now = self.clock.now();
            frames = self.drain(sink);
        }
        self.quiet_calls = if frames == 0 {
            self.quiet_calls.saturating_add(1)
        } else {
            0
        };
        if frames < BATCH {
            self.floor = self.floor.max(now - SLACK);
        }
        Ok(Progress::Upto(self.floor))
    }

    /// Every source sees the same steps.
    fn take_clock_step(&mut self) -> Option<(Timestamp, Timestamp)> {
        self.step.take()
    }

    fn losses(&self) -> Vec<(&'static str, u64)> {
        let RingCounts {
            incomplete,
            malformed,
            late,
            clock_steps,
        } = self.counts();
        vec![
            ("incomplete-frames", incomplete),
            ("malformed-records", malformed),
            ("late-frames", late),
            ("clock-steps", clock_steps),
        ]
    }
}
