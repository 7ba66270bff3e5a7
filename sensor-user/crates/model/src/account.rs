//! The one way an account is written, whatever form the wire used.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An account in its normal form: `name@dns.realm`, lower case, machine accounts with `$`.
///
/// The same person appears as `CORP\Alice` in NTLM, `alice@CORP.EXAMPLE` in Kerberos,
/// `CN=Alice,...` in LDAP and `alice@corp.example@CORP.EXAMPLE` as an enterprise name; knowledge
/// keyed by anything but one form would count one account as many. Where the realm is unknown the
/// name stands alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Account(Box<str>);

/// Names, and realms, longer than this (bytes) are cut: sAMAccountName allows 256 characters
/// ([MS-ADA3] 2.222), a DNS name 253, and an attacker may send megabytes.
const MAX_NAME: usize = 256;

impl Account {
    /// From a bare name and the realm it was seen in (`""` if unknown).
    ///
    /// `name` may itself be qualified (`DOMAIN\name`, `name@suffix`); then its own qualification
    /// wins unless it is empty. A host principal, `host/ws1.corp.example`, is the machine account
    /// `ws1$` ([MS-KILE] 3.1.5.11: a computer's default service principal).
    pub fn new(name: &str, realm: &str) -> Self {
        let name = name.trim();
        if let Some((domain, name)) = name
            .split_once('\\')
            .filter(|(_, name)| !name.starts_with('@'))
        {
            return Self::join(
                name,
                if domain.is_empty() || domain == "." {
                    realm
                } else {
                    domain
                },
            );
        }
        // The last '@' separates the suffix; krb5 text escapes the others as "\@".
        if let Some((name, suffix)) = name.rsplit_once('@') {
            let name = name.strip_suffix('\\').unwrap_or(name);
            return Self::join(name, if suffix.is_empty() { realm } else { suffix });
        }
        Self::join(name, realm)
    }

    /// From a Kerberos principal: its name components and realm (RFC 4120 sections 5.2.2, 6.2).
    pub fn from_principal<'a>(components: impl IntoIterator<Item = &'a str>, realm: &str) -> Self {
        let mut components = components.into_iter();
        let first = components.next().unwrap_or_default();
        match components.next() {
            Some(host) if first.eq_ignore_ascii_case("host") => {
                let short = host.split('.').next().unwrap_or(host);
                Self::join(&format!("{short}$"), realm)
            }
            Some(second) => {
                let rest =
                    components.fold(format!("{first}/{second}"), |all, next| all + "/" + next);
                Self::join(&rest, realm)
            }
            None => Self::new(first, realm),
        }
    }

    /// From a distinguished name (RFC 4514), `CN=Alice,CN=Users,DC=corp,DC=example`: the value of
    /// its first part, in the realm that its `DC` parts spell. `None` if it is none.
    ///
    /// That a common name is also the account's name is only usual.
    pub fn from_dn(dn: &str) -> Option<Self> {
        let mut parts = dn_parts(dn.get(..dn.floor_char_boundary(4 * MAX_NAME))?);
        let (_, name) = parts.next()??;
        let mut realm = String::new();
        for part in parts {
            let (kind, value) = part?;
            if kind.eq_ignore_ascii_case("dc") {
                let dot = if realm.is_empty() { "" } else { "." };
                realm = realm + dot + &value;
            }
        }
        Some(Self::join(&name, &realm))
    }

    /// The normal form, `name@dns.realm`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its realm.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(name, _)| name)
    }

    /// The realm, `""` if unknown.
    pub fn realm(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, realm)| realm)
    }

    /// Whether this is a computer's account (or a trust's or gMSA's): its name ends in `$`.
    pub fn is_machine(&self) -> bool {
        self.name().ends_with('$')
    }

    /// Whether both could be one account: equal, or the same name where one has no realm, or only
    /// a NetBIOS domain name that begins the other's DNS realm.
    pub fn may_be(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.realm(), other.realm());
        self.name() == other.name()
            && (mine == theirs
                || mine.is_empty()
                || theirs.is_empty()
                || mine.split('.').next() == Some(theirs)
                || theirs.split('.').next() == Some(mine))
    }

    fn join(name: &str, realm: &str) -> Self {
        let (name, realm) = (normal(name), normal(realm));
        let (mut name, mut realm) = (name.as_str(), bare(&realm));
        // Where no realm is left, the name's own last part is taken for one whenever the text is
        // read again: so it must be now.
        while realm.is_empty()
            && let Some((first, last)) = name.rsplit_once('@')
        {
            (name, realm) = (first.trim(), bare(last));
        }
        Self(if realm.is_empty() {
            name.into()
        } else {
            [name, "@", realm].concat().into()
        })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Account {
    fn from(text: String) -> Self {
        Self::new(&text, "")
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.0.into()
    }
}

/// Type and value of each part of a distinguished name; `None` for one that has no type.
fn dn_parts(dn: &str) -> impl Iterator<Item = Option<(&str, String)>> {
    let mut rest = Some(dn);
    std::iter::from_fn(move || {
        let part = rest?;
        let mut value = String::new();
        let (kind, behind) = match part.split_once('=') {
            Some((kind, behind)) if !kind.is_empty() && !kind.contains([',', '\\', '@', '<']) => {
                (kind.trim(), behind)
            }
            _ => {
                rest = None;
                return Some(None);
            }
        };
        let mut characters = behind.char_indices();
        rest = None;
        while let Some((at, character)) = characters.next() {
            match character {
                ',' => {
                    rest = behind.get(at + 1..);
                    break;
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                other => value.push(other),
            }
        }
        Some(Some((kind, value)))
    })
}

/// A realm without the root's dot and what cannot be part of it.
fn bare(realm: &str) -> &str {
    let around = |end: char| end == '.' || end.is_whitespace();
    let mut parts = realm.rsplit('@').map(|part| part.trim_matches(around));
    parts.find(|part| !part.is_empty()).unwrap_or_default()
}

/// Lower case, cut, without space around it. Some letters grow when they are lowered, so the cut
/// comes after; the first one keeps megabytes from being lowered.
fn normal(text: &str) -> String {
    let text = text.trim_start();
    let mut text = text[..text.floor_char_boundary(4 * MAX_NAME)].to_lowercase();
    text.truncate(text.floor_char_boundary(MAX_NAME));
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_a_name_is_one_account() {
        for (name, realm, normal) in [
            ("Alice", "CORP.EXAMPLE", "alice@corp.example"),
            ("CORP\\Alice", "", "alice@corp"),
            ("alice@corp.example", "", "alice@corp.example"),
            ("alice@corp.example", "CORP.EXAMPLE", "alice@corp.example"),
            ("alice\\@corp.example", "CORP.EXAMPLE", "alice@corp.example"),
            (".\\alice", "corp", "alice@corp"),
            ("WS1$", "CORP.EXAMPLE.", "ws1$@corp.example"),
            ("alice", "", "alice"),
        ] {
            assert_eq!(
                Account::new(name, realm).as_str(),
                normal,
                "{name} in {realm}"
            );
        }
    }

    #[test]
    fn a_host_principal_is_its_machine_account() {
        let account = Account::from_principal(["host", "ws1.corp.example"], "CORP.EXAMPLE");
        assert_eq!(account.as_str(), "ws1$@corp.example");
        assert!(account.is_machine());
        let service = Account::from_principal(["MSSQLSvc", "db:1433"], "CORP.EXAMPLE");
        assert_eq!(service.as_str(), "mssqlsvc/db:1433@corp.example");
    }

    #[test]
    fn a_distinguished_name_names_an_account_in_its_domain() {
        for (dn, normal) in [
            ("CN=Alice,CN=Users,DC=corp,DC=example", "alice@corp.example"),
            (
                "uid=alice, ou=people, dc=corp, dc=example",
                "alice@corp.example",
            ),
            ("CN=Doe\\, Jane,DC=corp", "doe, jane@corp"),
            ("cn=admin", "admin"),
        ] {
            assert_eq!(Account::from_dn(dn).unwrap().as_str(), normal);
        }
        for other in [
            "CORP\\alice",
            "alice@corp.example",
            "",
            "alice",
            "<SID=S-1-5-32>",
        ] {
            assert_eq!(Account::from_dn(other), None, "{other}");
        }
    }

    #[test]
    fn a_netbios_name_may_be_the_dns_realm_it_begins() {
        let dns = Account::new("alice", "corp.example");
        assert!(dns.may_be(&Account::new("alice", "CORP")));
        assert!(Account::new("alice", "").may_be(&dns));
        assert!(!dns.may_be(&Account::new("alice", "other.example")));
        assert!(!dns.may_be(&Account::new("bob", "corp.example")));
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable_and_bounded(
            name in "([^\\\\]|Ⱥ|@|\\.){0,2000}",
            realm in "[A-Za-z.@ ]{0,40}",
        ) {
            let account = Account::new(&name, &realm);
            prop_assert!(account.as_str().len() < 4 * MAX_NAME + 64);
            let again: Account = String::from(account.clone()).into();
            prop_assert_eq!(again, account);
        }
    }
}
