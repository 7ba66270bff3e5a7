//! The rungs by which the program gets onto an interface, best first.
//!
//! Ingress: native XDP; else TC (or generic XDP, only if asked for). Egress: TC. A TC program is
//! attached by a TCX link from Linux 6.6 on, which ends with the process; before, as a filter of
//! the clsact qdisc under a fixed priority and handle, which outlives a process that is killed:
//! the next start replaces it, and [`cleanup`] removes it. An empty clsact qdisc stays behind
//! there; it does nothing.

use std::fmt;

use aya::Ebpf;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle};
use aya::programs::xdp::{XdpError, XdpLink};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode, tc};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::{CaptureError, Interface, Plan, Point};

/// How the program was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// XDP in the driver.
    NativeXdp,
    /// XDP in the stack.
    GenericXdp,
    /// TC by a link of its own.
    Tcx,
    /// TC as a filter of the clsact qdisc.
    Clsact,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NativeXdp => "native XDP",
            Self::GenericXdp => "generic XDP",
            Self::Tcx => "TCX",
            Self::Clsact => "TC (clsact)",
        })
    }
}

/// The program on one interface; dropping it detaches.
#[derive(Debug)]
pub(in crate::capture) struct Attachment {
    /// The interface's index when it was attached to: a new one means a new interface.
    pub(in crate::capture) ifindex: u32,
    /// How arriving frames are watched.
    pub(in crate::capture) ingress: Option<Rung>,
    /// How leaving frames are watched.
    pub(in crate::capture) egress: Option<Rung>,
    links: Vec<Link>,
}

/// Held for the effect of dropping it.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "a link is held so that dropping it detaches the program"
)]
enum Link {
    Xdp(XdpLink),
    Tc(SchedClassifierLink),
}

/// Place of our filters in a clsact qdisc: fixed, so that a leftover is known as ours.
const PRIORITY: u16 = 0x4748;
const HANDLE: TcHandle = TcHandle::new(0, 0x4748);

impl Attachment {
    /// Attaches to all hooks of a point, or to none.
    pub(in crate::capture) fn new(
        ebpf: &mut Ebpf,
        plan: &Plan,
        point: &Point,
    ) -> Result<Self, CaptureError> {
        let name = point.interface.as_str();
        let ifindex = index(name).ok_or_else(|| missing(name))?;
        let mut attachment = Self {
            ifindex,
            ingress: None,
            egress: None,
            links: Vec::new(),
        };
        if point.ingress {
            let (rung, link) = ingress(ebpf, plan, name)?;
            attachment.ingress = Some(rung);
            attachment.links.push(link);
        }
        if point.egress {
            let (rung, link) = traffic_control(ebpf, "sensor_egress", name, TcAttachType::Egress)?;
            attachment.egress = Some(rung);
            attachment.links.push(link);
        }
        Ok(attachment)
    }
}

/// Index of the interface of that name, if there is one.
pub(in crate::capture) fn index(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// Removes filters that a killed sensor left in clsact qdiscs, and says from which interfaces.
/// XDP programs and TCX links need no cleaning: they end with the process.
///
/// # Errors
/// When the interfaces cannot be listed.
pub fn cleanup() -> Result<Vec<String>, CaptureError> {
    let mut cleaned = Vec::new();
    for Interface { name, .. } in Interface::all()? {
        for (side, program) in [
            (TcAttachType::Ingress, "sensor_ingress"),
            (TcAttachType::Egress, "sensor_egress"),
        ] {
            // Most interfaces have no qdisc or no filter of ours; that is what we want.
            if tc::qdisc_detach_program(&name, side, program).is_ok() {
                cleaned.push(name.clone());
            }
        }
    }
    cleaned.dedup();
    Ok(cleaned)
}

fn ingress(ebpf: &mut Ebpf, plan: &Plan, name: &str) -> Result<(Rung, Link), CaptureError> {
    let mut answers = Vec::new();
    let mut rungs = vec![(XdpMode::Driver, Rung::NativeXdp)];
    if plan.generic {
        rungs.push((XdpMode::Skb, Rung::GenericXdp));
    }
    for (mode, rung) in rungs {
        match xdp(ebpf, name, mode) {
            Ok(link) => return Ok((rung, Link::Xdp(link))),
            Err(error) => match os_error(&error) {
                Some(Errno::EBUSY | Errno::EEXIST) => {
                    return Err(CaptureError::Taken {
                        name: name.to_owned(),
                        slot: "XDP",
                    });
                }
                Some(Errno::EPERM | Errno::EACCES) => {
                    return Err(CaptureError::refused(format!(
                        "attach to interface '{name}'"
                    )));
                }
                Some(Errno::ENODEV) => return Err(missing(name)),
                // No native XDP (EOPNOTSUPP), an MTU that the driver cannot take (ERANGE,
                // EINVAL), no queues left (ENOMEM): there is another rung.
                answer => answers.push(format!("{rung}: {}", describe(answer, &error))),
            },
        }
    }
    traffic_control(ebpf, "sensor_ingress", name, TcAttachType::Ingress).map_err(
        |error| match error {
            CaptureError::Attach { name, reason } => {
                answers.push(reason);
                CaptureError::Attach {
                    name,
                    reason: answers.join("; "),
                }
            }
            other => other,
        },
    )
}

fn xdp(ebpf: &mut Ebpf, name: &str, mode: XdpMode) -> Result<XdpLink, ProgramError> {
    let program: &mut Xdp = program(ebpf, "sensor_xdp")?;
    let id = program.attach(name, mode)?;
    program.take_link(id)
}

fn traffic_control(
    ebpf: &mut Ebpf,
    which: &str,
    name: &str,
    side: TcAttachType,
) -> Result<(Rung, Link), CaptureError> {
    let attached = match tcx(ebpf, which, name, side) {
        Ok(link) => Ok((Rung::Tcx, link)),
        // Before Linux 6.6 the kernel does not know the attach type.
        Err(error) if os_error(&error) == Some(Errno::EINVAL) => {
            clsact(ebpf, which, name, side).map(|link| (Rung::Clsact, link))
        }
        Err(error) => Err(error),
    };
    attached
        .map(|(rung, link)| (rung, Link::Tc(link)))
        .map_err(|error| match os_error(&error) {
            Some(Errno::EPERM | Errno::EACCES) => {
                CaptureError::refused(format!("attach to interface '{name}'"))
            }
            Some(Errno::ENODEV) => missing(name),
            Some(Errno::EBUSY | Errno::EEXIST) => CaptureError::Taken {
                name: name.to_owned(),
                slot: "TC",
            },
            answer => CaptureError::Attach {
                name: name.to_owned(),
                reason: format!("TC: {}", describe(answer, &error)),
            },
        })
}

/// First in the chain, because a program before ours could end it; ours passes on.
fn tcx(
    ebpf: &mut Ebpf,
    which: &str,
    name: &str,
    side: TcAttachType,
) -> Result<SchedClassifierLink, ProgramError> {
    let program: &mut SchedClassifier = program(ebpf, which)?;
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program.attach_with_options(name, side, first)?;
    program.take_link(id)
}

fn clsact(
    ebpf: &mut Ebpf,
    which: &str,
    name: &str,
    side: TcAttachType,
) -> Result<SchedClassifierLink, ProgramError> {
    // Fails if it is there already, which is as good; if it fails otherwise, so does attaching.
    let _there = tc::qdisc_add_clsact(name);
    let program: &mut SchedClassifier = program(ebpf, which)?;
    let ours = NlOptions {
        priority: PRIORITY,
        handle: HANDLE,
        classid: None,
    };
    let id = match program.attach_with_options(name, side, TcAttachOptions::Netlink(ours)) {
        Err(error) if os_error(&error) == Some(Errno::EEXIST) => {
            let leftover = SchedClassifierLink::attached(name, side, PRIORITY, HANDLE, None)
                .map_err(TcError::IoError)?;
            program.attach_to_link(leftover)?
        }
        other => other?,
    };
    program.take_link(id)
}

/// A program of the loaded object.
fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or(ProgramError::NotLoaded)?
        .try_into()
}

fn missing(name: &str) -> CaptureError {
    let known = Interface::all().unwrap_or_default();
    CaptureError::Missing {
        name: name.to_owned(),
        known: super::names(&known),
    }
}

/// The kernel's answer inside an error of aya's.
pub(in crate::capture) fn os_error(error: &ProgramError) -> Option<Errno> {
    let code = match error {
        ProgramError::LoadError { io_error, .. } => io_error.raw_os_error(),
        ProgramError::SyscallError(call) => call.io_error.raw_os_error(),
        ProgramError::NetlinkError(error)
        | ProgramError::XdpError(XdpError::NetlinkError(error))
        | ProgramError::TcError(TcError::NetlinkError(error)) => error.raw_os_error(),
        ProgramError::TcError(TcError::IoError(error)) => error.raw_os_error(),
        ProgramError::UnknownInterface { .. } => Some(Errno::ENODEV as i32),
        _ => None,
    };
    code.map(Errno::from_raw)
}

fn describe(answer: Option<Errno>, error: &ProgramError) -> String {
    answer.map_or_else(|| error.to_string(), |errno| errno.desc().to_owned())
}
