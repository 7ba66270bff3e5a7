//! Operations that make a server reach for a path, with its own account where the path leads to
//! another machine: coerced authentication (PetitPotam, PrinterBug, DFSCoerce, ShadowCoerce).

use goshawk_model::rpc::RpcArguments;

use super::{Exchange, Reader};

/// [MS-EFSR] 3.1.4.2: nearly all operations begin with a file's name.
pub(super) fn efsrpc(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 | 4..=9 | 12 | 13 | 18 | 19 | 21 => |call| tell(call.request.text()?),
        15 | 16 => |call| {
            // `dwFlags`, and a reference that is reserved.
            let _flags = call.request.u32()?;
            if call.request.reference()? {
                return None;
            }
            tell(call.request.text()?)
        },
        _ => return None,
    })
}

/// [MS-DFSNM] 3.1.4: those that name the server of a root.
pub(super) fn netdfs(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        10..=13 | 15 => |call| tell(call.request.text()?),
        _ => return None,
    })
}

/// [MS-FSRVP] 3.1.4: those that name a share.
pub(super) fn fsrvp(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        3 => |call| {
            let _ids = (call.request.uuid()?, call.request.uuid()?);
            tell(call.request.text()?)
        },
        8 | 9 => |call| tell(call.request.text()?),
        _ => return None,
    })
}

/// [MS-RPRN] 3.1.4: printers opened, and who is told of their changes.
pub(super) fn spoolss(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        1 | 69 => printer,
        62 | 65 => |call| {
            call.request.handle()?;
            let _flags = (call.request.u32()?, call.request.u32()?);
            tell(call.request.maybe_text()??)
        },
        9 | 89 => driver,
        _ => return None,
    })
}

/// [MS-PAR] 3.1.4: the same over TCP.
pub(super) fn remote_winspool(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => printer,
        39 => driver,
        _ => return None,
    })
}

fn tell(path: Box<str>) -> Option<RpcArguments> {
    Some(RpcArguments::Path(path))
}

fn printer(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    tell(call.request.maybe_text()??)
}

/// The files of a driver, from a `DRIVER_CONTAINER` ([MS-RPRN] 2.2.1.2.3): that on another machine,
/// which the server is to load (PrintNightmare, CVE-2021-34527), else the driver's own.
fn driver(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let _server = request.maybe_text()?;
    request.align_structure()?;
    let level = request.u32()?;
    let _switch = request.switch(4)?;
    if !request.reference()? {
        return None;
    }
    let _version = request.u32()?;
    // Name, environment, and three files (2.2.1.4).
    let mut present = [false; 5];
    for is_present in &mut present {
        *is_present = request.reference()?;
    }
    // Help file, monitor, data type, and lists of files and of names, each with its size before.
    let (references, lists) = match level {
        2 => (0, 0),
        3 => (3, 1),
        4 => (3, 2),
        _ => return None,
    };
    for _ in 0..references {
        request.reference()?;
    }
    for _ in 0..lists {
        let (_size, _list) = (request.u32()?, request.reference()?);
    }
    let mut texts = Vec::new();
    for is_present in present {
        texts.push(if is_present {
            request.text()?
        } else {
            Box::default()
        });
    }
    let mut files = texts.into_iter().skip(2).filter(|file| !file.is_empty());
    let first = files.next()?;
    let is_remote = |file: &str| file.starts_with(r"\\");
    let mut remote = None;
    if !is_remote(&first) {
        remote = files.find(|file| is_remote(file));
    }
    tell(remote.unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::{EFSRPC, EFSRPC_LSASS, NETDFS, REMOTE_WINSPOOL, SPOOLSS};

    use super::super::writer::{BOTH, Dialogue, Writer};
    use super::*;

    const ELSEWHERE: &str = "\\\\10.0.0.66\\share\\file";

    #[test]
    fn every_way_to_coerce_names_where_to() {
        for syntax in BOTH {
            let mut named = Writer::new(syntax);
            named.text(ELSEWHERE);
            let mut flagged = Writer::new(syntax);
            flagged.u32(0).reference(false).text(ELSEWHERE);
            let mut printer = Writer::new(syntax);
            printer
                .handle(1)
                .u32(0x100)
                .u32(0)
                .maybe_text(Some(ELSEWHERE));
            for (interface, opnum, request) in [
                (EFSRPC, 4, &named),
                (EFSRPC_LSASS, 0, &named),
                (EFSRPC, 15, &flagged),
                (NETDFS, 13, &named),
                (SPOOLSS, 65, &printer),
            ] {
                let told = Dialogue::default().call(interface, opnum, request, None);
                assert_eq!(told, Some(RpcArguments::Path(ELSEWHERE.into())), "{opnum}");
            }
        }
    }

    #[test]
    fn a_driver_on_another_machine_is_found() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request
                .maybe_text(Some("\\\\dc1"))
                .align_structure()
                .u32(2)
                .switch(2, 4);
            request.reference(true).u32(3);
            let texts = [
                "evil",
                "Windows x64",
                "C:\\unidrv.dll",
                ELSEWHERE,
                "C:\\x.dll",
            ];
            for _ in texts {
                request.reference(true);
            }
            for text in texts {
                request.text(text);
            }
            let told = Dialogue::default().call(REMOTE_WINSPOOL, 39, &request, None);
            assert_eq!(told, Some(RpcArguments::Path(ELSEWHERE.into())));
        }
    }
}
