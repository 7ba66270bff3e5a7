//! Alerts as people read them in a terminal.

use std::fmt::{self, Display};

use goshawk_model::{Activity, Alert, Host, Party, Severity};

/// An alert over a few lines; with colour where the terminal shows it.
pub struct AlertText<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Whether to colour it.
    pub colour: bool,
}

/// Targets named in a terminal before the rest is only counted.
const TARGETS: usize = 5;
/// Pieces of evidence shown in a terminal.
const EVIDENCE: usize = 3;

impl Display for AlertText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alert, colour } = *self;
        let (on, bold, dim, off) = match (colour, alert.severity) {
            (false, _) => ("", "", "", ""),
            (true, Severity::High) => ("\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"),
            (true, Severity::Medium) => ("\x1b[1;33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"),
            (true, Severity::Low) => ("\x1b[1;34m", "\x1b[1m", "\x1b[2m", "\x1b[0m"),
        };
        let severity = alert.severity.to_string().to_uppercase();
        writeln!(
            f,
            "{on}{severity:<6}{off} {bold}{}{off}  [{}]",
            plain(&alert.title),
            alert.external_id
        )?;
        writeln!(f, "       {}", plain(&alert.summary))?;
        write!(
            f,
            "       {dim}{}  {} → ",
            &alert.start.to_string()[..19],
            party(&alert.source)
        )?;
        for (at, target) in alert.targets.iter().take(TARGETS).enumerate() {
            write!(f, "{}{}", if at > 0 { ", " } else { "" }, party(target))?;
        }
        let more = alert
            .targets_total
            .saturating_sub(alert.targets.len().min(TARGETS) as u64);
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        writeln!(
            f,
            "  ·  {} events  ·  {}{off}",
            alert.count,
            alert.techniques.join(", ")
        )?;
        for evidence in alert.evidence.iter().take(EVIDENCE) {
            let time = evidence.time.to_string();
            writeln!(
                f,
                "       {dim}{}  {}{off}",
                &time[11..23],
                plain(&evidence.detail)
            )?;
        }
        Ok(())
    }
}

/// An activity in one line.
pub fn activity(activity: &Activity) -> String {
    let Activity {
        time,
        client,
        server,
        actor,
        outcome,
        kind,
        ..
    } = activity;
    let who = actor.as_ref().map_or("?", |actor| actor.account.as_str());
    let outcome = format!("{outcome:?}").to_lowercase();
    plain(&format!(
        "{time} {} > {} {who} {kind} [{outcome}]",
        host(client),
        host(server)
    ))
}

fn host(host: &Host) -> String {
    match &host.name {
        Some(name) => format!("{name}({})", host.ip),
        None => host.ip.to_string(),
    }
}

fn party(party: &Party) -> String {
    let machine = match (&party.host, party.ip) {
        (Some(host), Some(ip)) => format!("{host} ({ip})"),
        (Some(host), None) => host.clone(),
        (None, Some(ip)) => ip.to_string(),
        (None, None) => String::new(),
    };
    let text = match &party.account {
        Some(account) if machine.is_empty() => account.to_string(),
        Some(account) => format!("{account} at {machine}"),
        None if machine.is_empty() => "unknown".to_owned(),
        None => machine,
    };
    plain(&text)
}

/// Names come from the wire: a control character in one must not reach the terminal, where it
/// could hide or forge lines.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
