//! Messages of SMB 1 and SMB 2, written by the tests.

use super::messages::{Pdu, ntlm_authenticate};
use super::ntlm::utf16;
use super::wire::{Tcp, Wire};

pub(crate) const SESSION: u64 = 0x4000_0000_0001;
pub(crate) const TREE: u32 = 5;
pub(crate) const FILE: (u64, u64) = (7, 9);
/// In a compound: the file of the command before.
pub(crate) const SAME: (u64, u64) = (u64::MAX, u64::MAX);

pub(crate) const MORE_PROCESSING: u32 = 0xc000_0016;
pub(crate) const PENDING: u32 = 0x103;

/// A message with its frame.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&length, message].concat()
}

/// Several commands of SMB 2 in one frame.
pub(crate) fn compound(commands: &[Smb2]) -> Vec<u8> {
    let mut message = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let mut bytes = command.bytes();
        if index + 1 < commands.len() {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let next = (bytes.len() as u32).to_le_bytes();
            bytes[20..24].copy_from_slice(&next);
        }
        message.extend(bytes);
    }
    frame(&message)
}

/// A command of SMB 2.
#[derive(Clone)]
pub(crate) struct Smb2 {
    command: u16,
    flags: u32,
    status: u32,
    id: u64,
    session: u64,
    tree: u32,
    body: Vec<u8>,
}

impl Smb2 {
    pub(crate) fn new(command: u16, id: u64, body: Vec<u8>) -> Self {
        Self {
            command,
            flags: 0,
            status: 0,
            id,
            session: SESSION,
            tree: TREE,
            body,
        }
    }

    /// An answer.
    pub(crate) fn answer(command: u16, id: u64, body: Vec<u8>) -> Self {
        Self {
            flags: 1,
            ..Self::new(command, id, body)
        }
    }

    /// An answer that says no more than its status.
    pub(crate) fn refusal(command: u16, id: u64, status: u32) -> Self {
        let body = vec![9, 0, 0, 0, 0, 0, 0, 0, 0];
        Self::answer(command, id, body).status(status)
    }

    pub(crate) fn status(self, status: u32) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn within(self, session: u64, tree: u32) -> Self {
        Self {
            session,
            tree,
            ..self
        }
    }

    /// Refers to the command before it in its compound.
    pub(crate) fn related(self) -> Self {
        Self {
            flags: self.flags | 4,
            session: u64::MAX,
            tree: u32::MAX,
            ..self
        }
    }

    /// Answered, or going to be, later than others.
    pub(crate) fn asynchronous(self) -> Self {
        Self {
            flags: self.flags | 2,
            ..self
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"\xfeSMB\x40\0\0\0".to_vec();
        bytes.extend(self.status.to_le_bytes());
        bytes.extend(self.command.to_le_bytes());
        bytes.extend([1, 0]);
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.id.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.tree.to_le_bytes());
        bytes.extend(self.session.to_le_bytes());
        bytes.extend([0; 16]);
        bytes.extend(&self.body);
        bytes
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        frame(&self.bytes())
    }

    pub(crate) fn negotiate(id: u64, dialects: &[u16], contexts: &[(u16, Vec<u8>)]) -> Self {
        let mut body = words(&[36, dialects.len() as u16, 1, 0]);
        body.extend([0x7f, 0, 0, 0]);
        body.extend(*b"client-guid-0001");
        let list = context_list(contexts);
        let offset = (64 + 36 + 2 * dialects.len()).next_multiple_of(8);
        body.extend((offset as u32).to_le_bytes());
        body.extend(words(&[contexts.len() as u16, 0]));
        body.extend(words(dialects));
        body.resize(offset - 64, 0);
        body.extend(list);
        Self::new(0, id, body).within(0, 0)
    }

    pub(crate) fn negotiated(id: u64, dialect: u16, contexts: &[(u16, Vec<u8>)]) -> Self {
        let mut body = words(&[65, 3, dialect, contexts.len() as u16]);
        body.extend(*b"server-guid-0001");
        body.extend([0x2f, 0, 0, 0]);
        body.extend([0; 3 * 4 + 2 * 8]);
        body.extend(words(&[128, 0]));
        body.extend(128u32.to_le_bytes());
        body.extend(context_list(contexts));
        Self::answer(0, id, body).within(0, 0)
    }

    pub(crate) fn session_setup(id: u64, session: u64, token: &[u8]) -> Self {
        let mut body = words(&[25]);
        body.extend([0, 1]);
        body.extend([0; 8]);
        body.extend(words(&[64 + 24, token.len() as u16]));
        body.extend([0; 8]);
        body.extend(token);
        Self::new(1, id, body).within(session, 0)
    }

    pub(crate) fn session_answer(id: u64, flags: u16, token: &[u8]) -> Self {
        let mut body = words(&[9, flags, 64 + 8, token.len() as u16]);
        body.extend(token);
        Self::answer(1, id, body).within(SESSION, 0)
    }

    pub(crate) fn tree_connect(id: u64, path: &str) -> Self {
        let path = utf16(path);
        let mut body = words(&[9, 0, 64 + 8, path.len() as u16]);
        body.extend(path);
        Self::new(3, id, body).within(SESSION, 0)
    }

    pub(crate) fn tree_answer(id: u64, share_type: u8) -> Self {
        let mut body = vec![16, 0, share_type, 0];
        body.extend([0; 12]);
        Self::answer(3, id, body)
    }

    pub(crate) fn create(id: u64, path: &str, disposition: u32, options: u32) -> Self {
        let name = utf16(path);
        let mut body = words(&[57]);
        body.extend([0; 22]);
        body.extend(0x0012_019f_u32.to_le_bytes());
        body.extend([0; 8]);
        body.extend(disposition.to_le_bytes());
        body.extend(options.to_le_bytes());
        body.extend(words(&[64 + 56, name.len() as u16]));
        let contexts = (64 + 56 + name.len()).next_multiple_of(8);
        body.extend((contexts as u32).to_le_bytes());
        body.extend(24u32.to_le_bytes());
        body.extend(name);
        body.resize(contexts - 64, 0);
        // A single context of that name, without data.
        body.extend([0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(*b"MxAc\0\0\0\0");
        Self::new(5, id, body)
    }

    pub(crate) fn created(id: u64, action: u32, size: u64, file: (u64, u64)) -> Self {
        let mut body = words(&[89, 0]);
        body.extend(action.to_le_bytes());
        body.extend([0; 5 * 8]);
        body.extend(size.to_le_bytes());
        body.extend([0x20, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(file_id(file));
        body.extend([0; 8]);
        Self::answer(5, id, body)
    }

    pub(crate) fn close(id: u64, file: (u64, u64)) -> Self {
        let mut body = vec![24, 0, 0, 0, 0, 0, 0, 0];
        body.extend(file_id(file));
        Self::new(6, id, body)
    }

    pub(crate) fn closed(id: u64) -> Self {
        Self::answer(6, id, [&[60, 0][..], &[0; 58]].concat())
    }

    pub(crate) fn read(id: u64, file: (u64, u64), length: u32) -> Self {
        let mut body = vec![49, 0, 0, 0];
        body.extend(length.to_le_bytes());
        body.extend([0; 8]);
        body.extend(file_id(file));
        body.extend([0; 17]);
        Self::new(8, id, body)
    }

    pub(crate) fn read_answer(id: u64, payload: &[u8]) -> Self {
        let mut body = vec![17, 0, 80, 0];
        body.extend((payload.len() as u32).to_le_bytes());
        body.extend([0; 8]);
        body.extend(payload);
        Self::answer(8, id, body)
    }

    pub(crate) fn write(id: u64, file: (u64, u64), payload: &[u8]) -> Self {
        let mut body = words(&[49, 112]);
        body.extend((payload.len() as u32).to_le_bytes());
        body.extend([0; 8]);
        body.extend(file_id(file));
        body.extend([0; 16]);
        body.extend(payload);
        Self::new(9, id, body)
    }

    pub(crate) fn written(id: u64, count: u32) -> Self {
        let mut body = words(&[17, 0]);
        body.extend(count.to_le_bytes());
        body.extend([0; 9]);
        Self::answer(9, id, body)
    }

    pub(crate) fn ioctl(id: u64, code: u32, file: (u64, u64), input: &[u8]) -> Self {
        let mut body = words(&[57, 0]);
        body.extend(code.to_le_bytes());
        body.extend(file_id(file));
        body.extend(120u32.to_le_bytes());
        body.extend((input.len() as u32).to_le_bytes());
        body.extend([0; 24]);
        body.extend(input);
        Self::new(11, id, body)
    }

    pub(crate) fn ioctl_answer(id: u64, code: u32, file: (u64, u64), output: &[u8]) -> Self {
        let mut body = words(&[49, 0]);
        body.extend(code.to_le_bytes());
        body.extend(file_id(file));
        body.extend([0; 8]);
        body.extend(112u32.to_le_bytes());
        body.extend((output.len() as u32).to_le_bytes());
        body.extend([0; 8]);
        body.extend(output);
        Self::answer(11, id, body)
    }

    pub(crate) fn set_info(
        id: u64,
        info_type: u8,
        class: u8,
        file: (u64, u64),
        info: &[u8],
    ) -> Self {
        let mut body = vec![33, 0, info_type, class];
        body.extend((info.len() as u32).to_le_bytes());
        body.extend(words(&[96, 0]));
        body.extend([0; 4]);
        body.extend(file_id(file));
        body.extend(info);
        Self::new(17, id, body)
    }

    pub(crate) fn query_directory(id: u64, file: (u64, u64), pattern: &str) -> Self {
        let pattern = utf16(pattern);
        let mut body = vec![33, 0, 37, 0, 0, 0, 0, 0];
        body.extend(file_id(file));
        body.extend(words(&[96, pattern.len() as u16]));
        body.extend([0, 0, 1, 0]);
        body.extend(pattern);
        Self::new(14, id, body)
    }

    /// An answer of which only the status matters.
    pub(crate) fn done(command: u16, id: u64) -> Self {
        Self::answer(command, id, words(&[2]))
    }
}

/// A logon by NTLM as `CORP\alice`, and a share connected to.
pub(crate) fn logon(wire: &mut Wire, tcp: &mut Tcp, share: &str, share_type: u8) {
    let challenge = super::ntlm::challenge([1; 8]);
    let negotiate = super::ntlm::negotiate("", "");
    let authenticate = ntlm_authenticate("CORP", "alice", "WS1");
    wire.ask(tcp, &Smb2::session_setup(1, 0, &negotiate).frame());
    let goes_on = Smb2::session_answer(1, 0, &challenge).status(MORE_PROCESSING);
    wire.answer(tcp, &goes_on.frame());
    wire.ask(tcp, &Smb2::session_setup(2, SESSION, &authenticate).frame());
    wire.answer(tcp, &Smb2::session_answer(2, 0, &[]).frame());
    wire.ask(tcp, &Smb2::tree_connect(3, share).frame());
    wire.answer(tcp, &Smb2::tree_answer(3, share_type).frame());
}

/// A bind and a call of `opnum`, each with its answer.
pub(crate) fn rpc(interface: uuid::Uuid, opnum: u16) -> [(Vec<u8>, Vec<u8>); 2] {
    [
        (Pdu::bind(1, interface).bytes(), Pdu::bind_ack(1).bytes()),
        (
            Pdu::request(2, opnum, &[0; 40]).bytes(),
            Pdu::response(2, &[0; 60]).bytes(),
        ),
    ]
}

/// A message of SMB 1; in an AndX chain each block is a message of its own.
#[derive(Clone)]
pub(crate) struct Smb1 {
    pub(crate) command: u8,
    pub(crate) status: u32,
    pub(crate) flags: u8,
    pub(crate) tid: u16,
    pub(crate) uid: u16,
    pub(crate) mid: u16,
    pub(crate) words: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Smb1 {
    pub(crate) fn new(command: u8, mid: u16, words: Vec<u8>, bytes: Vec<u8>) -> Self {
        Self {
            command,
            status: 0,
            flags: 0x18,
            tid: 3,
            uid: 4,
            mid,
            words,
            bytes,
        }
    }

    pub(crate) fn answer(command: u8, mid: u16, words: Vec<u8>, bytes: Vec<u8>) -> Self {
        Self {
            flags: 0x98,
            ..Self::new(command, mid, words, bytes)
        }
    }

    pub(crate) fn status(self, status: u32) -> Self {
        Self { status, ..self }
    }

    /// The message, in ASCII and with NTSTATUS, and a further block behind.
    pub(crate) fn chained(&self, next: &Self) -> Vec<u8> {
        let mut message = self.message();
        let offset = message.len() as u16;
        message[33] = next.command;
        message[35..37].copy_from_slice(&offset.to_le_bytes());
        message.extend(next.block());
        frame(&message)
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        frame(&self.message())
    }

    fn message(&self) -> Vec<u8> {
        let mut message = b"\xffSMB".to_vec();
        message.push(self.command);
        message.extend(self.status.to_le_bytes());
        message.push(self.flags);
        message.extend(words(&[0x4001, 0]));
        message.extend([0; 10]);
        message.extend(words(&[self.tid, 0x1234, self.uid, self.mid]));
        message.extend(self.block());
        message
    }

    fn block(&self) -> Vec<u8> {
        let mut block = vec![(self.words.len() / 2) as u8];
        block.extend(&self.words);
        block.extend((self.bytes.len() as u16).to_le_bytes());
        block.extend(&self.bytes);
        block
    }

    /// TRANSACTION, TRANSACTION2: parameters, and data right behind the name.
    pub(crate) fn transaction(
        command: u8,
        mid: u16,
        setup: &[u16],
        name: &[u8],
        total: u16,
        data: &[u8],
    ) -> Self {
        let offset = (32 + 1 + 28 + 2 * setup.len() + 2 + name.len()) as u16;
        let count = data.len() as u16;
        let mut fields = words(&[0, total, 0, 0, 0, 0, 0, 0, 0, 0, offset, count, offset]);
        fields.extend([setup.len() as u8, 0]);
        fields.extend(words(setup));
        Self::new(command, mid, fields, [name, data].concat())
    }

    pub(crate) fn transaction_answer(command: u8, mid: u16, data: &[u8]) -> Self {
        let count = data.len() as u16;
        let offset = 32 + 1 + 20 + 2;
        let mut fields = words(&[0, count, 0, 0, offset, 0, count, offset, 0]);
        fields.extend([0, 0]);
        Self::answer(command, mid, fields, data.to_vec())
    }
}

/// Integers in their order on the wire.
pub(crate) fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// No further block, where words begin with AndX.
pub(crate) fn andx(rest: &[u16]) -> Vec<u8> {
    [&[0xff, 0, 0, 0][..], &words(rest)].concat()
}

fn file_id((persistent, volatile): (u64, u64)) -> [u8; 16] {
    (u128::from(volatile) << 64 | u128::from(persistent)).to_le_bytes()
}

fn context_list(contexts: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list: Vec<u8> = Vec::new();
    for (kind, data) in contexts {
        list.resize(list.len().next_multiple_of(8), 0);
        list.extend(words(&[*kind, data.len() as u16, 0, 0]));
        list.extend(data);
    }
    list
}
