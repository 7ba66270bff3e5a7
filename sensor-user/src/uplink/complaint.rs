//! What is wrong at the moment, said once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

/// One thing that can be wrong: logged when it begins and when it ends, not each time it is found
/// wrong again, and shown as a health problem as long as it lasts.
#[derive(Debug, Default)]
pub(crate) struct Complaint(Mutex<Option<String>>);

impl Complaint {
    /// `line` is wrong now.
    pub(crate) fn raise(&self, line: &str) {
        let mut current = self.lock();
        if current.as_deref() != Some(line) {
            warn!("{line}");
            *current = Some(line.to_owned());
        }
    }

    /// All is well (again, if something was wrong: then `line` says so in the log).
    pub(crate) fn settle(&self, line: &str) {
        if self.lock().take().is_some() {
            info!("{line}");
        }
    }

    /// The line, while it is wrong.
    pub(crate) fn current(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
