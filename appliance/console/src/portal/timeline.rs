//! The alert timeline: the newest activity first.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use goshawk_model::{Party, Severity};
use serde::Deserialize;

use super::Portal;
use super::page::{Failure, Frame, Moment, grouped, html};
use super::session::SignedIn;
use crate::store::alerts::{self, Filter, PAGE, Page, State as AlertState, Stored};
use crate::store::sensors;
use crate::{clock, secret};

/// What the address says to show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) severity: String,
    pub(super) state: String,
    pub(super) sensor: String,
    pub(super) q: String,
    pub(super) page: String,
}

impl Wanted {
    /// As the store understands it.
    ///
    /// # Errors
    /// Which of the values is none.
    pub(super) fn filter(&self) -> Result<(Filter, u32), String> {
        let severity = match self.severity.as_str() {
            "" => None,
            "low" => Some(Severity::Low),
            "medium" => Some(Severity::Medium),
            "high" => Some(Severity::High),
            other => {
                return Err(format!(
                    "severity is {other:?}; it may be low, medium or high"
                ));
            }
        };
        let state = match self.state.as_str() {
            "" => None,
            "open" => Some(AlertState::Open),
            "closed" => Some(AlertState::Closed),
            other => return Err(format!("state is {other:?}; it may be open or closed")),
        };
        let page = match self.page.as_str() {
            "" => 1,
            text => match text.parse() {
                Ok(page) if page > 0 => page,
                _ => return Err(format!("page is {text:?}; it may be 1 or more")),
            },
        };
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let filter = Filter {
            severity,
            state,
            sensor: given(&self.sensor),
            text: given(&self.q),
        };
        Ok((filter, page))
    }

    fn is_filter(&self) -> bool {
        [&self.severity, &self.state, &self.sensor, &self.q]
            .iter()
            .any(|value| !value.trim().is_empty())
    }

    /// The address of another page of the same.
    fn address(&self, path: &str, page: u32) -> String {
        let encode = |text: &str| {
            text.bytes()
                .map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                        char::from(byte).to_string()
                    }
                    _ => format!("%{byte:02X}"),
                })
                .collect::<String>()
        };
        let page = if page > 1 {
            page.to_string()
        } else {
            String::new()
        };
        let pairs = [
            ("severity", &self.severity),
            ("state", &self.state),
            ("sensor", &self.sensor),
            ("q", &self.q),
            ("page", &page),
        ];
        let query = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", encode(value)))
            .collect::<Vec<_>>()
            .join("&");
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }
}

/// The part of the page that refreshes itself.
#[derive(Template)]
#[template(path = "rows.html")]
struct Rows {
    rows: Vec<Row>,
    total: String,
    first: u64,
    last: u64,
    newer: Option<String>,
    older: Option<String>,
    filtered: bool,
    no_sensors: bool,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage {
    frame: Frame,
    wanted: Wanted,
    sensors: Vec<String>,
    rows: Rows,
    rows_address: String,
    this_address: String,
    automatic_address: String,
}

/// One alert of the timeline.
struct Row {
    id: String,
    severity: String,
    title: String,
    summary: String,
    source: String,
    targets: String,
    count: String,
    last: Moment,
    sensor: String,
    closed: bool,
}

impl From<Stored> for Row {
    fn from(stored: Stored) -> Self {
        let alert = stored.alert;
        let mut targets = alert.targets.first().map_or_else(String::new, name);
        let others = alert.targets_total.saturating_sub(1);
        if others > 0 && !targets.is_empty() {
            targets.push_str(&format!(" and {} more", grouped(others)));
        }
        Self {
            id: alert.id.to_string(),
            severity: alert.severity.to_string(),
            source: name(&alert.source),
            targets,
            count: grouped(alert.count),
            last: alert.end.into(),
            title: alert.title,
            summary: alert.summary,
            sensor: alert.sensor,
            closed: stored.closed.is_some(),
        }
    }
}

/// A party in few words: the account if known, and the machine.
pub(super) fn name(party: &Party) -> String {
    let machine = party
        .host
        .clone()
        .or_else(|| party.ip.map(|ip| ip.to_string()));
    match (&party.account, machine) {
        (Some(account), Some(machine)) => format!("{account} on {machine}"),
        (Some(account), None) => account.to_string(),
        (None, Some(machine)) => machine,
        (None, None) => String::new(),
    }
}

/// `GET /`
pub(super) async fn show(
    State(portal): State<Portal>,
    SignedIn(session): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let (rows, sensors) = load(&portal, &wanted).await?;
    let page = wanted.page.parse().unwrap_or(1);
    let this_address = wanted.address("/", page);
    let joint = if this_address.contains('?') { '&' } else { '?' };
    Ok(html(&TimelinePage {
        frame: Frame::new(&session, "alerts"),
        rows_address: wanted.address("/rows", page),
        automatic_address: format!("{this_address}{joint}auto=1"),
        this_address,
        wanted,
        sensors,
        rows,
    }))
}

/// `GET /rows`: the part that refreshes itself, or 304 if nothing has changed.
pub(super) async fn rows(
    State(portal): State<Portal>,
    SignedIn(_): SignedIn,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (rows, _) = load(&portal, &wanted).await?;
    let text = rows
        .render()
        .map_err(|error| crate::Error::Runtime(format!("cannot make a page: {error}")))?;
    let tag = format!(
        "\"{}\"",
        secret::text(&secret::digest(text.as_bytes())[..12])
    );
    if headers
        .get(IF_NONE_MATCH)
        .is_some_and(|held| held.as_bytes() == tag.as_bytes())
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    // Quoted base64url is a valid header.
    let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""));
    Ok(([(ETAG, tag)], Html(text)).into_response())
}

async fn load(portal: &Portal, wanted: &Wanted) -> Result<(Rows, Vec<String>), Failure> {
    let (filter, page) = wanted
        .filter()
        .map_err(|reason| Failure::new(StatusCode::BAD_REQUEST, reason))?;
    let (found, sensors) = portal
        .0
        .store
        .read(move |c| {
            let found = alerts::search(c, &filter, page)?;
            Ok((found, sensors::list(c, clock::now())?))
        })
        .await?;
    let sensors: Vec<_> = sensors.into_iter().map(|sensor| sensor.name).collect();
    Ok((Rows::new(found, wanted, page, sensors.is_empty()), sensors))
}

impl Rows {
    fn new(found: Page, wanted: &Wanted, page: u32, no_sensors: bool) -> Self {
        let before = u64::from(PAGE) * u64::from(page - 1);
        let last = before + found.alerts.len() as u64;
        let address = |page| wanted.address("/", page);
        Self {
            first: before + 1,
            last,
            newer: (page > 1).then(|| address(page - 1)),
            older: (last < found.total && !found.alerts.is_empty()).then(|| address(page + 1)),
            filtered: wanted.is_filter() || page > 1,
            total: grouped(found.total),
            rows: found.alerts.into_iter().map(Row::from).collect(),
            no_sensors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_shows() {
        let wanted = Wanted {
            severity: "high".into(),
            q: "a&b=c d".into(),
            ..Wanted::default()
        };
        assert_eq!(wanted.address("/", 1), "/?severity=high&q=a%26b%3Dc%20d");
        assert_eq!(Wanted::default().address("/", 3), "/?page=3");
        assert_eq!(Wanted::default().address("/rows", 1), "/rows");
    }

    #[test]
    fn values_that_are_none_are_named() {
        let wanted = |severity: &str, state: &str, page: &str| {
            Wanted {
                severity: severity.into(),
                state: state.into(),
                page: page.into(),
                ..Wanted::default()
            }
            .filter()
        };
        assert!(wanted("high", "open", "2").is_ok());
        assert!(wanted("loud", "", "").unwrap_err().contains("loud"));
        assert!(wanted("", "ajar", "").unwrap_err().contains("ajar"));
        for page in ["0", "-1", "x", "99999999999"] {
            assert!(wanted("", "", page).is_err(), "{page}");
        }
    }

    #[test]
    fn a_party_is_named_by_what_is_known() {
        let mut party = Party::default();
        assert_eq!(name(&party), "");
        party.ip = Some([10, 0, 0, 1].into());
        assert_eq!(name(&party), "10.0.0.1");
        party.host = Some("dc1".into());
        assert_eq!(name(&party), "dc1");
        party.account = Some(goshawk_model::Account::new("bob", "corp"));
        assert_eq!(name(&party), "bob@corp on dc1");
    }
}
