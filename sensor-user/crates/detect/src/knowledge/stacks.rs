//! How machines speak Kerberos, and NTLM and SMB as far as tools show themselves: which program asks.
//!
//! Every implementation has habits in what RFC 4120 5.4.1 leaves to it: options, order of
//! pre-authentication data, encryption types, how long a ticket is asked for. A library that was
//! made for attacks shows itself by them, and a ticket that is presented in another dialect than
//! it was asked for in has changed hands.
//!
//! One address may speak several dialects honestly: a server with Java on Windows, everybody behind
//! one NAT. So a dialect that was heard there before is no news.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsRequest, TgsRequest, padata};
use goshawk_model::ntlm::{LmResponse, NtResponse};
use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Kind, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Tool, Tools};
use crate::table::{Table, TableStats};

/// Machines remembered.
const HOSTS: usize = 65_536;
/// As long as an address is good for.
const FORGET: Duration = Duration::from_secs(8 * 24 * 3600);

/// A Kerberos implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stack {
    /// Windows' own.
    Windows,
    /// MIT's, with Samba's and SSSD's use of it.
    Mit,
    /// impacket.
    Impacket,
    /// Rubeus, and kekeo before it.
    Rubeus,
    /// minikerberos, which asks like impacket before it proves anything.
    Minikerberos,
    /// What aiosmb, msldap, bloodyAD and pypykatz log on over NTLM with.
    Asyauth,
}

/// What a request for a first ticket was made by; `None` if it has no known habit.
pub(crate) fn of_as(request: &AsRequest, asked: Timestamp) -> Option<Stack> {
    let kinds = &*request.padata;
    let bare = request.netbios_addresses.is_empty() && request.addresses.is_empty();
    let only = |allowed: &[i32]| kinds.iter().all(|kind| allowed.contains(kind));
    if kinds.contains(&padata::PAC_REQUEST) && only(&[padata::ENC_TIMESTAMP, padata::PAC_REQUEST]) {
        // Forwardable, renewable and proxiable, for a day from now, renewable no longer.
        if request.kdc_options == 0x5080_0000
            && bare
            && request.till.is_some()
            && request.till == request.rtime
            && lasts_a_day(request.till, asked)
        {
            return Some(Stack::Impacket);
        }
        // The elements in this order, and renewable where it cannot be for as long as wanted.
        if request.kdc_options == 0x4080_0010
            && *kinds == [padata::PAC_REQUEST, padata::ENC_TIMESTAMP]
            && request.etypes.len() == 1
            && bare
            && request.till == request.rtime
            && lasts_a_day(request.till, asked)
        {
            return Some(Stack::Minikerberos);
        }
        // Windows' date in 2037, shifted by the time zone it was read in, but neither the end of
        // renewing that Windows sends with it, nor the machine's name, nor canonicalization.
        if request.kdc_options == 0x4080_0010
            && bare
            && request.rtime.is_none()
            && request.till.is_some_and(is_windows_date)
        {
            return Some(Stack::Rubeus);
        }
    }
    if request.kdc_options & 0xff00_0000 == 0x4000_0000
        && request
            .etypes
            .iter()
            .any(|etype| matches!(etype, 24 | -135))
        && request.till.is_some_and(is_windows_date)
        && request.rtime.is_some_and(is_windows_date)
    {
        return Some(Stack::Windows);
    }
    (!kinds.contains(&padata::PAC_REQUEST) && is_mit_offer(&request.etypes)).then_some(Stack::Mit)
}

/// What a request for a further ticket was made by.
pub(crate) fn of_tgs(request: &TgsRequest) -> Option<Stack> {
    // RC4, DES3 and DES whatever the domain knows, and the session key's type after them; for
    // S4U2self that type and RC4.
    let impacket = match *request.padata {
        [padata::TGS_REQ] => {
            request.kdc_options == 0x4081_0010 && matches!(*request.etypes, [23, 16, 3, _])
        }
        [padata::TGS_REQ, padata::PAC_OPTIONS] => matches!(*request.etypes, [23, 16, 3, _]),
        [padata::TGS_REQ, padata::FOR_USER] => matches!(*request.etypes, [_, 23]),
        _ => false,
    };
    if impacket {
        return Some(Stack::Impacket);
    }
    if request.till.is_some_and(is_windows_date)
        && request
            .etypes
            .iter()
            .any(|etype| matches!(etype, 24 | -135))
    {
        return Some(Stack::Windows);
    }
    (is_mit_offer(&request.etypes) && request.padata.contains(&padata::FX_FAST))
        .then_some(Stack::Mit)
}

/// Which tool makes a logon's AUTHENTICATE so: with its own flags, no workstation, no word on the
/// machine, and a version that it always pretends, if any.
pub(crate) fn of_ntlm(activity: &Activity) -> Option<Stack> {
    let Kind::Ntlm(logon) = &activity.kind else {
        return None;
    };
    let shown = logon.authenticate.as_ref()?;
    if shown.workstation.is_some()
        || shown.nt_response != NtResponse::Ntlmv2
        || shown.target_info.single_host
    {
        return None;
    }
    match (shown.flags, shown.version.map(|it| it.build)) {
        (0xe088_8235 | 0xe288_8235, None | Some(19_041)) => Some(Stack::Impacket),
        // Clients that heed the challenge's timestamp send no LMv2 ([MS-NLMP] 3.1.5.1.2).
        (0xe208_82b7, Some(15_063)) if shown.lm_response == LmResponse::Lmv2 => {
            Some(Stack::Asyauth)
        }
        _ => None,
    }
}

impl Stack {
    /// Whether nothing but tools speak so.
    pub(crate) fn is_tool(self) -> bool {
        matches!(
            self,
            Self::Impacket | Self::Rubeus | Self::Minikerberos | Self::Asyauth
        )
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::Mit => "MIT Kerberos",
            Self::Impacket => "impacket",
            Self::Rubeus => "Rubeus",
            Self::Minikerberos => "minikerberos",
            Self::Asyauth => "asyauth",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Address → the stacks heard there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Stacks(Table<IpAddr, u8, HOSTS>);

impl Stacks {
    /// Whether `ip` spoke in known ways, and never in `stack`'s.
    pub(crate) fn is_strange(&self, ip: IpAddr, stack: Stack) -> bool {
        self.0
            .get(&ip)
            .is_some_and(|heard| heard & stack.bit() == 0)
    }

    /// Whether `ip` spoke in `stack`'s way.
    pub(crate) fn has_heard(&self, ip: IpAddr, stack: Stack) -> bool {
        self.0
            .get(&ip)
            .is_some_and(|heard| heard & stack.bit() != 0)
    }

    pub(super) fn learn(&mut self, activity: &Activity, tools: &Tools, now: Timestamp) {
        // Only what a KDC took for good: otherwise a thief could teach us his dialect for free.
        let heard = match &activity.kind {
            Kind::As(exchange) if matches!(exchange.answer, Answer::Issued { .. }) => {
                let request = exchange.request.as_ref();
                request.and_then(|request| of_as(request, activity.time))
            }
            Kind::Tgs(exchange) if matches!(exchange.answer, Answer::Issued { .. }) => {
                exchange.request.as_ref().and_then(of_tgs)
            }
            Kind::Smb(SmbOperation::Session(_)) if activity.outcome == Outcome::Success => {
                tools.get(activity).and_then(Tool::stack)
            }
            Kind::Ntlm(_) if activity.outcome == Outcome::Success => of_ntlm(activity),
            _ => None,
        };
        if let Some(stack) = heard {
            *self.0.touch(activity.client.ip, now, || 0) |= stack.bit();
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - FORGET);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

/// Clocks may differ by hours where a time zone is set wrong.
fn lasts_a_day(till: Option<Timestamp>, asked: Timestamp) -> bool {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const SLACK: Duration = Duration::from_secs(15 * 3600);
    till.is_some_and(|till| till >= asked + (DAY - SLACK) && till <= asked + (DAY + SLACK))
}

/// 2037-09-13T02:48:05Z, until when Windows asks for tickets, give or take a time zone.
fn is_windows_date(stamp: Timestamp) -> bool {
    const DATE: u64 = 2_136_422_885;
    const QUARTER: u64 = 900;
    const ZONES: u64 = 15 * 3600;
    let apart = (stamp.as_nanos() / 1_000_000_000).abs_diff(DATE);
    apart <= ZONES && apart.is_multiple_of(QUARTER)
}

/// AES by RFC 8009 or Camellia (RFC 6803), which Windows never offers, or DES3 after AES.
fn is_mit_offer(etypes: &[i32]) -> bool {
    etypes.len() > 2
        && matches!(etypes, [17 | 18, ..])
        && etypes
            .iter()
            .any(|etype| matches!(etype, 16 | 19 | 20 | 25 | 26))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at, ip};

    fn day() -> Timestamp {
        at(24 * 3600)
    }

    fn windows_date(zone: i64) -> Option<Timestamp> {
        Some(Timestamp::from_parts(
            2_136_422_885_u64.checked_add_signed(zone * 3600).unwrap(),
            0,
        ))
    }

    fn impacket() -> AsRequest {
        AsRequest {
            kdc_options: 0x5080_0000,
            etypes: vec![18],
            padata: vec![padata::ENC_TIMESTAMP, padata::PAC_REQUEST],
            till: Some(day()),
            rtime: Some(day()),
            ..AsRequest::default()
        }
    }

    #[test]
    fn tools_have_habits() {
        assert_eq!(of_as(&impacket(), at(0)), Some(Stack::Impacket));
        let rubeus = AsRequest {
            kdc_options: 0x4080_0010,
            rtime: None,
            till: windows_date(-4),
            ..impacket()
        };
        assert_eq!(of_as(&rubeus, at(0)), Some(Stack::Rubeus));
        let minikerberos = AsRequest {
            kdc_options: 0x4080_0010,
            padata: vec![padata::PAC_REQUEST, padata::ENC_TIMESTAMP],
            ..impacket()
        };
        assert_eq!(of_as(&minikerberos, at(0)), Some(Stack::Minikerberos));
    }

    #[test]
    fn operating_systems_have_others() {
        let windows = AsRequest {
            kdc_options: 0x4081_0010,
            etypes: vec![18, 17, 23, 24, -135, 3],
            padata: vec![padata::PAC_REQUEST],
            till: windows_date(0),
            rtime: windows_date(0),
            netbios_addresses: vec!["WS7".into()],
            ..AsRequest::default()
        };
        assert_eq!(of_as(&windows, at(0)), Some(Stack::Windows));
        let kinit = AsRequest {
            kdc_options: 0x5080_0000,
            etypes: vec![18, 17, 20, 19, 16, 23, 25, 26],
            padata: vec![padata::ENC_TIMESTAMP, 150, 149],
            till: Some(day()),
            rtime: Some(day()),
            ..AsRequest::default()
        };
        assert_eq!(of_as(&kinit, at(0)), Some(Stack::Mit), "kinit -f -p -r 1d");
    }

    #[test]
    fn one_habit_of_a_tool_is_not_enough() {
        for request in [
            AsRequest {
                rtime: None,
                ..impacket()
            },
            AsRequest {
                till: Some(at(7 * 24 * 3600)),
                rtime: Some(at(7 * 24 * 3600)),
                ..impacket()
            },
            AsRequest {
                padata: vec![padata::ENC_TIMESTAMP, padata::PAC_REQUEST, 149],
                ..impacket()
            },
            AsRequest {
                kdc_options: 0x4080_0010,
                ..impacket()
            },
            AsRequest {
                netbios_addresses: vec!["NAS".into()],
                ..impacket()
            },
        ] {
            assert_eq!(of_as(&request, at(0)), None, "{request:?}");
        }
    }

    #[test]
    fn a_dialect_heard_before_is_not_strange() {
        let net = Net::default();
        let mut stacks = Stacks::default();
        assert!(!stacks.is_strange(ip("10.0.0.7"), Stack::Mit), "unknown");
        let logon = net.tool_logon("alice", "10.0.0.7", "tgt", &[18]);
        stacks.learn(&logon, &Tools::default(), at(1));
        assert!(stacks.is_strange(ip("10.0.0.7"), Stack::Mit));
        assert!(!stacks.is_strange(ip("10.0.0.7"), Stack::Impacket));
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut stacks = Stacks::default();
        for n in 0..=HOSTS as u32 {
            let mut logon = net.tool_logon("alice", "10.0.0.7", "tgt", &[18]);
            logon.client.ip = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            stacks.learn(&logon, &Tools::default(), at(1));
        }
        assert_eq!((stacks.stats().len, stacks.stats().evicted), (HOSTS, 1));
    }
}
