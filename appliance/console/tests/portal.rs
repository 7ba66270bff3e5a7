//! The portal over HTTPS as a browser meets it: signing in, pages, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Once;

use common::{Console, alert, health};
use goshawk_console::clock;
use goshawk_console::pki::Issued;
use goshawk_console::store::{alerts, sensors};
use goshawk_model::frame::Item;
use goshawk_model::{Alert, Party, Severity};
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use serde_json::Value;

const PASSWORD: &str = "a password of my own";

/// A browser without scripts: cookies, no redirects, and the console's CA as the only root.
struct Browser {
    client: Client,
    base: String,
}

impl Browser {
    fn new(console: &Console) -> Self {
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

    async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.base);
        self.client.get(url).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let url = format!("{}{path}", self.base);
        self.client.post(url).form(fields).send().await.unwrap()
    }

    /// Posts a form with the token that the page at `from` gave it.
    async fn submit(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = token_of(&self.page(from).await);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }

    async fn sign_in(&self, password: &str) -> Response {
        let form = [("username", "admin"), ("password", password), ("next", "/")];
        self.submit("/signin", "/signin", &form).await
    }
}

fn token_of(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn location(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

/// A console whose admin is signed in with a password of their own.
async fn signed_in() -> (Console, Browser) {
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
fn deliver(console: &Console, alerts_to_keep: Vec<Alert>) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_the_sign_in_page_and_nothing_else() {
    let console = Console::start().await;
    deliver(&console, vec![alert(1)]);
    let browser = Browser::new(&console);
    let id = alert(1).id;
    for (path, wanted) in [
        ("/", "/signin".to_owned()),
        ("/sensors", "/signin?next=/sensors".to_owned()),
        (
            "/?severity=high&q=a%20b",
            "/signin?next=/?severity=high%26q=a%2520b".to_owned(),
        ),
        (
            &*format!("/alerts/{id}"),
            format!("/signin?next=/alerts/{id}"),
        ),
    ] {
        let response = browser.get(path).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(location(&response), wanted);
    }
    for path in [
        "/api/alerts",
        "/api/sensors",
        "/rows",
        &format!("/api/alerts/{id}"),
    ] {
        let response = browser.get(path).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(!response.text().await.unwrap().contains("mallory"));
    }
    assert_eq!(
        browser.get("/nowhere").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let console = Console::start().await;
    deliver(&console, vec![alert(1)]);
    let browser = Browser::new(&console);
    let once = console.service.first_password().unwrap().to_owned();
    browser.sign_in(&once).await;
    for path in ["/", "/sensors", "/alerts/1"] {
        assert_eq!(location(&browser.get(path).await), "/password", "{path}");
    }
    assert_eq!(
        browser.get("/api/alerts").await.status(),
        StatusCode::FORBIDDEN
    );
    let close = format!("/alerts/{}/close", alert(1).id);
    let closing = browser.submit("/password", &close, &[]).await;
    assert_eq!(location(&closing), "/password");
    for (current, new, again, problem) in [
        (&*once, "short", "short", "at least 12"),
        (&once, PASSWORD, "another password", "differ"),
        (&once, &once, &once, "is the old one"),
        ("wrong", PASSWORD, PASSWORD, "current password is wrong"),
    ] {
        let form = [("current", current), ("new", new), ("again", again)];
        let refused = browser.submit("/password", "/password", &form).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = refused.text().await.unwrap();
        assert!(page.contains(problem), "{problem}: {page}");
    }
    let form = [("current", &*once), ("new", PASSWORD), ("again", PASSWORD)];
    browser.submit("/password", "/password", &form).await;
    assert!(browser.page("/").await.contains("Suspected DCSync"));

    // The one-time password is good no more.
    let other = Browser::new(&console);
    assert_eq!(
        other.sign_in(&once).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        other.sign_in(PASSWORD).await.status(),
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_guarded_rotated_and_ends_with_sign_out() {
    let (console, browser) = signed_in().await;
    let visitor = Browser::new(&console);
    let response = visitor.sign_in(PASSWORD).await;
    let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
    let session = cookies
        .iter()
        .filter_map(|cookie| cookie.to_str().ok())
        .find(|cookie| cookie.starts_with("__Host-goshawk-session="))
        .unwrap();
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(session.contains(attribute), "{session}");
    }
    let held = session.split(';').next().unwrap().to_owned();
    let with_held = |console: &Console| {
        let request = reqwest_plain(console).get(format!("{}/api/sensors", visitor.base));
        request.header("cookie", held.clone()).send()
    };
    assert_eq!(with_held(&console).await.unwrap().status(), StatusCode::OK);
    visitor.submit("/", "/signout", &[]).await;
    assert_eq!(
        with_held(&console).await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(location(&visitor.get("/").await), "/signin");
    // The other session of the same user goes on.
    browser.page("/").await;
}

/// Without a cookie store, to show a cookie of one's own.
fn reqwest_plain(console: &Console) -> Client {
    let ca = std::fs::read(console.data.join("ca.pem")).unwrap();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
        .redirect(Policy::none())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_idle_and_old() {
    let (console, browser) = signed_in().await;
    let age = |column: &str, minutes: i64| {
        let back = minutes * 60_000_000_000;
        let update = format!("UPDATE sessions SET {column} = {column} - {back}");
        console
            .service
            .store()
            .write_now(|tx| Ok(tx.execute(&update, [])?))
            .unwrap();
    };
    // What refreshes itself keeps no session alive; a click does.
    age("seen", 20);
    assert_eq!(browser.get("/rows").await.status(), StatusCode::OK);
    assert_eq!(browser.get("/?auto=1").await.status(), StatusCode::OK);
    age("seen", 11);
    assert_eq!(
        browser.get("/rows").await.status(),
        StatusCode::UNAUTHORIZED
    );
    browser.sign_in(PASSWORD).await;
    age("seen", 20);
    browser.page("/").await;
    age("seen", 11);
    browser.page("/").await;
    age("created", 12 * 60);
    assert_eq!(location(&browser.get("/").await), "/signin");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_not_ours_change_nothing() {
    let (console, browser) = signed_in().await;
    deliver(&console, vec![alert(1)]);
    let close = format!("/alerts/{}/close", alert(1).id);
    let closed = || {
        let id = alert(1).id;
        let stored = console.service.store().read_now(|c| alerts::find(c, id));
        stored.unwrap().unwrap().closed.is_some()
    };
    let token = token_of(&browser.page("/").await);
    for (fields, header) in [
        (&[][..], None),
        (&[("csrf", "")], None),
        (&[("csrf", "forged")], None),
        (
            &[("csrf", &*token)],
            Some(("origin", "https://evil.example")),
        ),
        (&[("csrf", &*token)], Some(("sec-fetch-site", "cross-site"))),
    ] {
        let mut request = browser.client.post(format!("{}{close}", browser.base));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.form(fields).send().await.unwrap();
        assert!(response.status().is_client_error(), "{fields:?} {header:?}");
        assert!(!closed());
    }
    let refused = browser.post(&close, &[("csrf", "forged")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    // The sign-in form has a token too, tied to the browser's cookie.
    let visitor = Browser::new(&console);
    let form = [("username", "admin"), ("password", PASSWORD), ("csrf", "x")];
    assert_eq!(
        visitor.post("/signin", &form).await.status(),
        StatusCode::FORBIDDEN
    );

    let done = browser.submit("/", &close, &[]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(closed());
    let page = browser.page(&format!("/alerts/{}", alert(1).id)).await;
    assert!(page.contains("closed by admin"));
    let open = format!("/alerts/{}/open", alert(1).id);
    browser.submit("/", &open, &[]).await;
    assert!(!closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_is_slowed_down_and_said_so() {
    let (console, browser) = signed_in().await;
    let guesser = Browser::new(&console);
    for _ in 0..5 {
        let response = guesser.sign_in("a wrong password").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let page = response.text().await.unwrap();
        assert!(page.contains("User name or password is wrong."));
    }
    // Not even the right one is looked at now.
    let response = guesser.sign_in(PASSWORD).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let page = response.text().await.unwrap();
    assert!(
        page.contains("Too many failed attempts. Try again in"),
        "{page}"
    );
    // Who is signed in stays so.
    browser.page("/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_gets_the_same_answer() {
    let console = Console::start().await;
    let browser = Browser::new(&console);
    for name in ["admin", "nobody"] {
        let form = [("username", name), ("password", "wrong"), ("next", "/")];
        let response = browser.submit("/signin", "/signin", &form).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let page = response.text().await.unwrap();
        let (_, said) = page.split_once("role=\"alert\">").unwrap();
        assert!(said.starts_with("User name or password is wrong.<"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_goes_where_one_wanted_and_nowhere_else() {
    let (console, _browser) = signed_in().await;
    for (next, wanted) in [("/sensors", "/sensors"), ("//evil.example/", "/")] {
        let visitor = Browser::new(&console);
        let form = [
            ("username", "admin"),
            ("password", PASSWORD),
            ("next", next),
        ];
        let response = visitor.submit("/signin", "/signin", &form).await;
        assert_eq!(location(&response), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_holds_browsers_back() {
    let (_console, browser) = signed_in().await;
    for path in [
        "/",
        "/signin",
        "/sensors",
        "/nowhere",
        "/api/alerts",
        "/assets/portal.css",
    ] {
        let headers = browser.get(path).await.headers().clone();
        let value = |name: &str| text(&headers, name);
        let policy = value("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(value("x-content-type-options"), "nosniff");
        assert_eq!(value("referrer-policy"), "no-referrer");
        assert!(value("strict-transport-security").starts_with("max-age="));
    }
    let page = browser.get("/").await;
    assert_eq!(text(page.headers(), "cache-control"), "no-store");
    let page = page.text().await.unwrap();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick"));
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers[name].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attacker_writes_stays_text() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let (console, browser) = signed_in().await;
    let evil = || EVIL.to_owned();
    let hostile = Alert {
        title: evil(),
        summary: evil(),
        reason: evil(),
        remediation: vec![evil()],
        techniques: vec![evil()],
        source: Party {
            host: Some(evil()),
            ip: None,
            account: Some(goshawk_model::Account::new(EVIL, EVIL)),
        },
        targets: vec![Party {
            host: Some(evil()),
            ..Party::default()
        }],
        evidence: vec![goshawk_model::Evidence {
            detail: evil(),
            ..alert(1).evidence.remove(0)
        }],
        ..alert(1)
    };
    deliver(&console, vec![hostile]);
    let mut sick = health();
    sick.problems = vec![evil()];
    sick.capture.attachments = vec![evil()];
    sick.drops = [(evil(), 1)].into();
    console
        .service
        .store()
        .write_now(|tx| sensors::keep_health(tx, "dc1", &sick, clock::now()))
        .unwrap();
    let query = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/".to_owned(),
        "/rows".to_owned(),
        format!("/alerts/{}", alert(1).id),
        "/sensors".to_owned(),
        format!("/?q={query}"),
    ] {
        let page = browser.page(&path).await;
        assert!(
            !page.contains("<script>") && !page.contains("<img src=x"),
            "{path}"
        );
        assert!(page.contains("&#60;script&#62;"), "{path}");
    }
    let page = browser.get(&format!("/?severity={query}")).await;
    assert_eq!(page.status(), StatusCode::BAD_REQUEST);
    assert!(!page.text().await.unwrap().contains("<script>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alerts_page_shows_everything_it_holds() {
    let (console, browser) = signed_in().await;
    deliver(&console, vec![alert(1)]);
    let page = browser.page(&format!("/alerts/{}", alert(1).id)).await;
    for part in [
        "Suspected DCSync attack",
        "high severity",
        "as good as certain",
        "mallory@corp.example",
        "10.0.0.9",
        "dc1",
        "10.0.0.1",
        "asked dc1 to replicate the secrets of krbtgt.",
        "Only domain controllers replicate; 10.0.0.9 is none.",
        "Disable mallory&#39;s account.",
        "T1003.006",
        "DCSync",
        "2026-03-01T10:00:00.000000007Z",
        "DRSGetNCChanges for CN=krbtgt",
        "2006",
        "&#34;externalId&#34;: 2006",
        &alert(1).id.to_string(),
    ] {
        assert!(page.contains(part), "{part}");
    }
    for id in ["0".repeat(32), "x".into()] {
        let response = browser.get(&format!("/alerts/{id}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_filters_pages_and_refreshes() {
    let (console, browser) = signed_in().await;
    let page = browser.page("/").await;
    assert!(page.contains("No sensors yet") && page.contains("goshawk-console token"));
    let mut many: Vec<_> = (1..=60).map(alert).collect();
    many[59].severity = Severity::Low;
    deliver(&console, many);
    let newest = format!("id=\"a{}\"", alert(60).id);
    let oldest = format!("id=\"a{}\"", alert(1).id);
    let first = browser.page("/").await;
    assert!(first.contains(&newest) && !first.contains(&oldest));
    assert!(first.contains("1–50 of 60") && first.contains("href=\"/?page=2\""));
    let second = browser.page("/?page=2").await;
    assert!(second.contains(&oldest) && second.contains("51–60 of 60"));
    let low = browser.page("/rows?severity=low").await;
    assert!(low.contains(&newest) && low.contains("1–1 of 1"));
    assert!(
        browser
            .page("/?q=nothing")
            .await
            .contains("No alert passes this filter")
    );

    let rows = browser.get("/rows").await;
    let tag = text(rows.headers(), "etag");
    let again = browser.client.get(format!("{}/rows", browser.base));
    let again = again.header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test(flavor = "multi_thread")]
async fn sensors_and_their_health_are_shown() {
    let (console, browser) = signed_in().await;
    assert!(browser.page("/sensors").await.contains("No sensors yet"));
    deliver(&console, Vec::new());
    let page = browser.page("/sensors").await;
    for part in [
        "dc1",
        "not connected",
        "eth0 ingress: native XDP",
        "1,234,567",
        "ring full <b>17</b>",
        "host",
        env!("CARGO_PKG_VERSION"),
        "agrees with the console",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_get_the_same_as_json() {
    let (console, browser) = signed_in().await;
    deliver(&console, (1..=60).map(alert).collect());
    let all = browser.json("/api/alerts").await;
    assert_eq!(all["total"], 60);
    assert_eq!(all["alerts"].as_array().unwrap().len(), 50);
    let newest = &all["alerts"][0];
    assert_eq!(newest["id"], alert(60).id.to_string());
    assert_eq!(newest["externalId"], 2006);
    assert_eq!(newest["severity"], "high");
    assert_eq!(newest["start"], "2026-03-01T10:00:00.000000000Z");
    assert_eq!(newest["closed"], Value::Null);
    assert_eq!(browser.json("/api/alerts?severity=low").await["total"], 0);
    let one = browser.json(&format!("/api/alerts/{}", alert(3).id)).await;
    assert_eq!(
        one["evidence"][0]["detail"],
        "DRSGetNCChanges for CN=krbtgt"
    );
    let wrong = browser.get("/api/alerts?severity=loud").await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(
        wrong.json::<Value>().await.unwrap()["error"]
            .as_str()
            .unwrap()
            .contains("loud")
    );
    let none = browser.get("/api/alerts/zzz").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let sensors = browser.json("/api/sensors").await;
    assert_eq!(sensors["sensors"][0]["name"], "dc1");
    assert_eq!(sensors["sensors"][0]["connected"], false);
    assert_eq!(sensors["sensors"][0]["health"]["packets"], 1_234_567);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_end_is_not_read() {
    let (_console, browser) = signed_in().await;
    let endless = "x".repeat(100_000);
    let response = browser.post("/signin", &[("username", &endless)]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
