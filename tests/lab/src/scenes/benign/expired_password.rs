//! A password that has expired (KDC_ERR_KEY_EXPIRED, RFC 4120 7.5.9), changed at the prompt over
//! kpasswd (RFC 3244) and then used.

use anyhow::Result;

use crate::lab::Lab;
use crate::scene::{Scene, Tool};

pub(super) const SCENE: Scene = Scene::benign(
    "expired-password",
    "An expired password is changed at logon",
    Tool::debian("kinit", "krb5-user"),
    play,
)
.after(|lab| {
    lab.host("dc1")?.script(
        r#"samba-tool user setpassword oscar --newpassword="$PASSWORD" \
               --must-change-at-next-login"#,
    )?;
    Ok(())
});

fn play(lab: &mut Lab) -> Result<()> {
    lab.host("ws1")?.script(
        r#"printf '%s\n' "$PASSWORD" 'Harrier-Quarry-3' 'Harrier-Quarry-3' | kinit oscar
           klist | grep 'oscar@'"#,
    )?;
    Ok(())
}
