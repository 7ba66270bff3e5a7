//! Who opens a secure channel: the token of a bind with `RPC_C_AUTHN_NETLOGON` ([MS-NRPC] 3.3).

use goshawk_model::Account;

use crate::wire::{Order, Wire};

/// `RPC_C_AUTHN_NETLOGON` ([MS-RPCE] 2.2.1.1.7).
pub(super) const AUTH_TYPE: u8 = 68;

/// Which names an `NL_AUTH_MESSAGE` holds, in this order ([MS-NRPC] 2.2.1.3.1: `Flags`).
mod flag {
    pub(super) const NETBIOS_DOMAIN: u32 = 0x01;
    pub(super) const NETBIOS_COMPUTER: u32 = 0x02;
    pub(super) const DNS_DOMAIN: u32 = 0x04;
    pub(super) const DNS_HOST: u32 = 0x08;
    pub(super) const NETBIOS_COMPUTER_UTF8: u32 = 0x10;
}

/// A machine, as it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) account: Account,
    /// Its name, lower case.
    pub(super) name: Box<str>,
}

/// The machine that a negotiate message names; `None` if it is none, or names nobody.
pub(super) fn machine(token: &[u8]) -> Option<Machine> {
    const NEGOTIATE_REQUEST: u32 = 0;
    let mut wire = Wire::new(token, Order::Little);
    if wire.u32()? != NEGOTIATE_REQUEST {
        return None;
    }
    let flags = wire.u32()?;
    let mut text = |flag, read: fn(&mut Wire<'_>) -> Option<String>| match flags & flag {
        0 => Some(None),
        _ => read(&mut wire).map(Some),
    };
    let netbios_domain = text(flag::NETBIOS_DOMAIN, oem)?;
    let netbios_name = text(flag::NETBIOS_COMPUTER, oem)?;
    let dns_domain = text(flag::DNS_DOMAIN, labels)?;
    let host = text(flag::DNS_HOST, labels)?;
    let utf8_name = text(flag::NETBIOS_COMPUTER_UTF8, labels)?;
    let name = netbios_name.or(utf8_name).or(host)?.to_lowercase();
    let name = name.split('.').next().filter(|name| is_computer(name))?;
    let domain = dns_domain.or(netbios_domain).unwrap_or_default();
    let account = Account::new(&format!("{name}$"), &domain);
    Some(Machine {
        account,
        name: name.into(),
    })
}

/// Whether a computer can have this name: it is one label (RFC 1035 2.3.4), and nothing in it would
/// make the account's name another one's.
fn is_computer(name: &str) -> bool {
    (1..=63).contains(&name.len()) && !name.contains(['@', '\\', '$']) && name.trim() == name
}

/// Text that ends with a zero, in the machine's code page; names are plain ASCII.
fn oem(wire: &mut Wire<'_>) -> Option<String> {
    let length = wire.rest().iter().position(|&byte| byte == 0)?;
    let text = String::from_utf8_lossy(wire.take(length)?).into_owned();
    wire.take(1)?;
    Some(text)
}

/// A name in the form of RFC 1035 4.1.4, without pointers.
fn labels(wire: &mut Wire<'_>) -> Option<String> {
    let mut name = String::new();
    loop {
        match usize::from(wire.u8()?) {
            0 => return Some(name),
            length @ 1..=63 => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(wire.take(length)?));
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(flags: u32, names: &[u8]) -> Vec<u8> {
        [&[0; 4][..], &flags.to_le_bytes(), names].concat()
    }

    #[test]
    fn a_machine_is_named_in_every_form() {
        let machine = |flags, names: &[u8]| machine(&message(flags, names));
        let expected = |realm| {
            let account = Account::new("ws1$", realm);
            let name = "ws1".into();
            Some(Machine { account, name })
        };
        assert_eq!(machine(3, b"CORP\0WS1\0"), expected("corp"));
        let windows = b"CORP\0WS1\0\x04corp\x07example\0\x03ws1\0";
        assert_eq!(machine(0x17, windows), expected("corp.example"));
        assert_eq!(
            machine(0x0c, b"\x04corp\0\x03WS1\x04corp\0"),
            expected("corp")
        );
        assert_eq!(machine(1, b"CORP\0"), None);
        assert_eq!(machine(2, b"@\0"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(flags in any::<u32>(), names: Vec<u8>) {
            if let Some(machine) = machine(&message(flags, &names)) {
                prop_assert!(machine.account.is_machine());
            }
        }
    }
}
