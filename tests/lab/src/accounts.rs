//! Who lives in the lab's domain.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::REALM;

/// The password of every ordinary account.
pub const PASSWORD: &str = "Kestrel-Field-7";
/// The password of `Administrator` and of [`ADMIN`].
pub const ADMIN_PASSWORD: &str = "Peregrine-Stoop-9";
/// A member of Domain Admins: the account whose password the attacker has stolen.
pub const ADMIN: &str = "dana.admin";
/// The account that needs no pre-authentication: the victim of AS-REP roasting.
pub const NO_PREAUTH: &str = "nopreauth";
/// The account whose password is one that everybody tries.
pub const SPRAYED: &str = "peggy";
/// The password of [`SPRAYED`].
pub const SPRAYED_PASSWORD: &str = "Winter-2026";
/// The account whose password has expired.
pub const EXPIRED: &str = "oscar";

/// An account whose time is over.
pub const OUTDATED: &str = "victor";
/// An account that is disabled.
pub const DISABLED: &str = "trent";
/// A decoy: nobody has reason to use it, and a sensor's configuration names it as a honeytoken.
pub const DECOY: &str = "sa.vault";
/// The service that may act for its clients towards another one (constrained delegation with
/// protocol transition): its account, its own name, the other's name.
pub const DELEGATE: (&str, &str, &str) = (
    "svc_front",
    "HTTP/front.hawk.example",
    "MSSQLSvc/sql1.hawk.example:1433",
);

/// Groups and their members.
const GROUPS: &[(&str, &[&str])] = &[
    ("Engineering", &["alice", "bob", "carol"]),
    ("Finance", &["dave", "erin"]),
    ("Domain Admins", &[ADMIN]),
];

/// Ordinary people.
pub const PEOPLE: &[&str] = &[
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj",
];

/// Names that an attacker guesses, three of them real (`alice`, `grace`, `ivan`).
pub const GUESSES: &[&str] = &[
    "admin",
    "backup",
    "ceo",
    "alice",
    "david.miller",
    "emma.jones",
    "finance",
    "guest1",
    "grace",
    "helpdesk",
    "hr",
    "info",
    "it",
    "ivan",
    "james.brown",
    "jenkins",
    "john.smith",
    "kiosk",
    "laura.king",
    "maria.garcia",
    "office",
    "oracle",
    "peter.white",
    "printer",
    "reception",
    "root",
    "sales",
    "scanner",
    "sysadmin",
    "test",
    "vpn",
    "webmaster",
];

/// Service accounts and their service principal names: what Kerberoasting is after.
pub const SERVICES: [(&str, &str); 7] = [
    ("svc_sql", "MSSQLSvc/sql1.hawk.example:1433"),
    ("svc_web", "HTTP/intranet.hawk.example"),
    ("svc_report", "HTTP/reports.hawk.example"),
    ("svc_backup", "backup/vault.hawk.example"),
    ("svc_wiki", "HTTP/wiki.hawk.example"),
    ("svc_print", "IPP/print.hawk.example"),
    ("svc_legacy", "legacy/old.hawk.example"),
];

// [MS-ADTS] 2.2.16, userAccountControl.
const ACCOUNT_DISABLE: u32 = 0x2;
const NORMAL_ACCOUNT: u32 = 0x200;
const DONT_EXPIRE_PASSWORD: u32 = 0x1_0000;
const DONT_REQUIRE_PREAUTH: u32 = 0x40_0000;
const TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION: u32 = 0x100_0000;

// [MS-KILE] 2.2.7, msDS-SupportedEncryptionTypes.
const RC4: u32 = 0x4;
const RC4_AND_AES: u32 = 0x1C;

/// The accounts as LDIF change records for `ldbmodify`.
#[must_use]
pub fn ldif() -> String {
    let mut records: Vec<String> = Vec::new();
    for name in PEOPLE {
        records.push(user(name, NORMAL_ACCOUNT, PASSWORD, ""));
    }
    records.push(user(SPRAYED, NORMAL_ACCOUNT, SPRAYED_PASSWORD, ""));
    // pwdLastSet 0: "must change password at next logon", which the KDC answers with
    // KDC_ERR_KEY_EXPIRED.
    records.push(user(EXPIRED, NORMAL_ACCOUNT, PASSWORD, "pwdLastSet: 0\n"));
    records.push(user(
        NO_PREAUTH,
        NORMAL_ACCOUNT | DONT_REQUIRE_PREAUTH,
        PASSWORD,
        "",
    ));
    for (name, spn) in SERVICES {
        let etypes = if name == "svc_legacy" {
            RC4
        } else {
            RC4_AND_AES
        };
        let extra =
            format!("servicePrincipalName: {spn}\nmsDS-SupportedEncryptionTypes: {etypes}\n");
        records.push(user(
            name,
            NORMAL_ACCOUNT | DONT_EXPIRE_PASSWORD,
            PASSWORD,
            &extra,
        ));
    }
    records.push(user(ADMIN, NORMAL_ACCOUNT, ADMIN_PASSWORD, ""));
    records.push(user(DECOY, NORMAL_ACCOUNT, PASSWORD, ""));
    records.push(user(
        DISABLED,
        NORMAL_ACCOUNT | ACCOUNT_DISABLE,
        PASSWORD,
        "",
    ));
    // [MS-ADA1] 2.2: hundreds of nanoseconds since 1601.
    records.push(user(
        OUTDATED,
        NORMAL_ACCOUNT,
        PASSWORD,
        "accountExpires: 1\n",
    ));
    let (front, own, other) = DELEGATE;
    records.push(user(
        front,
        NORMAL_ACCOUNT | DONT_EXPIRE_PASSWORD | TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION,
        PASSWORD,
        &format!("servicePrincipalName: {own}\nmsDS-AllowedToDelegateTo: {other}\n"),
    ));
    // Samba's KDC (Heimdal) also heeds the flag of the service asked for, krbtgt; a client still
    // needs it on itself.
    records.push(format!(
        "dn: CN=krbtgt,CN=Users,{base}\nchangetype: modify\nreplace: userAccountControl\n\
         userAccountControl: {flags}\n",
        base = base_dn(),
        flags = NORMAL_ACCOUNT | ACCOUNT_DISABLE | DONT_REQUIRE_PREAUTH,
    ));
    for (name, members) in GROUPS {
        records.push(group(name, members));
    }
    records.join("\n")
}

/// The domain's distinguished name.
#[must_use]
pub fn base_dn() -> String {
    let labels: Vec<String> = REALM
        .to_lowercase()
        .split('.')
        .map(|label| format!("DC={label}"))
        .collect();
    labels.join(",")
}

/// A group with its members; made, unless every domain has it.
fn group(name: &str, members: &[&str]) -> String {
    let base = base_dn();
    let members: String = members
        .iter()
        .map(|member| format!("member: CN={member},CN=Users,{base}\n"))
        .collect();
    let change = if name.starts_with("Domain ") {
        "changetype: modify\nadd: member\n".to_owned()
    } else {
        format!("changetype: add\nobjectClass: group\nsAMAccountName: {name}\n")
    };
    format!("dn: CN={name},CN=Users,{base}\n{change}{members}")
}

fn user(name: &str, control: u32, password: &str, extra: &str) -> String {
    // [MS-ADTS] 3.1.1.3.1.5: unicodePwd is the quoted password in UTF-16LE.
    let quoted: Vec<u8> = format!("\"{password}\"")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    format!(
        "dn: CN={name},CN=Users,{base}\nchangetype: add\nobjectClass: user\n\
         sAMAccountName: {name}\nuserPrincipalName: {name}@{domain}\n\
         userAccountControl: {control}\nunicodePwd:: {secret}\n{extra}",
        base = base_dn(),
        domain = REALM.to_lowercase(),
        secret = STANDARD.encode(quoted),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_in_the_ldif_once() {
        let ldif = ldif();
        let services = SERVICES.iter().map(|(name, _)| name);
        for name in PEOPLE
            .iter()
            .chain(services)
            .chain(&[ADMIN, NO_PREAUTH, EXPIRED, SPRAYED])
            .chain(&[OUTDATED, DISABLED, DECOY, DELEGATE.0])
        {
            let record = format!("dn: CN={name},CN=Users,DC=hawk,DC=example\nchangetype: add\n");
            assert_eq!(ldif.matches(&record).count(), 1, "{name}");
        }
    }

    #[test]
    fn the_roastable_account_needs_no_preauthentication() {
        let ldif = ldif();
        let record = ldif
            .split("\n\n")
            .find(|record| record.contains("CN=nopreauth"))
            .unwrap();
        assert!(record.contains("userAccountControl: 4194816\n"), "{record}");
    }
}
