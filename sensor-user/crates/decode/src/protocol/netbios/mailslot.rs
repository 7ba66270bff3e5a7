//! Mailslots ([MS-MAIL] 2.2.1), and what a domain's computers write to them.

use goshawk_model::netbios::MailslotMessage;

use super::name;
use crate::protocol::ldap::netlogon;
use crate::wire::{Order, Wire};

/// What was written to a mailslot.
pub(super) struct Written {
    pub(super) name: Box<str>,
    pub(super) message: Option<MailslotMessage>,
}

/// Bytes of an SMB header ([MS-CIFS] 2.2.3.1).
const SMB_HEADER: usize = 32;
const SMB_COM_TRANSACTION: u8 = 0x25;
/// Longest name of a mailslot taken.
const MAX_NAME: usize = 64;
/// Characters of a name in Unicode that are taken.
const MAX_UNITS: usize = 256;

/// Whether a datagram carries SMB.
pub(super) fn is_smb(data: &[u8]) -> bool {
    data.len() >= SMB_HEADER && data.starts_with(b"\xffSMB")
}

/// Reads an SMB_COM_TRANSACTION that writes to a mailslot ([MS-CIFS] 2.2.4.33.1).
pub(super) fn read(smb: &[u8]) -> Option<Written> {
    let mut wire = Wire::new(smb, Order::Little);
    let header = wire.take(SMB_HEADER)?;
    if header.get(4) != Some(&SMB_COM_TRANSACTION) {
        return None;
    }
    let words = wire.u8()?;
    let mut parameters = Wire::new(wire.take(2 * usize::from(words))?, Order::Little);
    // From TotalParameterCount to ParameterOffset.
    parameters.take(22)?;
    let count = usize::from(parameters.u16()?);
    let offset = usize::from(parameters.u16()?);
    let _byte_count = wire.u16()?;
    let path = terminated(wire.rest().get(..MAX_NAME).unwrap_or(wire.rest()))?;
    let name = name::text(path);
    let data = smb.get(offset..)?;
    let data = data.get(..count).unwrap_or(data);
    let is = |slot: &str| name.eq_ignore_ascii_case(slot);
    let message = if is(r"\MAILSLOT\BROWSE") || is(r"\MAILSLOT\LANMAN") {
        browser(data)
    } else if name.to_ascii_uppercase().starts_with(r"\MAILSLOT\NET\") {
        directory(data)
    } else {
        None
    };
    Some(Written { name, message })
}

/// What browsers write ([MS-BRWS] 2.2).
fn browser(data: &[u8]) -> Option<MailslotMessage> {
    const HOST_ANNOUNCEMENT: u8 = 1;
    const LOCAL_MASTER_ANNOUNCEMENT: u8 = 15;
    let mut wire = Wire::new(data, Order::Little);
    if !matches!(wire.u8()?, HOST_ANNOUNCEMENT | LOCAL_MASTER_ANNOUNCEMENT) {
        return None;
    }
    // UpdateCount and Periodicity.
    wire.take(5)?;
    Some(MailslotMessage::Announcement {
        server: name::text(wire.take(16)?),
        version: (wire.u8()?, wire.u8()?),
        server_type: wire.u32()?,
    })
}

/// What clients and controllers write to find each other ([MS-ADTS] 6.3.1).
fn directory(data: &[u8]) -> Option<MailslotMessage> {
    const LOGON_QUERY: u16 = 7;
    const PRIMARY_RESPONSE: u16 = 12;
    const SAM_LOGON_REQUEST: u16 = 18;
    let mut wire = Wire::new(data, Order::Little);
    Some(match wire.u16()? {
        LOGON_QUERY => MailslotMessage::LogonQuery {
            computer: name::text(terminated(wire.rest())?),
        },
        PRIMARY_RESPONSE => {
            let oem_name = terminated(wire.rest())?;
            wire.take(oem_name.len() + 1)?;
            // Strings in Unicode start at even bytes of the message.
            if oem_name.len().is_multiple_of(2) {
                wire.u8()?;
            }
            MailslotMessage::PrimaryResponse {
                controller: unicode(&mut wire)?,
                domain: unicode(&mut wire)?,
            }
        }
        SAM_LOGON_REQUEST => {
            let _request_count = wire.u16()?;
            MailslotMessage::SamLogonRequest {
                computer: unicode(&mut wire)?,
                user: unicode(&mut wire)?,
            }
        }
        _ => MailslotMessage::SamLogonResponse(Box::new(netlogon::read(data)?)),
    })
}

/// Bytes up to a zero, which must be there.
fn terminated(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    bytes.get(..end)
}

/// A string in Unicode up to its zero.
fn unicode(wire: &mut Wire<'_>) -> Option<Box<str>> {
    let mut units = Vec::new();
    loop {
        match wire.u16()? {
            0 => return Some(String::from_utf16_lossy(&units).into()),
            unit if units.len() < MAX_UNITS => units.push(unit),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200), opcode in 0..30u8) {
            let smb = [&b"\xffSMB\x25"[..], &[0; 27], &bytes].concat();
            let _ = (read(&bytes), read(&smb));
            let _ = directory(&[&[opcode, 0][..], &bytes].concat());
            let _ = browser(&[&[opcode][..], &bytes].concat());
        }
    }
}
