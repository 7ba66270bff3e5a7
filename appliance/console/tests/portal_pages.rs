//! What the portal shows, to people and to scripts, and that it stays text.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::browser::{deliver, signed_in};
use common::{alert, health};
use goshawk_console::clock;
use goshawk_console::store::sensors;
use goshawk_model::{Alert, Party, Severity};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

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
