//! What the handles of an association stand for, so that "add a member to this" can be named.

use std::collections::VecDeque;

use goshawk_model::rpc::SamrObject;

use super::super::ndr::Handle;

/// Handles that are remembered on one association. People who enumerate open one object after the
/// other and close each.
const MAX_HANDLES: usize = 64;

/// The handles that were given out, the latest last.
#[derive(Debug, Default)]
pub(in super::super) struct Handles {
    known: VecDeque<(Handle, Opened)>,
}

/// What was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// An object of the account database ([MS-SAMR] 2.2.7.4).
    Object(SamrObject),
    /// A secret ([MS-LSAD] 2.2.2.1), a service ([MS-SCMR] 2.2.4), a registry key ([MS-RRP] 2.2.6).
    Named(Box<str>),
}

impl Handles {
    /// What `handle` stands for.
    pub(super) fn get(&self, handle: &Handle) -> Option<&Opened> {
        let mut latest = self.known.iter().rev();
        latest
            .find(|(known, _)| known == handle)
            .map(|(_, opened)| opened)
    }

    /// `handle` stands for `opened` from now on; the oldest makes room. All zeros is no handle.
    pub(super) fn learn(&mut self, handle: Handle, opened: Opened) {
        self.forget(&handle);
        if handle == [0; 20] {
            return;
        }
        if self.known.len() >= MAX_HANDLES {
            self.known.pop_front();
        }
        self.known.push_back((handle, opened));
    }

    /// `handle` is closed.
    pub(super) fn forget(&mut self, handle: &Handle) {
        self.known.retain(|(known, _)| known != handle);
    }
}

impl Opened {
    pub(super) fn object(&self) -> Option<&SamrObject> {
        match self {
            Self::Object(object) => Some(object),
            Self::Named(_) => None,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Object(_) => None,
            Self::Named(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_handles_are_remembered() {
        let mut handles = Handles::default();
        for number in 1..200 {
            handles.learn([number; 20], Opened::Named(number.to_string().into()));
            assert!(handles.known.len() <= MAX_HANDLES);
        }
        let name = |handles: &Handles, number| {
            let opened = handles.get(&[number; 20]);
            opened.and_then(Opened::name).map(str::to_owned)
        };
        assert_eq!(name(&handles, 1), None);
        assert_eq!(name(&handles, 199).as_deref(), Some("199"));
        handles.forget(&[199; 20]);
        assert_eq!(name(&handles, 199), None);
    }
}
