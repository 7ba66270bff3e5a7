//! Service names, and whose key their tickets are sealed with.
//!
//! A ticket for a service is sealed with the password of the account that runs it. Computers have
//! random passwords of 120 characters; people choose theirs. What a service's name tells of its
//! account decides whether its ticket is worth cracking.

use goshawk_model::Account;

/// A service's name as tickets carry it: `class/instance@realm`, or one component alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service<'a> {
    class: &'a str,
    instance: Option<&'a str>,
    realm: &'a str,
}

/// Classes whose services run under the computer's own account: what Windows and Samba register
/// on machine accounts, and the classes that Active Directory maps to `HOST` where nothing else is
/// registered ([MS-ADTS] 6.1.1.2.4.1.2 `sPNMappings`), failover clusters, Hyper-V and System Center's
/// agents among them. `http` and `www` are mapped as well, but
/// are the ones that are registered on users' accounts all the time.
const COMPUTER_CLASSES: &[&str] = &[
    "adtserver",
    "alerter",
    "appmgmt",
    "browser",
    "cifs",
    "cisvc",
    "clipsrv",
    "cmrcservice",
    "dcom",
    "dhcp",
    "dmserver",
    "dns",
    "dnscache",
    "eventlog",
    "eventsystem",
    "exchangeab",
    "exchangemdb",
    "exchangerfr",
    "fax",
    "gc",
    "host",
    "hyper-v replica service",
    "ias",
    "iisadmin",
    "imap",
    "imap4",
    "krbtgt",
    "ldap",
    "mcsvc",
    "messenger",
    "microsoft virtual console service",
    "microsoft virtual system migration service",
    "msclustervirtualserver",
    "msdtc",
    "msiserver",
    "msomhsvc",
    "msservercluster",
    "msserverclustermgmtapi",
    "netdde",
    "netddedsm",
    "netlogon",
    "netman",
    "nfs",
    "nmagent",
    "oakley",
    "plugplay",
    "policyagent",
    "pop",
    "pop3",
    "protectedstorage",
    "rasman",
    "remoteaccess",
    "replicator",
    "restrictedkrbhost",
    "root",
    "rpc",
    "rpclocator",
    "rpcss",
    "rsvp",
    "samss",
    "scardsvr",
    "scesrv",
    "schedule",
    "scm",
    "seclogon",
    "sip",
    "smsvc",
    "smtp",
    "smtpsvc",
    "snmp",
    "spooler",
    "tapisrv",
    "termsrv",
    "time",
    "trksvr",
    "trkwks",
    "ups",
    "wins",
    "wsman",
    // Replication of the directory, of SYSVOL by DFS-R, and by FRS ([MS-DRSR] 2.2.3.2, [MS-FRS2]).
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2",
    "dfsr-12f9a27c-bf97-4787-9364-d31b6c55eb04",
    "ntfrs-88f5d2bd-b646-11d2-a6d3-00c04fc9b232",
];

impl<'a> Service<'a> {
    /// Reads `class/instance@realm`.
    pub(crate) fn new(text: &'a str) -> Self {
        let (name, realm) = text.rsplit_once('@').unwrap_or((text, ""));
        match name.split_once('/') {
            Some((class, instance)) => Self {
                class,
                instance: Some(instance),
                realm,
            },
            None => Self {
                class: name,
                instance: None,
                realm,
            },
        }
    }

    pub(crate) fn instance(&self) -> Option<&'a str> {
        self.instance
    }

    pub(crate) fn realm(&self) -> &'a str {
        self.realm
    }

    pub(crate) fn is_class(&self, class: &str) -> bool {
        self.class.eq_ignore_ascii_case(class)
    }

    /// `krbtgt/REALM`, or another realm's: a ticket to get tickets with.
    pub(crate) fn is_ticket_granting(&self) -> bool {
        self.is_class("krbtgt")
    }

    /// `krbtgt/REALM@REALM`: the realm's own KDC, and not another one's that it trusts.
    pub(crate) fn is_own_kdc(&self) -> bool {
        let own = |instance: &str| instance.eq_ignore_ascii_case(self.realm);
        self.is_ticket_granting() && self.instance.is_some_and(own)
    }

    /// `kadmin/changepw`, sealed with the key of `krbtgt`'s account: for changing one's password.
    pub(crate) fn is_password_change(&self) -> bool {
        self.is_class("kadmin")
    }

    /// A web server: under the computer's account as often as under a user's.
    pub(crate) fn is_web(&self) -> bool {
        self.is_class("http") || self.is_class("www") || self.is_class("w3svc")
    }

    /// Whether its tickets are sealed with a computer's random password.
    pub(crate) fn belongs_to_computer(&self) -> bool {
        match self.instance {
            Some(_) => COMPUTER_CLASSES.iter().any(|class| self.is_class(class)),
            None => self.account_name().ends_with('$'),
        }
    }

    /// What makes two names one service: its class and its host, short, without port or instance.
    /// One SQL server is registered as `MSSQLSvc/db`, `MSSQLSvc/db.corp.example`, with its port and
    /// with its instance's name.
    pub(crate) fn family(&self) -> String {
        let instance = self.instance.unwrap_or_default();
        let host = instance.split(['.', ':', '/']).next().unwrap_or(instance);
        if self.instance.is_none() {
            return self.account().as_str().to_owned();
        }
        format!("{}/{host}", self.class).to_lowercase()
    }

    /// The account it names, where it is named as an account and not as a service:
    /// `svc_sql@REALM`, `CORP\svc_sql@REALM`, `svc_sql@corp.example@REALM`.
    pub(crate) fn named_account(&self) -> Option<Account> {
        /// AFS's service in a cell that is called like the realm (OpenAFS).
        const AFS: &str = "afs";
        let named = self.instance.is_none()
            && !self.is_ticket_granting()
            && !self.class.is_empty()
            && !self.is_class(AFS);
        named.then(|| self.account())
    }

    /// As an alert's target: the account, or the service in the form of one.
    pub(crate) fn account(&self) -> Account {
        let Some(instance) = self.instance else {
            let qualified = Account::new(self.class, self.realm);
            let bare = Account::new(self.account_name(), self.realm);
            // The realm says the same as a NetBIOS name, in the normal form.
            return if qualified.may_be(&bare) {
                bare
            } else {
                qualified
            };
        };
        Account::from_principal([self.class, instance], self.realm)
    }

    fn account_name(&self) -> &'a str {
        let name = self.class.rsplit('\\').next().unwrap_or(self.class);
        name.split('@').next().unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_tell_whose_key_it_is() {
        for computer in [
            "cifs/srv.corp.example@CORP.EXAMPLE",
            "HOST/ws1@CORP.EXAMPLE",
            "ldap/dc1.corp.example/corp.example@CORP.EXAMPLE",
            "krbtgt/OTHER.EXAMPLE@CORP.EXAMPLE",
            "ws1$@CORP.EXAMPLE",
            "CORP\\ws1$@CORP.EXAMPLE",
            "Microsoft Virtual System Migration Service/hv1@CORP.EXAMPLE",
            "MSOMHSvc/srv@CORP.EXAMPLE",
        ] {
            assert!(Service::new(computer).belongs_to_computer(), "{computer}");
        }
        for user in [
            "MSSQLSvc/db.corp.example:1433@CORP.EXAMPLE",
            "HTTP/intranet@CORP.EXAMPLE",
            "svc_sql@CORP.EXAMPLE",
            "",
        ] {
            assert!(!Service::new(user).belongs_to_computer(), "{user}");
        }
    }

    #[test]
    fn one_server_by_many_names_is_one_family() {
        let family = |text: &str| Service::new(text).family();
        for spelling in [
            "MSSQLSvc/db@CORP.EXAMPLE",
            "MSSQLSvc/DB.corp.example@CORP.EXAMPLE",
            "mssqlsvc/db.corp.example:1433@CORP.EXAMPLE",
            "MSSQLSvc/db.corp.example:SQLEXPRESS@CORP.EXAMPLE",
        ] {
            assert_eq!(family(spelling), "mssqlsvc/db");
        }
        assert_eq!(family("svc_sql@CORP.EXAMPLE"), "svc_sql@corp.example");
    }

    #[test]
    fn a_single_component_names_an_account() {
        let named = |text: &str| Service::new(text).named_account().map(String::from);
        assert_eq!(
            named("svc_sql@CORP.EXAMPLE").as_deref(),
            Some("svc_sql@corp.example")
        );
        assert_eq!(
            named("CORP\\svc_sql@CORP.EXAMPLE").as_deref(),
            Some("svc_sql@corp.example")
        );
        assert_eq!(
            named("svc_sql@corp.example@CORP.EXAMPLE").as_deref(),
            Some("svc_sql@corp.example")
        );
        assert_eq!(
            named("OTHER\\svc_sql@CORP.EXAMPLE").as_deref(),
            Some("svc_sql@other")
        );
        assert_eq!(named("MSSQLSvc/db@CORP.EXAMPLE"), None);
        assert_eq!(named("afs@CORP.EXAMPLE"), None);
        assert_eq!(named("krbtgt@CORP.EXAMPLE"), None);
    }
}
