use goshawk_model::Account;
use goshawk_model::kerberos::{LogonInfo, Pac, Verdict};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use proptest::collection::vec;
use proptest::prelude::*;
use rc4::{Rc4, StreamCipher};

use super::without_pac::wrapped;
use super::*;

const KEY: [u8; 16] = [7; 16];
const OTHER: [u8; 16] = [8; 16];
const SERVICE: &str = "cifs/fs1.x@X";
const RC4: i32 = 23;
const HMAC_MD5: i32 = -138;

/// A keytab with these principals' keys for RC4, of version 3.
fn keytab(keys: &[(&str, [u8; 16])]) -> Keytab {
    let mut file = vec![5, 2];
    for (name, key) in keys {
        let parts: Vec<&str> = name.split('/').collect();
        let mut entry = (parts.len() as u16).to_be_bytes().to_vec();
        for text in [&["X"][..], &parts].concat() {
            entry.extend((text.len() as u16).to_be_bytes());
            entry.extend(text.bytes());
        }
        entry.extend([0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 23, 0, 16]);
        entry.extend(key);
        file.extend((entry.len() as u32).to_be_bytes());
        file.extend(entry);
    }
    Keytab::parse(&file).unwrap()
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Sealed as RFC 4757 5 has it, for key usage 2.
fn seal(key: &[u8], part: &[u8]) -> Vec<u8> {
    let mut plain = [&[9; 8], part].concat();
    let first = hmac(key, &2_u32.to_le_bytes());
    let checksum = hmac(&first, &plain);
    let third = hmac(&first, &checksum);
    Rc4::new_from_slice(&third)
        .unwrap()
        .apply_keystream(&mut plain);
    [checksum, plain].concat()
}

fn text(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn sid(numbers: &[u32]) -> Vec<u8> {
    let mut sid = vec![1, numbers.len() as u8, 0, 0, 0, 0, 0, 5];
    sid.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    sid
}

/// A `KERB_VALIDATION_INFO` on its way.
#[derive(Default)]
struct Stream {
    fixed: Vec<u8>,
    referred: Vec<u8>,
}

impl Stream {
    fn word(&mut self, word: u32) {
        self.fixed.extend(word.to_le_bytes());
    }

    fn refer(&mut self, is_there: bool) {
        self.word(if is_there { 0x2_0000 } else { 0 });
    }

    fn string(&mut self, string: &str) {
        let bytes = text(string);
        let units = (bytes.len() / 2) as u32;
        self.fixed
            .extend([(bytes.len() as u16).to_le_bytes(); 2].concat());
        self.refer(!string.is_empty());
        if !string.is_empty() {
            self.refer_words(&[units, 0, units]);
            self.referred.extend(bytes);
            self.pad();
        }
    }

    fn refer_words(&mut self, words: &[u32]) {
        self.referred
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }

    fn pad(&mut self) {
        self.referred
            .resize(self.referred.len().next_multiple_of(4), 0);
    }

    fn refer_sid(&mut self, numbers: &[u32]) {
        self.refer_words(&[numbers.len() as u32]);
        self.referred.extend(sid(numbers));
    }

    fn groups(&mut self, groups: &[u32]) {
        self.word(groups.len() as u32);
        self.refer(!groups.is_empty());
        if !groups.is_empty() {
            self.refer_words(&[groups.len() as u32]);
            groups
                .iter()
                .for_each(|&group| self.refer_words(&[group, 7]));
        }
    }
}

/// As [MS-PAC] 2.5 has it, field by field.
fn logon_info(
    user: &str,
    id: u32,
    groups: &[u32],
    extra: &[[u32; 2]],
    resource: &[u32],
) -> Vec<u8> {
    let mut stream = Stream::default();
    stream.fixed.extend([0; 48]);
    for name in [user, "A Name", "", "", "", ""] {
        stream.string(name);
    }
    stream.fixed.extend([1, 0, 0, 0]);
    stream.word(id);
    stream.word(513);
    stream.groups(groups);
    stream.word(0x20);
    stream.fixed.extend([0; 16]);
    stream.string("DC1");
    stream.string("CORP");
    stream.refer(true);
    stream.refer_sid(&[21, 1, 2, 3]);
    stream.fixed.extend([0; 8 + 4 + 4 + 16 + 8]);
    stream.word(extra.len() as u32);
    stream.refer(!extra.is_empty());
    if !extra.is_empty() {
        stream.refer_words(&[extra.len() as u32]);
        extra
            .iter()
            .for_each(|_| stream.refer_words(&[0x2_0000, 7]));
        extra.iter().for_each(|extra| stream.refer_sid(extra));
    }
    stream.refer(!resource.is_empty());
    if !resource.is_empty() {
        stream.refer_sid(&[21, 9]);
    }
    stream.groups(resource);
    let headers = [1, 16, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0];
    [
        &headers[..],
        &0x2_0000_u32.to_le_bytes(),
        &stream.fixed,
        &stream.referred,
    ]
    .concat()
}

/// A PAC with these buffers, and where each begins.
fn pac_of(buffers: &[(u32, Vec<u8>)]) -> (Vec<u8>, Vec<usize>) {
    let mut head = (buffers.len() as u32).to_le_bytes().to_vec();
    head.extend(0_u32.to_le_bytes());
    let (mut offset, mut offsets) = (8 + 16 * buffers.len(), Vec::new());
    let mut body = Vec::new();
    for (kind, data) in buffers {
        head.extend(kind.to_le_bytes());
        head.extend((data.len() as u32).to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offsets.push(offset);
        let padded = data.len().next_multiple_of(8);
        body.extend(data);
        body.resize(body.len() + padded - data.len(), 0);
        offset += padded;
    }
    ([head, body].concat(), offsets)
}

/// A checksum of HMAC_MD5 for key usage 17 (RFC 4757 4).
fn checksum(key: &[u8], message: &[u8]) -> Vec<u8> {
    use md5::Digest;
    let mut hash = Md5::new();
    hash.update(17_u32.to_le_bytes());
    hash.update(message);
    hmac(&hmac(key, b"signaturekey\0"), &hash.finalize())
}

fn unsigned() -> Vec<u8> {
    [&HMAC_MD5.to_le_bytes()[..], &[0; 16]].concat()
}

/// A PAC of the user 1104 `alice`, with all signatures: the server's by `server`, the others by `kdc`.
fn signed_pac(server: &[u8], kdc: &[u8]) -> Vec<u8> {
    let name = text("alice");
    let client_info = [
        &(116_444_736_000_000_000_u64 + 17_000_000_000_000_000).to_le_bytes()[..],
        &(name.len() as u16).to_le_bytes(),
        &name,
    ]
    .concat();
    let (mut pac, offsets) = pac_of(&[
        (
            Pac::LOGON_INFO,
            logon_info("alice", 1104, &[1105, 513, 512], &[[18, 1]], &[572]),
        ),
        (Pac::CLIENT_INFO, client_info),
        (
            Pac::ATTRIBUTES_INFO,
            [2_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat(),
        ),
        (Pac::REQUESTOR, sid(&[21, 1, 2, 3, 1104])),
        (Pac::SERVER_SIGNATURE, unsigned()),
        (Pac::KDC_SIGNATURE, unsigned()),
        (Pac::TICKET_SIGNATURE, unsigned()),
        (Pac::EXTENDED_SIGNATURE, unsigned()),
    ]);
    let put = |pac: &mut Vec<u8>, index: usize, signature: Vec<u8>| {
        pac[offsets[index] + 4..offsets[index] + 20].copy_from_slice(&signature);
    };
    let without = enc_ticket_part_with(&[0]);
    put(&mut pac, 6, checksum(kdc, &without));
    let extended = checksum(kdc, &pac);
    put(&mut pac, 7, extended);
    let by_server = checksum(server, &pac);
    let by_kdc = checksum(kdc, &by_server);
    put(&mut pac, 4, by_server);
    put(&mut pac, 5, by_kdc);
    pac
}

/// An `EncTicketPart` of alice's with this PAC (RFC 4120 5.3).
fn enc_ticket_part_with(pac: &[u8]) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| wrapped(0xa0 | number, content);
    let number = |value: i32| wrapped(2, &value.to_be_bytes());
    let octets = |bytes: &[u8]| wrapped(4, bytes);
    let string = |text: &str| wrapped(0x1b, text.as_bytes());
    let list = |parts: &[Vec<u8>]| wrapped(0x30, &parts.concat());
    let time = |text: &str| wrapped(0x18, text.as_bytes());
    let element =
        |kind: i32, data: &[u8]| list(&[list(&[field(0, &number(kind)), field(1, &octets(data))])]);
    let parts = [
        field(0, &wrapped(3, &[0, 0x40, 0xe1, 0, 0])),
        field(
            1,
            &list(&[field(0, &number(23)), field(1, &octets(&[5; 16]))]),
        ),
        field(2, &string("X")),
        field(
            3,
            &list(&[field(0, &number(1)), field(1, &list(&[string("alice")]))]),
        ),
        field(4, &list(&[field(0, &number(1)), field(1, &octets(b"Y"))])),
        field(5, &time("20231114221320Z")),
        field(7, &time("20231115081320Z")),
        field(8, &time("20231121221320Z")),
        field(10, &element(AD_IF_RELEVANT, &element(AD_WIN2K_PAC, pac))),
    ];
    wrapped(ENC_TICKET_PART, &list(&parts))
}

fn opened(cipher: &[u8], keytab: &Keytab) -> Option<Opened> {
    let sealed = Sealed {
        service: SERVICE,
        etype: RC4,
        kvno: Some(3),
        cipher,
    };
    open(&sealed, keytab)
}

#[test]
fn a_ticket_tells_whose_it_is_and_who_signed_it() {
    let keytab = keytab(&[("FS1$", KEY), ("krbtgt/X", OTHER)]);
    let part = enc_ticket_part_with(&signed_pac(&KEY, &OTHER));
    let opened = opened(&seal(&KEY, &part), &keytab).expect("opens");
    assert_eq!(opened.client, Some(Account::new("alice", "x")));
    assert_eq!(
        (opened.kvno, opened.flags, &*opened.transited),
        (3, 0x40e1_0000, "Y")
    );
    assert_eq!(
        opened.authtime.to_string(),
        "2023-11-14T22:13:20.000000000Z"
    );
    assert_eq!(opened.endtime.to_string(), "2023-11-15T08:13:20.000000000Z");
    assert_eq!(opened.starttime, None);
    let pac = opened.pac.expect("a PAC");
    assert_eq!(pac.buffers, [1, 10, 17, 18, 6, 7, 16, 19]);
    let logon = LogonInfo {
        user: "alice".into(),
        server: "DC1".into(),
        domain: "CORP".into(),
        domain_sid: Some("S-1-5-21-1-2-3".into()),
        user_id: 1104,
        primary_group_id: 513,
        groups: vec![512, 513, 1105],
        extra_sids: vec!["S-1-5-18-1".into(), "S-1-5-21-9-572".into()],
    };
    assert_eq!(pac.logon, Some(logon));
    assert_eq!(pac.client_name.as_deref(), Some("alice"));
    assert_eq!(pac.client_id, Some(opened.authtime));
    assert_eq!(pac.attributes, Some(1));
    assert_eq!(pac.requestor.as_deref(), Some("S-1-5-21-1-2-3-1104"));
    for signature in [
        pac.server_signature,
        pac.kdc_signature,
        pac.ticket_signature,
        pac.extended_signature,
    ] {
        let signature = signature.expect("signed");
        assert_eq!(
            (signature.kind, signature.verdict),
            (HMAC_MD5, Verdict::Valid)
        );
    }
}

#[test]
fn a_service_s_key_cannot_sign_for_the_kdc() {
    let part = enc_ticket_part_with(&signed_pac(&KEY, &KEY));
    let verdicts = |keytab: &Keytab| {
        let pac = opened(&seal(&KEY, &part), keytab).unwrap().pac.unwrap();
        [
            pac.server_signature,
            pac.kdc_signature,
            pac.ticket_signature,
            pac.extended_signature,
        ]
        .map(|signature| signature.unwrap().verdict)
    };
    let both = keytab(&[("FS1$", KEY), ("krbtgt/X", OTHER)]);
    let (valid, wrong) = (Verdict::Valid, Verdict::Wrong);
    assert_eq!(verdicts(&both), [valid, wrong, wrong, wrong]);
    let own = keytab(&[("FS1$", KEY)]);
    let unchecked = Verdict::Unchecked;
    assert_eq!(verdicts(&own), [valid, unchecked, unchecked, unchecked]);
}

#[test]
fn a_checksum_without_a_key_is_no_signature() {
    let md5 = [&7_i32.to_le_bytes()[..], &[0; 16]].concat();
    let (pac, _) = pac_of(&[
        (Pac::SERVER_SIGNATURE, md5.clone()),
        (Pac::KDC_SIGNATURE, md5),
    ]);
    let part = enc_ticket_part_with(&pac);
    let pac = opened(&seal(&KEY, &part), &keytab(&[("FS1$", KEY)]))
        .unwrap()
        .pac
        .unwrap();
    let verdict = pac
        .server_signature
        .map(|signature| (signature.kind, signature.verdict));
    assert_eq!(verdict, Some((7, Verdict::Unkeyed)));
}

#[test]
fn another_key_opens_nothing() {
    let sealed = seal(&KEY, &enc_ticket_part_with(&signed_pac(&KEY, &OTHER)));
    assert_eq!(
        opened(&sealed, &keytab(&[("FS1$", OTHER), ("krbtgt/X", OTHER)])),
        None
    );
    // The account that a service runs under need not be known by the service's name.
    assert!(opened(&sealed, &keytab(&[("svc_files", KEY)])).is_some());
}

proptest! {
    /// Who seals a ticket with a stolen key may write anything into it.
    #[test]
    fn any_contents_are_survived(
        part in vec(any::<u8>(), 0..300),
        head in 0..3usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let keytab = keytab(&[("FS1$", KEY), ("krbtgt/X", OTHER)]);
        let mut whole = enc_ticket_part_with(&signed_pac(&KEY, &OTHER));
        let length = whole.len();
        whole[at.index(length)] = byte;
        let plain = match head {
            0 => part,
            1 => enc_ticket_part_with(&part),
            _ => whole,
        };
        if let Some(opened) = opened(&seal(&KEY, &plain), &keytab)
            && let Some(pac) = opened.pac
        {
            prop_assert!(pac.buffers.len() <= 32);
            let logon = pac.logon.unwrap_or_default();
            prop_assert!(logon.groups.len() <= 128 && logon.extra_sids.len() <= 64);
        }
    }

    #[test]
    fn groups_are_read_as_they_were_written(
        user in "[a-z]{1,20}",
        id in any::<u32>(),
        mut groups in vec(any::<u32>(), 0..100),
        extra in vec(any::<[u32; 2]>(), 0..20),
    ) {
        let read = logon::read(&logon_info(&user, id, &groups, &extra, &[])).expect("reads");
        groups.sort_unstable_by_key(|&group| (group >= 1000, group));
        groups.dedup();
        prop_assert_eq!((&*read.user, read.user_id, read.groups), (&*user, id, groups));
        for [domain, number] in extra {
            let sid = format!("S-1-5-{domain}-{number}");
            prop_assert!(read.extra_sids.iter().any(|known| **known == *sid));
        }
    }
}
