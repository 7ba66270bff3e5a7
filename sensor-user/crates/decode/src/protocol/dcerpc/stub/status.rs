//! Return values: what the last four bytes of an answer say.

use goshawk_model::rpc::{
    ATSVC, DRSUAPI, EFSRPC, EFSRPC_LSASS, EPM, FSRVP, LSARPC, NETDFS, NETLOGON, REMOTE_WINSPOOL,
    SAMR, SPOOLSS, SRVSVC, SVCCTL, TASK_SCHEDULER, WINREG, WKSSVC,
};
use uuid::Uuid;

/// How an interface tells that an operation failed ([MS-ERREF]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Convention {
    /// 2.3: the two highest bits are the severity; only 3 is an error.
    Ntstatus,
    /// 2.2: everything but 0 is an error.
    Win32,
    /// 2.1: the highest bit is an error.
    Hresult,
    /// Operations of both of the first two kinds ([MS-NRPC] 2.2.1.1: `NTSTATUS`,
    /// `NET_API_STATUS`).
    Mixed,
}

/// `ERROR_MORE_DATA`, `ERROR_NO_MORE_ITEMS`, `ERROR_INSUFFICIENT_BUFFER`: part of asking, not
/// refusals.
const GO_ON: [u32; 3] = [234, 259, 122];

impl Convention {
    /// That of an interface that is known to have one.
    pub(in super::super) fn of(interface: Uuid) -> Option<Self> {
        match interface {
            SAMR | LSARPC => Some(Self::Ntstatus),
            NETLOGON => Some(Self::Mixed),
            EPM | DRSUAPI | SRVSVC | WKSSVC | SVCCTL | WINREG | NETDFS | EFSRPC | EFSRPC_LSASS
            | SPOOLSS | REMOTE_WINSPOOL | ATSVC => Some(Self::Win32),
            TASK_SCHEDULER | FSRVP => Some(Self::Hresult),
            _ => None,
        }
    }

    /// Whether `status` tells that the operation failed.
    pub(in super::super) fn is_failure(self, status: u32) -> bool {
        let is_error = status >> 30 == 3;
        let is_code = status != 0 && !GO_ON.contains(&status);
        match self {
            Self::Ntstatus => is_error,
            Self::Win32 => is_code,
            Self::Hresult => status >> 31 == 1,
            // STATUS_MORE_ENTRIES, 0x105, is the one success among NTSTATUS that looks like a code.
            Self::Mixed => is_error || (is_code && status <= 0xffff && status != 0x105),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_refusal_is_no_failure() {
        for (interface, status, fails) in [
            (SAMR, 0, false),
            (SAMR, 0x105, false),
            (SAMR, 0x8000_001a, false),
            (SAMR, 0xc000_0022, true),
            (NETLOGON, 0xc000_0022, true),
            (NETLOGON, 0x105, false),
            (NETLOGON, 1355, true),
            (SRVSVC, 234, false),
            (SRVSVC, 5, true),
            (DRSUAPI, 8453, true),
            (TASK_SCHEDULER, 1, false),
            (TASK_SCHEDULER, 0x8007_0005, true),
        ] {
            let convention = Convention::of(interface).unwrap();
            assert_eq!(convention.is_failure(status), fails, "{status:#x}");
        }
        assert_eq!(Convention::of(Uuid::nil()), None);
    }
}
