//! The account that needs no pre-authentication logs on itself: it too gets an AS-REP for nothing,
//! and then uses the ticket, which only the holder of the password can.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "nopreauth-logon",
    "The account without pre-authentication logs on and uses its ticket",
    Tool::debian("kinit, smbclient", "krb5-user"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"echo "$PASSWORD" | kinit nopreauth
           kvno "HTTP/intranet.$DOMAIN"
           smbclient --use-kerberos=required --use-krb5-ccache="$KRB5CCNAME" \
               "//dc1.$DOMAIN/sysvol" -c 'ls'"#,
    )?;
    Ok(())
}
