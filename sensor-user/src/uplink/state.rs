//! How the line to the console is, as the rest of the sensor sees it.

use std::sync::{Mutex, PoisonError};

use tracing::info;

use super::complaint::Complaint;

/// Written by the client's thread, read by whoever tells the sensor's health.
#[derive(Debug, Default)]
pub(super) struct State {
    connected: Mutex<Option<bool>>,
    line: Complaint,
    clock: Complaint,
    expiry: Complaint,
}

impl State {
    /// Whether the console is connected; `None` without enrollment.
    pub(super) fn is_connected(&self) -> Option<bool> {
        *self.lock()
    }

    /// What is wrong now, one clear line each.
    pub(super) fn problems(&self) -> Vec<String> {
        [&self.line, &self.clock, &self.expiry]
            .into_iter()
            .filter_map(Complaint::current)
            .collect()
    }

    /// There is no console.
    pub(super) fn alone(&self) {
        *self.lock() = None;
        self.line
            .settle("this sensor is no longer enrolled; alerts stay in its spool");
        self.clock(None);
        self.expiry(None);
    }

    /// The console said welcome.
    pub(super) fn connected(&self, address: &str) {
        *self.lock() = Some(true);
        let line = format!("connected to the console at {address}");
        if self.line.current().is_none() {
            info!("{line}");
        }
        self.line.settle(&line);
    }

    /// There is no conversation, because of `line`.
    pub(super) fn disconnected(&self, line: &str) {
        *self.lock() = Some(false);
        self.line.raise(line);
    }

    /// A conversation may come; nothing is wrong yet.
    pub(super) fn connecting(&self) {
        self.lock().get_or_insert(false);
    }

    /// What is wrong with the clocks.
    pub(super) fn clock(&self, line: Option<String>) {
        set(
            &self.clock,
            line,
            "this machine's clock agrees with the console's again",
        );
    }

    /// What is wrong with the certificate's age.
    pub(super) fn expiry(&self, line: Option<String>) {
        set(&self.expiry, line, "this sensor's certificate was renewed");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<bool>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(complaint: &Complaint, line: Option<String>, settled: &str) {
    match line {
        Some(line) => complaint.raise(&line),
        None => complaint.settle(settled),
    }
}
