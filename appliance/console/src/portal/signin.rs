//! Signing in and out, and changing one's password.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use tracing::{info, warn};

use super::page::{Failure, Frame, html};
use super::session::{self, FORM, OurForm, SESSION, Session, Tokened};
use super::{Failures, Portal};
use crate::limit::origin;
use crate::store::{off_thread, sessions, users};
use crate::{clock, password, secret};

/// The longest user name that is looked up, bytes.
const MAX_USER: usize = 128;
/// How long a sign-in waits for its turn to be hashed.
const TURN: Duration = Duration::from_secs(10);

/// Where to go after signing in.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The sign-in form.
#[derive(Deserialize)]
struct SignIn {
    csrf: String,
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The form that signs out.
#[derive(Deserialize)]
pub(super) struct SignOut {
    csrf: String,
}

/// The form that changes a password.
#[derive(Deserialize)]
pub(super) struct ChangePassword {
    csrf: String,
    current: String,
    new: String,
    again: String,
}

impl Tokened for SignOut {
    fn token(&self) -> &str {
        &self.csrf
    }
}

impl Tokened for ChangePassword {
    fn token(&self) -> &str {
        &self.csrf
    }
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage {
    form_token: String,
    username: String,
    next: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    must_change: bool,
    problem: Option<&'static str>,
}

/// `GET /signin`
pub(super) async fn show(
    session: Option<Session>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Failure> {
    if session.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    sign_in_page(&headers, StatusCode::OK, "", &next, None)
}

/// `POST /signin`
pub(super) async fn sign_in(
    State(portal): State<Portal>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let form = session::read_form::<SignIn>(request).await?.0;
    let expected = session::cookie(&headers, FORM).unwrap_or_default();
    if expected.is_empty() || !session::same(&form.csrf, expected) {
        return Err(session::stale_form());
    }
    let again = |status, problem: String| {
        sign_in_page(&headers, status, &form.username, &form.next, Some(problem))
    };
    if form.username.len() > MAX_USER || form.password.len() > password::MAX_LENGTH {
        return again(StatusCode::UNAUTHORIZED, WRONG.into());
    }
    let _turn = turn(&portal).await?;
    if let Some(wait) = portal.wait(&form.username, address) {
        return again(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "Too many failed attempts. Try again in {}.",
                clock::readable(Duration::from_secs(wait.as_secs() + 1))
            ),
        );
    }
    if !portal
        .password_matches(&form.username, &form.password)
        .await?
    {
        portal.note_failure(&form.username, address);
        warn!("a sign-in as {:?} from {address} failed", form.username);
        return again(StatusCode::UNAUTHORIZED, WRONG.into());
    }
    portal.note_success(&form.username, address);
    info!("{} signed in from {address}", form.username);
    // A session that the browser held before ends here: its id may have been planted.
    let earlier = session::cookie(&headers, SESSION).and_then(secret::from_text);
    let cookie = portal.begin_session(earlier, form.username).await?;
    Ok((
        AppendHeaders([
            (SET_COOKIE, cookie),
            (SET_COOKIE, session::set_cookie(FORM, "")),
        ]),
        Redirect::to(local(&form.next)),
    )
        .into_response())
}

/// `POST /signout`
pub(super) async fn sign_out(
    State(portal): State<Portal>,
    OurForm(session, _): OurForm<SignOut>,
) -> Result<Response, Failure> {
    info!("{} signed out", session.user);
    portal
        .0
        .store
        .write(move |tx| sessions::end(tx, &session.id))
        .await?;
    Ok((
        [(SET_COOKIE, session::set_cookie(SESSION, ""))],
        Redirect::to("/signin"),
    )
        .into_response())
}

/// `GET /password`
pub(super) async fn show_password(session: Session) -> Response {
    html(&PasswordPage {
        must_change: session.must_change,
        frame: Frame::new(&session, "password"),
        problem: None,
    })
}

/// `POST /password`
pub(super) async fn change_password(
    State(portal): State<Portal>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    OurForm(session, form): OurForm<ChangePassword>,
) -> Result<Response, Failure> {
    let _turn = turn(&portal).await?;
    let problem = if let Some(problem) = password::weakness(&form.new, &session.user) {
        Some(problem)
    } else if form.new != form.again {
        Some("The two new passwords differ.")
    } else if form.new == form.current {
        Some("The new password is the old one.")
    } else if portal.wait(&session.user, address).is_some() {
        Some("Too many failed attempts: wait a while.")
    } else if !portal
        .password_matches(&session.user, &form.current)
        .await?
    {
        portal.note_failure(&session.user, address);
        Some("The current password is wrong.")
    } else {
        None
    };
    if problem.is_some() {
        let page = PasswordPage {
            must_change: session.must_change,
            frame: Frame::new(&session, "password"),
            problem,
        };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&page)).into_response());
    }
    let hash = off_thread(move || password::hash(&form.new)).await?;
    let user = session.user.clone();
    portal
        .0
        .store
        .write(move |tx| users::set_password(tx, &user, &hash, false, clock::now()))
        .await?;
    info!(
        "{} has a new password; all sessions of theirs ended",
        session.user
    );
    let cookie = portal.begin_session(None, session.user).await?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

/// One answer for both, so that nobody learns which users exist.
const WRONG: &str = "User name or password is wrong.";

fn sign_in_page(
    headers: &HeaderMap,
    status: StatusCode,
    username: &str,
    next: &str,
    problem: Option<String>,
) -> Result<Response, Failure> {
    // A token that the browser holds stays, so that a second tab does not spoil the first.
    let held = session::cookie(headers, FORM)
        .filter(|token| secret::from_text(token).is_some_and(|t| t.len() == secret::LENGTH));
    let form_token = match held {
        Some(token) => token.to_owned(),
        None => secret::text(&secret::random()?),
    };
    let cookie = session::set_cookie(FORM, &form_token);
    let page = SignInPage {
        form_token,
        username: username.to_owned(),
        next: local(next).to_owned(),
        problem,
    };
    Ok((status, [(SET_COOKIE, cookie)], html(&page)).into_response())
}

/// A path on this portal, or its front page: signing in must not send anybody elsewhere.
fn local(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours { next } else { "/" }
}

async fn turn(portal: &Portal) -> Result<SemaphorePermit<'_>, Failure> {
    match timeout(TURN, portal.0.hashing.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people sign in at this moment. Try again.",
        )),
    }
}

impl Portal {
    async fn password_matches(&self, user: &str, given: &str) -> Result<bool, Failure> {
        let user = user.to_owned();
        let found = self.0.store.read(move |c| users::find(c, &user)).await?;
        let exists = found.is_some();
        let hash = found.map_or_else(|| self.0.decoy.clone(), |user| user.password);
        let given = given.to_owned();
        let matches = off_thread(move || Ok(password::matches(&given, &hash))).await?;
        Ok(matches && exists)
    }

    /// Ends the browser's earlier session and begins one; the cookie that holds it.
    async fn begin_session(
        &self,
        earlier: Option<Vec<u8>>,
        user: String,
    ) -> Result<HeaderValue, Failure> {
        let id = secret::random()?;
        self.0
            .store
            .write(move |tx| {
                if let Some(earlier) = earlier {
                    sessions::end(tx, &earlier)?;
                }
                sessions::begin(tx, &id, &user, clock::now())
            })
            .await?;
        Ok(session::set_cookie(SESSION, &secret::text(&id)))
    }

    fn wait(&self, user: &str, address: SocketAddr) -> Option<Duration> {
        let (origin, now) = (origin(address.ip()), Instant::now());
        self.with_failures(|failures| {
            let by_user = failures.by_user.wait(&(user.to_lowercase(), origin), now);
            by_user.max(failures.by_origin.wait(&origin, now))
        })
    }

    fn note_failure(&self, user: &str, address: SocketAddr) {
        let (origin, now) = (origin(address.ip()), Instant::now());
        self.with_failures(|failures| {
            failures.by_user.failed((user.to_lowercase(), origin), now);
            failures.by_origin.failed(origin, now);
        });
    }

    fn note_success(&self, user: &str, address: SocketAddr) {
        let origin = origin(address.ip());
        self.with_failures(|failures| {
            failures.by_user.succeeded(&(user.to_lowercase(), origin));
            failures.by_origin.succeeded(&origin);
        });
    }

    fn with_failures<T>(&self, work: impl FnOnce(&mut Failures) -> T) -> T {
        work(
            &mut self
                .0
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_sends_nobody_elsewhere() {
        assert_eq!(local("/alerts/1?q=x"), "/alerts/1?q=x");
        for next in [
            "",
            "https://evil",
            "//evil",
            "/\\evil",
            "/a\r\nb",
            "javascript:x",
        ] {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }
}
