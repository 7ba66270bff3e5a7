//! Interfaces of DCOM, WMI and the certification authority. Their first three operations are those of
//! `IUnknown`, which do not travel.

use uuid::uuid;

use super::Interface;

pub(super) const OBJECTS: &[Interface] = &[
    // [MS-DCOM] 3.1.2.5.1.
    Interface {
        uuid: uuid!("99fcfec4-5260-101b-bbcb-00aa0021347a"),
        name: "IObjectExporter",
        operations: &[
            "ResolveOxid",
            "SimplePing",
            "ComplexPing",
            "ServerAlive",
            "ResolveOxid2",
            "ServerAlive2",
        ],
    },
    // [MS-DCOM] 3.1.2.5.2.3.
    Interface {
        uuid: uuid!("4d9f4ab8-7d1c-11cf-861e-0020af6e7c57"),
        name: "IActivation",
        operations: &["RemoteActivation"],
    },
    // [MS-DCOM] 3.1.2.5.2.
    Interface {
        uuid: uuid!("000001a0-0000-0000-c000-000000000046"),
        name: "IRemoteSCMActivator",
        operations: &["", "", "", "RemoteGetClassObject", "RemoteCreateInstance"],
    },
    // [MS-DCOM] 3.1.1.5.6.
    Interface {
        uuid: uuid!("00000131-0000-0000-c000-000000000046"),
        name: "IRemUnknown",
        operations: &["", "", "", "RemQueryInterface", "RemAddRef", "RemRelease"],
    },
    // [MS-DCOM] 3.1.1.5.7.
    Interface {
        uuid: uuid!("00000143-0000-0000-c000-000000000046"),
        name: "IRemUnknown2",
        operations: &[
            "",
            "",
            "",
            "RemQueryInterface",
            "RemAddRef",
            "RemRelease",
            "RemQueryInterface2",
        ],
    },
    // [MS-OAUT] 3.1.4.
    Interface {
        uuid: uuid!("00020400-0000-0000-c000-000000000046"),
        name: "IDispatch",
        operations: &[
            "",
            "",
            "",
            "GetTypeInfoCount",
            "GetTypeInfo",
            "GetIDsOfNames",
            "Invoke",
        ],
    },
    // [MS-WMI] 3.1.4.1.
    Interface {
        uuid: uuid!("f309ad18-d86a-11d0-a075-00c04fb68820"),
        name: "IWbemLevel1Login",
        operations: &[
            "",
            "",
            "",
            "EstablishPosition",
            "RequestChallenge",
            "WBEMLogin",
            "NTLMLogin",
        ],
    },
    // [MS-WMI] 3.1.4.2.
    Interface {
        uuid: uuid!("d4781cd6-e5d3-44df-ad94-930efe48a887"),
        name: "IWbemLoginClientID",
        operations: &["", "", "", "SetClientInfo"],
    },
    // [MS-WMI] 3.1.4.3.
    Interface {
        uuid: uuid!("9556dc99-828c-11cf-a37e-00aa003240c7"),
        name: "IWbemServices",
        operations: &[
            "",
            "",
            "",
            "OpenNamespace",
            "CancelAsyncCall",
            "QueryObjectSink",
            "GetObject",
            "GetObjectAsync",
            "PutClass",
            "PutClassAsync",
            "DeleteClass",
            "DeleteClassAsync",
            "CreateClassEnum",
            "CreateClassEnumAsync",
            "PutInstance",
            "PutInstanceAsync",
            "DeleteInstance",
            "DeleteInstanceAsync",
            "CreateInstanceEnum",
            "CreateInstanceEnumAsync",
            "ExecQuery",
            "ExecQueryAsync",
            "ExecNotificationQuery",
            "ExecNotificationQueryAsync",
            "ExecMethod",
            "ExecMethodAsync",
        ],
    },
    // [MS-WMI] 3.1.4.4.
    Interface {
        uuid: uuid!("027947e1-d731-11ce-a357-000000000001"),
        name: "IEnumWbemClassObject",
        operations: &["", "", "", "Reset", "Next", "NextAsync", "Clone", "Skip"],
    },
    // [MS-WMI] 3.1.4.6.
    Interface {
        uuid: uuid!("1c1c45ee-4395-11d2-b60b-00104b703efd"),
        name: "IWbemFetchSmartEnum",
        operations: &["", "", "", "GetSmartEnum"],
    },
    // [MS-WMI] 3.1.4.7.
    Interface {
        uuid: uuid!("423ec01e-2e35-11d2-b604-00104b703efd"),
        name: "IWbemWCOSmartEnum",
        operations: &["", "", "", "Next"],
    },
    // [MS-WMI] 3.2.4.
    Interface {
        uuid: uuid!("7c857801-7381-11cf-884d-00aa004b2e24"),
        name: "IWbemObjectSink",
        operations: &["", "", "", "Indicate", "SetStatus"],
    },
    // [MS-ICPR] 3.2.4.
    Interface {
        uuid: uuid!("91ae6020-9e3c-11cf-8d7c-00aa00c091be"),
        name: "ICertPassage",
        operations: &["CertServerRequest"],
    },
    // [MS-WCCE] 3.2.1.4.2.
    Interface {
        uuid: uuid!("d99e6e70-fc88-11d0-b498-00a0c90312f3"),
        name: "ICertRequestD",
        operations: &["", "", "", "Request", "GetCACert", "Ping"],
    },
    // [MS-WCCE] 3.2.1.4.3.
    Interface {
        uuid: uuid!("5422fd3a-d4b8-4cef-a12e-e87d4ca22e90"),
        name: "ICertRequestD2",
        operations: &[
            "",
            "",
            "",
            "Request",
            "GetCACert",
            "Ping",
            "Request2",
            "GetCAProperty",
            "GetCAPropertyInfo",
            "Ping2",
        ],
    },
    // [MS-CSRA] 3.1.4.1.
    Interface {
        uuid: uuid!("d99e6e71-fc88-11d0-b498-00a0c90312f3"),
        name: "ICertAdminD",
        operations: &[],
    },
    // [MS-CSRA] 3.1.4.2.
    Interface {
        uuid: uuid!("7fe0d935-dda6-443f-85d0-1cfb58fe41dd"),
        name: "ICertAdminD2",
        operations: &[],
    },
];
