//! What accounts and groups are asked for, as another implementation writes it.

use goshawk_model::rpc::SAMR;

use super::super::writer::{BOTH, Dialogue, Writer};
use super::*;

const DOMAIN: [u32; 4] = [21, 1, 2, 3];
const DOMAIN_SID: &str = "S-1-5-21-1-2-3";

fn samr(arguments: Option<RpcArguments>) -> SamrArguments {
    match arguments {
        Some(RpcArguments::Samr(arguments)) => arguments,
        other => panic!("{other:?}"),
    }
}

/// A dialogue that has opened a domain, handle 1, and a group in it, handle 2.
fn opened(write: impl Fn() -> Writer) -> Dialogue {
    let mut dialogue = Dialogue::default();
    let (mut request, mut response) = (write(), write());
    request.handle(9).u32(0x200).sid(&DOMAIN);
    response.handle(1).u32(0);
    dialogue.call(SAMR, 7, &request, Some(&response));
    let (mut request, mut response) = (write(), write());
    request.handle(1).u32(4).u32(512);
    response.handle(2).u32(0);
    dialogue.call(SAMR, 19, &request, Some(&response));
    dialogue
}

#[test]
fn a_member_is_added_to_the_group_that_was_opened() {
    for syntax in BOTH {
        let write = || Writer::new(syntax);
        let mut dialogue = opened(write);
        let mut request = write();
        request.handle(2).u32(1104).u32(7);
        let added = samr(dialogue.call(SAMR, 22, &request, None));
        let expected = SamrArguments::AddMember {
            object: Some(SamrObject {
                class: SamrClass::Group,
                domain: Some(DOMAIN_SID.into()),
                rid: Some(512),
            }),
            member: SamrMember::Rid(1104),
        };
        assert_eq!(added, expected);
        let shown = RpcArguments::Samr(added).to_string();
        assert_eq!(shown, "1104 to group S-1-5-21-1-2-3-512");

        // What is closed is forgotten.
        let mut request = write();
        request.handle(2);
        assert_eq!(dialogue.call(SAMR, 1, &request, None), None);
        let members = samr(dialogue.call(SAMR, 25, &request, None));
        let (object, count) = (None, None);
        assert_eq!(members, SamrArguments::Members { object, count });
    }
}

#[test]
fn names_and_rids_are_looked_up_in_the_domain() {
    for syntax in BOTH {
        let write = || Writer::new(syntax);
        let mut dialogue = opened(write);
        let names = ["Administrator", "", "krbtgt"];
        let mut request = write();
        request.handle(1).u32(3);
        request.word(1000).word(0).word(3).strings(&names);
        let domain = Some(DOMAIN_SID.into());
        let first = names.map(Into::into).into();
        assert_eq!(
            samr(dialogue.call(SAMR, 17, &request, None)),
            SamrArguments::LookupNames {
                domain: domain.clone(),
                names: Excerpt { first, total: 3 }
            }
        );
        let mut request = write();
        request.handle(1).u32(200).word(1000).word(0).word(200);
        for rid in 500..700 {
            request.u32(rid);
        }
        let first = (500..532).collect();
        assert_eq!(
            samr(dialogue.call(SAMR, 18, &request, None)),
            SamrArguments::LookupIds {
                domain,
                rids: Excerpt { first, total: 200 }
            }
        );
    }
}

#[test]
fn enumerations_tell_how_much_was_given() {
    for syntax in BOTH {
        let write = || Writer::new(syntax);
        let mut dialogue = opened(write);
        let (mut request, mut response) = (write(), write());
        request.handle(1).u32(5).u32(0x10).u32(65_536);
        response.u32(9).reference(true).u32(17).reference(true);
        let domain = Some(Box::from(DOMAIN_SID));
        assert_eq!(
            samr(dialogue.call(SAMR, 13, &request, Some(&response))),
            SamrArguments::Enumerate {
                class: SamrClass::User,
                domain: domain.clone(),
                resume: 5,
                count: Some(17),
            }
        );
        let (mut request, mut response) = (write(), write());
        request.handle(1).enumeration(1).u32(0).u32(100).u32(65_536);
        response.u32(900).u32(800).align_structure().enumeration(1);
        response.align_structure().u32(42).reference(true);
        assert_eq!(
            samr(dialogue.call(SAMR, 40, &request, Some(&response))),
            SamrArguments::Display {
                class: 1,
                domain,
                index: 0,
                count: Some(42),
            }
        );
    }
}

#[test]
fn a_computer_is_created_and_opened_at_once() {
    for syntax in BOTH {
        let write = || Writer::new(syntax);
        let mut dialogue = opened(write);
        let (mut request, mut response) = (write(), write());
        request.handle(1).string("EVIL$").u32(0x80).u32(0x7ff);
        response.handle(3).u32(0x7ff).u32(1109).u32(0);
        assert_eq!(
            samr(dialogue.call(SAMR, 50, &request, Some(&response))),
            SamrArguments::Create {
                class: SamrClass::User,
                name: "EVIL$".into(),
                account_type: Some(0x80),
                rid: Some(1109),
            }
        );
        let mut request = write();
        request
            .handle(3)
            .enumeration(24)
            .enumeration(24)
            .bytes(b"a password");
        let object = Some(SamrObject {
            class: SamrClass::User,
            domain: Some(DOMAIN_SID.into()),
            rid: Some(1109),
        });
        assert_eq!(
            samr(dialogue.call(SAMR, 58, &request, None)),
            SamrArguments::Set { object, level: 24 }
        );
    }
}

#[test]
fn a_password_is_changed_by_name() {
    for syntax in BOTH {
        let mut request = Writer::new(syntax);
        request.reference(true).string("dc1").string("alice");
        request.reference(true).bytes(&[7; 516]);
        assert_eq!(
            samr(Dialogue::default().call(SAMR, 55, &request, None)),
            SamrArguments::ChangePassword {
                user: Some("alice".into()),
                object: None,
            }
        );
    }
}
