//! The kernel program on the running kernel: frames through it one by one ([`rehearsed`]), and on
//! real interfaces in namespaces of the tests' own ([`live`]); what a tap sees in tunnels, both ways
//! ([`tunnels`]); what is left out once it is needed no more ([`shunts`]).
//!
//! These tests need root. Without it they fail: a test that skips itself proves nothing.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage fails there"
)]

mod frames;
mod live;
mod rehearsed;
mod shunts;
mod tunnels;

use std::time::{Duration, Instant};

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;
use goshawk_sensor::capture::kernel::{Counts, Entry, Kernel, Settings};
use goshawk_sensor::capture::ring::RingSource;
use goshawk_sensor::capture::{Progress, Source};
use sensor_ebpf::Counter;

/// A loaded program, and all that came out of its rings.
struct Sensor {
    kernel: Kernel,
    sources: Vec<RingSource>,
}

/// A frame that came out of a ring.
#[derive(Clone, Debug)]
struct Captured {
    worker: usize,
    time: Timestamp,
    link: LinkType,
    data: Vec<u8>,
}

impl Sensor {
    fn load(settings: &Settings) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests load a kernel program: run as root"
        );
        let mut kernel = Kernel::load(settings).unwrap_or_else(|error| panic!("{error}"));
        let sources = kernel.sources();
        assert_eq!(sources.len(), settings.workers as usize);
        Self { kernel, sources }
    }

    /// With two workers, so that the choice of a ring is part of every test.
    fn new() -> Self {
        Self::load(&Settings {
            workers: 2,
            ring_bytes: 4 << 20,
            ..Settings::default()
        })
    }

    /// Runs a frame through XDP and returns its verdict and what was captured.
    fn see(&mut self, frame: &[u8]) -> (u32, Vec<Captured>) {
        self.see_at(Entry::Xdp, frame)
    }

    fn see_at(&mut self, entry: Entry, frame: &[u8]) -> (u32, Vec<Captured>) {
        let (verdict, _) = self.kernel.rehearse(entry, frame, 1).unwrap();
        (verdict, self.drain())
    }

    /// Whether the frame is captured; if so, it must be whole.
    fn takes(&mut self, frame: &[u8]) -> bool {
        let (_, captured) = self.see(frame);
        for copy in &captured {
            assert_eq!(copy.data, frame);
        }
        assert!(captured.len() <= 1);
        !captured.is_empty()
    }

    /// Everything that waits in the rings.
    fn drain(&mut self) -> Vec<Captured> {
        let mut captured = Vec::new();
        for (worker, source) in self.sources.iter_mut().enumerate() {
            loop {
                let before = captured.len();
                let progress = source
                    .poll(Duration::ZERO, &mut |_, frame| {
                        assert_eq!(frame.wire_len as usize, frame.data.len());
                        captured.push(Captured {
                            worker,
                            time: frame.time,
                            link: frame.link,
                            data: frame.data.to_vec(),
                        });
                    })
                    .unwrap();
                let Progress::Upto(mark) = progress else {
                    panic!("a ring has no end")
                };
                assert!(captured[before..].iter().all(|frame| frame.time <= mark));
                if captured.len() == before {
                    break;
                }
            }
        }
        captured
    }

    /// Drains until `enough` says so. The bound is for a broken sensor, not for a slow machine.
    fn drain_until(&mut self, enough: impl Fn(&[Captured]) -> bool) -> Vec<Captured> {
        let started = Instant::now();
        let mut captured = Vec::new();
        loop {
            captured.extend(self.drain());
            if enough(&captured) {
                return captured;
            }
            let counts = self.counts();
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{} frames in 20 s; {:?}",
                captured.len(),
                counts.iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn counts(&self) -> Counts {
        self.kernel.counters().unwrap()
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counts().get(counter)
    }
}
