//! The portal as a browser and a script meet it: over HTTPS, with cookies.

use std::net::SocketAddr;
use std::sync::Once;

use anyhow::{Context, Result, bail};
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;
use serde_json::Value;

/// A signed-in session.
#[derive(Debug)]
pub struct Portal {
    client: Client,
    base: String,
}

/// What the admin chooses at the first sign-in.
pub const PASSWORD: &str = "a long and careful passphrase";

impl Portal {
    /// Signs in with the one-time password and chooses [`PASSWORD`].
    ///
    /// # Errors
    /// If a step is refused.
    pub fn first_sign_in(address: SocketAddr, once: &str) -> Result<Self> {
        let portal = Self::signed_out(address)?;
        portal.post(
            "/signin",
            "/signin",
            &[("username", "admin"), ("password", once), ("next", "/")],
        )?;
        let change = [("current", once), ("new", PASSWORD), ("again", PASSWORD)];
        portal.post("/password", "/password", &change)?;
        Ok(portal)
    }

    /// Signs in with [`PASSWORD`].
    ///
    /// # Errors
    /// If it is refused.
    pub fn sign_in(address: SocketAddr) -> Result<Self> {
        let portal = Self::signed_out(address)?;
        let form = [("username", "admin"), ("password", PASSWORD), ("next", "/")];
        portal.post("/signin", "/signin", &form)?;
        Ok(portal)
    }

    /// A visitor.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn signed_out(address: SocketAddr) -> Result<Self> {
        static PROVIDER: Once = Once::new();
        // A second provider is refused, which is as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::limited(5))
            // The console's own CA signs it; the tests of the console check that.
            .danger_accept_invalid_certs(true)
            .build()?;
        Ok(Self {
            client,
            base: format!("https://localhost:{}", address.port()),
        })
    }

    /// A page's text.
    ///
    /// # Errors
    /// If the page is refused.
    pub fn page(&self, path: &str) -> Result<String> {
        Ok(self.get(path)?.text()?)
    }

    /// A call's answer.
    ///
    /// # Errors
    /// If the call is refused, or the answer is not JSON.
    pub fn json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.page(path)?).context("the answer is not JSON")
    }

    /// The latest alerts that the console keeps: the first page.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn alerts(&self) -> Result<Vec<Value>> {
        self.alerts_page(1)
    }

    /// A page of the alerts that the console keeps, from 1.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn alerts_page(&self, page: u32) -> Result<Vec<Value>> {
        let answer = self.json(&format!("/api/alerts?page={page}"))?;
        let list = answer["alerts"]
            .as_array()
            .context("no alerts in the answer")?;
        Ok(list
            .iter()
            .map(|one| one.get("alert").unwrap_or(one).clone())
            .collect())
    }

    fn get(&self, path: &str) -> Result<Response> {
        let response = self.client.get(format!("{}{path}", self.base)).send()?;
        if !response.status().is_success() {
            bail!("{path}: {}", response.status());
        }
        Ok(response)
    }

    /// Fills in the form on `page` and sends it to `path`, as the page's own token allows.
    fn post(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Result<()> {
        let text = self.page(page)?;
        let token = text
            .split("name=\"csrf\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .with_context(|| format!("no form token on {page}: {text}"))?;
        let mut form = vec![("csrf", token)];
        form.extend(fields);
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("origin", &self.base);
        let response = request.form(&form).send()?;
        if !response.status().is_success() {
            bail!("{path}: {}: {}", response.status(), response.text()?);
        }
        Ok(())
    }
}
