//! Sets of activity kinds: who listens to what.

use goshawk_model::Kind;

/// A set of kinds of activities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u32);

impl Kinds {
    pub(crate) const AS: Self = Self(1);
    pub(crate) const TGS: Self = Self(1 << 1);
    pub(crate) const AP: Self = Self(1 << 2);
    pub(crate) const NTLM: Self = Self(1 << 3);
    pub(crate) const PASSWORD: Self = Self(1 << 4);
    pub(crate) const HTTP: Self = Self(1 << 5);
    pub(crate) const RPC: Self = Self(1 << 6);
    pub(crate) const BIND: Self = Self(1 << 7);
    pub(crate) const ENDPOINT: Self = Self(1 << 8);
    pub(crate) const LDAP: Self = Self(1 << 9);
    pub(crate) const DNS: Self = Self(1 << 10);
    pub(crate) const NETBIOS: Self = Self(1 << 11);
    pub(crate) const DATAGRAM: Self = Self(1 << 12);
    pub(crate) const SNTP: Self = Self(1 << 13);
    pub(crate) const SIGHTING: Self = Self(1 << 14);
    pub(crate) const SMB: Self = Self(1 << 15);
    /// Kinds that this build does not know.
    const STRANGE: Self = Self(1 << 31);

    /// The set of one kind.
    pub(crate) const fn of(kind: &Kind) -> Self {
        match kind {
            Kind::As(_) => Self::AS,
            Kind::Tgs(_) => Self::TGS,
            Kind::Ap(_) => Self::AP,
            Kind::Ntlm(_) => Self::NTLM,
            Kind::Password(_) => Self::PASSWORD,
            Kind::Http(_) => Self::HTTP,
            Kind::Rpc(_) => Self::RPC,
            Kind::Bind(_) => Self::BIND,
            Kind::Endpoint(_) => Self::ENDPOINT,
            Kind::Ldap(_) => Self::LDAP,
            Kind::Dns(_) => Self::DNS,
            Kind::Netbios(_) => Self::NETBIOS,
            Kind::Datagram(_) => Self::DATAGRAM,
            Kind::Sntp(_) => Self::SNTP,
            Kind::Sighting(_) => Self::SIGHTING,
            Kind::Smb(_) => Self::SMB,
            _ => Self::STRANGE,
        }
    }

    /// Both sets.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `others` is in it.
    pub(crate) const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
