use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// An entry as MIT writes it; the version's upper bits stand behind the key.
fn entry(principal: &[&str], kvno: u32, etype: u16, key: &[u8]) -> Vec<u8> {
    let mut entry = (principal.len() as u16 - 1).to_be_bytes().to_vec();
    for text in principal {
        entry.extend((text.len() as u16).to_be_bytes());
        entry.extend(text.bytes());
    }
    entry.extend([0, 0, 0, 1, 0, 0, 0, 0, kvno as u8]);
    entry.extend(etype.to_be_bytes());
    entry.extend((key.len() as u16).to_be_bytes());
    entry.extend(key);
    entry.extend(kvno.to_be_bytes());
    [(entry.len() as u32).to_be_bytes().to_vec(), entry].concat()
}

fn file(entries: &[Vec<u8>]) -> Vec<u8> {
    [&[5, 2][..], &entries.concat()].concat()
}

fn sealers(keytab: &Keytab, service: &str, kvno: u32) -> Vec<u32> {
    let sealers = keytab.sealers(service, Etype::Rc4, Some(kvno));
    sealers.map(|key| key.kvno).collect()
}

#[test]
fn keys_are_found_by_service_computer_and_read_only_controller() {
    let keytab = Keytab::parse(&file(&[
        entry(&["X", "krbtgt"], 1, 23, &[1; 16]),
        entry(&["X", "krbtgt", "X"], 2, 23, &[2; 16]),
        entry(&["X", "krbtgt", "X"], 2, 18, &[2; 32]),
        entry(&["X", "krbtgt_4711"], 1, 23, &[3; 16]),
        entry(&["X", "DC1$"], 300, 23, &[4; 16]),
        entry(&["X", "svc"], 9, 23, &[5; 16]),
    ]))
    .unwrap();
    assert_eq!(
        sealers(&keytab, "krbtgt/X@X", 2),
        [2, 1],
        "the version named first"
    );
    assert_eq!(
        sealers(&keytab, "krbtgt/X@X", 7),
        [1, 2],
        "a forger may err about it"
    );
    assert_eq!(sealers(&keytab, "krbtgt/X@X", 4711 << 16 | 1), [1, 1, 2]);
    assert_eq!(sealers(&keytab, "cifs/dc1.x:445@X", 300), [300]);
    assert_eq!(
        sealers(&keytab, "http/intranet@X", 9)[0],
        9,
        "whose key is not known by name"
    );
    assert_eq!(keytab.krbtgt("X", Some(4711)).len(), 1);
    assert_eq!(keytab.krbtgt("Y", None).len(), 0);
    assert!(keytab.has_krbtgt());
}

#[test]
fn a_large_keytab_is_searched_by_name_alone() {
    let names: Vec<String> = (0..=MAX_STRANGERS).map(|n| format!("u{n}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| entry(&["X", name], 1, 23, &[1; 16]))
        .collect();
    let keytab = Keytab::parse(&file(&entries)).unwrap();
    assert_eq!(sealers(&keytab, "http/intranet@X", 1), [0; 0]);
    assert_eq!(sealers(&keytab, "u3@X", 1), [1]);
    assert!(keytab.to_string().ends_with("and 9 more"), "{keytab}");
}

#[test]
fn people_are_told_what_is_wrong() {
    let said = |bytes: &[u8]| Keytab::parse(bytes).unwrap_err().to_string();
    assert!(said(b"").contains("not a keytab"));
    assert!(said(b"\x05\x01\0\0").contains("version 0x501"));
    assert!(said(&[5, 2, 0, 0, 0, 9, 1]).contains("entry at byte 2"));
    assert!(said(&[5, 2]).contains("without a key"));
    let des = file(&[entry(&["X", "a"], 1, 3, &[1; 8])]);
    assert!(said(&des).contains("it has keys for des-cbc-md5 (3)"));
    let short = file(&[entry(&["X", "a"], 1, 18, &[1; 16])]);
    assert!(said(&short).contains("aes256-cts-hmac-sha1-96"));
}

#[test]
fn nothing_prints_a_key() {
    let keytab = Keytab::parse(&file(&[entry(&["X", "a"], 1, 23, &[0xab; 16])])).unwrap();
    for said in [format!("{keytab}"), format!("{keytab:?}")] {
        assert!(
            said.contains("a@x (version 1)") && !said.contains("171"),
            "{said}"
        );
        assert!(!said.to_lowercase().contains("abab"), "{said}");
    }
}

#[test]
fn holes_are_skipped() {
    let hole = [&(-3_i32).to_be_bytes()[..], &[1, 2, 3]].concat();
    let after = [0; 8].to_vec();
    let keytab = file(&[hole, entry(&["X", "a"], 1, 23, &[1; 16]), after]);
    assert_eq!(
        Keytab::parse(&keytab).unwrap().to_string(),
        "a@x (version 1)"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200), head in any::<bool>()) {
        let bytes = if head { file(&[bytes]) } else { bytes };
        if let Ok(keytab) = Keytab::parse(&bytes) {
            prop_assert!(!keytab.to_string().is_empty());
        }
    }

    #[test]
    fn a_keytab_cut_anywhere_is_whole_before_or_says_so(length in 0..100usize) {
        let whole = file(&[
            entry(&["X", "a"], 1, 23, &[1; 16]),
            entry(&["X", "b"], 1, 23, &[1; 16]),
        ]);
        let length = length.min(whole.len());
        let first = 2 + (whole.len() - 2) / 2;
        let is_whole = length == first || length == whole.len();
        prop_assert_eq!(Keytab::parse(&whole[..length]).is_ok(), is_whole);
    }
}
