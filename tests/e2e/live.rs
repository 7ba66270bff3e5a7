//! The whole product against a real Samba domain: the sensor in the controller's own namespace, the
//! real tools from another host, and what they did read from the portal over HTTPS.

use std::time::Duration;

use anyhow::Result;
use goshawk_lab::{DC1, DC2, INTERFACE, Lab, scene};
use goshawk_tests::{Console, Place, Programs, Sensor, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(15);

#[test]
fn attacks_on_a_real_domain_arrive_at_the_portal_and_its_life_does_not() -> Result<()> {
    let mut lab = Lab::new()?;
    let dc1 = std::sync::Arc::clone(lab.host("dc1")?.namespace());
    let place = Place::In(&dc1);
    let folder = tempfile::tempdir()?;
    let programs = Programs::of_this_build();
    let console = Console::start(&programs, place, &folder.path().join("console"))?;
    let tables = format!(
        "[capture]\nmode = \"host\"\ninterfaces = [\"{INTERFACE}\"]\n\
         [domain]\ncontrollers = [\"{DC1}\", \"{DC2}\"]\n"
    );
    let sensor = Sensor::new(&programs, &folder.path().join("sensor"), "dc1", &tables)?;
    sensor.enroll(place, &console.token(&[])?)?;
    let running = sensor.start(place)?;
    let portal = console.sign_in(place)?;
    let stored = || place.inside(|| portal.alerts()).unwrap_or_default();

    for life in [
        "workday",
        "mistyped-passwords",
        "controller-join",
        "replication",
    ] {
        let scene = scene::find(life)?;
        scene.prepare(&mut lab)?;
        scene.play(&mut lab)?;
    }
    let alerts = sensor.alerts()?;
    assert!(alerts.is_empty(), "ordinary life: {alerts:#?}");
    let seen = sensor.status()?;
    assert!(
        seen["activities"].as_u64().unwrap_or_default() > 100,
        "it did look: {seen:#}"
    );

    for (attack, id, account) in [
        ("spray-kinit", 2023, None),
        ("kerberoast-kvno", 2410, Some("mallory@hawk.example")),
        ("dcsync-secretsdump", 2006, Some("dana.admin@hawk.example")),
    ] {
        let scene = scene::find(attack)?;
        scene.prepare(&mut lab)?;
        scene.play(&mut lab)?;
        let alert = eventually(attack, SOON, || {
            stored().into_iter().find(|alert| alert["externalId"] == id)
        })?;
        assert_eq!(alert["source"]["ip"], "10.83.0.66", "{alert:#}");
        assert_eq!(
            alert["source"]["account"],
            account.map_or(Value::Null, Value::from),
            "{alert:#}"
        );
    }
    assert_eq!(stored().len(), 3, "and nothing else: {:#?}", stored());
    let status = sensor.status()?;
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    running.stop()?;
    Ok(())
}
