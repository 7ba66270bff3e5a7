//! SESSION_SETUP_ANDX and TREE_CONNECT ([MS-CIFS] 2.2.4.53, 2.2.4.50, 2.2.4.55, [MS-SMB] 2.2.4.6).

use goshawk_model::smb::{Share, ShareType, Smb1Client};
use goshawk_model::{Account, Mechanism};

use super::block::Block;
use super::header::{Header, command};
use super::strings::Strings;
use crate::protocol::smb::share_of;

/// What a client's message in a logon says.
pub(super) struct Asked<'a> {
    /// A security token, in those with extended security.
    pub(super) token: Option<&'a [u8]>,
    /// Who it says it is, in the others.
    pub(super) claim: Option<(Mechanism, Option<Account>)>,
    pub(super) client: Smb1Client,
}

/// What a server's says.
pub(super) struct Answered<'a> {
    pub(super) guest: bool,
    pub(super) token: &'a [u8],
}

pub(super) fn setup_request<'a>(header: &Header, block: &Block<'a>) -> Option<Asked<'a>> {
    let mut wire = block.words();
    // MaxBufferSize, MaxMpxCount, VcNumber, SessionKey.
    wire.take(2 + 2 + 2 + 4)?;
    let first = usize::from(wire.u16()?);
    if block.word_count == 12 {
        let token = block.bytes.get(..first).unwrap_or(block.bytes);
        let mut strings = Strings::new(block, first, header.is_unicode());
        return Some(Asked {
            token: Some(token),
            claim: None,
            client: Smb1Client {
                native_os: strings.next(),
                native_lan_man: strings.next(),
                ..Smb1Client::default()
            },
        });
    }
    let second = if block.word_count >= 13 {
        usize::from(wire.u16()?)
    } else {
        0
    };
    let mut strings = Strings::new(block, first + second, header.is_unicode());
    let (name, domain) = (strings.next(), strings.next());
    // A response to an empty password is one zero ([MS-CIFS] 3.2.4.2.4).
    let (lm_response, nt_response) = (first > 1, second > 1);
    let account = (!name.is_empty()).then(|| Account::new(&name, &domain));
    let mechanism = match account {
        Some(_) => Mechanism::Ntlm,
        None => Mechanism::Anonymous,
    };
    Some(Asked {
        token: None,
        claim: Some((mechanism, account)),
        client: Smb1Client {
            native_os: strings.next(),
            native_lan_man: strings.next(),
            lm_response,
            nt_response,
        },
    })
}

pub(super) fn setup_answer<'a>(block: &Block<'a>) -> Option<Answered<'a>> {
    let mut wire = block.words();
    let guest = wire.u16()? & 1 != 0;
    let length = if block.word_count == 4 {
        usize::from(wire.u16()?)
    } else {
        0
    };
    Some(Answered {
        guest,
        token: block.bytes.get(..length).unwrap_or(block.bytes),
    })
}

pub(super) fn tree_request(header: &Header, block: &Block<'_>) -> Option<Share> {
    let path = if block.command == command::TREE_CONNECT {
        Strings::new(block, 0, header.is_unicode()).next_marked()
    } else {
        let mut wire = block.words();
        wire.take(2)?;
        let password = usize::from(wire.u16()?);
        Strings::new(block, password, header.is_unicode()).next()
    };
    Some(share_of(&path))
}

/// What the server says that the share offers.
pub(super) fn tree_answer(block: &Block<'_>) -> Option<ShareType> {
    let service = Strings::new(block, 0, false).next_oem();
    match &*service {
        "IPC" => Some(ShareType::Pipe),
        "A:" => Some(ShareType::Disk),
        "LPT1:" => Some(ShareType::Print),
        _ => None,
    }
}

/// The id that the older command's answer has in its words ([MS-CIFS] 2.2.4.50.2).
pub(super) fn tree_id(block: &Block<'_>) -> Option<u16> {
    let mut wire = block.words();
    wire.take(2)?;
    wire.u16()
}
