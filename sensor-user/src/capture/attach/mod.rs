//! Where the sensor would look, and why: the plan that `check` prints, `run` carries out and
//! `status` repeats.
//!
//! | mode | ingress | egress |
//! | --- | --- | --- |
//! | host | XDP | TC, on `lo` too (and there alone: one side, or all is seen twice) |
//! | gateway | XDP: each direction arrives on one of its interfaces | |
//! | tap | XDP, and nothing passes | |

mod error;
mod hook;
mod interfaces;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::error::{CaptureError, Kind};
pub(super) use self::hook::{Attachment, index, os_error};
pub use self::hook::{Rung, cleanup};
pub use self::interfaces::Interface;

/// How the sensor stands to the traffic it watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// On the domain controller itself.
    #[default]
    Host,
    /// On a router or bridge between clients and controllers.
    Gateway,
    /// Behind a mirror port: everything that arrives is a copy, and is dropped.
    Tap,
}

impl Mode {
    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Gateway => "gateway",
            Self::Tap => "tap",
        }
    }
}

/// What the configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// How the sensor stands to the traffic.
    pub mode: Mode,
    /// Names of interfaces; empty for `auto`.
    pub interfaces: Vec<String>,
    /// Whether generic XDP may be used. It runs after GRO, costs more, and may drop what it
    /// cannot make linear, so it is never a silent choice.
    pub allow_generic: bool,
    /// Whether a tap may drop the traffic of an interface that has an address or a default route.
    pub force_tap: bool,
}

/// What would be attached, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the sensor stands to the traffic.
    pub mode: Mode,
    /// Whether generic XDP is used instead of native.
    pub generic: bool,
    /// The interfaces, in the order in which they are attached to.
    pub points: Vec<Point>,
}

/// One interface of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The interface's name.
    pub interface: String,
    /// Whether arriving frames are watched.
    pub ingress: bool,
    /// Whether leaving frames are watched.
    pub egress: bool,
    /// Why this interface.
    pub why: String,
    /// The driver, if attaching native XDP may make it reset the link for a second or two.
    pub may_flap: Option<String>,
}

const LOOPBACK: &str = "lo";

impl Plan {
    /// Makes the plan for this machine (for the network namespace of the calling thread).
    ///
    /// # Errors
    /// An interface that does not exist or cannot be watched; a tap on an interface in use; no
    /// interface at all.
    pub fn make(request: &Request) -> Result<Self, CaptureError> {
        Self::over(request, &Interface::all()?)
    }

    /// Makes the plan over known interfaces.
    fn over(request: &Request, known: &[Interface]) -> Result<Self, CaptureError> {
        let chosen = if request.interfaces.is_empty() {
            automatic(request.mode, known)?
        } else {
            named(&request.interfaces, known)?
        };
        let mut points = Vec::new();
        for (interface, why) in chosen {
            if request.mode == Mode::Tap && !request.force_tap {
                refuse_if_in_use(interface)?;
            }
            points.push(Point {
                interface: interface.name.clone(),
                ingress: !interface.loopback,
                egress: request.mode == Mode::Host,
                why,
                may_flap: interface.driver_that_resets(),
            });
        }
        let watched = |name: &str| points.iter().any(|point| point.interface == name);
        if request.mode == Mode::Host && !watched(LOOPBACK) {
            points.extend(known.iter().find(|i| i.loopback && i.up).map(|lo| Point {
                interface: lo.name.clone(),
                ingress: false,
                egress: true,
                why: "a controller's own tickets from its own KDC travel here".to_owned(),
                may_flap: None,
            }));
        }
        Ok(Self {
            mode: request.mode,
            generic: request.allow_generic,
            points,
        })
    }
}

impl fmt::Display for Plan {
    /// One line for each interface.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let xdp = if self.generic {
            "generic XDP if native is refused"
        } else {
            "else TC"
        };
        for (place, point) in self.points.iter().enumerate() {
            let Point {
                interface,
                ingress,
                egress,
                why,
                may_flap,
            } = point;
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{interface}: ")?;
            if *ingress {
                write!(f, "native XDP on ingress ({xdp})")?;
            }
            if *ingress && *egress {
                write!(f, ", ")?;
            }
            if *egress {
                write!(f, "TC on egress")?;
            }
            if self.mode == Mode::Tap {
                write!(f, ", everything that arrives is dropped")?;
            }
            write!(f, "; because {why}")?;
            if let Some(driver) = may_flap {
                write!(
                    f,
                    "; attaching may flap the link (the {driver} driver resets its queues)"
                )?;
            }
        }
        Ok(())
    }
}

/// The interfaces that `auto` means, each with the reason.
fn automatic(mode: Mode, known: &[Interface]) -> Result<Vec<(&Interface, String)>, CaptureError> {
    let candidates = known.iter().filter(|i| i.up && i.ethernet && !i.loopback);
    let chosen: Vec<_> = match mode {
        // A bridge without a default route serves containers or guests; what they exchange with
        // the network passes another interface as well.
        Mode::Host => candidates
            .filter(|i| i.default_route || !i.bridge)
            .filter_map(|i| Some((i, format!("it is up and has the address {}", i.in_use()?))))
            .collect(),
        Mode::Gateway => candidates
            .filter(|i| !i.bridge)
            .map(|i| (i, "it is up and may forward traffic".to_owned()))
            .collect(),
        Mode::Tap => {
            return Err(CaptureError::TapNeedsName {
                known: names(known),
            });
        }
    };
    if chosen.is_empty() {
        return Err(CaptureError::NothingToWatch {
            known: names(known),
        });
    }
    Ok(chosen)
}

/// The interfaces that the configuration names.
fn named<'a>(
    wanted: &[String],
    known: &'a [Interface],
) -> Result<Vec<(&'a Interface, String)>, CaptureError> {
    let mut chosen: Vec<(&Interface, String)> = Vec::new();
    for name in wanted {
        let Some(interface) = known.iter().find(|i| i.name == *name) else {
            return Err(CaptureError::Missing {
                name: name.clone(),
                known: names(known),
            });
        };
        if !interface.ethernet {
            return Err(CaptureError::NotEthernet { name: name.clone() });
        }
        if chosen.iter().all(|(other, _)| other.name != *name) {
            chosen.push((interface, "the configuration names it".to_owned()));
        }
    }
    Ok(chosen)
}

/// A tap drops all that arrives: on an interface in use it would cut the machine off.
fn refuse_if_in_use(interface: &Interface) -> Result<(), CaptureError> {
    let name = interface.name.clone();
    if interface.loopback {
        return Err(CaptureError::TapInUse {
            name,
            use_: "is the loopback interface".to_owned(),
        });
    }
    if let Some(address) = interface.in_use() {
        return Err(CaptureError::TapInUse {
            name,
            use_: format!("has the address {address}"),
        });
    }
    if interface.default_route {
        return Err(CaptureError::TapInUse {
            name,
            use_: "holds a default route".to_owned(),
        });
    }
    Ok(())
}

fn names(known: &[Interface]) -> String {
    let names: Vec<_> = known
        .iter()
        .map(|interface| interface.name.as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: Option<&str>) -> Interface {
        Interface {
            name: name.to_owned(),
            up: true,
            ethernet: true,
            loopback: name == LOOPBACK,
            addresses: address.map(|a| a.parse().unwrap()).into_iter().collect(),
            default_route: false,
            bridge: name.starts_with("br"),
            driver: None,
        }
    }

    fn machine() -> Vec<Interface> {
        let tunnel = Interface {
            ethernet: false,
            ..interface("tun0", Some("10.9.0.1"))
        };
        let card = Interface {
            driver: Some("ixgbe".to_owned()),
            default_route: true,
            ..interface("eth0", Some("10.0.0.1"))
        };
        let mirror = interface("eth1", Some("fe80::1"));
        let lo = interface(LOOPBACK, Some("127.0.0.1"));
        vec![
            lo,
            card,
            mirror,
            interface("br0", Some("172.17.0.1")),
            tunnel,
        ]
    }

    fn plan(mode: Mode, interfaces: &[&str]) -> Result<Plan, CaptureError> {
        let interfaces = interfaces.iter().map(|&name| name.to_owned()).collect();
        Plan::over(
            &Request {
                mode,
                interfaces,
                ..Request::default()
            },
            &machine(),
        )
    }

    #[test]
    fn a_host_watches_its_addresses_and_its_own_loopback() {
        let plan = plan(Mode::Host, &[]).unwrap();
        let points: Vec<_> = plan
            .points
            .iter()
            .map(|p| (p.interface.as_str(), p.ingress, p.egress))
            .collect();
        assert_eq!(points, [("eth0", true, true), ("lo", false, true)]);
        assert_eq!(plan.points[0].may_flap.as_deref(), Some("ixgbe"));
        let text = plan.to_string();
        assert!(
            text.contains("eth0: native XDP on ingress (else TC), TC on egress"),
            "{text}"
        );
        assert!(text.contains("may flap the link"), "{text}");
        assert!(text.contains("\nlo: TC on egress; because"), "{text}");
    }

    #[test]
    fn loopback_named_by_the_configuration_is_watched_on_one_side() {
        let plan = plan(Mode::Host, &["lo", "eth0", "lo"]).unwrap();
        let points: Vec<_> = plan
            .points
            .iter()
            .map(|p| (p.interface.as_str(), p.ingress))
            .collect();
        assert_eq!(points, [("lo", false), ("eth0", true)]);
    }

    #[test]
    fn a_gateway_watches_ingress_alone() {
        let plan = plan(Mode::Gateway, &["eth0", "eth1"]).unwrap();
        assert!(
            plan.points
                .iter()
                .all(|point| point.ingress && !point.egress)
        );
    }

    #[test]
    fn a_tap_is_refused_where_the_machine_lives() {
        let refused = plan(Mode::Tap, &["eth0"]).unwrap_err();
        assert_eq!(refused.kind(), Kind::Configuration);
        assert!(
            refused.to_string().contains("has the address 10.0.0.1"),
            "{refused}"
        );
        assert!(plan(Mode::Tap, &["lo"]).is_err());
        // A link-local address is on every interface that is up: no reason.
        assert!(plan(Mode::Tap, &["eth1"]).is_ok());
        let forced = Request {
            mode: Mode::Tap,
            interfaces: vec!["eth0".to_owned()],
            force_tap: true,
            ..Request::default()
        };
        assert!(Plan::over(&forced, &machine()).is_ok());
    }

    #[test]
    fn a_tap_is_never_guessed() {
        assert!(matches!(
            plan(Mode::Tap, &[]),
            Err(CaptureError::TapNeedsName { .. })
        ));
    }

    #[test]
    fn what_cannot_be_watched_is_one_clear_line() {
        let missing = plan(Mode::Host, &["eth9"]).unwrap_err().to_string();
        assert!(
            missing.contains("eth9") && missing.contains("lo, eth0, eth1"),
            "{missing}"
        );
        let tunnel = plan(Mode::Host, &["tun0"]).unwrap_err().to_string();
        assert!(tunnel.contains("tun0"), "{tunnel}");
        let none = Plan::over(&Request::default(), &machine()[..1]).unwrap_err();
        assert!(matches!(none, CaptureError::NothingToWatch { .. }));
        assert!(
            !missing.contains('\n') && !tunnel.contains('\n') && !none.to_string().contains('\n')
        );
    }
}
