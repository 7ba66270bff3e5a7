//! A browser without scripts, and a portal with something to show.

use std::sync::Once;

use goshawk_console::clock;
use goshawk_console::pki::Issued;
use goshawk_console::store::{alerts, sensors};
use goshawk_model::Alert;
use goshawk_model::frame::Item;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use serde_json::Value;

use super::{Console, health};

/// What the admin chooses.
pub const PASSWORD: &str = "a password of my own";

/// A browser without scripts: cookies, no redirects, and the console's CA as the only root.
pub struct Browser {
    pub client: Client,
    pub base: String,
}

impl Browser {
    pub fn new(console: &Console) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .unwrap();
        });
        let ca = std::fs::read(console.data.join("ca.pem")).unwrap();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
            .cookie_store(true)
            .redirect(Policy::none())
            .build()
            .unwrap();
        let port = console.service.portal_address().port();
        Self {
            client,
            base: format!("https://localhost:{port}"),
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.base);
        self.client.get(url).send().await.unwrap()
    }

    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let url = format!("{}{path}", self.base);
        self.client.post(url).form(fields).send().await.unwrap()
    }

    /// Posts a form with the token that the page at `from` gave it.
    pub async fn submit(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = token_of(&self.page(from).await);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }

    pub async fn sign_in(&self, password: &str) -> Response {
        let form = [("username", "admin"), ("password", password), ("next", "/")];
        self.submit("/signin", "/signin", &form).await
    }
}

pub fn token_of(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

pub fn location(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

/// A console whose admin is signed in with a password of their own.
pub async fn signed_in() -> (Console, Browser) {
    let console = Console::start().await;
    let browser = Browser::new(&console);
    let once = console.service.first_password().unwrap().to_owned();
    assert_eq!(location(&browser.sign_in(&once).await), "/");
    let form = [("current", &*once), ("new", PASSWORD), ("again", PASSWORD)];
    let changed = browser.submit("/password", "/password", &form).await;
    assert_eq!(
        (changed.status(), location(&changed)),
        (StatusCode::SEE_OTHER, "/")
    );
    (console, browser)
}

/// Keeps alerts as if sensor `dc1` had delivered them.
pub fn deliver(console: &Console, alerts_to_keep: Vec<Alert>) {
    let papers = Issued {
        certificate: Vec::new(),
        fingerprint: [1; 32],
        expires: clock::now() + goshawk_console::pki::LEAF_LIFETIME,
    };
    let items: Vec<_> = (1..)
        .zip(alerts_to_keep)
        .map(|(sequence, alert)| Item { sequence, alert })
        .collect();
    console
        .service
        .store()
        .write_now(|tx| {
            sensors::enroll(tx, "dc1", &papers, clock::now())?.unwrap();
            sensors::keep_health(tx, "dc1", &health(), clock::now())?;
            alerts::keep(tx, "dc1", "spool", &items, clock::now())
        })
        .unwrap();
}
