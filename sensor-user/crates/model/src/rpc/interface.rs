//! The interfaces that are read, by their UUIDs.

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
