//! Attributes: one form of their names, and which of their values may be kept.

use std::borrow::Cow;

use goshawk_model::ldap::Attribute;

use super::ber::Ber;
use super::text;

/// Longest name kept, bytes.
const MAX_NAME: usize = 128;
/// Values kept of one attribute.
const MAX_TEXTS: usize = 8;
/// `vals`
const SET: u8 = 0x31;

/// Passwords, and what contains them: their values are nobody's business.
const SECRET: [&str; 23] = [
    "clearpassword",
    "currentvalue",
    "dbcspwd",
    "initialauthincoming",
    "initialauthoutgoing",
    "lmpwdhistory",
    "ms-mcs-admpwd",
    "msds-managedpassword",
    "msfve-keypackage",
    "msfve-recoverypassword",
    "mslaps-encrypteddsrmpassword",
    "mslaps-encrypteddsrmpasswordhistory",
    "mslaps-encryptedpassword",
    "mslaps-encryptedpasswordhistory",
    "mslaps-password",
    "ntpwdhistory",
    "priorvalue",
    "supplementalcredentials",
    "trustauthincoming",
    "trustauthoutgoing",
    "unicodepwd",
    "unixuserpassword",
    "userpassword",
];

/// Attributes whose values attacks are told by; of the others, and of those that hold security
/// descriptors or keys, it is enough that they are written.
const TELLING: [&str; 31] = [
    "admincount",
    "altsecurityidentities",
    "displayname",
    "dnshostname",
    "gpcfilesyspath",
    "gpcmachineextensionnames",
    "gpcuserextensionnames",
    "gplink",
    "homedirectory",
    "isdeleted",
    "member",
    "msds-allowedtodelegateto",
    "msds-delegatedmsastate",
    "msds-managedaccountprecededbylink",
    "msds-supersededmanagedaccountlink",
    "msds-supersededserviceaccountstate",
    "msds-supportedencryptiontypes",
    "msexchexternalhostname",
    "mspki-certificate-name-flag",
    "mspki-enrollment-flag",
    "objectclass",
    "pkiextendedkeyusage",
    "primarygroupid",
    "profilepath",
    "samaccountname",
    "scriptpath",
    "serviceprincipalname",
    "sidhistory",
    "useraccountcontrol",
    "userprincipalname",
    "versionnumber",
];

/// Attributes that tools ask for by OID to stay unseen, and servers know all the same ([MS-ADA1] to
/// [MS-ADA3], RFC 4519).
const BY_OID: [(&str, &str); 44] = [
    ("1.2.840.113556.1.2.102", "memberof"),
    ("1.2.840.113556.1.2.13", "displayname"),
    ("1.2.840.113556.1.2.281", "ntsecuritydescriptor"),
    ("1.2.840.113556.1.4.1", "name"),
    ("1.2.840.113556.1.4.100", "priorvalue"),
    ("1.2.840.113556.1.4.125", "supplementalcredentials"),
    ("1.2.840.113556.1.4.129", "trustauthincoming"),
    ("1.2.840.113556.1.4.135", "trustauthoutgoing"),
    ("1.2.840.113556.1.4.146", "objectsid"),
    ("1.2.840.113556.1.4.150", "admincount"),
    ("1.2.840.113556.1.4.160", "lmpwdhistory"),
    ("1.2.840.113556.1.4.1696", "lastlogontimestamp"),
    ("1.2.840.113556.1.4.1787", "msds-allowedtodelegateto"),
    ("1.2.840.113556.1.4.1910", "unixuserpassword"),
    ("1.2.840.113556.1.4.1963", "msds-supportedencryptiontypes"),
    ("1.2.840.113556.1.4.1964", "msfve-recoverypassword"),
    ("1.2.840.113556.1.4.2", "objectguid"),
    (
        "1.2.840.113556.1.4.2182",
        "msds-allowedtoactonbehalfofotheridentity",
    ),
    ("1.2.840.113556.1.4.2196", "msds-managedpassword"),
    ("1.2.840.113556.1.4.2200", "msds-groupmsamembership"),
    ("1.2.840.113556.1.4.221", "samaccountname"),
    ("1.2.840.113556.1.4.2328", "msds-keycredentiallink"),
    ("1.2.840.113556.1.4.27", "currentvalue"),
    ("1.2.840.113556.1.4.302", "samaccounttype"),
    ("1.2.840.113556.1.4.539", "initialauthincoming"),
    ("1.2.840.113556.1.4.540", "initialauthoutgoing"),
    ("1.2.840.113556.1.4.55", "dbcspwd"),
    ("1.2.840.113556.1.4.609", "sidhistory"),
    ("1.2.840.113556.1.4.619", "dnshostname"),
    ("1.2.840.113556.1.4.62", "scriptpath"),
    ("1.2.840.113556.1.4.656", "userprincipalname"),
    ("1.2.840.113556.1.4.771", "serviceprincipalname"),
    ("1.2.840.113556.1.4.782", "objectcategory"),
    ("1.2.840.113556.1.4.8", "useraccountcontrol"),
    ("1.2.840.113556.1.4.867", "altsecurityidentities"),
    ("1.2.840.113556.1.4.894", "gpcfilesyspath"),
    ("1.2.840.113556.1.4.90", "unicodepwd"),
    ("1.2.840.113556.1.4.94", "ntpwdhistory"),
    ("1.2.840.113556.1.4.96", "pwdlastset"),
    ("1.2.840.113556.1.4.98", "primarygroupid"),
    ("2.5.4.0", "objectclass"),
    ("2.5.4.3", "cn"),
    ("2.5.4.31", "member"),
    ("2.5.4.35", "userpassword"),
];

/// The one form of an `AttributeDescription`: lower case, without options, by name.
pub(super) fn name(description: &[u8]) -> Box<str> {
    let end = description.iter().position(|&byte| byte == b';');
    let kind = description.get(..end.unwrap_or(description.len()));
    let mut name = text::cut(kind.unwrap_or_default().trim_ascii(), MAX_NAME);
    name.make_ascii_lowercase();
    let oid = name.strip_prefix("oid.").unwrap_or(&name);
    if !oid.starts_with(|first: char| first.is_ascii_digit()) {
        return name;
    }
    let oid = canonical(oid);
    let known = BY_OID.iter().find(|(known, _)| *known == oid);
    known.map_or_else(|| oid.as_ref().into(), |(_, name)| (*name).into())
}

/// Whether values of the attribute of this name are passwords.
pub(super) fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// Reads `PartialAttribute`, RFC 4511 4.1.7: a name and its values.
pub(super) fn read(mut attribute: Ber<'_>) -> Option<Attribute> {
    let name = name(attribute.octets()?);
    let tells = TELLING.contains(&&*name);
    let is_secret = is_secret(&name);
    let is_sid = *name == *"sidhistory";
    let mut vals = attribute.optional(SET).unwrap_or(Ber::new(&[], false));
    let (mut values, mut bytes, mut texts) = (0, 0usize, Vec::new());
    while let Some(value) = vals.octets() {
        values += 1;
        // How long a password is helps to guess it.
        bytes += if is_secret { 0 } else { value.len() };
        if tells && texts.len() < MAX_TEXTS {
            let sid = is_sid.then(|| sid(value)).flatten();
            texts.push(sid.unwrap_or_else(|| text::value(value)));
        }
    }
    Some(Attribute {
        name,
        values,
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        texts,
    })
}

/// An OID without the zeros that may stand in front of its numbers.
fn canonical(oid: &str) -> Cow<'_, str> {
    let is_padded = |arc: &str| arc.len() > 1 && arc.starts_with('0');
    if !oid.split('.').any(is_padded) {
        return Cow::Borrowed(oid);
    }
    let arcs: Vec<_> = oid
        .split('.')
        .map(|arc| match arc.trim_start_matches('0') {
            "" => "0",
            arc => arc,
        })
        .collect();
    Cow::Owned(arcs.join("."))
}

/// A SID's text, `S-1-5-21-...` ([MS-DTYP] 2.4.2).
fn sid(bytes: &[u8]) -> Option<Box<str>> {
    let (&[revision, count, a, b, c, d, e, f], rest) = bytes.split_first_chunk()?;
    if revision != 1 || rest.len() != usize::from(count) * 4 {
        return None;
    }
    let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let (numbers, _) = rest.as_chunks();
    let text = numbers
        .iter()
        .fold(format!("S-1-{authority}"), |text, number| {
            format!("{text}-{}", u32::from_le_bytes(*number))
        });
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_one() {
        for form in [
            "servicePrincipalName",
            " SERVICEPRINCIPALNAME",
            "1.2.840.113556.1.4.771",
            "OID.1.2.840.113556.1.4.771",
            "1.02.840.113556.001.4.0771",
            "servicePrincipalName;range=0-*",
        ] {
            assert_eq!(&*name(form.as_bytes()), "serviceprincipalname", "{form}");
        }
        assert_eq!(&*name(b"1.2.3.0"), "1.2.3.0");
        assert_eq!(&*name(b""), "");
    }

    #[test]
    fn values_are_kept_where_they_tell_and_never_of_passwords() {
        let attribute = |name: &str, value: &[u8]| {
            let mut bytes = vec![4, name.len() as u8];
            bytes.extend(name.as_bytes());
            bytes.extend([0x31, 2 + value.len() as u8, 4, value.len() as u8]);
            bytes.extend(value);
            read(Ber::new(&bytes, false)).unwrap()
        };
        let spn = attribute("servicePrincipalName", b"MSSQLSvc/db1");
        assert_eq!((spn.values, spn.bytes), (1, 12));
        assert_eq!(spn.texts, ["MSSQLSvc/db1".into()]);
        let password = attribute("unicodePwd", b"\"\0S\0");
        assert_eq!((password.values, password.texts.len()), (1, 0));
        let sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        assert_eq!(attribute("sIDHistory", &sid).texts, ["S-1-5-32-544".into()]);
        assert!(TELLING.iter().all(|name| !is_secret(name)));
    }

    #[test]
    fn a_password_asked_for_by_its_oid_is_one() {
        for number in [
            27, 55, 90, 94, 100, 125, 129, 135, 160, 539, 540, 1910, 1964,
        ] {
            let oid = format!("1.2.840.113556.1.4.{number}");
            assert!(is_secret(&name(oid.as_bytes())), "{oid}");
        }
        assert!(is_secret(&name(b"trustAuthOutgoing")));
    }
}
