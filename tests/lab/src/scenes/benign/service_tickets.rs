//! Several services on an ordinary day: as many tickets as a roast asks for, but with the client's
//! usual encryption types, spread out, and the controller's own services are visited.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "service-tickets",
    "One person's tickets for four services, the file and directory services visited",
    Tool::debian("kvno, smbclient, ldapsearch", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"echo "$PASSWORD" | kinit judy
           kvno "HTTP/intranet.$DOMAIN"
           sleep 1
           smbclient --use-kerberos=required --use-krb5-ccache="$KRB5CCNAME" \
               "//dc1.$DOMAIN/netlogon" -c 'ls'
           sleep 1
           ldapsearch -N -Q -Y GSSAPI -H "ldap://dc1.$DOMAIN" -b "CN=Users,DC=hawk,DC=example" \
               "(objectClass=group)" cn
           sleep 1
           kvno "HTTP/wiki.$DOMAIN""#,
    )?;
    Ok(())
}
