//! `KERB_VALIDATION_INFO` ([MS-PAC] 2.5), as NDR lays it out in a serialization stream ([MS-RPCE]
//! 2.2.6).

use goshawk_model::kerberos::LogonInfo;

use crate::protocol::dcerpc::ndr::{Ndr, Syntax};
use crate::wire::Order;

/// `CommonTypeHeader` and `PrivateHeader` ([MS-RPCE] 2.2.6.1, 2.2.6.2).
const HEADERS: usize = 16;
/// A `FILETIME`.
const TIME: usize = 8;
/// Groups kept.
const MAX_GROUPS: usize = 128;
/// SIDs kept.
const MAX_SIDS: usize = 64;
/// What numbers people give to accounts and groups begins here; what is below is well known.
const FIRST_OWN: u32 = 1000;

/// Reads the buffer; `None` if it is not laid out so.
pub(super) fn read(buffer: &[u8]) -> Option<LogonInfo> {
    let syntax = Syntax {
        order: Order::Little,
        ndr64: false,
    };
    let mut ndr = Ndr::new(buffer.get(HEADERS..)?, syntax);
    ndr.reference()?;
    ndr.take(6 * TIME)?;
    // EffectiveName, FullName, LogonScript, ProfilePath, HomeDirectory, HomeDirectoryDrive
    let texts: [bool; 6] = heads(&mut ndr)?;
    let (_logon_count, _bad_password_count) = (ndr.u16()?, ndr.u16()?);
    let (user_id, primary_group_id) = (ndr.u32()?, ndr.u32()?);
    let groups = counted(&mut ndr)?;
    let _user_flags = ndr.u32()?;
    let _user_session_key: [u8; 16] = ndr.array()?;
    let [has_server, has_domain] = heads(&mut ndr)?;
    let has_domain_sid = ndr.reference()?;
    let _reserved: [u8; 8] = ndr.array()?;
    let _user_account_control = ndr.u32()?;
    let _sub_auth_status = ndr.u32()?;
    ndr.take(2 * TIME)?;
    let (_failed_logon_count, _reserved) = (ndr.u32()?, ndr.u32()?);
    let extra = counted(&mut ndr)?;
    let has_resource_domain = ndr.reference()?;
    let resource_groups = counted(&mut ndr)?;

    let mut names = texts.into_iter().map(|is_there| text(&mut ndr, is_there));
    let user = names.next()??;
    names.try_for_each(|name| name.map(drop))?;
    let groups = memberships(&mut ndr, groups)?;
    let server = text(&mut ndr, has_server)?;
    let domain = text(&mut ndr, has_domain)?;
    let domain_sid = sid(&mut ndr, has_domain_sid)?;
    let mut extra_sids = sids(&mut ndr, extra)?;
    let resource_domain = sid(&mut ndr, has_resource_domain)?.unwrap_or_default();
    let resource_groups = memberships(&mut ndr, resource_groups)?;
    extra_sids.extend(
        resource_groups
            .into_iter()
            .map(|number| format!("{resource_domain}-{number}").into()),
    );
    Some(LogonInfo {
        user,
        server,
        domain,
        domain_sid,
        user_id,
        primary_group_id,
        groups: known_first(groups, MAX_GROUPS, |&number| number),
        extra_sids: known_first(extra_sids, MAX_SIDS, |sid| {
            let (_, number) = sid.rsplit_once('-').unwrap_or_default();
            number.parse().unwrap_or(FIRST_OWN)
        }),
    })
}

/// The heads of `N` strings; whether there is more of each.
fn heads<const N: usize>(ndr: &mut Ndr<'_>) -> Option<[bool; N]> {
    let mut heads = [false; N];
    for head in &mut heads {
        *head = ndr.string_head()?;
    }
    Some(heads)
}

/// How many there are of something, and whether they are there.
fn counted(ndr: &mut Ndr<'_>) -> Option<Option<usize>> {
    let count = usize::try_from(ndr.u32()?).ok()?;
    Some(ndr.reference()?.then_some(count))
}

fn text(ndr: &mut Ndr<'_>, is_there: bool) -> Option<Box<str>> {
    if is_there {
        ndr.text()
    } else {
        Some(Box::default())
    }
}

fn sid(ndr: &mut Ndr<'_>, is_there: bool) -> Option<Option<Box<str>>> {
    if is_there {
        ndr.sid().map(Some)
    } else {
        Some(None)
    }
}

/// `GROUP_MEMBERSHIP` in an array ([MS-PAC] 2.2.2): numbers, without their attributes.
fn memberships(ndr: &mut Ndr<'_>, count: Option<usize>) -> Option<Vec<u32>> {
    let Some(count) = count else {
        return Some(Vec::new());
    };
    let _max_count = ndr.size()?;
    // There cannot be more than there are bytes; no room is made before they are there.
    let membership = |ndr: &mut Ndr<'_>| Some((ndr.u32()?, ndr.u32()?).0);
    (0..count).map(|_| membership(ndr)).collect()
}

/// `KERB_SID_AND_ATTRIBUTES` in an array ([MS-PAC] 2.2.1): all heads, then the SIDs.
fn sids(ndr: &mut Ndr<'_>, count: Option<usize>) -> Option<Vec<Box<str>>> {
    let Some(count) = count else {
        return Some(Vec::new());
    };
    let _max_count = ndr.size()?;
    let head = |ndr: &mut Ndr<'_>| Some((ndr.reference()?, ndr.u32()?).0);
    let heads: Vec<bool> = (0..count).map(|_| head(ndr)).collect::<Option<_>>()?;
    let there = heads.into_iter().filter(|&is_there| is_there);
    there.map(|_| ndr.sid()).collect()
}

/// Sorted by number, each once, the well-known ones in front, and no more than `most`.
fn known_first<T: Ord>(mut items: Vec<T>, most: usize, number: impl Fn(&T) -> u32) -> Vec<T> {
    items.sort_unstable_by(|one, other| {
        let is_own = |item: &T| number(item) >= FIRST_OWN;
        (is_own(one), one).cmp(&(is_own(other), other))
    });
    items.dedup();
    items.truncate(most);
    items
}
