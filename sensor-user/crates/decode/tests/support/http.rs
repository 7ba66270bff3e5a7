//! HTTP messages written by the tests (RFC 9112).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A request with these fields, and a body of so many bytes.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)], body: usize) -> Vec<u8> {
    let first = format!("{method} {path} HTTP/1.1");
    let mut fields = fields.to_vec();
    let length = body.to_string();
    fields.extend([("Host", "ca.corp.example"), ("User-Agent", "Test/1")]);
    if body > 0 {
        fields.push(("Content-Length", &length));
    }
    message(&first, &fields, &vec![b'x'; body])
}

/// An answer with these fields, and a body of so many bytes.
pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: usize) -> Vec<u8> {
    let length = body.to_string();
    let fields = [fields, &[("Content-Length", &length)]].concat();
    message(
        &format!("HTTP/1.1 {status} As it is"),
        &fields,
        &vec![b'y'; body],
    )
}

pub(crate) fn message(first: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    [format!("{first}\r\n{fields}\r\n").as_bytes(), body].concat()
}

/// The value of an `Authorization` or `WWW-Authenticate` field.
pub(crate) fn shown(scheme: &str, token: &[u8]) -> String {
    format!("{scheme} {}", STANDARD.encode(token))
}
