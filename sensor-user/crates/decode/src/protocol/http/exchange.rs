//! Requests with their answers, and what they authenticate.

use std::sync::Arc;

use goshawk_model::http::HttpLogon;
use goshawk_model::{
    Carrier, Confidence, Credentials, Kind, Mechanism, Outcome, Status, Timestamp,
};

use super::head::{Request, Response};
use crate::flow::Side;
use crate::protocol::security::{Ending, Handshake};
use crate::protocol::{Context, Draft, Few, Moment};
use crate::stats::{Drop, Protocol};

/// The exchanges of one connection. NTLM authenticates the connection and not a request ([MS-NTHT]
/// 1.3.1), so what was shown once speaks for the requests that follow. A ticket speaks only for the
/// request that shows it (RFC 4559 4), and for those sealed with its key ([MS-WSMV] 2.2.9.1). A
/// proxy may send requests of many clients on one connection: there, nothing speaks for another.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// Requests without an answer, in their order, which is that of the answers (RFC 9112 9.3.2).
    open: Few<Exchange>,
    handshake: Option<Box<Handshake>>,
    /// Some of the server's words were lost: the open requests may be answered already.
    doubtful: bool,
    /// A proxy has said that it passes on what others ask.
    shared: bool,
    /// What was told last: many a client asks for the same all day.
    last: Option<Box<Told>>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Exchange {
    client: Side,
    asked: Asked,
    kept: Option<Box<Kept>>,
}

/// What the form of an answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `HEAD`
    Head,
    /// `CONNECT`
    Connect,
    Other,
}

/// A request that will be told.
#[derive(Debug)]
struct Kept {
    moment: Moment,
    deadline: Timestamp,
    logon: HttpLogon,
    /// What `Basic` claims.
    password: Option<Credentials>,
    /// Whether it goes on with the handshake.
    token: bool,
    /// Whether its body is sealed.
    sealed: bool,
}

#[derive(Debug)]
struct Told {
    logon: HttpLogon,
    credentials: Option<Arc<Credentials>>,
}

/// Texts kept are no longer, bytes.
const MAX_TEXT: usize = 256;

/// Paths, in lower case, that are told whoever asks for them, for an attack may need no credentials
/// of its own, or have shown them earlier.
const PATHS: &[&str] = &[
    // Certificates for whoever is relayed to it ([MS-WCCE], "ESC8"), and for devices (RFC 8894).
    "/certsrv",
    // Sign-on of a federation, a way to guess passwords from outside ([MS-MWBF]).
    "/adfs/services/trust",
    // Exchange: CVE-2021-26855 and its kin, and mailboxes for whoever is relayed to it.
    "/autodiscover/",
    "/ecp/",
    "/ews/",
    "/powershell",
    // Remote management: commands are run ([MS-WSMV]).
    "/wsman",
    // DCE/RPC inside ([MS-RPCH]).
    "/rpc/",
];

impl Told {
    /// Whether the same is asked for in the same name.
    fn is_like(&self, other: &Self) -> bool {
        let same = |read: fn(&HttpLogon) -> &str| read(&self.logon) == read(&other.logon);
        same(|logon| &logon.method)
            && same(|logon| &logon.path)
            && self.logon.scheme == other.logon.scheme
            && self.credentials == other.credentials
    }
}

impl Asked {
    /// Whether what follows an answer with this status is another protocol (RFC 9110 9.3.6, 15.2.2).
    pub(super) fn opens_tunnel(self, status: u16) -> bool {
        status == 101 || self == Self::Connect && (200..=299).contains(&status)
    }
}

impl Exchanges {
    /// Whether anything was said here that speaks of accounts.
    pub(super) fn matter(&self) -> bool {
        self.handshake.is_some() || self.last.is_some()
    }

    /// The client asks.
    pub(super) fn request(&mut self, client: Side, request: &Request<'_>, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.doubtful) {
            self.give_up(0, cx);
        }
        if self.open.len() >= cx.limits.max_pending {
            cx.stats.drop(Drop::PendingEvicted);
            self.give_up(cx.limits.max_pending.saturating_sub(1), cx);
        }
        let headers = &request.headers;
        if headers.sealed {
            cx.stats.sealed(Protocol::Http);
        }
        self.shared |= headers.forwarded;
        let path = path(request.target);
        let is_told = headers.authorization.is_some() || is_watched(path);
        let token = headers.authorization.and_then(|it| it.token());
        let kept = is_told.then(|| {
            Box::new(Kept {
                moment: cx.moment(),
                deadline: cx.time + cx.limits.answer_wait,
                logon: HttpLogon {
                    method: cut(request.method).into(),
                    path: cut(path).into(),
                    host: headers.host.map(text),
                    user_agent: headers.user_agent.map(text),
                    scheme: headers.authorization.map(|it| it.scheme),
                    proxy: headers.proxy,
                    status: None,
                },
                password: headers.authorization.and_then(|it| it.password()),
                token: token.is_some(),
                sealed: headers.sealed,
            })
        });
        self.open.push_back(Exchange {
            client,
            asked: match request.method {
                "HEAD" => Asked::Head,
                "CONNECT" => Asked::Connect,
                _ => Asked::Other,
            },
            kept,
        });
        if let Some(token) = token {
            self.handshake().client(client, &token, cx);
        }
    }

    /// The server answers; returns what was asked.
    pub(super) fn response(
        &mut self,
        client: Side,
        response: &Response<'_>,
        cx: &mut Context<'_>,
    ) -> Asked {
        if response.headers.sealed {
            cx.stats.sealed(Protocol::Http);
        }
        // Another one follows (RFC 9110 15.2).
        if matches!(response.status, 100 | 102..=199) {
            return Asked::Other;
        }
        if let Some(token) = response.headers.authorization.and_then(|it| it.token()) {
            self.handshake().server(client, &token, cx);
        }
        if std::mem::take(&mut self.doubtful) {
            // Few clients ask before they have been answered, so it is the last one's.
            self.give_up(1, cx);
        }
        let Some(exchange) = self.open.pop_front() else {
            return Asked::Other;
        };
        if let Some(kept) = exchange.kept {
            self.answered(client, *kept, response.status, cx);
        }
        exchange.asked
    }

    /// Something from `side` was lost.
    pub(super) fn lost(&mut self, side: Side) {
        self.doubtful |= self.open.iter().any(|exchange| exchange.client != side);
    }

    /// When the next request, or token, will have waited long enough.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let open = self
            .open
            .iter()
            .filter_map(|exchange| exchange.kept.as_ref());
        let handshake = self.handshake.as_ref().and_then(|it| it.deadline());
        open.map(|kept| kept.deadline).chain(handshake).min()
    }

    /// Ends what has waited until `now`. A request keeps its place, for its answer may come yet.
    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        for index in 0..self.open.len() {
            let Some(exchange) = self.open.get_mut(index) else {
                break;
            };
            let client = exchange.client;
            if let Some(kept) = exchange.kept.take_if(|kept| kept.deadline <= now) {
                let moment = Moment {
                    time: kept.deadline,
                    ..kept.moment
                };
                self.tell(client, *kept, Outcome::Unknown, moment, cx);
            }
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.expire(now, cx);
        }
    }

    /// Ends everything now: nothing more will come.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.give_up(0, cx);
        if let Some(handshake) = &mut self.handshake {
            handshake.close(cx);
        }
    }

    /// Ends the open requests without an answer, but for the last `but`.
    fn give_up(&mut self, but: usize, cx: &mut Context<'_>) {
        while self.open.len() > but
            && let Some(exchange) = self.open.pop_front()
        {
            self.unanswered(exchange, cx);
        }
    }

    fn unanswered(&mut self, exchange: Exchange, cx: &mut Context<'_>) {
        if let Some(kept) = exchange.kept {
            let moment = cx.moment();
            self.tell(exchange.client, *kept, Outcome::Unknown, moment, cx);
        }
    }

    fn answered(&mut self, client: Side, mut kept: Kept, status: u16, cx: &mut Context<'_>) {
        kept.logon.status = Some(status);
        let verdict = verdict(status, kept.logon.proxy);
        if let Some(handshake) = self.handshake.as_mut().filter(|_| kept.token) {
            if handshake.is_asked() {
                // The next request will answer.
                return;
            }
            if let Some(ending) = verdict {
                handshake.end(ending, cx);
            }
        }
        if let Some(password) = &mut kept.password {
            password.proven = verdict == Some(Ending::Accepted);
        }
        let outcome = match verdict {
            _ if kept.logon.scheme.is_none() && status < 400 => Outcome::Success,
            _ if kept.logon.scheme.is_none() => Outcome::Failure,
            Some(Ending::Accepted) => Outcome::Success,
            Some(Ending::Refused(_)) => Outcome::Failure,
            None => Outcome::Unknown,
        };
        let moment = cx.moment();
        self.tell(client, kept, outcome, moment, cx);
    }

    fn tell(
        &mut self,
        client: Side,
        kept: Kept,
        outcome: Outcome,
        moment: Moment,
        cx: &mut Context<'_>,
    ) {
        let (credentials, confidence) = self.speaks_for(&kept);
        let credentials = kept.password.map(Arc::new).or(credentials);
        let told = Told {
            logon: kept.logon,
            credentials,
        };
        let again = self.last.as_ref().is_some_and(|last| last.is_like(&told));
        if again && outcome != Outcome::Failure {
            return;
        }
        let draft = Draft {
            confidence,
            ..Draft::new(Kind::Http(Box::new(told.logon.clone())), outcome)
        };
        let draft = match &told.credentials {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        self.last = Some(Box::new(told));
        cx.emit(moment, client, draft);
    }

    /// What was shown in a request, or before it on the connection, and how sure it is that it
    /// speaks for it.
    fn speaks_for(&self, kept: &Kept) -> (Option<Arc<Credentials>>, Confidence) {
        let Some(handshake) = &self.handshake else {
            return (None, Confidence::High);
        };
        let credentials = handshake.credentials();
        let confidence = match credentials.mechanism {
            _ if kept.token => Confidence::High,
            _ if self.shared || !credentials.proven => return (None, Confidence::High),
            _ if kept.sealed => Confidence::High,
            // A proxy may keep silent about itself.
            Mechanism::Ntlm => Confidence::Medium,
            _ => return (None, Confidence::High),
        };
        (Some(Arc::clone(credentials)), confidence)
    }

    fn handshake(&mut self) -> &mut Handshake {
        self.handshake
            .get_or_insert_with(|| Box::new(Handshake::new(Carrier::Http)))
    }
}

/// What a status says of the credentials, shown to a `proxy` or to the server behind it; nothing,
/// where that one has not come to look at them (RFC 9110 15.5.1, 15.5.8, 15.5.9, 15.6.4, RFC 6585
/// 5).
fn verdict(status: u16, proxy: bool) -> Option<Ending> {
    match (status, proxy) {
        (401, false) | (407, true) => Some(Ending::Refused(Some(Status::Http(status)))),
        (407, false) | (400 | 408 | 431 | 503, _) => None,
        _ => Some(Ending::Accepted),
    }
}

/// The path of a request's target, whatever its form (RFC 9112 3.2), up to where a session's token
/// may be.
fn path(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            let path = rest.find('/').unwrap_or(rest.len());
            rest.get(path..).unwrap_or_default()
        }
        _ => target,
    };
    target.split(['?', '#', ';']).next().unwrap_or(target)
}

fn is_watched(path: &str) -> bool {
    PATHS.iter().any(|watched| {
        path.get(..watched.len())
            .is_some_and(|path| path.eq_ignore_ascii_case(watched))
    })
}

fn text(value: &[u8]) -> Box<str> {
    let value = value.get(..MAX_TEXT).unwrap_or(value);
    cut(&String::from_utf8_lossy(value)).into()
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}
