//! A workstation joins the domain with adcli: LDAP under GSSAPI, kpasswd, a CLDAP ping.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "join-adcli",
    "A workstation joins the domain (adcli)",
    Tool::debian("adcli join", "adcli"),
    play,
);

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws2")?.script(
        r#"echo "$ADMIN_PASSWORD" | adcli join --domain="$DOMAIN" -U Administrator \
               --stdin-password --host-keytab="$PWD/host.keytab" --computer-name=ws2
           kinit -k -t host.keytab 'ws2$'"#,
    )?;
    Ok(())
}
