//! Who calls whom in NetBIOS' session service (RFC 1002 4.3), before SMB begins.

use goshawk_model::smb::{NetbiosSession, SmbOperation};
use goshawk_model::{Kind, Outcome};

use super::frame;
use crate::flow::Side;
use crate::protocol::{Context, Draft};

/// A session request that waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Calling {
    asked: Option<(Side, NetbiosSession)>,
}

impl Calling {
    /// Takes a frame that is no message.
    pub(super) fn take(
        &mut self,
        side: Side,
        kind: frame::Kind,
        body: &[u8],
        cx: &mut Context<'_>,
    ) {
        match kind {
            frame::Kind::SessionRequest if cx.may_be_client(side) => {
                self.close(cx);
                self.asked = session_request(body).map(|session| (side, session));
            }
            frame::Kind::PositiveResponse => self.end(Outcome::Success, None, cx),
            frame::Kind::NegativeResponse => self.end(Outcome::Failure, body.first().copied(), cx),
            _ => {}
        }
    }

    /// Ends it: what was answered was not seen.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.end(Outcome::Unknown, None, cx);
    }

    fn end(&mut self, outcome: Outcome, error: Option<u8>, cx: &mut Context<'_>) {
        if let Some((client, session)) = self.asked.take() {
            let session = NetbiosSession { error, ..session };
            let draft = Draft {
                client_name: Some(session.calling.to_lowercase().into()),
                ..Draft::new(Kind::Smb(SmbOperation::Netbios(session)), outcome)
            };
            let moment = cx.moment();
            cx.emit(moment, client, draft);
        }
    }
}

/// The two names of a session request.
fn session_request(body: &[u8]) -> Option<NetbiosSession> {
    let (called, rest) = name(body)?;
    let (calling, _) = name(rest)?;
    Some(NetbiosSession {
        called,
        calling,
        error: None,
    })
}

/// A name in its first-level encoding (RFC 1001 14.1): 16 bytes, each as two letters; the last
/// byte says what kind of name it is.
fn name(bytes: &[u8]) -> Option<(Box<str>, &[u8])> {
    let (&[32], rest) = bytes.split_first_chunk()? else {
        return None;
    };
    let (encoded, rest) = rest.split_first_chunk::<32>()?;
    let rest = rest.split_first_chunk::<1>()?.1;
    let nibble = |letter: u8| letter.checked_sub(b'A').filter(|&nibble| nibble < 16);
    let mut decoded = Vec::with_capacity(16);
    for &[high, low] in encoded.as_chunks::<2>().0 {
        decoded.push(nibble(high)? << 4 | nibble(low)?);
    }
    decoded.pop();
    let name = String::from_utf8_lossy(&decoded);
    Some((name.trim_end_matches([' ', '\0']).into(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(name: &str) -> Vec<u8> {
        let padded = format!("{name:<15}\0");
        let letters = padded
            .bytes()
            .flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]);
        [32].into_iter().chain(letters).chain([0]).collect()
    }

    proptest! {
        #[test]
        fn names_that_are_written_are_read(called in "[A-Z0-9*-]{1,15}", calling in "[A-Z0-9-]{1,15}") {
            let body = [encode(&called), encode(&calling)].concat();
            let session = session_request(&body).unwrap();
            prop_assert_eq!(&*session.called, called);
            prop_assert_eq!(&*session.calling, calling);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            session_request(&bytes);
        }
    }
}
