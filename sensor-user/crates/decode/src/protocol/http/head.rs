//! The heads of requests and answers (RFC 9112 2 to 5).

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::authorization::Authorization;
use super::body::Framing;
use crate::flow::stream::Verdict;

/// Longest head taken, bytes: a security token has up to 48 KiB (`MaxTokenSize`), 64 in base 64.
pub(super) const MAX_HEAD: usize = 128 << 10;
/// Fields of a head that are read; those beyond make it none.
const MAX_FIELDS: usize = 128;

/// Begin a request: the methods of RFC 9110, WebDAV, and RPC over HTTP ([MS-RPCH] 2.1.2.1), then a
/// space.
const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"OPTIONS ",
    b"PUT ",
    b"DELETE ",
    b"PATCH ",
    b"CONNECT ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"SEARCH ",
    b"REPORT ",
    b"RPC_IN_DATA ",
    b"RPC_OUT_DATA ",
];
/// Fields that proxies add (RFC 9110 7.6.3, RFC 7239, and what was in use before).
const OF_PROXIES: &[&str] = &["via", "forwarded", "x-forwarded-for", "x-real-ip"];
/// Begins an answer.
const ANSWER: &[u8] = b"HTTP/1.";

/// A head.
#[derive(Debug)]
pub(super) enum Head<'a> {
    Request(Request<'a>),
    Response(Response<'a>),
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: Headers<'a>,
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers<'a>,
}

/// The fields that matter.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    pub(super) host: Option<&'a [u8]>,
    pub(super) user_agent: Option<&'a [u8]>,
    /// `Authorization`, or a server's `WWW-Authenticate` with a token.
    pub(super) authorization: Option<Authorization<'a>>,
    /// Whether that is for a proxy, or from one.
    pub(super) proxy: bool,
    /// Whether a proxy says that it passes it on for somebody.
    pub(super) forwarded: bool,
    pub(super) framing: Framing,
    /// Whether the body is sealed with the session's keys ([MS-WSMV] 2.2.9.1).
    pub(super) sealed: bool,
}

/// Whether a head starts here.
pub(super) fn tells(bytes: &[u8]) -> Verdict {
    if bytes.starts_with(ANSWER) {
        return Verdict::Yes;
    }
    if METHODS.iter().any(|method| bytes.starts_with(method)) {
        // Others borrow these methods: SIP, RTSP, SSDP; their first line names them.
        let line = bytes.iter().position(|&byte| byte == b'\n');
        let line = line.and_then(|end| bytes.get(..end));
        let is_http = |line: &[u8]| line.windows(ANSWER.len()).any(|part| part == ANSWER);
        return if line.is_none_or(is_http) {
            Verdict::Yes
        } else {
            Verdict::No
        };
    }
    let may_begin = |with: &[u8]| bytes.len() < with.len() && with.starts_with(bytes);
    if METHODS.iter().any(|method| may_begin(method)) || may_begin(ANSWER) {
        Verdict::Need(bytes.len() + 1)
    } else {
        Verdict::No
    }
}

/// Length of the head that `bytes` begin with, an empty line its last; of them, `searched` have been
/// looked at before.
pub(super) fn end(bytes: &[u8], searched: &mut usize) -> Option<usize> {
    let mut from = *searched;
    while let Some(at) = bytes
        .get(from..)?
        .iter()
        .position(|&byte| byte == b'\n')
        .map(|at| from + at)
    {
        let rest = bytes.get(at + 1..)?;
        if rest.starts_with(b"\n") {
            return Some(at + 2);
        }
        if rest.starts_with(b"\r\n") {
            return Some(at + 3);
        }
        if rest.len() < 2 {
            // The line that may be empty is not there yet.
            *searched = at;
            return None;
        }
        from = at + 1;
    }
    *searched = bytes.len();
    None
}

/// The whole lines in `cut`, the beginning of a head, as a head of their own.
pub(super) fn lines(cut: &[u8]) -> Option<Vec<u8>> {
    let end = cut.iter().rposition(|&byte| byte == b'\n')?;
    Some([cut.get(..=end)?, b"\r\n"].concat())
}

/// Reads a whole head.
pub(super) fn parse(bytes: &[u8]) -> Option<Head<'_>> {
    let mut config = ParserConfig::default();
    config
        .ignore_invalid_headers_in_requests(true)
        .ignore_invalid_headers_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true);
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    if bytes.starts_with(ANSWER) {
        let mut head = httparse::Response::new(&mut []);
        let read = config.parse_response_with_uninit_headers(&mut head, bytes, &mut fields);
        is_whole(read).then_some(())?;
        return Some(Head::Response(Response {
            status: head.code?,
            headers: Headers::read(head.headers, "www-authenticate", "proxy-authenticate"),
        }));
    }
    let mut head = httparse::Request::new(&mut []);
    let read = config.parse_request_with_uninit_headers(&mut head, bytes, &mut fields);
    is_whole(read).then_some(())?;
    Some(Head::Request(Request {
        method: head.method?,
        target: head.path?,
        headers: Headers::read(head.headers, "authorization", "proxy-authorization"),
    }))
}

fn is_whole(read: httparse::Result<usize>) -> bool {
    matches!(read, Ok(Status::Complete(_)))
}

impl<'a> Headers<'a> {
    /// Picks out of `fields` what matters; `origin` and `proxy` name those that authenticate.
    fn read(fields: &[Header<'a>], origin: &str, proxy: &str) -> Self {
        let mut headers = Self {
            host: None,
            user_agent: None,
            authorization: None,
            proxy: false,
            forwarded: false,
            framing: Framing::Unsaid,
            sealed: false,
        };
        for Header { name, value } in fields {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("host") {
                headers.host = Some(value);
            } else if is("user-agent") {
                headers.user_agent = Some(value);
            } else if is("content-length") {
                // A chunked body has no other length (RFC 9112 6.3).
                if headers.framing == Framing::Unsaid {
                    let length = str::from_utf8(value).ok().and_then(|it| it.parse().ok());
                    headers.framing = length.map_or(Framing::Rest, Framing::Length);
                }
            } else if is("transfer-encoding") {
                headers.framing = Framing::Chunked;
            } else if is("content-type") {
                headers.sealed = starts_with(value, b"multipart/encrypted")
                    || starts_with(value, b"multipart/x-multi-encrypted");
            } else if OF_PROXIES.iter().any(|field| is(field)) {
                headers.forwarded = true;
            } else if headers.authorization.is_none() && (is(origin) || is(proxy)) {
                headers.authorization = Authorization::parse(value);
                headers.proxy = headers.authorization.is_some() && is(proxy);
            }
        }
        headers
    }
}

fn starts_with(value: &[u8], beginning: &[u8]) -> bool {
    value
        .get(..beginning.len())
        .is_some_and(|value| value.eq_ignore_ascii_case(beginning))
}
