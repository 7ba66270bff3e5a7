//! Accounts by their other names.
//!
//! A person logs on as `alice.smith@corp.example`, the user principal name, and the KDC answers with
//! the account's own name, `asmith` (RFC 6806 section 6, [MS-KILE] 3.3.5.6.1). A wrong password and
//! the right one after it, or a ticket and who asks for it, may be told by different names.

use std::borrow::Cow;

use goshawk_model::kerberos::Answer;
use goshawk_model::ntlm::AvPairs;
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Names remembered.
const ALIASES: usize = 32_768;

/// The account's own name by another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Aliases(Table<Account, Account, ALIASES>);

impl Aliases {
    /// The account by its own name.
    pub(crate) fn own_name<'a>(&'a self, account: &'a Account) -> &'a Account {
        if self.0.stats().len == 0 {
            return account;
        }
        self.0.get(account).unwrap_or(account)
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let (Answer::Issued { .. }, Some(actor)) = (&exchange.answer, &activity.actor) else {
            return;
        };
        for alias in &actor.aliases {
            let alias = Account::new(alias, "");
            if alias != actor.account {
                *self.0.touch(alias, now, || actor.account.clone()) = actor.account.clone();
            }
        }
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

impl super::Knowledge {
    /// The same for an account that was named to a server which told in NTLM's challenge who it is: a
    /// bare name, and a NetBIOS domain name that is the server's own, are of that server's domain
    /// ([MS-NLMP] 2.2.2.1).
    pub(crate) fn canonical_at<'a>(
        &'a self,
        account: &'a Account,
        server: Option<&AvPairs>,
    ) -> Cow<'a, Account> {
        let whole = self.canonical(account);
        if whole.realm().contains('.') {
            return whole;
        }
        let told =
            server.and_then(|it| Some((it.netbios_domain.as_deref()?, it.dns_domain.as_deref()?)));
        match told {
            Some((netbios, dns))
                if whole.realm().is_empty() || whole.realm().eq_ignore_ascii_case(netbios) =>
            {
                Cow::Owned(Account::new(whole.name(), dns))
            }
            _ => whole,
        }
    }

    /// The account by its own name and with its whole realm, as far as they are known.
    pub(crate) fn canonical<'a>(&'a self, account: &'a Account) -> Cow<'a, Account> {
        let own = self.aliases.own_name(account);
        if own.realm().contains('.') {
            return Cow::Borrowed(own);
        }
        let whole = self.complete(own.clone());
        Cow::Owned(self.aliases.own_name(&whole).clone())
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::Actor;

    use super::*;
    use crate::build::{Net, at};
    use crate::knowledge::Knowledge;
    use crate::settings::Settings;

    fn logon_as(net: &Net, alias: &str) -> Activity {
        let mut logon = net.logon("asmith", "10.0.0.7", alias);
        logon.actor = Some(Actor {
            account: Account::new("asmith", "corp.example"),
            aliases: vec![alias.into()],
            authenticated: true,
        });
        logon
    }

    #[test]
    fn a_logon_tells_the_accounts_own_name() {
        let net = Net::default();
        let mut knowledge = Knowledge::default();
        let logon = logon_as(&net, "alice.smith@mail.example");
        knowledge.learn(&logon, at(1), &Settings::default());
        let own = |name: &str| {
            let account = Account::new(name, "");
            knowledge.canonical(&account).to_string()
        };
        assert_eq!(own("alice.smith@mail.example"), "asmith@corp.example");
        assert_eq!(own("CORP\\asmith"), "asmith@corp.example");
        assert_eq!(own("bob@corp.example"), "bob@corp.example");
    }

    #[test]
    fn a_server_tells_which_domain_it_means() {
        let knowledge = Knowledge::default();
        let server = AvPairs {
            netbios_domain: Some("CORP".into()),
            dns_domain: Some("corp.example".into()),
            ..AvPairs::default()
        };
        let named = |name: &str| {
            let account = Account::new(name, "");
            knowledge.canonical_at(&account, Some(&server)).to_string()
        };
        assert_eq!(named("CORP\\alice"), "alice@corp.example");
        assert_eq!(named("alice"), "alice@corp.example");
        assert_eq!(named("OTHER\\alice"), "alice@other");
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut aliases = Aliases::default();
        for n in 0..=ALIASES {
            aliases.learn(&logon_as(&net, &format!("u{n}@mail.example")), at(1));
        }
        let stats = aliases.stats();
        assert_eq!((stats.len, stats.evicted), (ALIASES, 1));
    }
}
