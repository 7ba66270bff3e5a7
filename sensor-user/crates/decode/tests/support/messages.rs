//! Messages written by the tests: Kerberos (RFC 4120) and DCE/RPC ([C706] chapter 12), as plain as
//! the documents have them.

use uuid::Uuid;

/// A DER value.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = if length < 0x80 {
        vec![tag, length as u8]
    } else {
        vec![tag, 0x82, (length >> 8) as u8, length as u8]
    };
    [head, content.to_vec()].concat()
}

/// A `SEQUENCE` of explicitly tagged fields.
pub(crate) fn sequence(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<_> = fields
        .iter()
        .flat_map(|(number, value)| tlv(0xa0 | number, value))
        .collect();
    tlv(0x30, &content)
}

pub(crate) fn integer(value: i32) -> Vec<u8> {
    tlv(2, &value.to_be_bytes())
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    tlv(0x1b, text.as_bytes())
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, bytes)
}

pub(crate) fn name(name_type: i32, components: &[&str]) -> Vec<u8> {
    let components: Vec<_> = components.iter().flat_map(|part| string(part)).collect();
    sequence(&[(0, integer(name_type)), (1, tlv(0x30, &components))])
}

pub(crate) fn sealed(etype: i32, cipher: &[u8]) -> Vec<u8> {
    sequence(&[(0, integer(etype)), (1, integer(2)), (2, octets(cipher))])
}

/// A ticket for `service`, sealed with `etype`.
pub(crate) fn ticket(service: &[&str], etype: i32, cipher: &[u8]) -> Vec<u8> {
    let body = sequence(&[
        (0, integer(5)),
        (1, string(REALM)),
        (2, name(2, service)),
        (3, sealed(etype, cipher)),
    ]);
    tlv(0x61, &body)
}

pub(crate) const REALM: &str = "CORP.EXAMPLE";

fn kdc_req(
    application: u8,
    padata: &[(i32, Vec<u8>)],
    client: Option<&str>,
    service: &[&str],
    etypes: &[i32],
) -> Vec<u8> {
    let padata: Vec<_> = padata
        .iter()
        .flat_map(|(kind, value)| sequence(&[(1, integer(*kind)), (2, octets(value))]))
        .collect();
    let etypes: Vec<_> = etypes.iter().flat_map(|etype| integer(*etype)).collect();
    let address = sequence(&[(0, integer(20)), (1, octets(b"WS1             "))]);
    let mut body = vec![(0, tlv(3, &[0, 0x40, 0x81, 0, 0x10]))];
    body.extend(client.map(|client| (1, name(1, &[client]))));
    body.extend([
        (2, string(REALM)),
        (3, name(2, service)),
        (5, tlv(0x18, b"20370913024805Z")),
        (7, integer(-7)),
        (8, tlv(0x30, &etypes)),
        (9, tlv(0x30, &address)),
    ]);
    let body = sequence(&[
        (1, integer(5)),
        (2, integer(i32::from(application))),
        (3, tlv(0x30, &padata)),
        (4, sequence(&body)),
    ]);
    tlv(0x60 | application, &body)
}

pub(crate) fn as_req(client: &str, padata: &[i32], etypes: &[i32]) -> Vec<u8> {
    let padata: Vec<_> = padata.iter().map(|kind| (*kind, vec![1; 8])).collect();
    kdc_req(10, &padata, Some(client), &["krbtgt", REALM], etypes)
}

/// An AS-REQ with `padata` of its own.
pub(crate) fn as_req_with(client: &str, padata: &[(i32, Vec<u8>)]) -> Vec<u8> {
    kdc_req(10, padata, Some(client), &["krbtgt", REALM], &[18])
}

/// A TGS-REQ with further `padata`.
pub(crate) fn tgs_req_with(presented: &[u8], padata: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let padata = [&[(1, ap_req(presented))], padata].concat();
    kdc_req(12, &padata, None, &["cifs", "dc1.corp.example"], &[18])
}

pub(crate) fn tgs_req(presented: &[u8], service: &[&str], etypes: &[i32]) -> Vec<u8> {
    kdc_req(12, &[(1, ap_req(presented))], None, service, etypes)
}

pub(crate) fn ap_req(ticket: &[u8]) -> Vec<u8> {
    let body = sequence(&[
        (0, integer(5)),
        (1, integer(14)),
        (2, tlv(3, &[0, 0x20, 0, 0, 0])),
        (3, ticket.to_vec()),
        (4, sealed(18, &[9; 40])),
    ]);
    tlv(0x6e, &body)
}

pub(crate) fn ap_rep() -> Vec<u8> {
    let body = sequence(&[(0, integer(5)), (1, integer(15)), (2, sealed(18, &[8; 40]))]);
    tlv(0x6f, &body)
}

fn kdc_rep(application: u8, client: &str, ticket: &[u8], etype: i32) -> Vec<u8> {
    let body = sequence(&[
        (0, integer(5)),
        (1, integer(i32::from(application))),
        (3, string(REALM)),
        (4, name(1, &[client])),
        (5, ticket.to_vec()),
        (6, sealed(etype, &[7; 200])),
    ]);
    tlv(0x60 | application, &body)
}

pub(crate) fn as_rep(client: &str, ticket: &[u8], etype: i32) -> Vec<u8> {
    kdc_rep(11, client, ticket, etype)
}

pub(crate) fn tgs_rep(client: &str, ticket: &[u8], etype: i32) -> Vec<u8> {
    kdc_rep(13, client, ticket, etype)
}

pub(crate) fn krb_priv() -> Vec<u8> {
    let body = sequence(&[(0, integer(5)), (1, integer(21)), (3, sealed(18, &[5; 60]))]);
    tlv(0x75, &body)
}

pub(crate) fn krb_error(code: i32, service: &[&str]) -> Vec<u8> {
    krb_error_with(code, service, &[])
}

/// The same with `e-data`.
pub(crate) fn krb_error_with(code: i32, service: &[&str], e_data: &[u8]) -> Vec<u8> {
    krb_error_to(None, code, service, e_data)
}

/// The same for a client, its realm and its name.
pub(crate) fn krb_error_to(
    client: Option<(&str, &str)>,
    code: i32,
    service: &[&str],
    e_data: &[u8],
) -> Vec<u8> {
    let mut body = vec![
        (0, integer(5)),
        (1, integer(30)),
        (4, tlv(0x18, b"20260301100000Z")),
        (5, integer(1)),
        (6, integer(code)),
    ];
    if let Some((crealm, cname)) = client {
        body.extend([(7, string(crealm)), (8, name(1, &[cname]))]);
    }
    body.extend([(9, string(REALM)), (10, name(2, service))]);
    if !e_data.is_empty() {
        body.push((12, octets(e_data)));
    }
    tlv(0x7e, &sequence(&body))
}

/// A message with the record mark that TCP needs (RFC 4120 7.2.2).
pub(crate) fn record(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// A DCE/RPC PDU.
#[derive(Clone)]
pub(crate) struct Pdu {
    pub(crate) ptype: u8,
    /// `PFC_FIRST_FRAG` 1, `PFC_LAST_FRAG` 2.
    pub(crate) flags: u8,
    pub(crate) call_id: u32,
    pub(crate) body: Vec<u8>,
    /// auth_type, level, token.
    pub(crate) verifier: Option<(u8, u8, Vec<u8>)>,
    /// `auth_context_id`
    pub(crate) context: u8,
    pub(crate) little: bool,
}

impl Pdu {
    pub(crate) fn new(ptype: u8, call_id: u32, body: Vec<u8>) -> Self {
        Self {
            ptype,
            flags: 3,
            call_id,
            body,
            verifier: None,
            context: 1,
            little: true,
        }
    }

    pub(crate) fn bind(call_id: u32, interface: Uuid) -> Self {
        let mut body = [&[0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0][..], &[1, 0, 0, 0]].concat();
        body.extend([0, 0, 1, 0]);
        body.extend(interface.to_bytes_le());
        body.extend([4, 0, 0, 0]);
        body.extend([0x04; 20]);
        Self::new(11, call_id, body)
    }

    pub(crate) fn bind_ack(call_id: u32) -> Self {
        let mut body = vec![0xd0, 0x16, 0xd0, 0x16, 1, 0, 0, 0];
        body.extend([4, 0]);
        body.extend(b"135\0");
        body.extend([0, 0]);
        body.extend([1, 0, 0, 0]);
        body.extend([0, 0, 0, 0]);
        body.extend([0x04; 20]);
        Self::new(12, call_id, body)
    }

    pub(crate) fn request(call_id: u32, opnum: u16, stub: &[u8]) -> Self {
        let mut body = vec![0, 0, 0, 0, 0, 0];
        body.extend(opnum.to_le_bytes());
        body.extend(stub);
        Self::new(0, call_id, body)
    }

    pub(crate) fn response(call_id: u32, stub: &[u8]) -> Self {
        Self::new(2, call_id, [&[0; 8][..], stub].concat())
    }

    pub(crate) fn fault(call_id: u32, status: u32) -> Self {
        let mut body = vec![0; 8];
        body.extend(status.to_le_bytes());
        body.extend([0; 4]);
        Self::new(3, call_id, body)
    }

    pub(crate) fn with(mut self, auth_type: u8, level: u8, token: &[u8]) -> Self {
        self.verifier = Some((auth_type, level, token.to_vec()));
        self
    }

    pub(crate) fn of_context(mut self, context: u8) -> Self {
        self.context = context;
        self
    }

    pub(crate) fn flagged(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let trailer: Vec<u8> = self
            .verifier
            .iter()
            .flat_map(|(auth_type, level, token)| {
                [
                    &[*auth_type, *level, 0, 0, self.context, 0, 0, 0][..],
                    token,
                ]
                .concat()
            })
            .collect();
        let auth_length = self
            .verifier
            .as_ref()
            .map_or(0, |(_, _, token)| token.len());
        let length = 16 + self.body.len() + trailer.len();
        let mut bytes = vec![5, 0, self.ptype, self.flags, 0x10, 0, 0, 0];
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend((auth_length as u16).to_le_bytes());
        bytes.extend(self.call_id.to_le_bytes());
        bytes.extend(&self.body);
        bytes.extend(trailer);
        bytes
    }
}

/// NTLM's AUTHENTICATE message ([MS-NLMP] 2.2.1.3).
pub(crate) fn ntlm_authenticate(domain: &str, user: &str, workstation: &str) -> Vec<u8> {
    let mut head = [b"NTLMSSP\0\x03\0\0\0".to_vec(), vec![0; 16]].concat();
    let mut payload = Vec::new();
    for name in [domain, user, workstation] {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = (name.len() as u16).to_le_bytes();
        head.extend([length, length].concat());
        head.extend((64 + payload.len() as u32).to_le_bytes());
        payload.extend(name);
    }
    head.extend([0; 8]);
    head.extend([1, 0, 0, 0]);
    [head, payload].concat()
}
