//! Alerts held against what is due, and against each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use goshawk_lab::ExpectedAlert;
use serde_json::Value;

/// What two sensors must agree on when both saw the same attack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The alert's number in the catalogue.
    pub external_id: u64,
    /// Its name.
    pub title: String,
    /// How bad it is.
    pub severity: String,
    /// Where from.
    pub address: Option<IpAddr>,
    /// Who acts, if authenticated.
    pub account: Option<String>,
    /// Whom it hits: accounts, or addresses where no account is known.
    pub targets: BTreeSet<String>,
}

impl From<&Value> for Finding {
    fn from(alert: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let target = |one: &Value| text(&one["account"]).or_else(|| text(&one["ip"]));
        let targets = alert["targets"].as_array().into_iter().flatten();
        Self {
            external_id: alert["externalId"].as_u64().unwrap_or_default(),
            title: text(&alert["title"]).unwrap_or_default(),
            severity: text(&alert["severity"]).unwrap_or_default(),
            address: text(&alert["source"]["ip"]).and_then(|ip| ip.parse().ok()),
            account: text(&alert["source"]["account"]),
            targets: targets.filter_map(target).collect(),
        }
    }
}

/// Whether `alert` is the one that a label or a scene expects.
pub fn is_due(alert: &Value, expected: &ExpectedAlert) -> bool {
    let source = expected.source.to_string();
    alert["externalId"] == expected.external_id
        && alert["source"]["ip"] == source.as_str()
        && expected
            .account
            .as_ref()
            .is_none_or(|account| alert["source"]["account"] == account.as_str())
        && expected.targets.iter().all(|target| names(alert, target))
}

/// Whether an account or service is among an alert's targets. Labels write services as Kerberos does,
/// alerts in the normal form: lower case, with the realm.
fn names(alert: &Value, target: &str) -> bool {
    let target = target.to_lowercase();
    let is_it = |account: &str| {
        account == target
            || account
                .rsplit_once('@')
                .is_some_and(|(name, _)| name == target)
    };
    let targets = alert["targets"].as_array();
    targets.is_some_and(|all| {
        all.iter()
            .any(|one| one["account"].as_str().is_some_and(is_it))
    })
}
