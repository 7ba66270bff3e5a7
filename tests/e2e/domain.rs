//! Domain scope: what several sensors saw, put together by one engine, as a console does it. An
//! attack that is spread over controllers is too little for each of their sensors.

use std::net::{IpAddr, Ipv4Addr};

use goshawk_detect::{Engine, Input, Settings};
use goshawk_lab::labels::{self, Labels};
use goshawk_lab::{DC1, DC2};
use goshawk_model::{Activity, Alert};
use goshawk_tests::replay;

/// The activity files of two sensors, one at each controller: a recorded spray whose tries went to
/// the controllers in turn. All that differs from the recording is who was asked.
fn two_sensors(scene: &str) -> [Vec<Activity>; 2] {
    let labels = Labels::load(&labels::folder()).expect("the labels read");
    let label = labels.of(scene).expect("the scene was recorded");
    let seen = replay(&[&label.path()], &label.controllers, &["--activities"]);
    let mut files = [Vec::new(), Vec::new()];
    let mut turns: Vec<Option<String>> = Vec::new();
    for mut activity in seen.activities {
        // All exchanges about one account go to one controller.
        let account = activity
            .actor
            .as_ref()
            .map(|actor| actor.account.to_string());
        let turn = turns.iter().position(|known| *known == account);
        let turn = turn.unwrap_or_else(|| {
            turns.push(account);
            turns.len() - 1
        });
        let (sensor, controller) = [("dc1", DC1), ("dc2", DC2)][turn % 2];
        activity.sensor = sensor.into();
        let moved = |ip: &mut IpAddr| {
            if *ip == IpAddr::V4(DC1) {
                *ip = controller.into();
            }
        };
        moved(&mut activity.server.ip);
        let mut server = activity.flow.server.ip();
        moved(&mut server);
        activity.flow.server.set_ip(server);
        files[turn % 2].push(activity);
    }
    files
}

fn found(mut activities: Vec<Activity>) -> Vec<Alert> {
    activities.sort_by_key(|activity| activity.time);
    let mut engine = Engine::new(Settings {
        controllers: [DC1, DC2].map(|ip: Ipv4Addr| ip.into()).to_vec(),
        ..Settings::default()
    });
    let mut outputs = Vec::new();
    for activity in activities {
        outputs.extend(engine.observe(Input::Activity(activity)));
    }
    outputs.extend(engine.finish());
    outputs
        .iter()
        .map(|output| output.alert().clone())
        .collect()
}

fn is_spray(alert: &Alert) -> bool {
    alert.external_id == 2023
}

#[test]
fn a_spray_over_two_controllers_is_found_only_together() {
    let [mut dc1, mut dc2] = two_sensors("spray-kinit");
    // A few accounts at each are within what people mistype.
    for file in [&mut dc1, &mut dc2] {
        let mut accounts = Vec::new();
        file.retain(|activity| {
            let Some(actor) = &activity.actor else {
                return true;
            };
            if !accounts.contains(&actor.account) {
                accounts.push(actor.account.clone());
            }
            accounts.iter().position(|one| *one == actor.account) < Some(3)
        });
    }
    for one in [&dc1, &dc2] {
        let alerts = found(one.clone());
        assert!(!alerts.iter().any(is_spray), "{alerts:?}");
    }
    let together = found([dc1, dc2].concat());
    let spray = together.iter().rfind(|alert| is_spray(alert));
    let spray = spray.expect("together they are a spray");
    assert_eq!(spray.source.ip, Some(goshawk_lab::ATTACKER.into()));
    assert_eq!(spray.targets.len(), 6);
}

#[test]
fn the_order_of_the_files_changes_nothing() {
    let [dc1, dc2] = two_sensors("spray-kinit");
    let one = found([dc1.clone(), dc2.clone()].concat());
    let other = found([dc2, dc1].concat());
    let finals = |alerts: Vec<Alert>| -> Vec<_> {
        let told = alerts.into_iter();
        told.map(|alert| (alert.external_id, alert.source, alert.targets, alert.count))
            .collect()
    };
    assert_eq!(finals(one), finals(other));
}
