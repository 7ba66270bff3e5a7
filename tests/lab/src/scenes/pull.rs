//! One directory object with its secrets, asked for as a controller would ask: Samba's own
//! replication client, driven from Python.

use anyhow::Result;

use crate::host::Host;
use crate::scene::Tool;

/// The stack that speaks.
pub(super) const PULL: Tool = Tool::debian("samba.drs_utils", "python3-samba");

const SCRIPT: &str = include_str!("pull.py");

/// Asks `dc1` for the krbtgt account; `credentials` are `kerberos|ntlm USER PASSWORD`.
pub(super) fn pull(host: &Host, credentials: &str) -> Result<()> {
    host.write_private("pull.py", SCRIPT)?;
    host.script(&format!(
        r#"/usr/bin/python3 pull.py "dc1.$DOMAIN" krbtgt {credentials}"#
    ))?;
    Ok(())
}
