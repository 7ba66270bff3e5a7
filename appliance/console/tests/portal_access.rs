//! Who gets into the portal, and how those who should not are kept out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::browser::{Browser, PASSWORD, deliver, location, signed_in, token_of};
use common::{Console, alert};
use goshawk_console::store::alerts;
use reqwest::header::SET_COOKIE;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};

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
async fn a_form_without_end_is_not_read() {
    let (_console, browser) = signed_in().await;
    let endless = "x".repeat(100_000);
    let response = browser.post("/signin", &[("username", &endless)]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
