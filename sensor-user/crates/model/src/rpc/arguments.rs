//! What calls were made with.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    DrsuapiArguments, EpmArguments, LsarpcArguments, NetlogonArguments, RegistryArguments,
    SamrArguments, ServiceArguments, SrvsvcArguments, TaskArguments, WkssvcArguments,
};

/// What a call was made with, as far as its interface is read. Names and lists are cut where they
/// are longer than anybody honest makes them; passwords and what stands for them are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RpcArguments {
    /// The endpoint mapper, [C706] appendix O.
    Epm(EpmArguments),
    /// Accounts and groups, [MS-SAMR].
    Samr(SamrArguments),
    /// Policies, secrets, names and SIDs, [MS-LSAD], [MS-LSAT].
    Lsarpc(LsarpcArguments),
    /// Secure channels, [MS-NRPC].
    Netlogon(NetlogonArguments),
    /// Replication, [MS-DRSR].
    Drsuapi(DrsuapiArguments),
    /// Shares and sessions, [MS-SRVS].
    Srvsvc(SrvsvcArguments),
    /// The workstation, [MS-WKST].
    Wkssvc(WkssvcArguments),
    /// Services, [MS-SCMR].
    Svcctl(ServiceArguments),
    /// Scheduled tasks, [MS-TSCH].
    Task(TaskArguments),
    /// The registry, [MS-RRP].
    Winreg(RegistryArguments),
    /// A file, share, server or printer that the server is told to reach, which it does with its own
    /// account where the name leads elsewhere: coercion by [MS-EFSR], [MS-DFSNM], [MS-FSRVP],
    /// [MS-RPRN].
    Path(Box<str>),
}

/// The first of many, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt<T> {
    /// The first of them.
    pub first: Vec<T>,
    /// All of them.
    pub total: u32,
}

impl fmt::Display for RpcArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epm(arguments) => arguments.fmt(f),
            Self::Samr(arguments) => arguments.fmt(f),
            Self::Lsarpc(arguments) => arguments.fmt(f),
            Self::Netlogon(arguments) => arguments.fmt(f),
            Self::Drsuapi(arguments) => arguments.fmt(f),
            Self::Srvsvc(arguments) => arguments.fmt(f),
            Self::Wkssvc(arguments) => arguments.fmt(f),
            Self::Svcctl(arguments) => arguments.fmt(f),
            Self::Task(arguments) => arguments.fmt(f),
            Self::Winreg(arguments) => arguments.fmt(f),
            Self::Path(path) => f.write_str(path),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Excerpt<T> {
    /// Three of them, and how many more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        for (index, item) in self.first.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{item}")?;
        }
        let more = self
            .total
            .saturating_sub(self.first.len().min(SHOWN) as u32);
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        Ok(())
    }
}
