//! The domain's certificate authority: what a controller shows and what smart cards hold, for logons
//! by certificate (PKINIT, RFC 4556).

use anyhow::Result;

use crate::REALM;
use crate::host::{Host, PRIVATE};

/// The owner of the one smart card there is.
const CARD_HOLDER: &str = "alice";

/// The files that a client needs: the authority, and the card's certificate and key.
pub(crate) const CLIENT_FILES: [&str; 3] = ["authority.pem", "card.pem", "card.key"];

/// Makes an authority on `host`, a certificate for its KDC, which it is told to use, and a smart
/// card for one person.
///
/// # Errors
/// If openssl fails.
pub(crate) fn found(host: &Host) -> Result<()> {
    let domain = REALM.to_lowercase();
    let name = host.name();
    // The KDC's purpose and the card's are those of RFC 4556 3.2.4 and of Microsoft's smart card
    // logon; the card's owner is named by a user principal name ([MS-PKCA] 3.1.5.2.1.1).
    host.write_private(
        "certificates.cnf",
        format!(
            "[req]\ndistinguished_name = name\n[name]\n\
             [kdc]\nkeyUsage = digitalSignature, keyEncipherment\n\
             extendedKeyUsage = 1.3.6.1.5.2.3.5, serverAuth\n\
             subjectAltName = DNS:{name}.{domain}\n\
             [card]\nkeyUsage = digitalSignature\n\
             extendedKeyUsage = 1.3.6.1.4.1.311.20.2.2, clientAuth\n\
             subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:{CARD_HOLDER}@{REALM}\n"
        ),
    )?;
    host.script(&format!(
        r#"make() {{
               openssl req -config certificates.cnf -newkey rsa:2048 -nodes -subj "$2" \
                   -keyout $1.key -out $1.csr
           }}
           make authority '/DC=example/DC=hawk/CN=Hawk Authority'
           openssl x509 -req -in authority.csr -signkey authority.key -days 30 -out authority.pem \
               -extfile <(echo basicConstraints = critical, CA:true)
           issue() {{
               make $1 "$2"
               openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -days 30 \
                   -CAcreateserial -extfile certificates.cnf -extensions $1 -out $1.pem
           }}
           issue kdc '/CN={name}.{domain}'
           issue card '/DC=example/DC=hawk/CN=Users/CN={CARD_HOLDER}'
           # krb5.conf ends with the section that Samba's KDC (Heimdal) reads.
           printf ' %s\n' 'enable-pkinit = yes' 'pkinit_principal_in_certificate = yes' \
               'pkinit_identity = FILE:{PRIVATE}/kdc.pem,{PRIVATE}/kdc.key' \
               'pkinit_anchors = FILE:{PRIVATE}/authority.pem' >> /etc/krb5.conf"#
    ))?;
    Ok(())
}

/// Lines of a realm's part of krb5.conf that make a client (MIT) trust the first controller's KDC.
pub(crate) fn client_settings() -> String {
    format!(
        "  pkinit_anchors = FILE:{PRIVATE}/authority.pem\n  pkinit_kdc_hostname = dc1.{}\n",
        REALM.to_lowercase()
    )
}
