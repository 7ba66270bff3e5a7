//! A replay and what it found.

use std::net::Ipv4Addr;
use std::path::Path;

use goshawk_lab::accounts::DECOY;
use serde_json::Value;

use crate::programs::{Said, run_sensor};

/// What a replay printed.
#[derive(Debug)]
pub struct Replayed {
    /// The alerts, one JSON object each.
    pub alerts: Vec<Value>,
    /// The program's words.
    pub said: Said,
}

/// Replays captures as JSON with these controllers, and the lab's decoy, configured and further
/// `arguments`.
#[track_caller]
pub fn replay(files: &[&Path], controllers: &[Ipv4Addr], arguments: &[&str]) -> Replayed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("sensor.toml");
    let list: Vec<String> = controllers
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    let text = format!(
        "[sensor]\nname = \"test\"\n[domain]\ncontrollers = [{}]\nhoneytokens = [\"{DECOY}\"]\n",
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
    let alerts = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
        .filter(|line: &Value| line["kind"] == "alert")
        .collect();
    Replayed { alerts, said }
}
