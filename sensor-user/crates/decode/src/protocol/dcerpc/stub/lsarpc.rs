//! Policies, secrets, names and SIDs ([MS-LSAD] 3.1.4, [MS-LSAT] 3.1.4).

use goshawk_model::rpc::{Excerpt, LsarpcArguments, LsarpcList, RpcArguments, SecretAction};

use super::super::ndr::{Ndr, excerpt};
use super::{Exchange, Opened, Reader, close, level};

/// Reads the operations that ask about the domain, or touch rights and secrets.
pub(super) fn reader(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => close,
        6 => |call| open_policy(call, first_letter),
        44 => |call| open_policy(call, Ndr::maybe_text),
        2 => |call| enumerate(call, LsarpcList::Privileges),
        11 => |call| enumerate(call, LsarpcList::Accounts),
        13 | 50 => |call| enumerate(call, LsarpcList::TrustedDomains),
        7 | 46 | 53 => |call| {
            let level = level(call)?;
            tell(LsarpcArguments::QueryPolicy { level })
        },
        8 | 47 | 54 => |call| {
            let level = level(call)?;
            tell(LsarpcArguments::SetPolicy { level })
        },
        14 | 58 | 68 => |call| {
            call.request.handle()?;
            lookup_names(call)
        },
        77 => lookup_names,
        15 | 57 => |call| {
            call.request.handle()?;
            lookup_sids(call)
        },
        76 => lookup_sids,
        10 | 17 | 36 => account,
        37 => add_rights,
        38 => remove_rights,
        16 => |call| named_secret(call, SecretAction::Create),
        28 => |call| named_secret(call, SecretAction::Open),
        42 => |call| named_secret(call, SecretAction::Write),
        43 => |call| named_secret(call, SecretAction::Read),
        29 => |call| opened_secret(call, SecretAction::Write),
        30 => |call| opened_secret(call, SecretAction::Read),
        25 | 39 => |call| trusted_domain(call, Ndr::sid),
        48 | 55 => |call| trusted_domain(call, Ndr::string),
        _ => return None,
    })
}

fn tell(arguments: LsarpcArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Lsarpc(arguments))
}

fn open_policy<'a>(
    call: &mut Exchange<'a>,
    server: impl FnOnce(&mut Ndr<'a>) -> Option<Option<Box<str>>>,
) -> Option<RpcArguments> {
    let server = server(&mut call.request)?;
    object_attributes(&mut call.request)?;
    let access = call.request.u32()?;
    tell(LsarpcArguments::OpenPolicy { server, access })
}

/// The older version has a reference to one character only.
fn first_letter(request: &mut Ndr<'_>) -> Option<Option<Box<str>>> {
    if request.reference()? {
        request.u16()?;
    }
    Some(None)
}

/// `LSAPR_OBJECT_ATTRIBUTES` ([MS-LSAD] 2.2.9), of which clients fill in the last field at most.
fn object_attributes(request: &mut Ndr<'_>) -> Option<()> {
    request.align_structure()?;
    let _length = request.u32()?;
    let has_root = request.reference()?;
    let has_name = request.reference()?;
    let _attributes = request.u32()?;
    let has_descriptor = request.reference()?;
    let has_quality = request.reference()?;
    if has_root || has_name || has_descriptor {
        return None;
    }
    if has_quality {
        let _length = request.u32()?;
        let _impersonation = request.enumeration()?;
        let _tracking: [u8; 2] = request.array()?;
    }
    Some(())
}

fn enumerate(call: &mut Exchange<'_>, list: LsarpcList) -> Option<RpcArguments> {
    call.request.handle()?;
    let count = call.answered(|response| {
        let _resume = response.u32()?;
        response.align_structure()?;
        response.u32()
    });
    tell(LsarpcArguments::Enumerate { list, count })
}

fn lookup_names(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _count = call.request.u32()?;
    let count = call.request.size()?;
    let names = call.request.strings(count)?;
    tell(LsarpcArguments::LookupNames { names })
}

fn lookup_sids(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    request.align_structure()?;
    let _entries = request.u32()?;
    let sids = if request.reference()? {
        let count = request.size()?;
        request.sids(count)?
    } else {
        excerpt(std::iter::empty())
    };
    tell(LsarpcArguments::LookupSids { sids })
}

fn account(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let sid = call.request.sid()?;
    tell(LsarpcArguments::Account { sid })
}

fn add_rights(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let sid = call.request.sid()?;
    let rights = rights(&mut call.request)?;
    tell(LsarpcArguments::AddRights { sid, rights })
}

fn remove_rights(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let sid = call.request.sid()?;
    let [_all_rights] = call.request.array()?;
    let rights = rights(&mut call.request)?;
    tell(LsarpcArguments::RemoveRights { sid, rights })
}

/// `LSAPR_USER_RIGHT_SET` ([MS-LSAD] 2.2.5.3).
fn rights(request: &mut Ndr<'_>) -> Option<Excerpt<Box<str>>> {
    request.align_structure()?;
    let _entries = request.u32()?;
    if !request.reference()? {
        return Some(excerpt(std::iter::empty()));
    }
    let count = request.size()?;
    request.strings(count)
}

fn named_secret(call: &mut Exchange<'_>, action: SecretAction) -> Option<RpcArguments> {
    call.request.handle()?;
    let name = call.request.string()?;
    if matches!(action, SecretAction::Create | SecretAction::Open) {
        call.opens(Opened::Named(name.clone()));
    }
    let name = Some(name);
    tell(LsarpcArguments::Secret { action, name })
}

fn opened_secret(call: &mut Exchange<'_>, action: SecretAction) -> Option<RpcArguments> {
    let name = call.opened()?.and_then(Opened::name).map(Into::into);
    tell(LsarpcArguments::Secret { action, name })
}

fn trusted_domain<'a>(
    call: &mut Exchange<'a>,
    domain: impl FnOnce(&mut Ndr<'a>) -> Option<Box<str>>,
) -> Option<RpcArguments> {
    call.request.handle()?;
    let domain = domain(&mut call.request)?;
    tell(LsarpcArguments::TrustedDomain { domain })
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::LSARPC;

    use super::super::writer::{BOTH, Dialogue, Writer};
    use super::*;

    fn lsarpc(arguments: Option<RpcArguments>) -> LsarpcArguments {
        match arguments {
            Some(RpcArguments::Lsarpc(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_policy_is_opened_with_and_without_quality_of_service() {
        for syntax in BOTH {
            for has_quality in [false, true] {
                let mut request = Writer::new(syntax);
                request
                    .maybe_text(Some("\\\\dc1"))
                    .align_structure()
                    .u32(24);
                request.reference(false).reference(false).u32(0);
                request.reference(false).reference(has_quality);
                if has_quality {
                    request.u32(12).enumeration(2).bytes(&[1, 0]);
                }
                request.u32(0x801);
                let expected = LsarpcArguments::OpenPolicy {
                    server: Some("\\\\dc1".into()),
                    access: 0x801,
                };
                let told = Dialogue::default().call(LSARPC, 44, &request, None);
                assert_eq!(lsarpc(told), expected);
            }
        }
    }

    #[test]
    fn sids_and_names_are_listed() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request.handle(1).align_structure().u32(2).reference(true);
            request.word(2).reference(true).reference(true);
            request.sid(&[32, 544]).sid(&[21, 1, 2, 3, 500]);
            let first = ["S-1-5-32-544", "S-1-5-21-1-2-3-500"]
                .map(Into::into)
                .into();
            let sids = Excerpt { first, total: 2 };
            let told = Dialogue::default().call(LSARPC, 57, &request, None);
            assert_eq!(lsarpc(told), LsarpcArguments::LookupSids { sids });

            let mut request = Writer::new(syntax);
            request.u32(1).word(1).strings(&["CORP\\alice"]);
            let first = vec!["CORP\\alice".into()];
            let names = Excerpt { first, total: 1 };
            let told = Dialogue::default().call(LSARPC, 77, &request, None);
            assert_eq!(lsarpc(told), LsarpcArguments::LookupNames { names });
        }
    }

    #[test]
    fn a_secret_is_named_by_its_opening() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            let mut dialogue = Dialogue::default();
            let (mut request, mut response) = (write(), write());
            request.handle(1).string("G$BCKUPKEY_PREFERRED").u32(2);
            response.handle(5).u32(0);
            dialogue.call(LSARPC, 28, &request, Some(&response));
            let mut request = write();
            request.handle(5).reference(false);
            assert_eq!(
                lsarpc(dialogue.call(LSARPC, 30, &request, None)),
                LsarpcArguments::Secret {
                    action: SecretAction::Read,
                    name: Some("G$BCKUPKEY_PREFERRED".into()),
                }
            );
        }
    }

    #[test]
    fn rights_are_given_to_a_sid() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request
                .handle(1)
                .sid(&[21, 1, 2, 3, 1104])
                .align_structure();
            request
                .u32(1)
                .reference(true)
                .word(1)
                .strings(&["SeDebugPrivilege"]);
            let first = vec!["SeDebugPrivilege".into()];
            assert_eq!(
                lsarpc(Dialogue::default().call(LSARPC, 37, &request, None)),
                LsarpcArguments::AddRights {
                    sid: "S-1-5-21-1-2-3-1104".into(),
                    rights: Excerpt { first, total: 1 },
                }
            );
        }
    }
}
