//! Names of the interfaces that domain controllers and members offer, and of their operations, as
//! the documents have them: one file for each family.

mod control;
mod directory;
mod files;
mod objects;
mod printing;
mod terminal;

use uuid::Uuid;

/// An interface.
pub(super) struct Interface {
    uuid: Uuid,
    /// Its name, as its IDL has it.
    pub(super) name: &'static str,
    /// The names of its operations in the order of their opnums; empty for those that do not
    /// travel.
    operations: &'static [&'static str],
}

const FAMILIES: [&[Interface]; 6] = [
    directory::DIRECTORY,
    files::FILES,
    control::CONTROL,
    terminal::TERMINAL,
    printing::PRINTING,
    objects::OBJECTS,
];

impl Interface {
    /// The interface with this UUID, if it is one of those.
    pub(super) fn of(uuid: Uuid) -> Option<&'static Self> {
        all().find(|known| known.uuid == uuid)
    }

    /// The operation's name.
    pub(super) fn operation(&self, opnum: u16) -> Option<&'static str> {
        self.operations
            .get(usize::from(opnum))
            .copied()
            .filter(|name| !name.is_empty())
    }
}

/// The interface that a pipe's name stands for: a guess, for any interface of the same process may
/// be bound over it.
pub(super) fn of_pipe(pipe: &str) -> Option<Uuid> {
    let name = match pipe {
        "epmapper" => "epm",
        "initshutdown" => "InitShutdown",
        "fssagentrpc" => "FileServerVssAgent",
        "winreg" | "samr" | "lsarpc" | "netlogon" | "srvsvc" | "wkssvc" | "svcctl" | "atsvc"
        | "spoolss" | "netdfs" | "efsrpc" | "eventlog" | "browser" | "w32time" => pipe,
        _ => return None,
    };
    // Of the two interfaces named `efsrpc`, the second goes over the pipe of that name.
    let named = |known: &&Interface| known.name.eq_ignore_ascii_case(name);
    all().filter(named).last().map(|known| known.uuid)
}

fn all() -> impl Iterator<Item = &'static Interface> {
    FAMILIES.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use goshawk_model::rpc::{DRSUAPI, EFSRPC, EPM, drsuapi};

    use super::*;

    #[test]
    fn no_interface_is_listed_twice() {
        let distinct: BTreeSet<_> = all().map(|known| known.uuid).collect();
        assert_eq!(distinct.len(), all().count());
    }

    #[test]
    fn operations_have_the_numbers_that_detections_use() {
        for (uuid, opnum, name) in [
            (DRSUAPI, drsuapi::DRS_BIND, "IDL_DRSBind"),
            (DRSUAPI, drsuapi::DRS_GET_NC_CHANGES, "IDL_DRSGetNCChanges"),
            (DRSUAPI, drsuapi::DRS_CRACK_NAMES, "IDL_DRSCrackNames"),
            (EPM, super::super::stub::EPT_MAP, "ept_map"),
        ] {
            let operation = Interface::of(uuid).and_then(|known| known.operation(opnum));
            assert_eq!(operation, Some(name));
        }
        let drsuapi = Interface::of(DRSUAPI).unwrap();
        assert_eq!(drsuapi.operation(99), None);
    }

    #[test]
    fn every_pipe_leads_to_an_interface() {
        assert_eq!(of_pipe("efsrpc"), Some(EFSRPC));
        for pipe in ["initshutdown", "fssagentrpc", "w32time", "browser", "samr"] {
            assert!(of_pipe(pipe).is_some(), "{pipe}");
        }
        assert_eq!(of_pipe("mojo.1234"), None);
    }
}
