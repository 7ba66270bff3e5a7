//! The realms seen, to write one account one way.
//!
//! NTLM names an account with its NetBIOS domain, `CORP\alice`; Kerberos with its realm,
//! `alice@CORP.EXAMPLE`. The NetBIOS name usually begins the realm ([MS-ADTS] 6.1.1.2.1 leaves it
//! free), so a realm that was seen completes it.

use goshawk_model::kerberos::Answer;
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detections::services::Service;
use crate::table::{Table, TableStats};

/// Realms remembered; a forest has few.
const REALMS: usize = 64;

/// Realms in the wire's case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Realms(Table<Box<str>, (), REALMS>);

impl Realms {
    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let Answer::Issued { ticket, .. } = &exchange.answer else {
            return;
        };
        let realm = Service::new(&ticket.service).realm();
        if self.0.get(realm).is_none() {
            self.0.touch(realm.into(), now, || ());
        }
    }

    /// Whether tickets of this realm were seen, whatever the case.
    pub(super) fn knows(&self, realm: &str) -> bool {
        self.0.keys().any(|known| known.eq_ignore_ascii_case(realm))
    }

    /// The account with its whole realm, if exactly one realm seen completes it.
    pub(super) fn complete(&self, account: Account) -> Account {
        if account.realm().contains('.') {
            return account;
        }
        let mut whole = self.0.keys().filter_map(|realm| {
            let whole = Account::new(account.name(), realm);
            whole.may_be(&account).then_some(whole)
        });
        match (whole.next(), whole.next()) {
            (Some(whole), None) => whole,
            _ => account,
        }
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    fn seen(realms: &[&str]) -> Realms {
        let net = Net::default();
        let mut all = Realms::default();
        for realm in realms {
            let mut logon = net.logon("alice", "10.0.0.7", "tgt");
            if let Kind::As(exchange) = &mut logon.kind
                && let Answer::Issued { ticket, .. } = &mut exchange.answer
            {
                ticket.service = format!("krbtgt/{realm}@{realm}").into();
            }
            all.learn(&logon, at(1));
        }
        all
    }

    #[test]
    fn a_netbios_name_becomes_the_realm_it_begins() {
        let complete = |realms: &[&str], domain| {
            let account = Account::new("mallory", domain);
            seen(realms).complete(account).to_string()
        };
        assert_eq!(complete(&["CORP.EXAMPLE"], "CORP"), "mallory@corp.example");
        assert_eq!(complete(&["CORP.EXAMPLE"], ""), "mallory@corp.example");
        assert_eq!(complete(&["CORP.EXAMPLE"], "OTHER"), "mallory@other");
        assert_eq!(complete(&["CORP.A", "CORP.B"], "CORP"), "mallory@corp");
        assert_eq!(complete(&["CORP.A"], "corp.b"), "mallory@corp.b");
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let names: Vec<_> = (0..=REALMS).map(|n| format!("R{n}.EXAMPLE")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let stats = seen(&names).stats();
        assert_eq!((stats.len, stats.evicted), (REALMS, 1));
    }
}
