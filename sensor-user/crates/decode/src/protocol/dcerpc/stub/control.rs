//! Services ([MS-SCMR] 3.1.4), scheduled tasks ([MS-TSCH] 3.2.5) and the registry ([MS-RRP] 3.1.5).

use goshawk_model::rpc::{RegistryArguments, RpcArguments, ServiceArguments, TaskArguments};

use super::masked::masked;
use super::{Exchange, Opened, Reader, close};

/// Reads the operations of `svcctl` that lead to something being run.
pub(super) fn svcctl(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => close,
        2 => |call| {
            let name = named(call)?;
            tell_service(ServiceArguments::Delete { name })
        },
        11 => change_service,
        12 | 45 => create_service,
        15 => open_manager,
        16 => open_service,
        19 => |call| {
            let name = named(call)?;
            tell_service(ServiceArguments::Start { name })
        },
        _ => return None,
    })
}

/// Reads the operations of `ITaskSchedulerService` that lead to something being run.
pub(super) fn task_scheduler(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        1 => |call| {
            let path = call.request.maybe_text()?;
            tell_task(TaskArguments::Register { path })
        },
        12 => |call| {
            let path = call.request.text()?;
            tell_task(TaskArguments::Run { path })
        },
        13 => |call| {
            let path = call.request.text()?;
            tell_task(TaskArguments::Delete { path })
        },
        _ => return None,
    })
}

/// Reads the operations of `atsvc` that lead to something being run.
pub(super) fn atsvc(opnum: u16) -> Option<Reader> {
    match opnum {
        0 => Some(add_job),
        _ => None,
    }
}

/// Reads the operations of `winreg` that open keys, and those that read or change them.
pub(super) fn winreg(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        0 => |call| open_root(call, "HKCR"),
        1 => |call| open_root(call, "HKCU"),
        2 => |call| open_root(call, "HKLM"),
        3 => |call| open_root(call, "HKPD"),
        4 => |call| open_root(call, "HKU"),
        27 => |call| open_root(call, "HKCC"),
        5 => close,
        15 => open_key,
        17 | 22 => value,
        20 | 31 => save_key,
        _ => return None,
    })
}

fn tell_service(arguments: ServiceArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Svcctl(arguments))
}

fn tell_task(arguments: TaskArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Task(arguments))
}

fn tell_key(arguments: RegistryArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Winreg(arguments))
}

/// The name of what the request's handle stands for.
fn named(call: &mut Exchange<'_>) -> Option<Option<Box<str>>> {
    let opened = call.opened()?;
    Some(opened.and_then(Opened::name).map(Into::into))
}

fn open_manager(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _machine = call.request.maybe_text()?;
    let _database = call.request.maybe_text()?;
    let access = call.request.u32()?;
    tell_service(ServiceArguments::OpenManager { access })
}

fn open_service(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    call.request.handle()?;
    let name = call.request.text()?;
    let access = call.request.u32()?;
    call.opens(Opened::Named(name.clone()));
    tell_service(ServiceArguments::Open { name, access })
}

fn create_service(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    request.handle()?;
    let name = request.text()?;
    let _display_name = request.maybe_text()?;
    let _access = request.u32()?;
    let (service_type, start_type) = (request.u32()?, request.u32()?);
    let _error_control = request.u32()?;
    let binary_path = masked(&request.text()?);
    let handle = call.answered(|response| {
        // `lpdwTagId`
        if response.reference()? {
            response.u32()?;
        }
        response.handle()
    });
    if let Some(handle) = handle {
        call.handles.learn(handle, Opened::Named(name.clone()));
    }
    tell_service(ServiceArguments::Create {
        name,
        binary_path,
        service_type,
        start_type,
    })
}

fn change_service(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let name = named(call)?;
    let request = &mut call.request;
    let (_service_type, _start_type) = (request.u32()?, request.u32()?);
    let _error_control = request.u32()?;
    let binary_path = request.maybe_text()?.map(|path| masked(&path));
    tell_service(ServiceArguments::Change { name, binary_path })
}

/// `AT_INFO`, [MS-TSCH] 2.3.4.
fn add_job(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let _server = request.maybe_text()?;
    request.align_structure()?;
    let (_time, _days_of_month) = (request.word()?, request.u32()?);
    let [_days_of_week, _flags] = request.array()?;
    let command = request.maybe_text()?.map(|command| masked(&command));
    tell_task(TaskArguments::AddJob { command })
}

fn open_root(call: &mut Exchange<'_>, root: &str) -> Option<RpcArguments> {
    let request = &mut call.request;
    // `ServerName`, a reference to one character.
    if request.reference()? {
        request.u16()?;
    }
    let access = request.u32()?;
    call.opens(Opened::Named(root.into()));
    tell_key(RegistryArguments::OpenRoot { access })
}

fn open_key(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let above = named(call)?;
    let below = call.request.string()?;
    let (_options, access) = (call.request.u32()?, call.request.u32()?);
    let key = match above {
        Some(above) if below.is_empty() => above,
        Some(above) => bounded(format!("{above}\\{below}")),
        None => below,
    };
    call.opens(Opened::Named(key.clone()));
    tell_key(RegistryArguments::OpenKey { key, access })
}

/// A key opened below a key, again and again, must not grow without end.
fn bounded(mut key: String) -> Box<str> {
    const MAX_KEY: usize = 1024;
    key.truncate(key.floor_char_boundary(MAX_KEY));
    key.into()
}

fn value(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let key = named(call)?;
    let name = call.request.string()?;
    tell_key(RegistryArguments::Value { key, name })
}

fn save_key(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let key = named(call)?;
    let file = Some(call.request.string()?);
    tell_key(RegistryArguments::SaveKey { key, file })
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::{ATSVC, SVCCTL, WINREG};

    use super::super::writer::{BOTH, Dialogue, Writer};
    use super::*;

    const COMMAND: &str = "cmd.exe /c net user mallory S3cret /add";
    const MASKED: &str = "cmd.exe /c net user mallory *** /add";

    #[test]
    fn a_service_is_changed() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request.handle(1).u32(u32::MAX).u32(u32::MAX).u32(u32::MAX);
            request.maybe_text(Some(COMMAND));
            let changed = ServiceArguments::Change {
                name: None,
                binary_path: Some(MASKED.into()),
            };
            let told = Dialogue::default().call(SVCCTL, 11, &request, None);
            assert_eq!(told, Some(RpcArguments::Svcctl(changed)));
        }
    }

    #[test]
    fn a_service_is_created_and_started() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            let mut dialogue = Dialogue::default();
            let (mut request, mut response) = (write(), write());
            request
                .handle(1)
                .text("BTOBTO")
                .maybe_text(Some("BTOBTO"))
                .u32(0xf01ff);
            request.u32(0x10).u32(3).u32(0).text(COMMAND);
            response.reference(false).handle(2).u32(0);
            let created = ServiceArguments::Create {
                name: "BTOBTO".into(),
                binary_path: MASKED.into(),
                service_type: 0x10,
                start_type: 3,
            };
            let told = dialogue.call(SVCCTL, 12, &request, Some(&response));
            assert_eq!(told, Some(RpcArguments::Svcctl(created)));
            let mut request = write();
            request.handle(2).u32(0).reference(false);
            let started = ServiceArguments::Start {
                name: Some("BTOBTO".into()),
            };
            let told = dialogue.call(SVCCTL, 19, &request, None);
            assert_eq!(told, Some(RpcArguments::Svcctl(started)));
        }
    }

    #[test]
    fn a_key_is_named_from_its_root() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            let mut dialogue = Dialogue::default();
            let (mut request, mut response) = (write(), write());
            request.reference(true).u16(0x5c).u32(0x0200_0000);
            response.handle(1).u32(0);
            dialogue.call(WINREG, 2, &request, Some(&response));
            let mut request = write();
            request.handle(1).string("SAM\\SAM").u32(0).u32(0x0002_0019);
            let opened = RegistryArguments::OpenKey {
                key: "HKLM\\SAM\\SAM".into(),
                access: 0x0002_0019,
            };
            let told = dialogue.call(WINREG, 15, &request, None);
            assert_eq!(told, Some(RpcArguments::Winreg(opened)));
        }
    }

    #[test]
    fn a_job_runs_its_command() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request
                .maybe_text(None)
                .align_structure()
                .word(60_000)
                .u32(0);
            request.bytes(&[0, 0]).maybe_text(Some(COMMAND));
            let added = TaskArguments::AddJob {
                command: Some(MASKED.into()),
            };
            let told = Dialogue::default().call(ATSVC, 0, &request, None);
            assert_eq!(told, Some(RpcArguments::Task(added)));
        }
    }
}
