//! What pages have in common: their frame, their times, their failures.

use askama::Template;
use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use goshawk_model::Timestamp;
use serde_json::json;
use tracing::error;

use super::headers;
use super::session::Session;
use crate::Error;

/// What the frame around a page shows.
pub(super) struct Frame {
    /// Who is signed in.
    pub(super) user: String,
    /// For the frame's own form, the one that signs out.
    pub(super) form_token: String,
    /// The page's place in the navigation.
    pub(super) place: &'static str,
    /// This build, for the foot of the page.
    pub(super) version: &'static str,
}

impl Frame {
    /// The frame of a page at `place` for who is signed in.
    pub(super) fn new(session: &Session, place: &'static str) -> Self {
        Self {
            user: session.user.clone(),
            form_token: session.form_token.clone(),
            place,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A time as pages show it.
pub(super) struct Moment {
    /// RFC 3339, whole, for machines and the tooltip.
    pub(super) exact: String,
    /// `2026-11-24 08:11:35`, UTC.
    pub(super) short: String,
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let exact = time.to_string();
        // RFC 3339's first nineteen characters are date, 'T' and time to the second.
        let short = exact.chars().take(19).collect::<String>().replace('T', " ");
        Self { exact, short }
    }
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The page that a template makes.
pub(super) fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(why) => {
            Failure::from(Error::Runtime(format!("cannot make a page: {why}"))).into_response()
        }
    }
}

/// Something that cannot be shown.
pub(super) struct Failure {
    status: StatusCode,
    reason: String,
    api: bool,
}

impl Failure {
    /// With this status, for this reason.
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            api: false,
        }
    }

    /// As JSON instead of a page.
    pub(super) const fn for_api(mut self, api: bool) -> Self {
        self.api = api;
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // The details are for the log; a stranger has no business with them.
        error!("the portal cannot answer: {error}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The console cannot answer this now; its log says why.",
        )
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    title: &'static str,
    reason: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.api {
            return (self.status, Json(json!({ "error": self.reason }))).into_response();
        }
        let page = FailurePage {
            title: self.status.canonical_reason().unwrap_or("Failure"),
            reason: self.reason,
        };
        // The template holds two texts: rendering it cannot fail in a way of its own.
        let text = page.render().unwrap_or(page.reason);
        (self.status, Html(text)).into_response()
    }
}

/// What is nowhere.
pub(super) async fn not_found() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// The answer to a request that did not end in time.
pub(super) fn too_slow() -> Response<Body> {
    let mut response: Response = Failure::new(
        StatusCode::REQUEST_TIMEOUT,
        "The request did not end in time.",
    )
    .into_response();
    headers::add(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_read_well() {
        let moment = Moment::from(Timestamp::from_parts(1_772_359_200, 5));
        assert_eq!(moment.short, "2026-03-01 10:00:00");
        assert_eq!(moment.exact, "2026-03-01T10:00:00.000000005Z");
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
