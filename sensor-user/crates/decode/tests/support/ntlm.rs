//! NTLM messages written by the tests, as [MS-NLMP] 2.2.1 has them.

/// `NTLMSSP_NEGOTIATE_UNICODE`, and that there are target info, a version and a session key.
pub(crate) const FLAGS: u32 = 0x4280_0001;
/// `NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY`
pub(crate) const EXTENDED: u32 = 0x0008_0000;

/// A piece of a message's fixed part: bytes as they are, or what goes to the payload.
enum Piece {
    Fixed(Vec<u8>),
    Payload(Vec<u8>),
}

fn message(kind: u32, pieces: Vec<Piece>) -> Vec<u8> {
    let fixed: usize = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Fixed(bytes) => bytes.len(),
            Piece::Payload(_) => 8,
        })
        .sum();
    let mut head = [b"NTLMSSP\0", &kind.to_le_bytes()[..]].concat();
    let mut payload = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Fixed(bytes) => head.extend(bytes),
            Piece::Payload(bytes) => {
                let length = (bytes.len() as u16).to_le_bytes();
                head.extend([length, length].concat());
                head.extend(((12 + fixed + payload.len()) as u32).to_le_bytes());
                payload.extend(bytes);
            }
        }
    }
    [head, payload].concat()
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const VERSION: [u8; 8] = [10, 0, 0x7c, 0x4f, 0, 0, 0, 15];

pub(crate) fn negotiate(domain: &str, workstation: &str) -> Vec<u8> {
    message(
        1,
        vec![
            Piece::Fixed((FLAGS | 0x3000).to_le_bytes().to_vec()),
            Piece::Payload(domain.into()),
            Piece::Payload(workstation.into()),
            Piece::Fixed(VERSION.to_vec()),
        ],
    )
}

/// AV pairs with their end.
pub(crate) fn pairs(pairs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (id, value) in pairs {
        list.extend(id.to_le_bytes());
        list.extend((value.len() as u16).to_le_bytes());
        list.extend(value);
    }
    [list, vec![0; 4]].concat()
}

/// What a controller of `corp.example` says of itself.
pub(crate) fn controller() -> Vec<(u16, Vec<u8>)> {
    vec![
        (2, utf16("CORP")),
        (1, utf16("DC1")),
        (4, utf16("corp.example")),
        (3, utf16("dc1.corp.example")),
        (5, utf16("corp.example")),
        (7, 134_000_000_000_000_000_u64.to_le_bytes().to_vec()),
    ]
}

pub(crate) fn challenge(server_challenge: [u8; 8]) -> Vec<u8> {
    message(
        2,
        vec![
            Piece::Payload(utf16("CORP")),
            Piece::Fixed(FLAGS.to_le_bytes().to_vec()),
            Piece::Fixed(server_challenge.to_vec()),
            Piece::Fixed(vec![0; 8]),
            Piece::Payload(pairs(&controller())),
            Piece::Fixed(VERSION.to_vec()),
        ],
    )
}

/// AUTHENTICATE_MESSAGE.
#[derive(Clone, Debug)]
pub(crate) struct Authenticate {
    pub(crate) domain: String,
    pub(crate) user: String,
    pub(crate) workstation: String,
    pub(crate) lm: Vec<u8>,
    pub(crate) nt: Vec<u8>,
    pub(crate) session_key: Vec<u8>,
    pub(crate) flags: u32,
    pub(crate) mic: Option<[u8; 16]>,
}

impl Authenticate {
    /// With a response of NTLMv2.
    pub(crate) fn new(domain: &str, user: &str, workstation: &str) -> Self {
        let client = [(6, vec![2, 0, 0, 0]), (9, utf16("cifs/dc1.corp.example"))];
        Self {
            domain: domain.into(),
            user: user.into(),
            workstation: workstation.into(),
            lm: vec![0; 24],
            nt: ntlmv2(&[controller(), client.to_vec()].concat()),
            session_key: vec![5; 16],
            flags: FLAGS | EXTENDED,
            mic: Some([6; 16]),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let text = |text: &str| {
            Piece::Payload(if self.flags & 1 != 0 {
                utf16(text)
            } else {
                text.into()
            })
        };
        let mut pieces = vec![
            Piece::Payload(self.lm.clone()),
            Piece::Payload(self.nt.clone()),
            text(&self.domain),
            text(&self.user),
            text(&self.workstation),
            Piece::Payload(self.session_key.clone()),
            Piece::Fixed(self.flags.to_le_bytes().to_vec()),
            Piece::Fixed(VERSION.to_vec()),
        ];
        pieces.extend(self.mic.map(|mic| Piece::Fixed(mic.to_vec())));
        message(3, pieces)
    }
}

/// An NTLMv2 response with these AV pairs.
pub(crate) fn ntlmv2(of_pairs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut response = vec![7; 16];
    response.extend([1, 1, 0, 0, 0, 0, 0, 0]);
    response.extend(134_000_000_000_000_000_u64.to_le_bytes());
    response.extend([8; 8]);
    response.extend([0; 4]);
    response.extend(pairs(of_pairs));
    response.extend([0; 4]);
    response
}
