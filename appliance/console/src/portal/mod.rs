//! The console's web face, over HTTPS alone.
//!
//! Pages are made on the server and work without scripts; one small script of our own keeps the
//! timeline fresh. Nothing is loaded from elsewhere, and the content security policy
//! ([`headers`]) holds browsers to that. What sensors send was chosen by attackers: templates
//! escape every word of it.

mod alert;
mod api;
mod assets;
mod attack;
mod headers;
mod page;
mod sensors;
mod server;
mod session;
mod signin;
mod timeline;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::limit::Throttle;
use crate::password;
use crate::store::Store;
use crate::store::sessions::Lifetime;
use crate::{Result, secret};

pub use server::Server;

/// The largest form that is read, bytes.
const MAX_FORM: usize = 16 * 1024;
/// Passwords hashed at once: each takes a core and 19 MiB for a while.
const HASHES_AT_ONCE: usize = 2;

/// What every handler works with; clones share it.
#[derive(Clone)]
pub struct Portal(Arc<Inner>);

struct Inner {
    store: Store,
    lifetime: Lifetime,
    hashing: Semaphore,
    failures: Mutex<Failures>,
    /// Hashed when the user does not exist, so that time does not tell.
    decoy: String,
}

/// Failed sign-ins.
struct Failures {
    by_user: Throttle<(String, IpAddr)>,
    by_origin: Throttle<IpAddr>,
}

impl Portal {
    /// A portal on this store.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(store: Store, lifetime: Lifetime) -> Result<Self> {
        let second = Duration::from_secs(1);
        Ok(Self(Arc::new(Inner {
            store,
            lifetime,
            hashing: Semaphore::new(HASHES_AT_ONCE),
            failures: Mutex::new(Failures {
                by_user: Throttle::new(5, second * 2, second * 900),
                by_origin: Throttle::new(20, second * 2, second * 900),
            }),
            decoy: password::hash(&secret::text(&secret::random()?))?,
        })))
    }

    /// Every page and call.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(timeline::show))
            .route("/rows", get(timeline::rows))
            .route("/alerts/{id}", get(alert::show))
            .route("/alerts/{id}/close", post(alert::close))
            .route("/alerts/{id}/open", post(alert::open))
            .route("/sensors", get(sensors::show))
            .route("/signin", get(signin::show).post(signin::sign_in))
            .route("/signout", post(signin::sign_out))
            .route(
                "/password",
                get(signin::show_password).post(signin::change_password),
            )
            .route("/api/alerts", get(api::alerts))
            .route("/api/alerts/{id}", get(api::alert))
            .route("/api/sensors", get(api::sensors))
            .route("/assets/{name}", get(assets::serve))
            .fallback(page::not_found)
            .layer(middleware::from_fn(session::same_origin))
            .layer(DefaultBodyLimit::max(MAX_FORM))
            .layer(middleware::from_fn(headers::secure))
            .with_state(self)
    }
}
