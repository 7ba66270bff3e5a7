//! Names of the interfaces that domain controllers and members offer, and of the operations that
//! people should be able to read.

use uuid::{Uuid, uuid};

use goshawk_model::rpc::{DRSUAPI, EPM};

/// The interface's name, as its IDL has it.
pub(super) fn interface_name(interface: Uuid) -> Option<&'static str> {
    INTERFACES
        .iter()
        .find(|(known, _)| *known == interface)
        .map(|&(_, name)| name)
}

/// The operation's name, as its IDL has it.
pub(super) fn operation_name(interface: Uuid, opnum: u16) -> Option<&'static str> {
    let operations: &[&str] = match interface {
        DRSUAPI => &DRSUAPI_OPERATIONS,
        EPM => &EPM_OPERATIONS,
        _ => return None,
    };
    operations
        .get(usize::from(opnum))
        .copied()
        .filter(|name| !name.is_empty())
}

/// The interface that a pipe's name stands for: a guess, for any interface of the same process may
/// be bound over it.
pub(super) fn of_pipe(name: &str) -> Option<Uuid> {
    let interface = match name {
        "epmapper" => "epm",
        "eventlog" => "eventlog",
        "netdfs" => "netdfs",
        "winreg" | "samr" | "lsarpc" | "netlogon" | "srvsvc" | "wkssvc" | "svcctl" | "atsvc"
        | "spoolss" => name,
        _ => return None,
    };
    let mut known = INTERFACES.iter();
    known
        .find(|(_, known)| *known == interface)
        .map(|&(uuid, _)| uuid)
}

/// [MS-DRSR] 4.1 and 4.2, in the order of their opnums.
const DRSUAPI_OPERATIONS: [&str; 31] = [
    "IDL_DRSBind",
    "IDL_DRSUnbind",
    "IDL_DRSReplicaSync",
    "IDL_DRSGetNCChanges",
    "IDL_DRSUpdateRefs",
    "IDL_DRSReplicaAdd",
    "IDL_DRSReplicaDel",
    "IDL_DRSReplicaModify",
    "IDL_DRSVerifyNames",
    "IDL_DRSGetMemberships",
    "IDL_DRSInterDomainMove",
    "IDL_DRSGetNT4ChangeLog",
    "IDL_DRSCrackNames",
    "IDL_DRSWriteSPN",
    "IDL_DRSRemoveDsServer",
    "IDL_DRSRemoveDsDomain",
    "IDL_DRSDomainControllerInfo",
    "IDL_DRSAddEntry",
    "IDL_DRSExecuteKCC",
    "IDL_DRSGetReplInfo",
    "IDL_DRSAddSidHistory",
    "IDL_DRSGetMemberships2",
    "IDL_DRSReplicaVerifyObjects",
    "IDL_DRSGetObjectExistence",
    "IDL_DRSQuerySitesByCost",
    "IDL_DRSInitDemotion",
    "IDL_DRSReplicaDemotion",
    "IDL_DRSFinishDemotion",
    "IDL_DRSAddCloneDC",
    "IDL_DRSWriteNgcKey",
    "IDL_DRSReadNgcKey",
];

/// [C706] appendix O, in the order of their opnums.
const EPM_OPERATIONS: [&str; 8] = [
    "ept_insert",
    "ept_delete",
    "ept_lookup",
    "ept_map",
    "ept_lookup_handle_free",
    "ept_inq_object",
    "ept_mgmt_delete",
    "ept_map_auth",
];

const INTERFACES: [(Uuid, &str); 37] = [
    (EPM, "epm"),
    (DRSUAPI, "drsuapi"),
    // [MS-DRSR] 1.9, the second interface.
    (uuid!("7c44d7d4-31d5-424c-bd5e-2b3e1f323d22"), "dsaop"),
    // [C706] appendix Q.
    (uuid!("afa8bd80-7d8a-11c9-bef4-08002b102989"), "mgmt"),
    // [MS-SAMR]
    (uuid!("12345778-1234-abcd-ef00-0123456789ac"), "samr"),
    // [MS-LSAD], [MS-LSAT]
    (uuid!("12345778-1234-abcd-ef00-0123456789ab"), "lsarpc"),
    // [MS-NRPC]
    (uuid!("12345678-1234-abcd-ef00-01234567cffb"), "netlogon"),
    // [MS-SCMR]
    (uuid!("367abb81-9844-35f1-ad32-98f038001003"), "svcctl"),
    // [MS-TSCH]
    (uuid!("1ff70682-0a51-30e8-076d-740be8cee98b"), "atsvc"),
    (uuid!("378e52b0-c0a9-11cf-822d-00aa0051e40f"), "sasec"),
    (
        uuid!("86d35949-83c9-4044-b424-db363231fd0c"),
        "ITaskSchedulerService",
    ),
    // [MS-SRVS]
    (uuid!("4b324fc8-1670-01d3-1278-5a47bf6ee188"), "srvsvc"),
    // [MS-WKST]
    (uuid!("6bffd098-a112-3610-9833-46c3f87e345a"), "wkssvc"),
    // [MS-RRP]
    (uuid!("338cd001-2244-31f1-aaaa-900038001003"), "winreg"),
    // [MS-RSP]
    (
        uuid!("894de0c0-0d55-11d3-a322-00c04fa321a1"),
        "InitShutdown",
    ),
    (
        uuid!("d95afe70-a6d5-4259-822e-2c84da1ddb0d"),
        "WindowsShutdown",
    ),
    // [MS-RPRN], [MS-PAR], [MS-PAN]
    (uuid!("12345678-1234-abcd-ef00-0123456789ab"), "spoolss"),
    (
        uuid!("76f03f96-cdfd-44fc-a22c-64950a001209"),
        "IRemoteWinspool",
    ),
    (
        uuid!("0b6edbfa-4a24-4fc6-8a23-942b1eca65d1"),
        "IRPCAsyncNotify",
    ),
    (
        uuid!("ae33069b-a2a8-46ee-a235-ddfd339be281"),
        "IRPCRemoteObject",
    ),
    // [MS-EFSR], both of its interfaces.
    (uuid!("c681d488-d850-11d0-8c52-00c04fd90f7e"), "efsrpc"),
    (uuid!("df1941c5-fe89-4e79-bf10-463657acf44d"), "efsrpc"),
    // [MS-DFSNM], [MS-FRS2], [MS-FSRVP]
    (uuid!("4fc742e0-4a10-11cf-8273-00aa004ae673"), "netdfs"),
    (
        uuid!("897e2e5f-93f3-4376-9c9c-fd2277495c27"),
        "FrsTransport",
    ),
    (
        uuid!("a8e0653c-2744-4389-a61d-7373df8b2292"),
        "FileServerVssAgent",
    ),
    // [MS-DSSP]
    (uuid!("3919286a-b10c-11d0-9ba8-00c04fd92ef5"), "dssetup"),
    // [MS-BKRP]
    (uuid!("3dde7c30-165d-11d1-ab8f-00805f14db40"), "BackupKey"),
    // [MS-EVEN], [MS-EVEN6]
    (uuid!("82273fdc-e32a-18c3-3f78-827929dc23ea"), "eventlog"),
    (
        uuid!("f6beaff7-1e19-4fbb-9f8f-b89e2018337c"),
        "IEventService",
    ),
    // [MS-ICPR]
    (
        uuid!("91ae6020-9e3c-11cf-8d7c-00aa00c091be"),
        "ICertPassage",
    ),
    // [MS-DNSP]
    (uuid!("50abc2a4-574d-40b3-9d66-ee4fd5fba076"), "DnsServer"),
    // [MS-W32T]
    (uuid!("8fb6d884-2388-11d0-8c35-00c04fda2795"), "W32Time"),
    // [MS-DCOM]
    (uuid!("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57"), "IActivation"),
    (
        uuid!("99fcfec4-5260-101b-bbcb-00aa0021347a"),
        "IObjectExporter",
    ),
    (
        uuid!("000001a0-0000-0000-c000-000000000046"),
        "IRemoteSCMActivator",
    ),
    (
        uuid!("00000143-0000-0000-c000-000000000046"),
        "IRemUnknown2",
    ),
    // [MS-WMI]
    (
        uuid!("9556dc99-828c-11cf-a37e-00aa003240c7"),
        "IWbemServices",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use goshawk_model::rpc::drsuapi;

    use super::*;

    #[test]
    fn no_interface_is_listed_twice() {
        let distinct: BTreeSet<_> = INTERFACES.iter().map(|(interface, _)| interface).collect();
        assert_eq!(distinct.len(), INTERFACES.len());
    }

    #[test]
    fn operations_have_the_numbers_that_detections_use() {
        for (opnum, name) in [
            (drsuapi::DRS_BIND, "IDL_DRSBind"),
            (drsuapi::DRS_GET_NC_CHANGES, "IDL_DRSGetNCChanges"),
            (drsuapi::DRS_CRACK_NAMES, "IDL_DRSCrackNames"),
        ] {
            assert_eq!(operation_name(DRSUAPI, opnum), Some(name));
        }
        assert_eq!(
            operation_name(EPM, super::super::epm::EPT_MAP),
            Some("ept_map")
        );
        assert_eq!(operation_name(DRSUAPI, 99), None);
    }
}
