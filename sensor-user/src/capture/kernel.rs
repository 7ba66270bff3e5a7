//! The kernel program, loaded: its maps, its attachments, its counters.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use std::{fmt, io};

use aya::maps::{ArrayOfMaps, HashMap, Map, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::{ProgramError, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfError, EbpfLoader, Pod, include_bytes_aligned};
use aya_log::EbpfLogger;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use nix::errno::Errno;
use sensor_ebpf::{
    CLOSED, COUNTERS, Connection, Counter, DEFAULT_PORTS, Endpoint, MAX_WORKERS, Ports, connection,
    endpoint, mapped, words,
};

use super::attach::{Attachment, CaptureError, Plan, Rung, index, os_error};
use super::ring::RingSource;

static PROGRAM: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor-ebpf"));

/// The smallest ring: room for two of the longest frames.
pub const MIN_RING_BYTES: u32 = 2 << 20;
/// The largest ring the kernel's position arithmetic allows comfortably.
pub const MAX_RING_BYTES: u32 = 1 << 30;

/// The daemon is called when this part of a ring is waiting, or so many bytes; powers of two both.
const WAKE_PART: u32 = 4;
const WAKE_BYTES: u32 = 128 << 10;

/// What the kernel program is told when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Ports whose traffic is always taken, on either side, TCP and UDP.
    pub ports: BTreeSet<u16>,
    /// Worker threads, each with a ring of its own; 1 to [`MAX_WORKERS`].
    pub workers: u32,
    /// Size of each ring in bytes, rounded up to a power of two.
    pub ring_bytes: u32,
    /// Whether frames that arrive are dropped after the copy (tap mode).
    pub drop: bool,
    /// Whether tunnels are looked into (tap mode), and then the UDP port of VXLAN.
    pub vxlan_port: Option<u16>,
    /// Whether connections can be shunted.
    pub shunt: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        Self {
            ports: DEFAULT_PORTS.into(),
            workers: u32::try_from(cores).unwrap_or(1),
            ring_bytes: 8 << 20,
            drop: false,
            vxlan_port: None,
            shunt: true,
        }
    }
}

/// The loaded program. Dropping it detaches it everywhere and unloads it.
pub struct Kernel {
    ebpf: Ebpf,
    log: Option<EbpfLogger<ToTracing>>,
    rings: Vec<RingBuf<MapData>>,
    plan: Option<Plan>,
    /// What is attached at each point of the plan; `None` while its interface is away.
    attached: Vec<Option<Attachment>>,
}

/// One of the kernel program's programs, as [`Kernel::rehearse`] names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// XDP, on arriving frames.
    Xdp,
    /// TC, on arriving frames.
    TcIngress,
    /// TC, on leaving frames.
    TcEgress,
    /// XDP that returns at once: what [`Entry::Xdp`]'s cost is measured against.
    Baseline,
}

/// An interface of the plan came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It vanished, and what was attached with it.
    Lost {
        /// Its name.
        interface: String,
    },
    /// It is back, and attached to again.
    Back {
        /// Its name.
        interface: String,
    },
}

/// Where and how the program is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The interface.
    pub interface: String,
    /// How arriving frames are watched, if they are.
    pub ingress: Option<Rung>,
    /// How leaving frames are watched, if they are.
    pub egress: Option<Rung>,
    /// Whether the interface is there.
    pub present: bool,
}

impl fmt::Display for Attached {
    /// `eth0: native XDP on ingress, TCX on egress`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.interface)?;
        match (self.ingress, self.egress) {
            _ if !self.present => write!(f, "gone"),
            (Some(ingress), Some(egress)) => write!(f, "{ingress} on ingress, {egress} on egress"),
            (Some(ingress), None) => write!(f, "{ingress} on ingress"),
            (None, Some(egress)) => write!(f, "{egress} on egress"),
            (None, None) => write!(f, "nothing"),
        }
    }
}

/// The kernel program's counts, summed over all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts([u64; COUNTERS.len()]);

impl Counts {
    /// One count.
    pub const fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// All counts, each with its counter.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        COUNTERS
            .into_iter()
            .map(|counter| (counter, self.get(counter)))
    }
}

impl Kernel {
    /// Loads the program and makes its rings; nothing is attached yet.
    ///
    /// # Errors
    /// No program in this build, no privilege, settings out of bounds, or a kernel that refuses.
    pub fn load(settings: &Settings) -> Result<Self, CaptureError> {
        if PROGRAM.is_empty() {
            return Err(CaptureError::NoProgram);
        }
        let ring_bytes = settings.checked_ring_bytes()?;
        let wake_bytes = u64::from((ring_bytes / WAKE_PART).min(WAKE_BYTES));
        let listed: Vec<u16> = settings.ports.iter().copied().collect();
        let ports = Ports::of(&listed);
        let drop = u8::from(settings.drop);
        let vxlan_port = settings.vxlan_port.map_or(CLOSED, u32::from);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("RINGS", settings.workers)
            .override_global("PORTS", ports.words(), true)
            .override_global("WORKERS", &settings.workers, true)
            .override_global("WAKE_BYTES", &wake_bytes, true)
            .override_global("DROP", &drop, true)
            .override_global("VXLAN_PORT", &vxlan_port, true)
            .override_global("SHUNT", &u8::from(settings.shunt), true)
            .load(PROGRAM)
            .map_err(refused_object)?;
        let rings = make_rings(&mut ebpf, settings.workers, ring_bytes)?;
        xdp(&mut ebpf, "sensor_xdp")
            .and_then(Xdp::load)
            .map_err(refused_program)?;
        for name in ["sensor_ingress", "sensor_egress"] {
            classifier(&mut ebpf, name)
                .and_then(SchedClassifier::load)
                .map_err(refused_program)?;
        }
        // Its few lines are a convenience: without them nothing is lost that is not counted.
        let log = EbpfLogger::init_with_logger(&mut ebpf, ToTracing).ok();
        Ok(Self {
            ebpf,
            log,
            rings,
            plan: None,
            attached: Vec::new(),
        })
    }

    /// The rings, one for each worker; they are handed out once.
    pub fn sources(&mut self) -> Vec<RingSource> {
        let rings = std::mem::take(&mut self.rings);
        rings
            .into_iter()
            .zip(0..)
            .map(|(ring, worker)| RingSource::new(worker, ring))
            .collect()
    }

    /// Attaches to every point of the plan, or to none.
    ///
    /// # Errors
    /// A slot that is taken, an interface that is gone, or no rung that works.
    pub fn attach(&mut self, plan: &Plan) -> Result<(), CaptureError> {
        self.detach();
        let mut attached = Vec::new();
        for point in &plan.points {
            attached.push(Some(Attachment::new(&mut self.ebpf, plan, point)?));
        }
        self.attached = attached;
        self.plan = Some(plan.clone());
        Ok(())
    }

    /// Detaches everywhere, in the network namespace that it was attached in. What the rings hold
    /// can still be read.
    pub fn detach(&mut self) {
        self.attached.clear();
        self.plan = None;
    }

    /// Attaches again to interfaces that have come back; to be called every second or so.
    /// Interfaces that cannot be attached to yet are tried again at the next call.
    pub fn refresh(&mut self) -> Vec<Change> {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let mut changes = Vec::new();
        let Some(plan) = &self.plan else {
            return changes;
        };
        for (point, slot) in plan.points.iter().zip(&mut self.attached) {
            let interface = point.interface.clone();
            let now = index(&interface);
            if slot
                .as_ref()
                .is_some_and(|attachment| Some(attachment.ifindex) != now)
            {
                *slot = None;
                changes.push(Change::Lost {
                    interface: interface.clone(),
                });
            }
            if slot.is_none() && now.is_some() {
                match Attachment::new(&mut self.ebpf, plan, point) {
                    Ok(attachment) => {
                        *slot = Some(attachment);
                        changes.push(Change::Back { interface });
                    }
                    Err(error) => tracing::debug!("not attached again yet: {error}"),
                }
            }
        }
        changes
    }

    /// Where and how the program is attached.
    pub fn attached(&self) -> Vec<Attached> {
        let points = self.plan.iter().flat_map(|plan| &plan.points);
        points
            .zip(&self.attached)
            .map(|(point, attachment)| Attached {
                interface: point.interface.clone(),
                ingress: attachment
                    .as_ref()
                    .and_then(|attachment| attachment.ingress),
                egress: attachment.as_ref().and_then(|attachment| attachment.egress),
                present: attachment.is_some(),
            })
            .collect()
    }

    /// The counts so far.
    ///
    /// # Errors
    /// When the kernel refuses to read its own map.
    pub fn counters(&self) -> Result<Counts, CaptureError> {
        let map = self
            .ebpf
            .map("COUNTERS")
            .ok_or_else(|| no_map("COUNTERS"))?;
        let per_cpu: PerCpuArray<_, [u64; COUNTERS.len()]> =
            map.try_into().map_err(|error| refused_map(&error))?;
        let values = per_cpu.get(&0, 0).map_err(|error| refused_map(&error))?;
        let mut sums = [0_u64; COUNTERS.len()];
        for cpu in values.iter() {
            for (sum, value) in sums.iter_mut().zip(cpu) {
                *sum = sum.wrapping_add(*value);
            }
        }
        Ok(Counts(sums))
    }

    /// Has the TCP traffic of an endpoint taken from now on, for instance one that the endpoint
    /// mapper named. The table is bounded: the endpoint not seen for longest makes room.
    ///
    /// # Errors
    /// When the kernel's table refuses.
    pub fn learn(&mut self, address: IpAddr, port: u16) -> Result<(), CaptureError> {
        let key = end(SocketAddr::new(address, port));
        let mut learned: HashMap<_, Endpoint, u8> = self.table("LEARNED")?;
        learned
            .insert(key, 1, 0)
            .map_err(|error| refused_map(&error))
    }

    /// Has nothing taken any more of the TCP connection between these ends but SYN, FIN and RST,
    /// each of which also ends that. The table is bounded: the connection not seen for longest makes
    /// room.
    ///
    /// # Errors
    /// When the kernel's table refuses.
    pub fn shunt(&mut self, ends: [SocketAddr; 2]) -> Result<(), CaptureError> {
        let mut shunts: HashMap<_, Connection, u8> = self.table("SHUNTS")?;
        shunts
            .insert(between(ends), 1, 0)
            .map_err(|error| refused_map(&error))
    }

    /// Has the connection taken again, if it is shunted.
    ///
    /// # Errors
    /// When the kernel's table refuses.
    pub fn unshunt(&mut self, ends: [SocketAddr; 2]) -> Result<(), CaptureError> {
        let mut shunts: HashMap<_, Connection, u8> = self.table("SHUNTS")?;
        match shunts.remove(&between(ends)) {
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(())
            }
            other => other.map_err(|error| refused_map(&error)),
        }
    }

    fn table<K: Pod>(&mut self, name: &str) -> Result<HashMap<&mut MapData, K, u8>, CaptureError> {
        let map = self.ebpf.map_mut(name).ok_or_else(|| no_map(name))?;
        map.try_into().map_err(|error| refused_map(&error))
    }

    /// Runs a frame through a program `repeat` times without any interface
    /// (`BPF_PROG_TEST_RUN`); what it copies is in the rings as if it had arrived. Returns the
    /// verdict and the mean time of a run.
    ///
    /// # Errors
    /// When the kernel cannot run it; frames shorter than an Ethernet header, for one.
    pub fn rehearse(
        &mut self,
        entry: Entry,
        frame: &[u8],
        repeat: u32,
    ) -> Result<(u32, Duration), CaptureError> {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.repeat = repeat;
        let run = match entry {
            Entry::Xdp => xdp(&mut self.ebpf, "sensor_xdp").and_then(|xdp| xdp.test_run(options)),
            Entry::Baseline => xdp(&mut self.ebpf, "baseline").and_then(|xdp| match xdp.load() {
                Ok(()) | Err(ProgramError::AlreadyLoaded) => xdp.test_run(options),
                Err(error) => Err(error),
            }),
            Entry::TcIngress => {
                classifier(&mut self.ebpf, "sensor_ingress").and_then(|tc| tc.test_run(options))
            }
            Entry::TcEgress => {
                classifier(&mut self.ebpf, "sensor_egress").and_then(|tc| tc.test_run(options))
            }
        };
        run.map(|run| (run.return_value, run.duration))
            .map_err(refused_program)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("attached", &self.attached)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The ring's size as the kernel wants it.
    fn checked_ring_bytes(&self) -> Result<u32, CaptureError> {
        if !(1..=MAX_WORKERS).contains(&self.workers) {
            return Err(CaptureError::Settings(format!(
                "capture.workers is {}; it must be 1 to {MAX_WORKERS}",
                self.workers
            )));
        }
        if !(MIN_RING_BYTES..=MAX_RING_BYTES).contains(&self.ring_bytes) {
            return Err(CaptureError::Settings(format!(
                "capture.ring_bytes is {}; it must be {MIN_RING_BYTES} to {MAX_RING_BYTES}",
                self.ring_bytes
            )));
        }
        Ok(self.ring_bytes.next_power_of_two())
    }
}

/// An end of a connection as the kernel's tables hold it.
fn end(address: SocketAddr) -> Endpoint {
    let ip = match address.ip() {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => words(v6.octets()),
    };
    endpoint(ip, address.port())
}

fn between([one, other]: [SocketAddr; 2]) -> Connection {
    connection(end(one), end(other))
}

/// Makes a ring for each worker and puts it into the program's array of rings.
fn make_rings(
    ebpf: &mut Ebpf,
    workers: u32,
    bytes: u32,
) -> Result<Vec<RingBuf<MapData>>, CaptureError> {
    let outer = ebpf.map_mut("RINGS").ok_or_else(|| no_map("RINGS"))?;
    let mut outer: ArrayOfMaps<&mut MapData, MapData> =
        ArrayOfMaps::try_from(outer).map_err(|error| refused_map(&error))?;
    let mut rings = Vec::new();
    for worker in 0..workers {
        let definition = aya_obj::Map::new_from_params(BPF_MAP_TYPE_RINGBUF as u32, 0, 0, bytes, 0);
        let map = MapData::create(definition, "goshawk_ring", None)
            .map_err(|error| refused_map(&error))?;
        outer
            .set(worker, &map, 0)
            .map_err(|error| refused_map(&error))?;
        rings.push(
            Map::RingBuf(map)
                .try_into()
                .map_err(|error: MapError| refused_map(&error))?,
        );
    }
    Ok(rings)
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp, ProgramError> {
    ebpf.program_mut(name)
        .ok_or(ProgramError::NotLoaded)?
        .try_into()
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, ProgramError> {
    ebpf.program_mut(name)
        .ok_or(ProgramError::NotLoaded)?
        .try_into()
}

fn refused_object(error: EbpfError) -> CaptureError {
    match error {
        EbpfError::MapError(error) => refused_map(&error),
        EbpfError::ProgramError(error) => refused_program(error),
        other => match refusal(&other) {
            Some(error) => error,
            None => CaptureError::Load {
                reason: one_line(&other),
            },
        },
    }
}

fn refused_map(error: &MapError) -> CaptureError {
    refusal(error).unwrap_or_else(|| CaptureError::Load {
        reason: one_line(error),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn refused_program(error: ProgramError) -> CaptureError {
    match os_error(&error) {
        Some(Errno::EPERM | Errno::EACCES) if !matches!(error, ProgramError::LoadError { .. }) => {
            CaptureError::refused("load the kernel program")
        }
        Some(Errno::EPERM) => CaptureError::refused("load the kernel program"),
        _ => {
            // The verifier's log has hundreds of lines: for those who ask, not for the one line.
            tracing::debug!("{error}");
            CaptureError::Load {
                reason: one_line(&error),
            }
        }
    }
}

/// The error as a refused privilege, if an EPERM is at the bottom of it.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<CaptureError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let code = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error);
        if code == Some(Errno::EPERM as i32) {
            return Some(CaptureError::refused("load the kernel program"));
        }
        cause = error.source();
    }
    None
}

fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn no_map(name: &str) -> CaptureError {
    CaptureError::Load {
        reason: format!("the program has no map {name}"),
    }
}

/// Hands the program's few log lines to the daemon's log.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        tracing::warn!("kernel program: {}", record.args());
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_bounds_say_which_and_what_is_allowed() {
        let none = Settings {
            workers: 0,
            ..Settings::default()
        };
        let error = Kernel::load(&none).unwrap_err();
        assert!(
            error.to_string().contains("capture.workers is 0"),
            "{error}"
        );
        let small = Settings {
            ring_bytes: 4096,
            ..Settings::default()
        };
        let error = Kernel::load(&small).unwrap_err();
        assert!(error.to_string().contains("2097152"), "{error}");
    }

    #[test]
    fn a_ring_is_rounded_up_to_a_power_of_two() {
        let odd = Settings {
            ring_bytes: MIN_RING_BYTES + 1,
            ..Settings::default()
        };
        assert_eq!(odd.checked_ring_bytes().unwrap(), MIN_RING_BYTES * 2);
    }
}
