//! What a replay prints.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use goshawk_detect::Output;
use goshawk_model::{Activity, Alert, AlertId};
use serde::Serialize;

use crate::json::{ActivityLine, AlertLine};
use crate::pipeline::mind::Listener;
use crate::text::AlertText;

/// Collects alerts in their latest state and prints them at the end, each once, in order;
/// activities are printed as they pass.
pub(super) struct Show {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    activities: bool,
    alerts: BTreeMap<AlertId, Alert>,
    /// The first failure to write; later ones say the same.
    failed: Option<io::Error>,
}

impl Show {
    pub(super) fn new(json: bool, activities: bool) -> Self {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Self {
            out,
            json,
            activities,
            alerts: BTreeMap::new(),
            failed: None,
        }
    }

    /// Prints the alerts.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let mut alerts: Vec<Alert> = std::mem::take(&mut self.alerts).into_values().collect();
        alerts.sort_by_key(|alert| (alert.start, alert.external_id, alert.id));
        let colour = io::stdout().is_terminal();
        for alert in &alerts {
            if self.json {
                self.line(&AlertLine::from(alert));
            } else {
                let text = AlertText { alert, colour };
                self.keep(|out| writeln!(out, "{text}"));
            }
        }
        if !self.json {
            let count = alerts.len();
            self.keep(|out| match count {
                0 => writeln!(out, "No alerts."),
                1 => writeln!(out, "1 alert."),
                _ => writeln!(out, "{count} alerts."),
            });
        }
        self.keep(Write::flush);
        self.failed.map_or(Ok(()), Err)
    }

    fn line(&mut self, value: &impl Serialize) {
        self.keep(|out| {
            serde_json::to_writer(&mut *out, value)?;
            out.write_all(b"\n")
        });
    }

    fn keep(&mut self, write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.out).err();
        }
    }
}

impl Listener for Show {
    fn activity(&mut self, activity: &Activity) {
        if !self.activities {
            return;
        }
        if self.json {
            self.line(&ActivityLine::from(activity));
        } else {
            let line = crate::text::activity(activity);
            self.keep(|out| writeln!(out, "{line}"));
        }
    }

    fn output(&mut self, output: Output) {
        let (Output::Raised(alert) | Output::Updated(alert) | Output::Closed(alert)) = output;
        self.alerts.insert(alert.id, alert);
    }
}
