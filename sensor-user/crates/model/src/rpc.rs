//! DCE/RPC calls as activities ([C706], [MS-RPCE]).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

/// [MS-RPCE] 2.2.1.2: the endpoint mapper, `ept`.
pub const EPM: Uuid = uuid!("e1af8308-5d1f-11c9-91a4-08002b14a0fa");
/// [MS-DRSR] 1.9: directory replication, `drsuapi`.
pub const DRSUAPI: Uuid = uuid!("e3514235-4b06-11d1-ab04-00c04fc2dcd2");

/// [MS-SAMR] 1.9: accounts and groups, `samr`.
pub const SAMR: Uuid = uuid!("12345778-1234-abcd-ef00-0123456789ac");
/// [MS-LSAD] 1.9, [MS-LSAT] 1.9: policies, secrets, names and SIDs, `lsarpc`.
pub const LSARPC: Uuid = uuid!("12345778-1234-abcd-ef00-0123456789ab");
/// [MS-NRPC] 1.9: secure channels, `netlogon`.
pub const NETLOGON: Uuid = uuid!("12345678-1234-abcd-ef00-01234567cffb");
/// [MS-SRVS] 1.9: shares and sessions, `srvsvc`.
pub const SRVSVC: Uuid = uuid!("4b324fc8-1670-01d3-1278-5a47bf6ee188");
/// [MS-WKST] 1.9: the workstation and who is logged on to it, `wkssvc`.
pub const WKSSVC: Uuid = uuid!("6bffd098-a112-3610-9833-46c3f87e345a");
/// [MS-SCMR] 1.9: services, `svcctl`.
pub const SVCCTL: Uuid = uuid!("367abb81-9844-35f1-ad32-98f038001003");
/// [MS-TSCH] 1.9: jobs at a time, `atsvc`.
pub const ATSVC: Uuid = uuid!("1ff70682-0a51-30e8-076d-740be8cee98b");
/// [MS-TSCH] 1.9: scheduled tasks, `ITaskSchedulerService`.
pub const TASK_SCHEDULER: Uuid = uuid!("86d35949-83c9-4044-b424-db363231fd0c");
/// [MS-RRP] 1.9: the registry, `winreg`.
pub const WINREG: Uuid = uuid!("338cd001-2244-31f1-aaaa-900038001003");
/// [MS-DFSNM] 1.9: DFS namespaces, `netdfs`.
pub const NETDFS: Uuid = uuid!("4fc742e0-4a10-11cf-8273-00aa004ae673");
/// [MS-EFSR] 1.9: encrypted files, over the pipes of LSASS.
pub const EFSRPC_LSASS: Uuid = uuid!("c681d488-d850-11d0-8c52-00c04fd90f7e");
/// [MS-EFSR] 1.9: encrypted files, over the pipe `efsrpc`.
pub const EFSRPC: Uuid = uuid!("df1941c5-fe89-4e79-bf10-463657acf44d");
/// [MS-FSRVP] 1.9: shadow copies of shares, `FileServerVssAgent`.
pub const FSRVP: Uuid = uuid!("a8e0653c-2744-4389-a61d-7373df8b2292");
/// [MS-RPRN] 1.9: the print spooler, `spoolss`.
pub const SPOOLSS: Uuid = uuid!("12345678-1234-abcd-ef00-0123456789ab");
/// [MS-PAR] 1.9: the print spooler, `IRemoteWinspool`.
pub const REMOTE_WINSPOOL: Uuid = uuid!("76f03f96-cdfd-44fc-a22c-64950a001209");

/// Operation numbers of `drsuapi` that detections name ([MS-DRSR] 4.1).
pub mod drsuapi {
    /// `IDL_DRSBind`, [MS-DRSR] 4.1.3.
    pub const DRS_BIND: u16 = 0;
    /// `IDL_DRSGetNCChanges`, [MS-DRSR] 4.1.10: hands out objects with their secrets.
    pub const DRS_GET_NC_CHANGES: u16 = 3;
    /// `IDL_DRSCrackNames`, [MS-DRSR] 4.1.4.
    pub const DRS_CRACK_NAMES: u16 = 12;
}

/// One call: a request and, when it was seen, how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RpcCall {
    /// What carried it.
    #[serde(default)]
    pub transport: RpcTransport,
    /// The interface its presentation context was bound to; `None` when the bind was not seen.
    pub interface: Option<Uuid>,
    /// The interface's name, `drsuapi`, where known.
    pub name: Option<Cow<'static, str>>,
    /// The operation number; readable even when the stub is sealed.
    pub opnum: u16,
    /// The operation's name, `IDL_DRSGetNCChanges`, where known.
    pub operation: Option<Cow<'static, str>>,
    /// The object that the operation is for ([C706] 12.6.4.9); in DCOM the interface pointer
    /// ([MS-DCOM] 2.2.22: IPID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Uuid>,
    /// How the call is protected; `None` where no bind of its security context was seen. Who it
    /// speaks for is in the activity's credentials.
    pub auth: Option<RpcAuth>,
    /// The fault's status, where the server refused ([C706] 12.6.4.7).
    pub fault: Option<u32>,
    /// Bytes of the request's stub, all fragments, sealed or not.
    pub request_bytes: u32,
    /// Bytes of the response's stub, all fragments seen, sealed or not.
    pub response_bytes: u64,
}

/// What carries calls ([MS-RPCE] 2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpcTransport {
    /// A TCP connection, `ncacn_ip_tcp`.
    #[default]
    Tcp,
    /// A named pipe of SMB, `ncacn_np`: its name, lower case, without `\pipe\`.
    Pipe(Arc<str>),
    /// HTTP, `ncacn_http` ([MS-RPCH]).
    Http,
}

/// A connection's security context ([MS-RPCE] 2.2.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcAuth {
    /// `auth_type`: 9 SPNEGO, 10 NTLM, 16 Kerberos, 68 Netlogon.
    pub auth_type: u8,
    /// `auth_level`: 1 none, 2 connect, 4 packet, 5 integrity, 6 privacy (sealed).
    pub level: u8,
}

/// An answer of the endpoint mapper: where an interface listens ([C706] appendix L).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointMapped {
    /// The interface that was asked for.
    pub interface: Uuid,
    /// The TCP endpoint it was told.
    pub endpoint: std::net::SocketAddr,
}

impl fmt::Display for RpcCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.name.as_deref().unwrap_or("unknown interface");
        let operation = self.operation.as_deref().unwrap_or("call");
        write!(f, "dcerpc {interface} {operation} ({})", self.opnum)?;
        match &self.transport {
            RpcTransport::Tcp => Ok(()),
            RpcTransport::Pipe(name) => write!(f, " over pipe {name}"),
            RpcTransport::Http => write!(f, " over http"),
        }
    }
}

impl fmt::Display for EndpointMapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dcerpc endpoint of {} is {}",
            self.interface, self.endpoint
        )
    }
}
