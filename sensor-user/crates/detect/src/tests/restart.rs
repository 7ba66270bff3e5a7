//! Snapshots: a restart changes nothing.

use super::{eventful_day, run};
use crate::{Engine, Input, Settings};

#[test]
fn a_restart_at_any_point_changes_nothing() {
    let day = eventful_day();
    let mut whole = Engine::new(Settings::default());
    let mut outputs = run(&mut whole, day.iter().cloned().map(Input::Activity));
    outputs.extend(whole.finish());
    for cut in 0..=day.len() {
        let (before, after) = day.split_at(cut);
        let mut first = Engine::new(Settings::default());
        let mut restarted = run(&mut first, before.iter().cloned().map(Input::Activity));
        let mut second = Engine::new(Settings::default());
        second.restore(&first.snapshot()).expect("restores");
        restarted.extend(run(&mut second, after.iter().cloned().map(Input::Activity)));
        restarted.extend(second.finish());
        assert_eq!(restarted, outputs, "cut at {cut}");
        assert_eq!(second.stats(), whole.stats(), "cut at {cut}");
    }
}

#[test]
fn a_damaged_snapshot_changes_nothing() {
    let mut engine = Engine::new(Settings::default());
    run(&mut engine, eventful_day().into_iter().map(Input::Activity));
    let good = engine.snapshot();
    for cut in [0, 1, 10, good.len() / 2, good.len() - 1] {
        let error = engine.restore(&good[..cut]).expect_err("cut");
        assert!(
            error
                .to_string()
                .starts_with("the engine's snapshot is damaged"),
            "{error}"
        );
    }
    assert!(engine.restore(b"\xa0").is_err() && engine.restore(b"not CBOR").is_err());
    assert_eq!(engine.snapshot(), good);
}

#[test]
fn fields_may_be_absent_or_unknown() {
    use ciborium::cbor;
    let snapshot = |version: u16| {
        let value = cbor!({
            "magic" => "goshawk-engine",
            "version" => version,
            "written by" => "a later release",
            "state" => { "activities" => 7, "moods" => [1, 2], "knowledge" => { "rumours" => {} } },
        });
        let mut bytes = Vec::new();
        ciborium::into_writer(&value.expect("a value"), &mut bytes).expect("writes");
        bytes
    };
    let mut engine = Engine::new(Settings::default());
    engine.restore(&snapshot(1)).expect("restores");
    assert_eq!(engine.stats().activities, 7);
    let error = engine.restore(&snapshot(2)).expect_err("newer");
    assert!(error.to_string().contains("version 2"), "{error}");
}
