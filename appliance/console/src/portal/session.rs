//! Who is asking: cookies, sessions, and proof that a form is one of ours.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, extract::OptionalFromRequestParts};
use goshawk_model::Timestamp;
use serde::de::DeserializeOwned;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

use super::Portal;
use super::page::Failure;
use crate::clock;
use crate::secret;
use crate::store::sessions;

/// The session's cookie. The prefix makes browsers insist on `Secure`, on `Path=/` and on this
/// very host (RFC 6265bis 4.1.3.2).
pub(super) const SESSION: &str = "__Host-goshawk-session";
/// The sign-in form's cookie, for there is no session yet to hold its token.
pub(super) const FORM: &str = "__Host-goshawk-form";

/// Who is signed in, one-time password or not.
pub(super) struct Session {
    /// The cookie's bytes.
    pub(super) id: Vec<u8>,
    /// Who.
    pub(super) user: String,
    /// Whether only the password may be changed.
    pub(super) must_change: bool,
    /// What the session's forms carry.
    pub(super) form_token: String,
}

/// Who is signed in with a password of their own.
pub(super) struct SignedIn(pub(super) Session);

/// A form of ours: posted from our own page within the session.
pub(super) struct OurForm<T>(pub(super) Session, pub(super) T);

/// A form that carries its session's token.
pub(super) trait Tokened: DeserializeOwned {
    /// The token that came with the form.
    fn token(&self) -> &str;
}

/// Why somebody is not let through.
pub(super) enum Denied {
    /// Nobody is signed in.
    SignIn {
        /// Whether a script asks, which wants no page.
        api: bool,
        /// Where to go afterwards.
        next: String,
    },
    /// A one-time password must be changed first.
    ChangePassword {
        /// Whether a script asks, which wants no page.
        api: bool,
    },
    /// Something else.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for Denied {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { api: true, .. } => {
                Failure::new(StatusCode::UNAUTHORIZED, "sign in first")
                    .for_api(true)
                    .into_response()
            }
            Self::SignIn { api: false, next } if next == "/" => {
                Redirect::to("/signin").into_response()
            }
            Self::SignIn { api: false, next } => {
                // The path is a URI's already; only what a query's value may not hold is left.
                let next = next
                    .replace('%', "%25")
                    .replace('&', "%26")
                    .replace('+', "%2B");
                Redirect::to(&format!("/signin?next={next}")).into_response()
            }
            Self::ChangePassword { api: true } => Failure::new(
                StatusCode::FORBIDDEN,
                "the one-time password must be changed first, on the portal",
            )
            .for_api(true)
            .into_response(),
            Self::ChangePassword { api: false } => Redirect::to("/password").into_response(),
            Self::Failed(failure) => failure.into_response(),
        }
    }
}

impl FromRequestParts<Portal> for Session {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Denied> {
        match find(&parts.headers, &parts.uri, portal).await? {
            Some(session) => Ok(session),
            None => Err(Denied::SignIn {
                api: wants_no_page(&parts.uri),
                next: return_path(parts),
            }),
        }
    }
}

impl OptionalFromRequestParts<Portal> for Session {
    type Rejection = Denied;

    async fn from_request_parts(
        parts: &mut Parts,
        portal: &Portal,
    ) -> Result<Option<Self>, Denied> {
        find(&parts.headers, &parts.uri, portal).await
    }
}

impl FromRequestParts<Portal> for SignedIn {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Denied> {
        let session =
            <Session as FromRequestParts<Portal>>::from_request_parts(parts, portal).await?;
        if session.must_change {
            return Err(Denied::ChangePassword {
                api: wants_no_page(&parts.uri),
            });
        }
        Ok(Self(session))
    }
}

impl<T: Tokened> FromRequest<Portal> for OurForm<T> {
    type Rejection = Denied;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Denied> {
        let (mut parts, body) = request.into_parts();
        let session =
            <Session as FromRequestParts<Portal>>::from_request_parts(&mut parts, portal).await?;
        let Form(form) = read_form::<T>(Request::from_parts(parts, body)).await?;
        if !same(form.token(), &session.form_token) {
            return Err(stale_form().into());
        }
        Ok(Self(session, form))
    }
}

/// Reads a form; what is none is the sender's fault.
pub(super) async fn read_form<T: DeserializeOwned>(request: Request) -> Result<Form<T>, Failure> {
    Form::from_request(request, &())
        .await
        .map_err(|rejection| Failure::new(rejection.status(), rejection.body_text()))
}

/// The answer to a form without its token: forged, or from before a sign-in.
pub(super) fn stale_form() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "This form is not valid any more. Go back, reload the page and try again.",
    )
}

/// Compares secrets in a time that does not tell where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A cookie for the browser's session; an empty value removes it.
pub(super) fn set_cookie(name: &str, value: &str) -> HeaderValue {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}");
    // Names are ours and values are base64url, so this is a valid header.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Lets a request that changes something through only from our own pages. Browsers say where a
/// request comes from; what says nothing is no browser, and has the form's token to show.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if safe || comes_from_us(request.headers()) {
        next.run(request).await
    } else {
        Failure::new(
            StatusCode::FORBIDDEN,
            "This request comes from another site, and was not carried out.",
        )
        .into_response()
    }
}

fn comes_from_us(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    // With our referrer policy browsers send `Origin: null` even to ourselves (Fetch, "append a
    // request Origin header"), so Sec-Fetch-Site is asked first.
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        (Some(_), None) => false,
    }
}

async fn find(headers: &HeaderMap, uri: &Uri, portal: &Portal) -> Result<Option<Session>, Denied> {
    let Some(id) = cookie(headers, SESSION).and_then(secret::from_text) else {
        return Ok(None);
    };
    let lifetime = portal.0.lifetime;
    let (key, now) = (id.clone(), clock::now());
    let found = portal
        .0
        .store
        .read(move |c| sessions::find(c, &key, lifetime, now))
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    if !refreshes_itself(uri) && is_worth_noting(found.seen, now, lifetime.idle) {
        let key = id.clone();
        portal
            .0
            .store
            .write(move |tx| sessions::touch(tx, &key, now))
            .await?;
    }
    Ok(Some(Session {
        id,
        user: found.user,
        must_change: found.must_change,
        form_token: found.form_token,
    }))
}

/// A page that refreshes itself is no sign of a person: it keeps no session alive.
fn refreshes_itself(uri: &Uri) -> bool {
    uri.path() == "/rows"
        || uri
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "auto=1"))
}

/// Clicks are noted once in a twentieth of the idle time, not each with a write to disk.
fn is_worth_noting(seen: Timestamp, now: Timestamp, idle: Duration) -> bool {
    now.since(seen) >= idle / 20
}

fn wants_no_page(uri: &Uri) -> bool {
    uri.path().starts_with("/api/") || uri.path() == "/rows"
}

fn return_path(parts: &Parts) -> String {
    if parts.method != Method::GET {
        return "/".into();
    }
    parts
        .uri
        .path_and_query()
        .map_or_else(|| "/".into(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn other_sites_forms_are_told_apart() {
        for (wanted, pairs) in [
            (
                true,
                &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
            ),
            (false, &[("sec-fetch-site", "cross-site")]),
            (false, &[("sec-fetch-site", "same-site")]),
            (false, &[("sec-fetch-site", "none")]),
            (
                true,
                &[("origin", "https://console:8443"), ("host", "console:8443")],
            ),
            (
                false,
                &[("origin", "https://evil"), ("host", "console:8443")],
            ),
            (
                false,
                &[("origin", "http://console:8443"), ("host", "console:8443")],
            ),
            (false, &[("origin", "null"), ("host", "console:8443")]),
            (false, &[("origin", "https://console:8443")]),
            (true, &[("host", "console:8443")]),
        ] {
            assert_eq!(comes_from_us(&headers(pairs)), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let headers = headers(&[("cookie", "a=1; __Host-goshawk-session=xyz; b=2")]);
        assert_eq!(cookie(&headers, SESSION), Some("xyz"));
        assert_eq!(cookie(&headers, FORM), None);
    }

    #[test]
    fn cookies_are_for_this_host_and_no_script() {
        let cookie = set_cookie(SESSION, "xyz");
        assert_eq!(
            cookie,
            "__Host-goshawk-session=xyz; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        let gone = set_cookie(SESSION, "");
        assert!(gone.to_str().unwrap().ends_with("; Max-Age=0"));
    }

    #[test]
    fn a_page_that_refreshes_itself_keeps_no_session_alive() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(refreshes_itself(&uri("/rows?q=x")));
        assert!(refreshes_itself(&uri("/?q=x&auto=1")));
        assert!(!refreshes_itself(&uri("/?q=auto=12")));
        assert!(!refreshes_itself(&uri("/alerts/1")));
    }
}
