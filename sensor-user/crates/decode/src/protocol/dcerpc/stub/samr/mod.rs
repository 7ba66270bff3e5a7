//! Accounts and groups ([MS-SAMR] 3.1.5).

#[cfg(test)]
mod tests;

use goshawk_model::rpc::{Excerpt, RpcArguments, SamrArguments, SamrClass, SamrMember, SamrObject};

use super::super::ndr::{Ndr, excerpt};
use super::{Exchange, Opened, Reader, close};

/// Reads the operations that ask about accounts and groups, or change them.
pub(super) fn reader(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => |call| connect(call, first_letter),
        57 => |call| connect(call, Ndr::maybe_text),
        62 => |call| connect(call, text_and_revision),
        64 => |call| connect(call, Ndr::maybe_text),
        1 => close,
        5 => lookup_domain,
        7 => open_domain,
        10 => |call| create(call, SamrClass::Group),
        12 => |call| create(call, SamrClass::User),
        14 => |call| create(call, SamrClass::Alias),
        50 => create_user2,
        6 => |call| enumerate(call, SamrClass::Domain),
        11 => |call| enumerate(call, SamrClass::Group),
        13 => |call| enumerate(call, SamrClass::User),
        15 => |call| enumerate(call, SamrClass::Alias),
        16 => aliases,
        17 => lookup_names,
        18 => lookup_ids,
        19 => |call| open(call, SamrClass::Group),
        27 => |call| open(call, SamrClass::Alias),
        34 => |call| open(call, SamrClass::User),
        8 | 20 | 28 | 36 | 46 | 47 => query,
        9 | 21 | 29 | 37 | 58 => set,
        22 => |call| add_member(call, by_rid),
        31 => |call| add_member(call, by_sid),
        52 => |call| add_member(call, by_sids),
        24 => |call| remove_member(call, by_rid),
        32 | 45 => |call| remove_member(call, by_sid),
        53 => |call| remove_member(call, by_sids),
        23 | 30 | 35 => delete,
        25 | 33 => members,
        39 => groups,
        40 | 48 | 51 => display,
        38 => change_own_password,
        54 => |call| change_password(call, narrow_string),
        55 | 63 | 73 => |call| change_password(call, Ndr::string),
        65 => rid_to_sid,
        66 => set_dsrm_password,
        _ => return None,
    })
}

fn tell(arguments: SamrArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Samr(arguments))
}

fn connect<'a>(
    call: &mut Exchange<'a>,
    server: impl FnOnce(&mut Ndr<'a>) -> Option<Option<Box<str>>>,
) -> Option<RpcArguments> {
    tell(SamrArguments::Connect {
        server: server(&mut call.request)?,
        access: call.request.u32()?,
    })
}

/// The oldest version has a reference to one character only.
fn first_letter(request: &mut Ndr<'_>) -> Option<Option<Box<str>>> {
    if request.reference()? {
        request.u16()?;
    }
    Some(None)
}

fn text_and_revision(request: &mut Ndr<'_>) -> Option<Option<Box<str>>> {
    let server = request.maybe_text()?;
    let _client_revision = request.u32()?;
    Some(server)
}

fn lookup_domain(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let name = call.request.string()?;
    let sid = call.answered(maybe_sid);
    tell(SamrArguments::LookupDomain { name, sid })
}

fn maybe_sid(response: &mut Ndr<'_>) -> Option<Box<str>> {
    response.reference()?.then(|| response.sid())?
}

fn open_domain(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let access = call.request.u32()?;
    let object = SamrObject {
        class: SamrClass::Domain,
        domain: Some(call.request.sid()?),
        rid: None,
    };
    call.opens(Opened::Object(object.clone()));
    tell(SamrArguments::Open { object, access })
}

fn open(call: &mut Exchange<'_>, class: SamrClass) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let (access, rid) = (call.request.u32()?, call.request.u32()?);
    let object = SamrObject {
        class,
        domain,
        rid: Some(rid),
    };
    call.opens(Opened::Object(object.clone()));
    tell(SamrArguments::Open { object, access })
}

/// The object that the request's handle stands for.
fn object(call: &mut Exchange<'_>) -> Option<Option<SamrObject>> {
    let opened = call.opened()?;
    Some(opened.and_then(Opened::object).cloned())
}

/// The SID of the domain that the request's handle stands for.
fn domain(call: &mut Exchange<'_>) -> Option<Option<Box<str>>> {
    object(call).map(|object| object.and_then(|object| object.domain))
}

fn create(call: &mut Exchange<'_>, class: SamrClass) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let name = call.request.string()?;
    created(call, class, domain, name, None, Ndr::u32)
}

fn create_user2(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let name = call.request.string()?;
    let account_type = Some(call.request.u32()?);
    created(
        call,
        SamrClass::User,
        domain,
        name,
        account_type,
        |response| {
            let _granted_access = response.u32()?;
            response.u32()
        },
    )
}

/// The answer has a handle, and behind it what `rid` reads.
fn created<'a>(
    call: &mut Exchange<'a>,
    class: SamrClass,
    domain: Option<Box<str>>,
    name: Box<str>,
    account_type: Option<u32>,
    rid: impl FnOnce(&mut Ndr<'a>) -> Option<u32>,
) -> Option<RpcArguments> {
    let answered = call.answered(|response| Some((response.handle()?, rid(response)?)));
    if let Some((handle, rid)) = answered {
        let object = SamrObject {
            class,
            domain,
            rid: Some(rid),
        };
        call.handles.learn(handle, Opened::Object(object));
    }
    tell(SamrArguments::Create {
        class,
        name,
        account_type,
        rid: answered.map(|(_, rid)| rid),
    })
}

fn enumerate(call: &mut Exchange<'_>, class: SamrClass) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let resume = call.request.u32()?;
    let count = call.answered(|response| {
        let _resume = response.u32()?;
        counted(response)
    });
    tell(SamrArguments::Enumerate {
        class,
        domain,
        resume,
        count,
    })
}

/// A reference to a structure that begins with its count; without one there is nothing.
fn counted(response: &mut Ndr<'_>) -> Option<u32> {
    if response.reference()? {
        response.u32()
    } else {
        Some(0)
    }
}

fn display(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let class = call.request.enumeration()?;
    let index = call.request.u32()?;
    let count = call.answered(|response| {
        let (_available, _returned) = (response.u32()?, response.u32()?);
        response.align_structure()?;
        let _class = response.enumeration()?;
        response.align_structure()?;
        response.u32()
    });
    tell(SamrArguments::Display {
        class,
        domain,
        index,
        count,
    })
}

fn aliases(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let sids = sids(&mut call.request)?;
    tell(SamrArguments::Aliases { sids })
}

/// `SAMPR_PSID_ARRAY`, 2.2.2.4.
fn sids(request: &mut Ndr<'_>) -> Option<Excerpt<Box<str>>> {
    request.align_structure()?;
    let _count = request.u32()?;
    if !request.reference()? {
        return Some(excerpt(std::iter::empty()));
    }
    let count = request.size()?;
    request.sids(count)
}

fn lookup_names(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let _count = call.request.u32()?;
    let count = call.request.varying()?;
    let names = call.request.strings(count)?;
    tell(SamrArguments::LookupNames { domain, names })
}

fn lookup_ids(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let domain = domain(call)?;
    let _count = call.request.u32()?;
    let count = call.request.varying()?;
    let rids = excerpt((0..count).map_while(|_| call.request.u32()));
    tell(SamrArguments::LookupIds { domain, rids })
}

fn query(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    let level = call.request.enumeration()?;
    tell(SamrArguments::Query { object, level })
}

fn set(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    let level = call.request.enumeration()?;
    tell(SamrArguments::Set { object, level })
}

fn add_member<'a>(
    call: &mut Exchange<'a>,
    member: impl FnOnce(&mut Ndr<'a>) -> Option<SamrMember>,
) -> Option<RpcArguments> {
    let object = object(call)?;
    let member = member(&mut call.request)?;
    tell(SamrArguments::AddMember { object, member })
}

fn remove_member<'a>(
    call: &mut Exchange<'a>,
    member: impl FnOnce(&mut Ndr<'a>) -> Option<SamrMember>,
) -> Option<RpcArguments> {
    let object = object(call)?;
    let member = member(&mut call.request)?;
    tell(SamrArguments::RemoveMember { object, member })
}

fn by_rid(request: &mut Ndr<'_>) -> Option<SamrMember> {
    request.u32().map(SamrMember::Rid)
}

fn by_sid(request: &mut Ndr<'_>) -> Option<SamrMember> {
    request.sid().map(SamrMember::Sid)
}

fn by_sids(request: &mut Ndr<'_>) -> Option<SamrMember> {
    sids(request).map(SamrMember::Sids)
}

/// The handle is none any more afterwards.
fn delete(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    tell(SamrArguments::Delete { object })
}

fn members(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    let is_alias = object.as_ref().map(|object| object.class) == Some(SamrClass::Alias);
    let count = call.answered(|response| {
        if is_alias {
            // `SAMPR_PSID_ARRAY_OUT` as a parameter of its own, 2.2.2.5.
            response.align_structure()?;
            response.u32()
        } else {
            counted(response)
        }
    });
    tell(SamrArguments::Members { object, count })
}

fn groups(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    let count = call.answered(counted);
    tell(SamrArguments::Groups { object, count })
}

fn change_own_password(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let object = object(call)?;
    tell(SamrArguments::ChangePassword { user: None, object })
}

fn change_password<'a>(
    call: &mut Exchange<'a>,
    string: impl Fn(&mut Ndr<'a>) -> Option<Box<str>>,
) -> Option<RpcArguments> {
    let request = &mut call.request;
    if request.reference()? {
        let _server = string(request)?;
    }
    tell(SamrArguments::ChangePassword {
        user: Some(string(request)?),
        object: None,
    })
}

/// `RPC_STRING` ([MS-DTYP] 2.3.9).
fn narrow_string(request: &mut Ndr<'_>) -> Option<Box<str>> {
    if request.string_head()? {
        request.narrow_text()
    } else {
        Some(Box::default())
    }
}

fn rid_to_sid(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let rid = call.request.u32()?;
    let sid = call.answered(maybe_sid);
    tell(SamrArguments::RidToSid { rid, sid })
}

fn set_dsrm_password(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    if request.reference()? {
        let _unused = request.string()?;
    }
    let rid = request.u32()?;
    tell(SamrArguments::SetDsrmPassword { rid })
}
