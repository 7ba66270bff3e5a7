//! DNS messages written by the tests (RFC 1035 4.1), as plain as the documents have them.

/// A message under construction.
#[derive(Clone, Default)]
pub(crate) struct Dns {
    id: u16,
    flags: u16,
    counts: [u16; 4],
    body: Vec<u8>,
}

/// Type and class of a question or record.
pub(crate) type Kind = (u16, u16);

pub(crate) const IN: u16 = 1;
/// `QR` and `AA`.
pub(crate) const ANSWER: u16 = 0x8400;
/// `RD`
pub(crate) const RECURSE: u16 = 0x0100;

impl Dns {
    pub(crate) fn new(id: u16, flags: u16) -> Self {
        Self {
            id,
            flags,
            ..Self::default()
        }
    }

    /// With this `RCODE`.
    pub(crate) fn refused(mut self, rcode: u16) -> Self {
        self.flags |= rcode;
        self
    }

    pub(crate) fn question(mut self, asked: &str, (qtype, class): Kind) -> Self {
        self.counts[0] += 1;
        self.body.extend(name(asked));
        self.body
            .extend([qtype.to_be_bytes(), class.to_be_bytes()].concat());
        self
    }

    /// A record in the answer section, 1, the authority section, 2, or the additional one, 3.
    pub(crate) fn record(
        mut self,
        section: usize,
        owner: &str,
        (rtype, class): Kind,
        data: &[u8],
    ) -> Self {
        self.counts[section] += 1;
        self.body.extend(name(owner));
        self.body
            .extend([rtype.to_be_bytes(), class.to_be_bytes()].concat());
        self.body.extend([0, 0, 2, 88]);
        self.body.extend((data.len() as u16).to_be_bytes());
        self.body.extend(data);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.id.to_be_bytes(), self.flags.to_be_bytes()].concat();
        bytes.extend(self.counts.iter().flat_map(|count| count.to_be_bytes()));
        bytes.extend(&self.body);
        bytes
    }

    /// With the length that TCP needs (RFC 1035 4.2.2).
    pub(crate) fn framed(&self) -> Vec<u8> {
        let bytes = self.bytes();
        [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
    }
}

/// An uncompressed name.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> = labels
        .flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat())
        .collect();
    bytes.push(0);
    bytes
}

/// The data of an SRV record (RFC 2782).
pub(crate) fn srv(port: u16, target: &str) -> Vec<u8> {
    [&[0, 0, 0, 100][..], &port.to_be_bytes(), &name(target)].concat()
}

/// The data of an SOA record with this serial number (RFC 1035 3.3.13).
pub(crate) fn soa(serial: u32) -> Vec<u8> {
    let mut data = [name("dc1.corp.example"), name("hostmaster.corp.example")].concat();
    data.extend(serial.to_be_bytes());
    data.extend([0; 16]);
    data
}

/// The data of a TKEY record in GSS-API mode (RFC 2930 2).
pub(crate) fn tkey(error: u16, token: &[u8]) -> Vec<u8> {
    let mut data = name("gss-tsig");
    data.extend([0; 8]);
    data.extend(
        [
            [0, 3],
            error.to_be_bytes(),
            (token.len() as u16).to_be_bytes(),
        ]
        .concat(),
    );
    data.extend(token);
    data.extend([0, 0]);
    data
}

/// The data of a TSIG record (RFC 8945 4.2).
pub(crate) fn tsig() -> Vec<u8> {
    let mut data = name("gss-tsig");
    data.extend([0, 0, 0x69, 0xa4, 0x0e, 0xa0, 0x8c, 0xa0, 0, 4, 1, 2, 3, 4]);
    data.extend([0; 6]);
    data
}
