//! Replication as another implementation asks for it.

use goshawk_model::rpc::DRSUAPI;
use uuid::Uuid;

use super::super::writer::{BOTH, Dialogue, Writer};
use super::*;

const DSA: Uuid = Uuid::from_u128(7);

fn drs(opnum: u16, request: &Writer, response: Option<&Writer>) -> DrsuapiArguments {
    match Dialogue::default().call(DRSUAPI, opnum, request, response) {
        Some(RpcArguments::Drsuapi(arguments)) => arguments,
        other => panic!("{other:?}"),
    }
}

fn dsname(writer: &mut Writer, dn: &str) {
    writer.word(dn.len() as u64 + 1).u32(56).u32(0);
    writer.uuid(Uuid::nil()).bytes(&[0; 28]);
    writer.u32(dn.len() as u32);
    for unit in dn.encode_utf16().chain([0]) {
        writer.u16(unit);
    }
}

fn object(dn: &str) -> DirectoryName {
    DirectoryName {
        dn: Some(dn.into()),
        ..DirectoryName::default()
    }
}

#[test]
fn the_changes_of_one_object_are_asked_for() {
    for syntax in BOTH {
        let write = || Writer::new(syntax);
        let (mut request, mut response) = (write(), write());
        request.handle(1).u32(8).switch(8, 8).uuid(DSA).uuid(DSA);
        request.reference(true).hyper(0).hyper(0).hyper(0);
        request.reference(false).u32(0x8000).u32(1).u32(0);
        request.u32(7).hyper(0).reference(false).reference(false);
        request.align_structure().u32(0).reference(false);
        dsname(&mut request, "CN=krbtgt,CN=Users,DC=corp");
        response
            .u32(6)
            .switch(6, 8)
            .uuid(DSA)
            .uuid(DSA)
            .reference(false);
        for _ in 0..6 {
            response.hyper(0);
        }
        response
            .reference(false)
            .align_structure()
            .u32(0)
            .reference(false);
        response.u32(1).u32(1).u32(4000);
        let expected = DrsuapiArguments::GetNcChanges {
            object: object("CN=krbtgt,CN=Users,DC=corp"),
            destination: DSA,
            flags: 0x8000,
            extended_operation: 7,
            objects: Some(1),
        };
        assert_eq!(drs(3, &request, Some(&response)), expected);
    }
}

#[test]
fn a_replica_is_added_from_a_partner() {
    for syntax in BOTH {
        let mut request = Writer::new(syntax);
        request
            .handle(1)
            .u32(1)
            .switch(1, 4)
            .reference(true)
            .reference(true);
        request.bytes(&[0; 84]).u32(0x10);
        dsname(&mut request, "DC=corp");
        let partner = b"evil.corp.example\0";
        request.varying(partner.len()).bytes(partner);
        let expected = DrsuapiArguments::Replica {
            object: object("DC=corp"),
            partner: Some("evil.corp.example".into()),
            partner_dsa: None,
            options: 0x10,
        };
        assert_eq!(drs(5, &request, None), expected);
    }
}

#[test]
fn names_are_cracked_and_written() {
    for syntax in BOTH {
        let mut request = Writer::new(syntax);
        request.handle(1).u32(1).switch(1, 4);
        for number in [0, 0, 0, 2, 6, 1] {
            request.u32(number);
        }
        request
            .reference(true)
            .word(1)
            .maybe_text(Some("CORP\\krbtgt"));
        let names = Excerpt {
            first: vec!["CORP\\krbtgt".into()],
            total: 1,
        };
        let (offered, desired) = (2, 6);
        let expected = DrsuapiArguments::CrackNames {
            offered,
            desired,
            names,
        };
        assert_eq!(drs(12, &request, None), expected);

        let mut request = Writer::new(syntax);
        request.handle(1).u32(1).switch(1, 4).u32(0).u32(0);
        request.reference(true).u32(1).reference(true);
        request
            .text("CN=WS1,DC=corp")
            .word(1)
            .maybe_text(Some("GC/ws1"));
        let expected = DrsuapiArguments::WriteSpn {
            account: Some("CN=WS1,DC=corp".into()),
            operation: 0,
            names: Excerpt {
                first: vec!["GC/ws1".into()],
                total: 1,
            },
        };
        assert_eq!(drs(13, &request, None), expected);
    }
}
