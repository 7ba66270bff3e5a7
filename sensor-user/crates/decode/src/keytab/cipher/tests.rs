//! Held against what others say is right: the vectors of RFC 3961, 3962 and 8009, and the values that
//! MIT's implementation is tested with.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

#[test]
fn folds_as_rfc_3961_a_1() {
    assert_eq!(
        folded(b"kerberos").to_vec(),
        hex("6b657262 65726f73 7b9b5b2b 93132b93")
    );
}

/// RFC 3962 appendix B.
#[test]
fn steals_ciphertext_as_rfc_3962() {
    let key = b"chicken teriyaki";
    for (cipher, plain) in [
        (
            "c6353568 f2bf8cb4 d8a58036 2da7ff7f 97",
            &b"I would like the "[..],
        ),
        (
            "fc00783e 0efdb2c1 d445d4c8 eff7ed22 97687268 d6ecccc0 c07b25e2 5ecfe5",
            b"I would like the General Gau's ",
        ),
        (
            "39312523 a78662d5 be7fcbcc 98ebf5a8 97687268 d6ecccc0 c07b25e2 5ecfe584",
            b"I would like the General Gau's C",
        ),
    ] {
        let opened = Etype::Aes128Sha1.decrypt(key, &hex(cipher)).unwrap();
        assert_eq!(*opened, plain);
    }
}

/// RFC 8009 appendix A.
#[test]
fn derives_keys_as_rfc_8009() {
    let short = hex("3705D960 80C17728 A0E800EA B6E0D23C");
    let long = hex("6D404D37 FAF79F9D F0D33568 D3206698 00EB4836 472EA8A0 26D16B71 82460C52");
    for (etype, key, purpose, derived) in [
        (
            Etype::Aes128Sha2,
            &short,
            Purpose::Signing,
            "B31A018A 48F54776 F403E9A3 96325DC3",
        ),
        (
            Etype::Aes128Sha2,
            &short,
            Purpose::Sealing,
            "9B197DD1 E8C5609D 6E67C3E3 7C62C72E",
        ),
        (
            Etype::Aes128Sha2,
            &short,
            Purpose::Checking,
            "9FDA0E56 AB2D85E1 569A6886 96C26A6C",
        ),
        (
            Etype::Aes256Sha2,
            &long,
            Purpose::Signing,
            "EF5718BE 86CC8496 3D8BBB50 31E9F5C4 BA41F28F AF69E73D",
        ),
        (
            Etype::Aes256Sha2,
            &long,
            Purpose::Sealing,
            "56AB22BE E63D82D7 BC5227F6 773F8EA7 A5EB1C82 5160C383 12980C44 2E5C7E49",
        ),
        (
            Etype::Aes256Sha2,
            &long,
            Purpose::Checking,
            "69B16514 E3CD8E56 B82010D5 C73012B6 22C4D00F FC23ED1F",
        ),
    ] {
        let own = etype.derived(key, 2, purpose).unwrap();
        assert_eq!(*own, hex(derived));
    }
}

#[test]
fn opens_what_others_sealed() {
    for (etype, usage, plain, key, sealed) in [
        // MIT's t_decrypt.
        (
            Etype::Rc4,
            2,
            "9 bytesss",
            "3E40AB60 93695281 B3AC1A93 04224D98",
            "0F9AD121 D99D4A09 448E4F1F 718C4F5C BE609626 2C66F29D F232A87C 9F98755D 55",
        ),
        (
            Etype::Rc4,
            4,
            "30 bytes bytes bytes bytes byt",
            "68F263DB 3FCE15D0 31C9EAB0 2D67107A",
            "95F9047C 3AD75891 C2E9B04B 16566DC8 B6EB9CE4 231AFB25 42EF87A7 B5A0F260 A99F0460 \
             508DE0CE CC632D07 C354124E 46C5D223 4EB8",
        ),
        (
            Etype::Aes128Sha1,
            2,
            "9 bytesss",
            "9062430C 8CDA3388 922E6D6A 509F5B7A",
            "68FB9679 601F45C7 8857B2BF 820FD6E5 3ECA8D42 FD4B1D70 24A09205 ABB7CD2E C26C355D 2F",
        ),
        (
            Etype::Aes128Sha1,
            4,
            "30 bytes bytes bytes bytes byt",
            "DCEEB70B 3DE76562 E689226C 76429148",
            "C9608103 2D5D8EEB 7E32B408 9F789D0F AA481DEA 74C0F97C BF3146DD FCF8E800 156ECB53 \
             2FC203E3 0FF600B6 3B350939 FECE510F 02D7FF1E 7BAC",
        ),
        (
            Etype::Aes256Sha1,
            2,
            "9 bytesss",
            "B1AE4CD8 462AFF16 77053CC9 279AAC30 B796FB81 CE21474D D3DDBCFE A4EC76D7",
            "09957AA2 5FCAF88F 7B39E440 6E633012 D5FEA218 53F6478D A7065CAE F41FD454 A40824EE C5",
        ),
        (
            Etype::Aes256Sha1,
            4,
            "30 bytes bytes bytes bytes byt",
            "F1C795E9 248A0933 8D82C3F8 D5B56704 0B011073 68450413 47235B14 04231398",
            "D1137A4D 634CFECE 924DBC3B F6790648 BD5CFF7D E0E7B994 60211D0D AEF3D79A 295C6888 \
             58F3B34B 9CBD6EEB AE81DAF6 B734D4D4 98B6714F 1C1D",
        ),
        // RFC 8009 appendix A.
        (
            Etype::Aes128Sha2,
            2,
            "\0\x01\x02\x03\x04\x05",
            "3705D960 80C17728 A0E800EA B6E0D23C",
            "84D7F307 54ED987B AB0BF350 6BEB09CF B55402CE F7E6877C E99E247E 52D16ED4 421DFDF8 \
             976C",
        ),
        (
            Etype::Aes256Sha2,
            2,
            "\0\x01\x02\x03\x04\x05",
            "6D404D37 FAF79F9D F0D33568 D3206698 00EB4836 472EA8A0 26D16B71 82460C52",
            "4ED7B37C 2BCAC8F7 4F23C1CF 07E62BC7 B75FB3F6 37B9F559 C7F664F6 9EAB7B60 92237526 \
             EA0D1F61 CB20D69D 10F2",
        ),
    ] {
        let (key, mut sealed) = (hex(key), hex(sealed));
        let opened = etype.open(&key, usage, &sealed).expect("opens");
        assert_eq!(*opened, plain.as_bytes(), "{etype:?}");
        assert_eq!(etype.open(&key, usage + 1, &sealed), None, "another usage");
        sealed[3] ^= 1;
        assert_eq!(etype.open(&key, usage, &sealed), None, "a bit changed");
    }
}

#[test]
fn signs_as_others_do() {
    let bytes: Vec<u8> = (0..21).collect();
    for (etype, usage, message, key, checksum) in [
        // MIT's t_cksums.
        (
            Etype::Aes128Sha1,
            3,
            &b"eight nine ten eleven twelve thirteen"[..],
            "9062430C 8CDA3388 922E6D6A 509F5B7A",
            "01A4B088 D45628F6 946614E3",
        ),
        (
            Etype::Aes256Sha1,
            4,
            b"fourteen",
            "B1AE4CD8 462AFF16 77053CC9 279AAC30 B796FB81 CE21474D D3DDBCFE A4EC76D7",
            "E08739E3 279E2903 EC8E3836",
        ),
        (
            Etype::Rc4,
            6,
            b"seventeen eighteen nineteen twenty",
            "F7D3A155 AF5E238A 0B7A871A 96BA2AB2",
            "EB38CC97 E2230F59 DA4117DC 5859D7EC",
        ),
        // RFC 8009 appendix A.
        (
            Etype::Aes128Sha2,
            2,
            &bytes,
            "3705D960 80C17728 A0E800EA B6E0D23C",
            "D7836718 6643D67B 411CBA91 39FC1DEE",
        ),
        (
            Etype::Aes256Sha2,
            2,
            &bytes,
            "6D404D37 FAF79F9D F0D33568 D3206698 00EB4836 472EA8A0 26D16B71 82460C52",
            "45EE7915 67EEFCA3 7F4AC1E0 222DE80D 43C3BFA0 6699672A",
        ),
    ] {
        let own = etype.checksum(&hex(key), usage, message).unwrap();
        assert_eq!(*own, hex(checksum), "{etype:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        number in 17..24i32,
        key in vec(any::<u8>(), 0..40),
        sealed in vec(any::<u8>(), 0..80),
    ) {
        if let Some(etype) = Etype::new(number) {
            prop_assert_eq!(etype.open(&key, 2, &sealed), None);
            let checksum = etype.checksum(&key, 17, &sealed);
            prop_assert!(checksum.is_none_or(|it| it.len() == etype.checksum_length()));
        }
    }
}
