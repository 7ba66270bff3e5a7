use std::io::Cursor;

use super::*;

fn pcap(records: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (seconds, data) in records {
        let length = data.len() as u32;
        for word in [*seconds, 5, length, length] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(*data);
    }
    bytes
}

/// What is looked at of a packet.
struct Kept {
    time: Timestamp,
    link: LinkType,
    wire_len: u32,
    data: Vec<u8>,
}

fn read_all(bytes: Vec<u8>) -> (Vec<Kept>, Result<bool, FileError>) {
    let mut file = CaptureFile::new(Path::new("test"), Box::new(Cursor::new(bytes))).unwrap();
    let mut packets = Vec::new();
    loop {
        match file.read() {
            Ok(true) => packets.extend(file.packet().map(|packet| Kept {
                time: packet.time,
                link: packet.link,
                wire_len: packet.wire_len,
                data: packet.data.to_owned(),
            })),
            Ok(false) => return (packets, Ok(file.was_cut())),
            Err(error) => return (packets, Err(error)),
        }
    }
}

#[test]
fn reads_packets_with_their_times() {
    let (packets, end) = read_all(pcap(&[(7, b"one"), (8, b"three")]));
    assert!(!end.unwrap());
    assert_eq!(packets[0].time, Timestamp::from_parts(7, 5000));
    assert_eq!(packets[1].data, b"three");
}

#[test]
fn a_frame_check_sequence_is_no_other_link_layer() {
    let mut bytes = pcap(&[(7, b"one")]);
    bytes[20..24].copy_from_slice(&0x1400_0001_u32.to_le_bytes());
    let (packets, _) = read_all(bytes);
    assert_eq!(packets[0].link, LinkType::Ethernet);
}

/// A block of pcapng in either byte order.
fn block(big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| {
        if big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let length = word(12 + body.len().next_multiple_of(4) as u32);
    let mut bytes = [word(kind), length].concat();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0xee);
    bytes.extend(length);
    bytes
}

/// Numbers as they stand in a block: their size in bytes, and their value.
fn numbers(big_endian: bool, numbers: &[(usize, u32)]) -> Vec<u8> {
    let bytes = numbers.iter().flat_map(|&(size, value)| {
        if big_endian {
            value.to_be_bytes()[4 - size..].to_vec()
        } else {
            value.to_le_bytes()[..size].to_vec()
        }
    });
    bytes.collect()
}

fn section(big_endian: bool, links: &[u32]) -> Vec<u8> {
    let header = [
        (4, 0x1a2b_3c4d),
        (2, 1),
        (2, 0),
        (4, u32::MAX),
        (4, u32::MAX),
    ];
    let mut bytes = block(big_endian, 0x0a0d_0d0a, &numbers(big_endian, &header));
    for &link in links {
        let interface = numbers(big_endian, &[(2, link), (2, 0), (4, 6)]);
        bytes.extend(block(big_endian, 1, &interface));
    }
    bytes
}

fn enhanced(big_endian: bool, interface: u32, data: &[u8]) -> Vec<u8> {
    let length = data.len() as u32;
    let head = [
        (4, interface),
        (4, 0),
        (4, 7_000_000),
        (4, length),
        (4, length),
    ];
    let body = [&numbers(big_endian, &head), data].concat();
    block(big_endian, 6, &body)
}

#[test]
fn the_blocks_of_old_captures_hold_packets_too() {
    for big_endian in [false, true] {
        let mut bytes = section(big_endian, &[1]);
        // Interface, drops, time, captured length, length on the wire.
        let head = [(2, 0), (2, 3), (4, 0), (4, 7_000_000), (4, 5), (4, 9)];
        let old = [&numbers(big_endian, &head)[..], b"three"].concat();
        bytes.extend(block(big_endian, 2, &old));
        // A simple packet: its length on the wire. What was captured of it is padded.
        let simple = [&numbers(big_endian, &[(4, 9)])[..], b"threes"].concat();
        bytes.extend(block(big_endian, 3, &simple));
        let (packets, end) = read_all(bytes);
        assert!(!end.unwrap());
        for (packet, data) in packets.iter().zip([&b"three"[..], b"threes"]) {
            assert_eq!((packet.data.as_slice(), packet.wire_len), (data, 9));
            assert_eq!(packet.time, Timestamp::from_parts(7, 0));
        }
        assert_eq!(packets.len(), 2);
    }
}

#[test]
fn an_old_block_that_is_shorter_than_it_says_is_corruption() {
    let head = [(2, 0), (2, 0), (4, 0), (4, 7), (4, 500), (4, 500)];
    let bytes = [
        section(false, &[1]),
        block(false, 2, &numbers(false, &head)),
    ]
    .concat();
    assert!(matches!(read_all(bytes).1, Err(FileError::Corrupt { .. })));
}

#[test]
fn packets_of_an_unreadable_interface_are_skipped_and_counted() {
    // USB beside Ethernet.
    let mut bytes = section(false, &[1, 220]);
    for (interface, data) in [(0, b"first"), (1, b"mouse"), (0, b"third")] {
        bytes.extend(enhanced(false, interface, data));
    }
    let (packets, end) = read_all(bytes.clone());
    assert!(!end.unwrap());
    assert_eq!(packets.len(), 2);
    let mut file = CaptureFile::new(Path::new("x"), Box::new(Cursor::new(bytes))).unwrap();
    while file.read().unwrap() {}
    assert_eq!(file.unreadable(), 1);
}

#[test]
fn a_file_of_which_nothing_can_be_read_says_why() {
    let bytes = [section(false, &[220]), enhanced(false, 0, b"mouse")].concat();
    let end = read_all(bytes).1;
    assert!(
        matches!(end, Err(FileError::LinkType { link: 220, .. })),
        "{end:?}"
    );
}

#[test]
fn a_cut_last_record_is_no_error_wherever_the_cut() {
    let whole = pcap(&[(7, b"one"), (8, b"three")]);
    for end in whole.len() - 20..whole.len() {
        let (packets, cut) = read_all(whole[..end].to_vec());
        assert_eq!((packets.len(), cut.unwrap()), (1, true), "cut at {end}");
    }
}

#[test]
fn a_record_longer_than_any_packet_is_corruption() {
    let mut bytes = pcap(&[(7, b"one"), (8, b"three"), (9, &[0; 64])]);
    bytes[24 + 19 + 8..24 + 19 + 12].copy_from_slice(&0x7f00_0000_u32.to_le_bytes());
    let (packets, end) = read_all(bytes);
    assert_eq!(packets.len(), 1);
    assert!(
        matches!(end, Err(FileError::Corrupt { packets: 1, .. })),
        "{end:?}"
    );
}

#[test]
fn compressed_captures_read_the_same_and_may_be_cut() {
    use std::io::Write;
    let plain = pcap(&[(7, &[1; 9000]), (8, b"three")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(read_all(gzip.clone()).0.len(), 2);
    assert!(read_all(gzip[..gzip.len() - 9].to_vec()).1.unwrap());
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    assert_eq!(read_all(zstd).0.len(), 2);
}

#[test]
fn what_is_no_capture_is_said_so() {
    for bytes in [&b""[..], b"hello, world, this is a text", &[0xd4, 0xc3]] {
        let opened = CaptureFile::new(Path::new("x"), Box::new(Cursor::new(bytes.to_vec())));
        assert!(matches!(opened, Err(FileError::NotACapture { .. })));
    }
}

#[test]
fn records_around_the_edge_of_the_buffer_are_whole() {
    let big = vec![7_u8; 60_000];
    let records: Vec<(u32, &[u8])> = (0..200).map(|second| (second, big.as_slice())).collect();
    let (packets, end) = read_all(pcap(&records));
    assert_eq!(packets.len(), 200);
    assert!(!end.unwrap());
    assert!(packets.iter().all(|packet| packet.data == big));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let mut bytes = bytes;
        let mut with_header = pcap(&[]);
        with_header.append(&mut bytes.clone());
        read_all(with_header).1.ok();
        let mut in_section = section(bytes.len() % 2 == 0, &[1, 220]);
        in_section.append(&mut bytes.clone());
        read_all(in_section).1.ok();
        bytes.splice(0..0, [0x0a, 0x0d, 0x0d, 0x0a]);
        if let Ok(mut file) = CaptureFile::new(Path::new("x"), Box::new(Cursor::new(bytes))) {
            while let Ok(true) = file.read() {}
        }
    }
}
