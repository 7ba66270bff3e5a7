//! Connections of SMB whose client is an attacker's tool, by its quirks.
//!
//! Tools speak SMB with code of their own, and fill fields that ordinary clients take from chance or
//! from the system with constants. None of that is proof of anything but the program: honest scripts
//! use the same libraries. It is enough to say with what somebody guesses passwords.

use std::net::{IpAddr, SocketAddr};

use goshawk_model::ntlm::NtlmLogon;
use goshawk_model::smb::{Negotiate, SessionSetup, SmbOperation};
use goshawk_model::{Activity, Carrier, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::Stack;
use crate::table::{Table, TableStats};

/// Connections remembered.
const CONNECTIONS: usize = 8_192;

/// A family of tools that share their code for SMB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    /// impacket, and what is made of it: CrackMapExec, netexec.
    Impacket,
    /// nmap's scripts.
    Nmap,
    /// hydra and medusa, which share theirs.
    Hydra,
    /// Metasploit.
    Metasploit,
}

/// By the client's end and the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tools(Table<(SocketAddr, IpAddr), Tool, CONNECTIONS>);

impl Tools {
    /// The tool at the other end of the connection that `activity` travelled on.
    pub(crate) fn get(&self, activity: &Activity) -> Option<Tool> {
        if self.0.stats().len == 0 {
            return None;
        }
        self.0.get(&end(activity)).copied()
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let tool = match &activity.kind {
            Kind::Smb(SmbOperation::Negotiate(negotiate)) => negotiates_like(negotiate),
            Kind::Smb(SmbOperation::Session(setup)) => logs_on_like(setup),
            Kind::Ntlm(logon) if logon.carrier == Carrier::Smb => speaks_like(logon),
            _ => return,
        };
        if let Some(tool) = tool {
            self.0.touch(end(activity), now, || tool);
        }
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

fn end(activity: &Activity) -> (SocketAddr, IpAddr) {
    (activity.flow.client, activity.flow.server.ip())
}

/// `ClientGuid` is chosen at random ([MS-SMB2] 3.2.1.1); impacket makes it of letters, nmap of
/// digits.
fn negotiates_like(negotiate: &Negotiate) -> Option<Tool> {
    let guid = negotiate.client.as_ref()?.guid?;
    let bytes = guid.as_bytes();
    if bytes.iter().all(u8::is_ascii_alphabetic) {
        Some(Tool::Impacket)
    } else if bytes.iter().all(u8::is_ascii_digit) {
        Some(Tool::Nmap)
    } else {
        None
    }
}

/// What a client of SMB 1 calls itself ([MS-CIFS] 2.2.4.53.1). hydra and medusa call themselves what
/// Samba's client does, which does not show a bare response unless it is told to.
fn logs_on_like(setup: &SessionSetup) -> Option<Tool> {
    let client = setup.smb1.as_ref()?;
    let is_bare = client.lm_response || client.nt_response;
    match (&*client.native_os, &*client.native_lan_man) {
        ("Unix", "Samba") if is_bare => Some(Tool::Hydra),
        ("Nmap", _) => Some(Tool::Nmap),
        ("Windows 7 Ultimate N 7601 Service Pack 1", "Windows 7 Ultimate N 6.1")
        | ("Windows 2000 2195", "Windows 2000 5.0") => Some(Tool::Metasploit),
        _ => None,
    }
}

/// Metasploit's library names every machine alike, and tells no version.
fn speaks_like(logon: &NtlmLogon) -> Option<Tool> {
    let shown = logon.authenticate.as_ref()?;
    let alike = shown.workstation.as_deref() == Some("WORKSTATION") && shown.version.is_none();
    alike.then_some(Tool::Metasploit)
}

impl Tool {
    /// The implementation of Kerberos that comes with it.
    pub(crate) const fn stack(self) -> Option<Stack> {
        match self {
            Self::Impacket => Some(Stack::Impacket),
            Self::Nmap | Self::Hydra | Self::Metasploit => None,
        }
    }

    /// What speaks for it, for a sentence.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Impacket => "it negotiates as impacket and netexec do",
            Self::Nmap => "it names itself as nmap's scripts do",
            Self::Hydra => "it logs on as hydra and medusa do",
            Self::Metasploit => "it names itself as Metasploit does",
        }
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::Outcome;
    use goshawk_model::smb::{Smb1Client, Terms};

    use super::*;
    use crate::build::{Net, at};

    fn after(operation: SmbOperation) -> Option<Tool> {
        let activity = Net::default().activity("10.0.0.7", Outcome::Failure, Kind::Smb(operation));
        let mut tools = Tools::default();
        tools.learn(&activity, at(1));
        tools.get(&activity)
    }

    #[test]
    fn a_guid_of_letters_is_no_chance() {
        let negotiated = |guid: &[u8; 16]| {
            let client = Some(Terms {
                guid: Some(uuid::Uuid::from_bytes(*guid)),
                ..Terms::default()
            });
            after(SmbOperation::Negotiate(Box::new(Negotiate {
                client,
                ..Negotiate::default()
            })))
        };
        assert_eq!(negotiated(b"VVdSgcomFYKddrgX"), Some(Tool::Impacket));
        assert_eq!(negotiated(b"1234567890123456"), Some(Tool::Nmap));
        assert_eq!(negotiated(b"\x12\xcd\x8eVdSgcomFYKdrg"), None);
    }

    #[test]
    fn names_of_smb_1_clients() {
        let named = |native_os: &str, native_lan_man: &str, nt_response| {
            let smb1 = Some(Box::new(Smb1Client {
                native_os: native_os.into(),
                native_lan_man: native_lan_man.into(),
                nt_response,
                ..Smb1Client::default()
            }));
            after(SmbOperation::Session(Box::new(SessionSetup {
                smb1,
                ..SessionSetup::default()
            })))
        };
        assert_eq!(named("Unix", "Samba", true), Some(Tool::Hydra));
        assert_eq!(named("Unix", "Samba", false), None, "smbclient");
        assert_eq!(named("Nmap", "Native Lanman", true), Some(Tool::Nmap));
        assert_eq!(named("", "", true), None);
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let client = Some(Terms {
            guid: Some(uuid::Uuid::from_bytes(*b"VVdSgcomFYKddrgX")),
            ..Terms::default()
        });
        let negotiate = Negotiate {
            client,
            ..Negotiate::default()
        };
        let mut tools = Tools::default();
        for n in 0..=CONNECTIONS as u32 {
            let from = IpAddr::from((0x0a01_0000 + n).to_be_bytes()).to_string();
            let operation = SmbOperation::Negotiate(Box::new(negotiate.clone()));
            let activity = net.activity(&from, Outcome::Success, Kind::Smb(operation));
            tools.learn(&activity, at(1));
        }
        assert_eq!((tools.stats().len, tools.stats().evicted), (CONNECTIONS, 1));
    }
}
