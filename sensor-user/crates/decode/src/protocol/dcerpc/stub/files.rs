//! Shares and sessions ([MS-SRVS] 3.1.4), and who is logged on ([MS-WKST] 3.2.4).
//!
//! All operations begin with the server's name, which says no more than where the call goes.

use goshawk_model::rpc::{RpcArguments, SrvsvcArguments, WkssvcArguments};

use super::super::ndr::Ndr;
use super::{Exchange, Reader};

/// Reads the operations of `srvsvc` that enumerate.
pub(super) fn srvsvc(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        8 => connection_enum,
        9 => file_enum,
        12 => session_enum,
        15 | 36 => share_enum,
        16 => share_get_info,
        21 => server_get_info,
        28 => remote_tod,
        _ => return None,
    })
}

/// Reads the operations of `wkssvc` that enumerate.
pub(super) fn wkssvc(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => |call| {
            let _server = call.request.maybe_text()?;
            let level = call.request.u32()?;
            tell_workstation(WkssvcArguments::GetInfo { level })
        },
        2 => |call| {
            let _server = call.request.maybe_text()?;
            let level = call.request.u32()?;
            let count = call.answered(entries);
            tell_workstation(WkssvcArguments::UserEnum { level, count })
        },
        _ => return None,
    })
}

fn tell(arguments: SrvsvcArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Srvsvc(arguments))
}

fn tell_workstation(arguments: WkssvcArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Wkssvc(arguments))
}

/// `EntriesRead` of the enumeration structures, [MS-SRVS] 2.2.4: a level, a union over it, and in
/// that a reference to the container.
fn entries(response: &mut Ndr<'_>) -> Option<u32> {
    response.align_structure()?;
    let _level = response.u32()?;
    let _switch = response.switch(4)?;
    if response.reference()? {
        response.u32()
    } else {
        Some(0)
    }
}

/// The level of an enumeration structure.
fn enum_level(request: &mut Ndr<'_>) -> Option<u32> {
    request.align_structure()?;
    request.u32()
}

fn connection_enum(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let qualifier = call.request.maybe_text()?;
    let level = enum_level(&mut call.request)?;
    let count = call.answered(entries);
    tell(SrvsvcArguments::ConnectionEnum {
        qualifier,
        level,
        count,
    })
}

fn file_enum(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let path = call.request.maybe_text()?;
    let user = call.request.maybe_text()?;
    let level = enum_level(&mut call.request)?;
    let count = call.answered(entries);
    tell(SrvsvcArguments::FileEnum {
        path,
        user,
        level,
        count,
    })
}

fn session_enum(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let client = call.request.maybe_text()?;
    let user = call.request.maybe_text()?;
    let level = enum_level(&mut call.request)?;
    let count = call.answered(entries);
    tell(SrvsvcArguments::SessionEnum {
        client,
        user,
        level,
        count,
    })
}

fn share_enum(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let level = enum_level(&mut call.request)?;
    let count = call.answered(entries);
    tell(SrvsvcArguments::ShareEnum { level, count })
}

fn share_get_info(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let share = call.request.text()?;
    let level = call.request.u32()?;
    tell(SrvsvcArguments::ShareGetInfo { share, level })
}

fn server_get_info(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let level = call.request.u32()?;
    tell(SrvsvcArguments::ServerGetInfo { level })
}

fn remote_tod(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let server = call.request.maybe_text()?;
    tell(SrvsvcArguments::RemoteTod { server })
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::SRVSVC;

    use super::super::writer::{BOTH, Dialogue, Writer};
    use super::*;

    #[test]
    fn sessions_are_enumerated() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            let (mut request, mut response) = (write(), write());
            request
                .maybe_text(Some("\\\\dc1"))
                .maybe_text(None)
                .maybe_text(Some("alice"));
            request
                .align_structure()
                .u32(10)
                .switch(10, 4)
                .reference(true);
            response
                .align_structure()
                .u32(10)
                .switch(10, 4)
                .reference(true)
                .u32(3);
            let told = Dialogue::default().call(SRVSVC, 12, &request, Some(&response));
            let expected = SrvsvcArguments::SessionEnum {
                client: None,
                user: Some("alice".into()),
                level: 10,
                count: Some(3),
            };
            assert_eq!(told, Some(RpcArguments::Srvsvc(expected)));
        }
    }
}
