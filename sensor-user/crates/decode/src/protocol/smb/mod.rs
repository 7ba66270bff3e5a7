//! SMB of all versions: how it is framed on TCP, and what is known of a connection.
//!
//! What the bytes of a version say is read in [`smb1`](super::smb1) and [`smb2`](super::smb2);
//! what they mean is the same for both and lives here: sessions bound to accounts, trees bound to
//! shares, handles bound to paths, and the pipes among them, which carry DCE/RPC.

mod answered;
mod beginning;
mod controls;
mod conversation;
mod files;
mod frame;
mod names;
mod netbios;
mod open;
mod payload;
mod piece;
mod recent;
mod requests;
mod sessions;
mod state;
mod text;
mod trees;
mod values;

pub(super) use answered::{Answer, Opened};
pub(super) use controls::{DFS_GET_REFERRALS, DFS_GET_REFERRALS_EX, control_name};
pub(crate) use conversation::Conversation;
pub(super) use files::FileKey;
pub(super) use names::{pipe_name, share_of};
pub(super) use open::{Change, Nature, Open};
pub(super) use payload::{TELLING_RPC, is_rpc};
pub(super) use piece::{Extent, Piece, Step};
pub(super) use requests::{Asked, Request, Target};
pub(super) use sessions::Setup;
pub(super) use state::State;
pub(super) use text::{oem, utf16};
pub(super) use values::{create_action, disposition, file_info};

use super::Verdict;
use crate::flow::FlowKey;
use crate::limits::Limits;

/// Whether a session message of SMB, or NetBIOS' request for a session, starts here.
pub(crate) fn tells_stream(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    if frame::starts(bytes) {
        Verdict::Yes
    } else if bytes.len() < frame::TELLING && frame::may_start(bytes) {
        Verdict::Need(frame::TELLING)
    } else {
        Verdict::No
    }
}
