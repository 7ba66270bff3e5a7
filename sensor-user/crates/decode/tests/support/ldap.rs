//! LDAP messages written by the tests (RFC 4511), with lengths in four bytes, as Windows writes them.

/// A BER value.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, bytes)
}

/// A message with an operation in it.
pub(crate) fn message(id: u8, tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = [tlv(2, &[id]), tlv(tag, &parts.concat())];
    tlv(0x30, &body.concat())
}

/// The same, with controls.
pub(crate) fn controlled(id: u8, tag: u8, parts: &[Vec<u8>], controls: &[&str]) -> Vec<u8> {
    let controls: Vec<_> = controls
        .iter()
        .flat_map(|oid| tlv(0x30, &octets(oid.as_bytes())))
        .collect();
    let body = [
        tlv(2, &[id]),
        tlv(tag, &parts.concat()),
        tlv(0xa0, &controls),
    ];
    tlv(0x30, &body.concat())
}

pub(crate) fn simple_bind(id: u8, name: &str, password: &str) -> Vec<u8> {
    let parts = [
        tlv(2, &[3]),
        octets(name.as_bytes()),
        tlv(0x80, password.as_bytes()),
    ];
    message(id, 0x60, &parts)
}

pub(crate) fn sasl_bind(id: u8, mechanism: &str, token: &[u8]) -> Vec<u8> {
    let sasl = [octets(mechanism.as_bytes()), octets(token)].concat();
    message(id, 0x60, &[tlv(2, &[3]), octets(b""), tlv(0xa3, &sasl)])
}

/// One of Sicily's binds ([MS-ADTS] 5.1.1.1.3).
pub(crate) fn sicily_bind(id: u8, choice: u8, token: &[u8]) -> Vec<u8> {
    message(id, 0x60, &[tlv(2, &[3]), octets(b""), tlv(choice, token)])
}

/// `LDAPResult`
pub(crate) fn result(id: u8, tag: u8, code: u8, text: &str) -> Vec<u8> {
    let parts = [tlv(10, &[code]), octets(b""), octets(text.as_bytes())];
    message(id, tag, &parts)
}

pub(crate) fn bind_response(id: u8, code: u8, token: &[u8]) -> Vec<u8> {
    let parts = [tlv(10, &[code]), octets(b""), octets(b""), tlv(0x87, token)];
    message(id, 0x61, &parts)
}

/// An answer to Sicily, with its token in place of a name.
pub(crate) fn sicily_response(id: u8, token: &[u8]) -> Vec<u8> {
    message(id, 0x61, &[tlv(10, &[0]), octets(token), octets(b"")])
}

/// `(attribute=value)`
pub(crate) fn equals(attribute: &str, value: &[u8]) -> Vec<u8> {
    tlv(
        0xa3,
        &[octets(attribute.as_bytes()), octets(value)].concat(),
    )
}

/// `SearchRequest` below a base.
pub(crate) fn search_request(base: &str, filter: &[u8], attributes: &[&str]) -> Vec<Vec<u8>> {
    let attributes: Vec<_> = attributes
        .iter()
        .flat_map(|attribute| octets(attribute.as_bytes()))
        .collect();
    vec![
        octets(base.as_bytes()),
        tlv(10, &[if base.is_empty() { 0 } else { 2 }]),
        tlv(10, &[0]),
        tlv(2, &[0]),
        tlv(2, &[0]),
        tlv(1, &[0]),
        filter.to_vec(),
        tlv(0x30, &attributes),
    ]
}

pub(crate) fn search(id: u8, base: &str, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    message(id, 0x63, &search_request(base, filter, attributes))
}

/// `SearchResultEntry` with one attribute.
pub(crate) fn entry(id: u8, name: &str, attribute: &str, value: &[u8]) -> Vec<u8> {
    let values = tlv(0x31, &octets(value));
    let attribute = tlv(0x30, &[octets(attribute.as_bytes()), values].concat());
    message(id, 0x64, &[octets(name.as_bytes()), tlv(0x30, &attribute)])
}

pub(crate) fn done(id: u8) -> Vec<u8> {
    result(id, 0x65, 0, "")
}

/// An attribute and its values.
pub(crate) fn attribute(name: &str, values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<_> = values.iter().flat_map(|value| octets(value)).collect();
    tlv(
        0x30,
        &[octets(name.as_bytes()), tlv(0x31, &values)].concat(),
    )
}

/// `ModifyRequest`, each change one operation's number and an attribute.
pub(crate) fn modify(id: u8, object: &str, changes: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let changes: Vec<_> = changes
        .iter()
        .flat_map(|(operation, attribute)| {
            tlv(0x30, &[tlv(10, &[*operation]), attribute.clone()].concat())
        })
        .collect();
    message(id, 0x66, &[octets(object.as_bytes()), tlv(0x30, &changes)])
}

pub(crate) fn add(id: u8, entry: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let parts = [octets(entry.as_bytes()), tlv(0x30, &attributes.concat())];
    message(id, 0x68, &parts)
}

pub(crate) fn extended(id: u8, oid: &str, value: &[u8]) -> Vec<u8> {
    message(id, 0x77, &[tlv(0x80, oid.as_bytes()), tlv(0x81, value)])
}

/// A buffer of a security layer (RFC 4422 3.7) that NTLM has signed.
pub(crate) fn ntlm_signed(message: &[u8]) -> Vec<u8> {
    let token = [&[1, 0, 0, 0][..], &[8; 8], &[0; 4], message].concat();
    [&(token.len() as u32).to_be_bytes()[..], &token].concat()
}

/// A buffer with a Wrap token (RFC 4121 4.2.6.2), its 12-byte checksum rotated to the front as
/// Windows does; sealed or only signed.
pub(crate) fn krb5_wrapped(message: &[u8], sealed: bool) -> Vec<u8> {
    let flags = if sealed { 2 } else { 0 };
    let head = [5, 4, flags, 0xff, 0, 12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 9];
    let token = [&head[..], &[0xcc; 12], message].concat();
    [&(token.len() as u32).to_be_bytes()[..], &token].concat()
}

/// A record of TLS with a client's or a server's hello, or with what is sealed.
pub(crate) fn tls_record(kind: u8, fragment: &[u8]) -> Vec<u8> {
    let length = (fragment.len() as u16).to_be_bytes();
    [&[kind, 3, 1][..], &length, fragment].concat()
}

pub(crate) fn client_hello(server_name: &str) -> Vec<u8> {
    let length = server_name.len() as u8;
    let mut fragment = vec![1, 0, 0, 0, 3, 3];
    fragment.extend([7; 32]);
    fragment.extend([0, 0, 2, 0x13, 1, 1, 0, 0, length + 9]);
    fragment.extend([0, 0, 0, length + 5, 0, length + 3, 0, 0, length]);
    fragment.extend(server_name.as_bytes());
    tls_record(22, &fragment)
}
