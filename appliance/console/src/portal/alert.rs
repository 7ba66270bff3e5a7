//! An alert's page, with everything it holds.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use goshawk_model::{AlertId, Confidence, Party};
use serde::Deserialize;
use tracing::info;

use super::Portal;
use super::attack::technique_name;
use super::page::{Failure, Frame, Moment, grouped, html};
use super::session::{OurForm, SignedIn, Tokened};
use crate::clock;
use crate::store::alerts::{self, Revision, Stored};

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    frame: Frame,
    id: String,
    external_id: u16,
    title: String,
    severity: String,
    confidence: &'static str,
    summary: String,
    reason: String,
    remediation: Vec<String>,
    source: PartyView,
    targets: Vec<PartyView>,
    more_targets: u64,
    techniques: Vec<Technique>,
    count: String,
    start: Moment,
    end: Moment,
    sensor: String,
    revision: u32,
    evidence: Vec<Evidence>,
    first_received: Moment,
    last_received: Moment,
    closed: Option<Moment>,
    closed_by: String,
    revisions: Vec<RevisionView>,
    raw: String,
}

struct PartyView {
    account: String,
    host: String,
    ip: String,
}

struct Technique {
    id: String,
    name: &'static str,
}

struct Evidence {
    time: Moment,
    detail: String,
    activity: String,
}

struct RevisionView {
    revision: u32,
    received: Moment,
    severity: String,
    count: String,
}

/// The form that closes or opens an alert.
#[derive(Deserialize)]
pub(super) struct Change {
    csrf: String,
}

impl Tokened for Change {
    fn token(&self) -> &str {
        &self.csrf
    }
}

/// `GET /alerts/{id}`
pub(super) async fn show(
    State(portal): State<Portal>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = parse(&id)?;
    let found = portal
        .0
        .store
        .read(move |c| Ok((alerts::find(c, id)?, alerts::revisions(c, id)?)))
        .await?;
    let (Some(stored), revisions) = found else {
        return Err(none());
    };
    let frame = Frame::new(&session, "alerts");
    Ok(html(&AlertPage::new(frame, stored, revisions)))
}

/// `POST /alerts/{id}/close`
pub(super) async fn close(
    state: State<Portal>,
    path: Path<String>,
    form: OurForm<Change>,
) -> Result<Response, Failure> {
    change(state, path, form, true).await
}

/// `POST /alerts/{id}/open`
pub(super) async fn open(
    state: State<Portal>,
    path: Path<String>,
    form: OurForm<Change>,
) -> Result<Response, Failure> {
    change(state, path, form, false).await
}

/// The alert that an address names.
pub(super) fn parse(id: &str) -> Result<AlertId, Failure> {
    id.parse().map_err(|_| none())
}

/// The answer where there is no such alert.
pub(super) fn none() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "There is no such alert. It may have been older than the retention allows.",
    )
}

async fn change(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    OurForm(session, _): OurForm<Change>,
    close: bool,
) -> Result<Response, Failure> {
    if session.must_change {
        return Ok(Redirect::to("/password").into_response());
    }
    let id = parse(&id)?;
    let user = session.user.clone();
    let exists = portal
        .0
        .store
        .write(move |tx| alerts::close(tx, id, close.then_some(&*user), clock::now()))
        .await?;
    if !exists {
        return Err(none());
    }
    let verb = if close { "closed" } else { "opened" };
    info!("{} {verb} alert {id}", session.user);
    Ok(Redirect::to(&format!("/alerts/{id}")).into_response())
}

impl AlertPage {
    fn new(frame: Frame, stored: Stored, revisions: Vec<Revision>) -> Self {
        // An alert came from JSON, so it can be written as such.
        let raw = serde_json::to_string_pretty(&stored.alert).unwrap_or_default();
        let alert = stored.alert;
        Self {
            frame,
            id: alert.id.to_string(),
            external_id: alert.external_id,
            severity: alert.severity.to_string(),
            confidence: match alert.confidence {
                Confidence::Low => "low: a guess worth a look",
                Confidence::Medium => "medium: likely",
                Confidence::High => "high: as good as certain",
            },
            more_targets: alert
                .targets_total
                .saturating_sub(alert.targets.len() as u64),
            source: alert.source.into(),
            targets: alert.targets.into_iter().map(Into::into).collect(),
            techniques: alert
                .techniques
                .into_iter()
                .map(|id| Technique {
                    name: technique_name(&id).unwrap_or_default(),
                    id,
                })
                .collect(),
            count: grouped(alert.count),
            start: alert.start.into(),
            end: alert.end.into(),
            revision: alert.revision,
            evidence: alert
                .evidence
                .into_iter()
                .map(|evidence| Evidence {
                    time: evidence.time.into(),
                    detail: evidence.detail,
                    activity: evidence.activity.to_string(),
                })
                .collect(),
            first_received: stored.first_received.into(),
            last_received: stored.last_received.into(),
            closed: stored.closed.map(Moment::from),
            closed_by: stored.closed_by.unwrap_or_default(),
            revisions: revisions.into_iter().map(Into::into).collect(),
            raw,
            title: alert.title,
            summary: alert.summary,
            reason: alert.reason,
            remediation: alert.remediation,
            sensor: alert.sensor,
        }
    }
}

impl From<Party> for PartyView {
    fn from(party: Party) -> Self {
        Self {
            account: party
                .account
                .map(|account| account.to_string())
                .unwrap_or_default(),
            host: party.host.unwrap_or_default(),
            ip: party.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        }
    }
}

impl PartyView {
    fn is_unknown(&self) -> bool {
        self.account.is_empty() && self.host.is_empty() && self.ip.is_empty()
    }
}

impl From<Revision> for RevisionView {
    fn from(revision: Revision) -> Self {
        Self {
            revision: revision.revision,
            received: revision.received.into(),
            severity: revision.severity.to_string(),
            count: grouped(revision.count),
        }
    }
}
