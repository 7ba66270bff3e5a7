//! Why capturing cannot start, in words for the person who started it: each error is one line
//! that says what, where, and what to do.

use std::io;

/// What kept the sensor from capturing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The daemon was built without the kernel program.
    #[error("this build has no kernel program; build it with: cargo xtask build")]
    NoProgram,
    /// `bpf()` was refused to a process without the capabilities.
    #[error(
        "not permitted to {what}: run as root, or grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    Privilege {
        /// What was tried.
        what: String,
    },
    /// `bpf()` was refused to root of an unprivileged container.
    #[error(
        "not permitted to {what}: an unprivileged container cannot load kernel programs; run the \
         sensor on the host, on the container's veth interface"
    )]
    Container {
        /// What was tried.
        what: String,
    },
    /// A named interface is not there.
    #[error("interface '{name}' does not exist; this machine has: {known}")]
    Missing {
        /// The name.
        name: String,
        /// The names of those that are.
        known: String,
    },
    /// A named interface carries no Ethernet frames.
    #[error("interface '{name}' carries no Ethernet frames; name the interface beneath it")]
    NotEthernet {
        /// The name.
        name: String,
    },
    /// `auto` found nothing.
    #[error(
        "no interface is up and has an address; name one in capture.interfaces (this machine has: \
         {known})"
    )]
    NothingToWatch {
        /// The names of all interfaces.
        known: String,
    },
    /// `auto` in tap mode.
    #[error(
        "tap mode drops all that arrives, so it never guesses: name the mirror port in \
         capture.interfaces (this machine has: {known})"
    )]
    TapNeedsName {
        /// The names of all interfaces.
        known: String,
    },
    /// Tap mode on an interface that the machine needs.
    #[error(
        "tap mode would cut off interface '{name}', which {use_}: name the mirror port instead, or \
         set capture.force_tap = true"
    )]
    TapInUse {
        /// The name.
        name: String,
        /// What it is used for.
        use_: String,
    },
    /// Another program sits where ours must.
    #[error(
        "the {slot} slot of interface '{name}' is taken by another program; see it with 'bpftool \
         net show dev {name}' and remove it, or name another interface"
    )]
    Taken {
        /// The interface.
        name: String,
        /// Which slot.
        slot: &'static str,
    },
    /// No way of attaching worked.
    #[error("cannot attach to interface '{name}': {reason}")]
    Attach {
        /// The interface.
        name: String,
        /// What each way answered.
        reason: String,
    },
    /// The kernel refused the program or its maps.
    #[error(
        "this kernel refuses the capture program: {reason} (Linux 6.1 or later with BTF is needed)"
    )]
    Load {
        /// The kernel's answer.
        reason: String,
    },
    /// The settings cannot be met.
    #[error("{0}")]
    Settings(String),
    /// The system could not be asked.
    #[error("cannot read {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The answer.
        source: io::Error,
    },
}

/// The kinds of error, by the exit status that they lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exit 77: the process lacks a privilege.
    Privilege,
    /// Exit 2: the configuration asks for something that cannot be.
    Configuration,
    /// Exit 1: the system said no.
    Runtime,
}

impl CaptureError {
    /// The kind, by which the exit status is chosen.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Privilege { .. } | Self::Container { .. } => Kind::Privilege,
            Self::Missing { .. }
            | Self::NotEthernet { .. }
            | Self::NothingToWatch { .. }
            | Self::TapNeedsName { .. }
            | Self::TapInUse { .. }
            | Self::Settings(_) => Kind::Configuration,
            Self::NoProgram
            | Self::Taken { .. }
            | Self::Attach { .. }
            | Self::Load { .. }
            | Self::System { .. } => Kind::Runtime,
        }
    }

    /// A refused privilege, with the advice that fits where the process runs.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        let what = what.into();
        if in_user_namespace() {
            Self::Container { what }
        } else {
            Self::Privilege { what }
        }
    }
}

/// Whether root here is nobody outside: the mark of an unprivileged container. The first user
/// namespace maps all identities to themselves (user_namespaces(7)).
fn in_user_namespace() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_initial(&map))
}

fn is_initial(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_its_map() {
        assert!(is_initial("         0          0 4294967295\n"));
        assert!(!is_initial("         0     100000      65536\n"));
    }

    #[test]
    fn kinds_decide_the_exit_status() {
        assert_eq!(CaptureError::refused("x").kind(), Kind::Privilege);
        assert_eq!(
            CaptureError::NotEthernet {
                name: "tun0".to_owned()
            }
            .kind(),
            Kind::Configuration
        );
        assert_eq!(CaptureError::NoProgram.kind(), Kind::Runtime);
    }
}
