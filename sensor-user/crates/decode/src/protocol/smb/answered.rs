//! What answers do to what is known of a connection.

use std::sync::Arc;

use goshawk_model::Outcome;
use goshawk_model::smb::{CreateAction, Share, SmbOperation, TreeConnect};

use super::files::FileKey;
use super::open::{Change, Open};
use super::requests::{Asked, Request, Target};
use super::state::{State, emit};
use crate::flow::Side;
use crate::protocol::{Context, Moment};

/// What every answer says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) client: Side,
    pub(crate) id: u64,
    pub(crate) session: u64,
    pub(crate) tree: u32,
    /// The server's status, where it refused.
    pub(crate) refusal: Option<u32>,
}

/// How the server has opened a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) key: FileKey,
    pub(crate) action: Option<CreateAction>,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) is_directory: bool,
}

impl Answer {
    pub(crate) fn outcome(&self) -> Outcome {
        match self.refusal {
            None => Outcome::Success,
            Some(_) => Outcome::Failure,
        }
    }
}

impl State {
    /// A share was connected to, or not.
    pub(crate) fn connected(
        &mut self,
        answer: &Answer,
        asked: Option<Request>,
        flags: u32,
        encrypted: bool,
        share: Share,
        cx: &mut Context<'_>,
    ) {
        let share = match asked {
            Some(Request {
                asked: Asked::Tree(asked),
                ..
            }) => Share {
                share_type: share.share_type,
                ..*asked
            },
            _ => share,
        };
        if answer.refusal.is_none() {
            let key = (answer.session, answer.tree);
            self.trees
                .insert(key, share.clone(), cx.limits.max_smb_trees, cx.stats);
        }
        if share.name.is_none() {
            return;
        }
        let connect = TreeConnect {
            share,
            tree: answer.tree,
            flags,
            encrypted,
            status: answer.refusal,
        };
        let credentials = self.sessions.credentials(answer.session);
        let moment = cx.moment();
        emit(
            moment,
            answer.client,
            SmbOperation::Tree(connect),
            answer.outcome(),
            credentials.as_ref(),
            cx,
        );
    }

    /// A file was opened, or not.
    pub(crate) fn created(
        &mut self,
        answer: &Answer,
        opened: Option<Opened>,
        cx: &mut Context<'_>,
    ) {
        let is_create = |asked: &Asked| matches!(asked, Asked::Create(_));
        let request = self.requests.take(answer.client, answer.id, is_create);
        let Some(Request {
            asked: Asked::Create(mut open),
            ..
        }) = request
        else {
            return;
        };
        if let Some(status) = answer.refusal {
            open.refused(status, cx);
            return;
        }
        let Some(opened) = opened else {
            // The answer is cut short: how the file will be called is lost.
            open.opened(cx);
            open.end(cx);
            return;
        };
        let access = &mut open.access;
        (access.action, access.size) = (opened.action, opened.size);
        access.directory |= opened.is_directory;
        open.opened(cx);
        self.requests.opened(answer.client, answer.id, opened.key);
        self.files.insert(opened.key, open, cx);
    }

    /// Any other request was answered.
    pub(crate) fn answered(&mut self, answer: &Answer, request: Request, cx: &mut Context<'_>) {
        let client = answer.client;
        let refusal = answer.refusal;
        match request.asked {
            Asked::Close(Target::File(key)) => self.files.end(key, cx),
            Asked::Write(target, count) if refusal.is_none() => {
                self.wrote(client, target, count, cx);
            }
            Asked::Change(target, change) if refusal.is_none() => {
                self.change(client, target, change, cx);
            }
            // There is nothing, or nothing more, to list.
            Asked::Change(_, Change::Listed(_)) => {}
            Asked::Write(Target::File(key), _) | Asked::Change(Target::File(key), _) => {
                if let Some(status) = refusal {
                    self.files.with(key, |open| open.denied(status));
                }
            }
            Asked::Named(open) => match refusal {
                Some(status) => open.refused(status, cx),
                None => open.done(cx),
            },
            Asked::Ioctl(mut ioctl) => {
                ioctl.status = refusal;
                let credentials = self.sessions.credentials(request.session);
                let moment = cx.moment();
                emit(
                    moment,
                    client,
                    SmbOperation::Ioctl(*ioctl),
                    answer.outcome(),
                    credentials.as_ref(),
                    cx,
                );
            }
            Asked::Transaction(mut transaction) => {
                transaction.status = refusal;
                let credentials = self.sessions.credentials(request.session);
                let moment = cx.moment();
                emit(
                    moment,
                    client,
                    SmbOperation::Transaction(transaction),
                    answer.outcome(),
                    credentials.as_ref(),
                    cx,
                );
            }
            Asked::Negotiate(mut negotiate) => {
                negotiate.status = refusal;
                self.negotiated(client, negotiate, answer.outcome(), cx);
            }
            Asked::Logoff if refusal.is_none() => self.ended(request.session, cx),
            Asked::TreeDisconnect => self.disconnected(request.session, request.tree, cx),
            _ => {}
        }
    }

    /// Nobody saw how a request was answered: what was asked is a fact all the same.
    pub(super) fn unanswered(&mut self, request: Request, moment: Moment, cx: &mut Context<'_>) {
        let client = request.client;
        let operation = match request.asked {
            Asked::Session(setup) => {
                if request.session != 0 {
                    let credentials = Arc::clone(setup.credentials());
                    let session = self.sessions.open(request.session, cx);
                    session.credentials.get_or_insert(credentials);
                }
                setup.unanswered(moment, cx);
                return;
            }
            Asked::Create(open) | Asked::Named(open) => {
                open.unanswered(moment, cx);
                return;
            }
            Asked::Close(Target::File(key)) => {
                self.files.end(key, cx);
                return;
            }
            Asked::Write(target, count) => {
                self.wrote(client, target, count, cx);
                return;
            }
            Asked::Change(target, change) => {
                self.change(client, target, change, cx);
                return;
            }
            Asked::Tree(share) => SmbOperation::Tree(TreeConnect {
                share: *share,
                tree: 0,
                flags: 0,
                encrypted: false,
                status: None,
            }),
            Asked::Negotiate(negotiate) => SmbOperation::Negotiate(negotiate),
            Asked::Ioctl(ioctl) => SmbOperation::Ioctl(*ioctl),
            Asked::Transaction(transaction) => SmbOperation::Transaction(transaction),
            Asked::Logoff
            | Asked::TreeDisconnect
            | Asked::Close(_)
            | Asked::Read(_)
            | Asked::Transceive(_) => return,
        };
        let credentials = self.sessions.credentials(request.session);
        emit(
            moment,
            client,
            operation,
            Outcome::Unknown,
            credentials.as_ref(),
            cx,
        );
    }

    /// A share was left, which closes everything on it.
    fn disconnected(&mut self, session: u64, tree: u32, cx: &mut Context<'_>) {
        if self.trees.remove(session, tree) {
            let is_on = |open: &Open| (open.session, open.tree) == (session, tree);
            self.files.end_where(is_on, cx);
        }
    }

    /// A session has ended, and all that was opened in it.
    fn ended(&mut self, session: u64, cx: &mut Context<'_>) {
        if self.sessions.get(session).is_some() {
            self.files.end_where(|open| open.session == session, cx);
            self.trees.remove_session(session);
            self.sessions.end(session, cx);
        }
    }
}
