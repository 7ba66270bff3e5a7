//! The same facts as JSON, for scripts, under the same session.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::Portal;
use super::page::Failure;
use super::session::SignedIn;
use super::timeline::Wanted;
use crate::clock;
use crate::store::alerts::{self as store, PAGE, Stored};
use crate::store::sensors::{self as known, Sensor};

/// A page of alerts.
#[derive(Serialize)]
pub(super) struct Alerts {
    /// How many alerts pass the filter.
    total: u64,
    /// This page, from 1.
    page: u32,
    /// How many alerts a page holds.
    size: u32,
    /// The alerts, newest activity first.
    alerts: Vec<Stored>,
}

/// Every sensor.
#[derive(Serialize)]
pub(super) struct Sensors {
    sensors: Vec<Sensor>,
}

/// `GET /api/alerts?severity=&state=&sensor=&q=&page=`
pub(super) async fn alerts(
    State(portal): State<Portal>,
    SignedIn(_): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Alerts>, Failure> {
    let (filter, page) = wanted
        .filter()
        .map_err(|reason| Failure::new(StatusCode::BAD_REQUEST, reason).for_api(true))?;
    let found = portal
        .0
        .store
        .read(move |c| store::search(c, &filter, page))
        .await
        .map_err(failed)?;
    Ok(Json(Alerts {
        total: found.total,
        page,
        size: PAGE,
        alerts: found.alerts,
    }))
}

/// `GET /api/alerts/{id}`
pub(super) async fn alert(
    State(portal): State<Portal>,
    SignedIn(_): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Stored>, Failure> {
    let none = || super::alert::none().for_api(true);
    let id = id.parse().map_err(|_| none())?;
    let found = portal
        .0
        .store
        .read(move |c| store::find(c, id))
        .await
        .map_err(failed)?;
    found.map(Json).ok_or_else(none)
}

/// `GET /api/sensors`
pub(super) async fn sensors(
    State(portal): State<Portal>,
    SignedIn(_): SignedIn,
) -> Result<Json<Sensors>, Failure> {
    let sensors = portal
        .0
        .store
        .read(|c| known::list(c, clock::now()))
        .await
        .map_err(failed)?;
    Ok(Json(Sensors { sensors }))
}

fn failed(error: crate::Error) -> Failure {
    Failure::from(error).for_api(true)
}
