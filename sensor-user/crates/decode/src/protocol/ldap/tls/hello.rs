//! What TLS records say before they are sealed (RFC 8446 4.1).

use goshawk_model::ldap::TlsClient;

use crate::protocol::Verdict;
use crate::protocol::ldap::text;
use crate::wire::{Order, Wire};

/// Length of a record's header.
pub(super) const HEADER: usize = 5;
/// `ContentType`: `change_cipher_spec`, `alert`, `handshake`, `application_data`.
const TYPES: std::ops::RangeInclusive<u8> = 20..=23;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// `HandshakeType`
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Longest record: what RFC 5246 6.2.3 allows.
const MAX_RECORD: usize = (1 << 14) + 2048;
/// Extensions.
const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;
/// The longest name that DNS has, bytes.
const MAX_NAME: usize = 255;

/// Length of the record that `bytes` begin with, its header included; `None` if they begin none, or
/// are too few.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let (&[kind, major, minor, high, low], _) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let is_record = TYPES.contains(&kind) && major == 3 && minor <= 4 && length <= MAX_RECORD;
    is_record.then_some(HEADER + length)
}

/// Whether a record begins here: asked on the ports of LDAP alone.
pub(in super::super) fn tells(bytes: &[u8]) -> Verdict {
    if length(bytes).is_some() {
        Verdict::Yes
    } else if bytes.len() < HEADER && bytes.first().is_none_or(|kind| TYPES.contains(kind)) {
        Verdict::Need(HEADER)
    } else {
        Verdict::No
    }
}

/// What a record says that is not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The client begins.
    ClientHello(TlsClient),
    /// The server agrees.
    ServerHello,
    /// One of them does not.
    Alert,
}

/// What a record says, as far as it is there.
pub(super) fn read(record: &[u8]) -> Option<Said> {
    let (&kind, _) = record.split_first()?;
    let fragment = record.get(HEADER..)?;
    match (kind, fragment.first()?) {
        (ALERT, _) => Some(Said::Alert),
        (HANDSHAKE, &SERVER_HELLO) => Some(Said::ServerHello),
        (HANDSHAKE, &CLIENT_HELLO) => client_hello(fragment).map(Said::ClientHello),
        _ => None,
    }
}

/// Whether the record that begins so is worth having whole.
pub(super) fn is_client_hello(head: &[u8]) -> bool {
    head.first() == Some(&HANDSHAKE) && head.get(HEADER) == Some(&CLIENT_HELLO)
}

fn client_hello(fragment: &[u8]) -> Option<TlsClient> {
    let mut wire = Wire::new(fragment, Order::Big);
    // HandshakeType and length.
    wire.take(4)?;
    let mut client = TlsClient {
        version: wire.u16()?,
        server_name: None,
    };
    // random, legacy_session_id, cipher_suites, legacy_compression_methods: what is missing of
    // them leaves no extensions.
    let extensions = (|| {
        wire.take(32)?;
        let session = wire.u8()?;
        wire.take(session.into())?;
        let suites = wire.u16()?;
        wire.take(suites.into())?;
        let methods = wire.u8()?;
        wire.take(methods.into())?;
        let length = usize::from(wire.u16()?);
        Some(wire.rest().get(..length).unwrap_or(wire.rest()))
    })();
    let mut extensions = Wire::new(extensions.unwrap_or_default(), Order::Big);
    while let Some((kind, data)) = extension(&mut extensions) {
        match kind {
            SERVER_NAME => client.server_name = server_name(data),
            SUPPORTED_VERSIONS => {
                let (versions, _) = data.get(1..).unwrap_or_default().as_chunks();
                // Values like 0x5a5a are there to keep servers tolerant (RFC 8701).
                let newest = versions
                    .iter()
                    .map(|version| u16::from_be_bytes(*version))
                    .filter(|version| version >> 8 == 3)
                    .max();
                client.version = newest.unwrap_or(client.version);
            }
            _ => {}
        }
    }
    Some(client)
}

fn extension<'a>(wire: &mut Wire<'a>) -> Option<(u16, &'a [u8])> {
    let (kind, length) = (wire.u16()?, wire.u16()?);
    Some((kind, wire.take(length.into())?))
}

/// The first `host_name` of a `ServerNameList` (RFC 6066 3).
fn server_name(data: &[u8]) -> Option<Box<str>> {
    let mut wire = Wire::new(data, Order::Big);
    wire.take(2)?;
    let kind = wire.u8()?;
    let length = wire.u16()?;
    let name = wire.take(length.into())?;
    (kind == 0).then(|| text::cut(name, MAX_NAME).to_lowercase().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello() -> Vec<u8> {
        let name = b"DC1.corp.example";
        let mut sni = vec![0, 0, 0, name.len() as u8 + 5, 0, name.len() as u8 + 3, 0, 0];
        sni.push(name.len() as u8);
        sni.extend(name);
        let versions = [0, 43, 0, 7, 6, 0x5a, 0x5a, 3, 4, 3, 3];
        let mut body = vec![1, 0, 0, 0, 3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        body.extend([0, (sni.len() + versions.len()) as u8]);
        body.extend([&sni[..], &versions].concat());
        [&[22, 3, 1, 0, body.len() as u8][..], &body].concat()
    }

    #[test]
    fn a_client_says_whom_it_wants() {
        let hello = hello();
        assert_eq!(length(&hello), Some(hello.len()));
        let said = Said::ClientHello(TlsClient {
            version: 0x0304,
            server_name: Some("dc1.corp.example".into()),
        });
        assert_eq!(read(&hello), Some(said));
    }

    #[test]
    fn other_bytes_are_no_records() {
        assert_eq!(tells(&[0x30, 12, 2, 1, 1]), Verdict::No);
        assert_eq!(tells(&[23, 3]), Verdict::Need(HEADER));
        assert_eq!(tells(&[23, 3, 3, 0xff, 0]), Verdict::No);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0..90usize) {
            let mut hello = hello();
            hello.truncate(at);
            hello.extend(bytes);
            let _ = (length(&hello), read(&hello));
        }
    }
}
