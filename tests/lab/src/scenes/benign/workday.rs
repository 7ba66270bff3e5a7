//! A person's morning: logs on, opens a share, looks somebody up, visits the intranet.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "workday",
    "Three people log on, open a share, search the directory, use a service",
    Tool::debian("kinit, smbclient, ldapsearch, kvno", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"for name in alice bob carol; do
               echo "$PASSWORD" | kinit "$name"
               smbclient --use-kerberos=required --use-krb5-ccache="$KRB5CCNAME" \
                   "//dc1.$DOMAIN/sysvol" -c 'ls'
               ldapsearch -N -Q -Y GSSAPI -H "ldap://dc1.$DOMAIN" -b "CN=Users,DC=hawk,DC=example" \
                   "(sAMAccountName=$name)" cn memberOf
               kvno "HTTP/intranet.$DOMAIN"
           done"#,
    )?;
    Ok(())
}
