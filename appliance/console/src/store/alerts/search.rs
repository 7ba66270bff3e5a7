//! The timeline: a page of alerts, the newest activity first, that pass a filter.

use goshawk_model::Severity;
use rusqlite::{Connection, types::Value};

use super::{Columns, Stored, severity_number};
use crate::Result;

/// Alerts on one page.
pub const PAGE: u32 = 50;
/// Words of a text filter that count.
const MAX_TERMS: usize = 8;

/// What to show; the default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this severity.
    pub severity: Option<Severity>,
    /// In this state.
    pub state: Option<State>,
    /// Raised by this sensor.
    pub sensor: Option<String>,
    /// Holding each of these words, in any case.
    pub text: Option<String>,
}

/// Whether somebody has dealt with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody yet.
    Open,
    /// Somebody has.
    Closed,
}

/// A page of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// How many alerts pass the filter.
    pub total: u64,
    /// Those of this page.
    pub alerts: Vec<Stored>,
}

/// The page of that number, the first being 1, of the alerts that pass `filter`.
///
/// # Errors
/// If the store cannot be read.
pub fn search(connection: &Connection, filter: &Filter, page: u32) -> Result<Page> {
    let (condition, values) = condition(filter);
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM alerts WHERE {condition}"))?
        .query_row(rusqlite::params_from_iter(&values), |row| row.get(0))?;
    let offset = u64::from(PAGE) * u64::from(page.saturating_sub(1));
    let alerts = connection
        .prepare_cached(&format!(
            "SELECT body, first_received, last_received, closed, closed_by FROM alerts
             WHERE {condition} ORDER BY ended DESC, id LIMIT {PAGE} OFFSET {offset}"
        ))?
        .query_map(rusqlite::params_from_iter(&values), Columns::read)?
        .map(|row| row.map_err(Into::into).and_then(Columns::stored))
        .collect::<Result<_>>()?;
    Ok(Page {
        total: total.unsigned_abs(),
        alerts,
    })
}

/// The condition in SQL; what users typed stands in the values alone.
fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    if let Some(severity) = filter.severity {
        conditions.push("severity = ?".into());
        values.push(i64::from(severity_number(severity)).into());
    }
    if let Some(sensor) = &filter.sensor {
        conditions.push("sensor = ?".into());
        values.push(sensor.clone().into());
    }
    match filter.state {
        Some(State::Open) => conditions.push("closed IS NULL".into()),
        Some(State::Closed) => conditions.push("closed IS NOT NULL".into()),
        None => {}
    }
    let text = filter.text.as_deref().unwrap_or_default().to_lowercase();
    for term in text.split_whitespace().take(MAX_TERMS) {
        conditions.push("instr(words, ?)".into());
        values.push(term.to_owned().into());
    }
    (conditions.join(" AND "), values)
}
