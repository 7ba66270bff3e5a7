//! What calls were made with: the stubs of interfaces that are read, one file for each.

mod control;
mod drsuapi;
mod epm;
mod files;
mod handles;
mod lsarpc;
mod masked;
mod netlogon;
mod paths;
mod samr;
mod status;
#[cfg(test)]
mod writer;

use goshawk_model::rpc::{
    ATSVC, DRSUAPI, EFSRPC, EFSRPC_LSASS, EPM, FSRVP, LSARPC, NETDFS, NETLOGON, REMOTE_WINSPOOL,
    RpcArguments, SAMR, SPOOLSS, SRVSVC, SVCCTL, TASK_SCHEDULER, WINREG, WKSSVC,
};
use uuid::Uuid;

pub(super) use epm::{EPT_MAP, tcp_endpoints};
pub(super) use handles::Handles;
pub(super) use status::Convention;

use super::ndr::Ndr;
use handles::Opened;

/// Reads what one operation was called with.
pub(super) type Reader = fn(&mut Exchange<'_>) -> Option<RpcArguments>;

/// Both stubs of a call that is over.
pub(super) struct Exchange<'a> {
    request: Ndr<'a>,
    /// `None` where it was not seen, is sealed, or tells that the operation failed.
    response: Option<Ndr<'a>>,
    handles: &'a mut Handles,
}

/// Who reads the stubs of an operation, if anybody does.
pub(super) fn reader(interface: Uuid, opnum: u16) -> Option<Reader> {
    match interface {
        EPM => epm::reader(opnum),
        SAMR => samr::reader(opnum),
        LSARPC => lsarpc::reader(opnum),
        NETLOGON => netlogon::reader(opnum),
        DRSUAPI => drsuapi::reader(opnum),
        SRVSVC => files::srvsvc(opnum),
        WKSSVC => files::wkssvc(opnum),
        SVCCTL => control::svcctl(opnum),
        TASK_SCHEDULER => control::task_scheduler(opnum),
        ATSVC => control::atsvc(opnum),
        WINREG => control::winreg(opnum),
        EFSRPC | EFSRPC_LSASS => paths::efsrpc(opnum),
        NETDFS => paths::netdfs(opnum),
        FSRVP => paths::fsrvp(opnum),
        SPOOLSS => paths::spoolss(opnum),
        REMOTE_WINSPOOL => paths::remote_winspool(opnum),
        _ => None,
    }
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        request: Ndr<'a>,
        response: Option<Ndr<'a>>,
        handles: &'a mut Handles,
    ) -> Self {
        Self {
            request,
            response,
            handles,
        }
    }

    /// What the handle stands for that the request begins with.
    fn opened(&mut self) -> Option<Option<&Opened>> {
        let handle = self.request.handle()?;
        Some(self.handles.get(&handle))
    }

    /// The handle that the response begins with stands for `opened`.
    fn opens(&mut self, opened: Opened) {
        if let Some(handle) = self.response.as_mut().and_then(Ndr::handle) {
            self.handles.learn(handle, opened);
        }
    }

    /// Reads something of the response.
    fn answered<T>(&mut self, read: impl FnOnce(&mut Ndr<'a>) -> Option<T>) -> Option<T> {
        read(self.response.as_mut()?)
    }
}

/// `SamrCloseHandle`, `LsarClose`, `RCloseServiceHandle`, `BaseRegCloseKey`: nothing to tell.
fn close(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let handle = call.request.handle()?;
    call.handles.forget(&handle);
    None
}

/// The information class that follows a handle.
fn level(call: &mut Exchange<'_>) -> Option<u32> {
    call.request.handle()?;
    call.request.enumeration()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::writer::BOTH;
    use super::*;

    const READ: [Uuid; 17] = [
        ATSVC,
        DRSUAPI,
        EFSRPC,
        EFSRPC_LSASS,
        EPM,
        FSRVP,
        LSARPC,
        NETDFS,
        NETLOGON,
        REMOTE_WINSPOOL,
        SAMR,
        SPOOLSS,
        SRVSVC,
        SVCCTL,
        TASK_SCHEDULER,
        WINREG,
        WKSSVC,
    ];

    proptest! {
        #[test]
        fn any_stub_is_survived_by_every_reader(
            syntax in prop::sample::select(BOTH.to_vec()),
            request in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..300),
            response in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        ) {
            let mut handles = Handles::default();
            for (interface, opnum) in READ.into_iter().flat_map(|it| (0..100).map(move |op| (it, op))) {
                let Some(reader) = reader(interface, opnum) else {
                    continue;
                };
                let response = response.as_deref().map(|stub| Ndr::new(stub, syntax));
                let request = Ndr::new(&request, syntax);
                reader(&mut Exchange::new(request, response, &mut handles));
            }
        }
    }

    #[test]
    fn what_is_read_has_a_name() {
        use super::super::interfaces::Interface;
        for (interface, opnum) in READ
            .into_iter()
            .flat_map(|it| (0..200).map(move |op| (it, op)))
        {
            if reader(interface, opnum).is_some() {
                let known = Interface::of(interface).unwrap();
                assert!(known.operation(opnum).is_some(), "{} {opnum}", known.name);
            }
        }
    }
}
