//! DCE/RPC calls as activities ([C706], [MS-RPCE]).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod arguments;
mod control;
pub mod drsuapi;
mod endpoint;
mod files;
mod interface;
mod lsarpc;
mod netlogon;
mod refusal;
mod samr;

pub use arguments::{Excerpt, RpcArguments};
pub use control::{RegistryArguments, ServiceArguments, TaskArguments};
pub use drsuapi::{DirectoryName, DrsuapiArguments};
pub use endpoint::{EndpointMapped, EpmArguments, Tower};
pub use files::{SrvsvcArguments, WkssvcArguments};
pub use interface::{
    ATSVC, DRSUAPI, EFSRPC, EFSRPC_LSASS, EPM, FSRVP, LSARPC, NETDFS, NETLOGON, REMOTE_WINSPOOL,
    SAMR, SPOOLSS, SRVSVC, SVCCTL, TASK_SCHEDULER, WINREG, WKSSVC,
};
pub use lsarpc::{LsarpcArguments, LsarpcList, SecretAction};
pub use netlogon::{NetlogonArguments, SecureChannel};
pub use refusal::{BindReason, BindRefused};
pub use samr::{SamrArguments, SamrClass, SamrMember, SamrObject};

/// One call: a request and, when it was seen, how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RpcCall {
    /// What carried it.
    #[serde(default)]
    pub transport: RpcTransport,
    /// The interface its presentation context was bound to; `None` when the bind was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Uuid>,
    /// The interface's name, `drsuapi`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'static, str>>,
    /// The operation number; readable even when the stub is sealed.
    pub opnum: u16,
    /// The operation's name, `IDL_DRSGetNCChanges`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Cow<'static, str>>,
    /// The object that the operation is for ([C706] 12.6.4.9); in DCOM the interface pointer
    /// ([MS-DCOM] 2.2.22: IPID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Uuid>,
    /// How the call is protected; `None` where no bind of its security context was seen. Who it
    /// speaks for is in the activity's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<RpcAuth>,
    /// What was asked, and what the answer told, where somebody reads it and it was not sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<RpcArguments>,
    /// The operation's own return value, where the answer was not sealed: an NTSTATUS, a Win32 error
    /// or an HRESULT ([MS-ERREF] 2.1 to 2.3), whichever the interface returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// The fault's status, where the server refused ([C706] 12.6.4.7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl fmt::Display for RpcCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.name.as_deref().unwrap_or("unknown interface");
        let operation = self.operation.as_deref().unwrap_or("call");
        write!(f, "dcerpc {interface} {operation} ({})", self.opnum)?;
        if let Some(arguments) = &self.arguments {
            write!(f, " {arguments}")?;
        }
        match &self.transport {
            RpcTransport::Tcp => Ok(()),
            RpcTransport::Pipe(name) => write!(f, " over pipe {name}"),
            RpcTransport::Http => write!(f, " over http"),
        }
    }
}
