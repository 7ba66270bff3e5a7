//! A replay and what it found.

use std::net::Ipv4Addr;
use std::path::Path;

use goshawk_lab::accounts::DECOY;
use goshawk_model::Activity;
use serde_json::{Value, json};

use crate::programs::{Said, run_sensor};

/// What a replay printed.
#[derive(Debug)]
pub struct Replayed {
    /// The alerts, one JSON object each.
    pub alerts: Vec<Value>,
    /// The activities, if they were asked for.
    pub activities: Vec<Activity>,
    /// The program's words.
    pub said: Said,
}

/// Replays captures as JSON with these controllers, and the lab's decoy, configured and further
/// `arguments`.
#[track_caller]
pub fn replay(files: &[&Path], controllers: &[Ipv4Addr], arguments: &[&str]) -> Replayed {
    replay_with(files, controllers, "", arguments)
}

/// The same, with further `tables` in the configuration.
#[track_caller]
pub fn replay_with(
    files: &[&Path],
    controllers: &[Ipv4Addr],
    tables: &str,
    arguments: &[&str],
) -> Replayed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("sensor.toml");
    let list: Vec<String> = controllers
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    let text = format!(
        "[sensor]\nname = \"test\"\n[domain]\ncontrollers = [{}]\nhoneytokens = [\"{DECOY}\"]\n\
         {tables}",
        list.join(", ")
    );
    std::fs::write(&config, text).expect("the configuration is written");
    let config = config.display().to_string();
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let mut all = vec!["replay", "--json", "--config", &config];
    all.extend(arguments);
    all.extend(files.iter().map(String::as_str));
    let said = run_sensor(&all);
    let lines = || {
        let lines = said.out.lines();
        lines.map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
    };
    let is_alert = |line: &Value| line["kind"] == "alert";
    Replayed {
        alerts: lines().filter(is_alert).collect(),
        activities: lines()
            .filter(|line| !is_alert(line))
            .map(activity)
            .collect(),
        said,
    }
}

/// An activity out of its line.
fn activity(mut line: Value) -> Activity {
    let mut part = |name: &str| line[name].take();
    let flow = json!({
        "transport": part("transport"), "client": part("from"), "server": part("to"),
    });
    let kind = part("activity");
    line["flow"] = flow;
    line["kind"] = kind;
    serde_json::from_value(line).expect("an activity reads back from its line")
}
