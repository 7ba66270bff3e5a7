use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Lines of text, and what was lost of them.
#[derive(Default)]
struct Lines {
    read: Vec<u8>,
    lost: Vec<Loss>,
}

impl Reader for Lines {
    fn starts_message(&mut self, _side: Side, bytes: &[u8]) -> Verdict {
        match bytes {
            [b'>', ..] => Verdict::Yes,
            [b'-'] => Verdict::Need(2),
            [b'-', b'>', ..] => Verdict::Yes,
            _ => Verdict::No,
        }
    }

    fn read(&mut self, _side: Side, bytes: &[u8]) -> Progress {
        let taken = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        self.read.extend(&bytes[..taken]);
        Progress::Read {
            taken,
            need: 0,
            length: 0,
        }
    }

    fn read_cut(&mut self, _side: Side, head: &[u8]) {
        self.read.extend(head);
        self.read.push(b'~');
    }

    fn lost(&mut self, _side: Side, loss: Loss) {
        self.lost.push(loss);
    }
}

fn segment(sequence: u32, data: &[u8]) -> Segment<'_> {
    Segment {
        sequence,
        data,
        missing: 0,
        acknowledged: None,
        fin: false,
        time: Timestamp::ZERO,
        origin: 0,
    }
}

fn read(segments: &[Segment<'_>]) -> (Direction, Lines) {
    let mut direction = Direction::default();
    let mut lines = Lines::default();
    direction.open(u32::MAX - 5);
    for segment in segments {
        direction.segment(Side::Low, segment, &Limits::default(), &mut lines);
    }
    (direction, lines)
}

const FIRST: u32 = u32::MAX - 4;

#[test]
fn sequence_numbers_wrap() {
    let (direction, lines) = read(&[
        segment(FIRST.wrapping_add(10), b">two\n"),
        segment(FIRST, b">the one\r\n"),
    ]);
    assert_eq!(lines.read, b">the one\r\n>two\n");
    assert_eq!(direction.held(), 0);
    assert!(direction.expects(10));
}

#[test]
fn behind_a_gap_a_message_is_found_again() {
    let (mut direction, mut lines) = read(&[
        segment(FIRST, b">whole\n>bro"),
        segment(20, b"ken\n"),
        segment(24, b">again\n"),
    ]);
    assert_eq!(lines.read, b">whole\n");
    let limits = Limits::default();
    let late = Timestamp::ZERO + limits.segment_wait;
    direction.expire(Side::Low, late, &limits, &mut lines);
    assert_eq!(lines.read, b">whole\n>bro~>again\n");
    assert_eq!(lines.lost, [Loss::Gap]);
}

#[test]
fn without_its_beginning_a_message_is_found_across_segments() {
    for (segments, expected) in [
        // The first byte alone says too little.
        (["-", ">one\n", ">two\n"], "->one\n>two\n"),
        // What may have been a beginning was none; what follows is asked by itself.
        (["-", ">>>", ">two\n"], "->>>>two\n"),
        (["-", "none", ">two\n"], ">two\n"),
        (["-", "-", "->two\n"], "->two\n"),
    ] {
        let mut direction = Direction::default();
        let mut lines = Lines::default();
        let mut at = 100;
        for data in segments {
            let segment = segment(at, data.as_bytes());
            direction.segment(Side::Low, &segment, &Limits::default(), &mut lines);
            at += data.len() as u32;
        }
        assert_eq!(lines.read, expected.as_bytes(), "{segments:?}");
        assert_eq!(direction.held(), 0);
    }
}

#[test]
fn what_may_begin_a_message_is_forgotten_with_the_segment_behind_it() {
    let mut direction = Direction::default();
    let mut lines = Lines::default();
    for segment in [segment(100, b"-"), segment(105, b">two\n")] {
        direction.segment(Side::Low, &segment, &Limits::default(), &mut lines);
    }
    assert_eq!(lines.read, b">two\n");
}

#[test]
fn one_segment_from_nowhere_is_no_gap_but_many_are() {
    let far = FIRST.wrapping_add(1 << 30);
    let stray = segment(far, b">stray\n");
    let (_, lines) = read(&[stray, segment(FIRST, b">one\n")]);
    assert_eq!(lines.read, b">one\n");
    assert_eq!(lines.lost, [Loss::Stray]);
    let (_, lines) = read(&[stray; MAX_STRAYS as usize]);
    assert_eq!(lines.read, b">stray\n");
}

#[test]
fn a_fin_ends_it_once_everything_is_read() {
    let fin = Segment {
        fin: true,
        ..segment(FIRST.wrapping_add(5), b"")
    };
    let (direction, _) = read(&[fin]);
    assert!(!direction.is_finished());
    let (direction, _) = read(&[fin, segment(FIRST, b">one\n")]);
    assert!(direction.is_finished());
}

#[test]
fn what_was_delivered_and_not_seen_is_not_waited_for() {
    // Acknowledged before the gap shows, and after.
    for early in [true, false] {
        let (mut direction, mut lines) = read(&[segment(FIRST, b">one\n")]);
        let behind = segment(FIRST.wrapping_add(10), b">three\n");
        if early {
            direction.acknowledge(Side::Low, behind.sequence, &mut lines);
        }
        direction.segment(Side::Low, &behind, &Limits::default(), &mut lines);
        if !early {
            // So far only a part of what is missing.
            direction.acknowledge(Side::Low, behind.sequence.wrapping_sub(1), &mut lines);
            assert_eq!(lines.read, b">one\n");
            direction.acknowledge(Side::Low, behind.sequence, &mut lines);
        }
        assert_eq!(lines.read, b">one\n>three\n");
        assert_eq!(lines.lost, [Loss::Gap]);
        assert_eq!(direction.held(), 0);
    }
}

#[test]
fn a_forged_acknowledgement_harms_until_the_next_one() {
    let (mut direction, mut lines) = read(&[segment(FIRST, b">one\n")]);
    direction.acknowledge(Side::Low, FIRST.wrapping_add(1 << 30), &mut lines);
    direction.acknowledge(Side::Low, FIRST.wrapping_add(5), &mut lines);
    for late in [
        segment(FIRST.wrapping_add(10), b">three\n"),
        segment(FIRST.wrapping_add(5), b">two\n"),
    ] {
        direction.segment(Side::Low, &late, &Limits::default(), &mut lines);
    }
    assert_eq!(lines.read, b">one\n>two\n>three\n");
}

/// Lines that come in this order, each a segment; where they begin, and where the last ends.
fn lines() -> (Vec<String>, Vec<u32>) {
    let lines: Vec<_> = (0..12)
        .map(|number| format!(">{}\n", "x".repeat(number)))
        .collect();
    let mut starts = vec![FIRST];
    for line in &lines {
        starts.push(
            starts
                .last()
                .unwrap_or(&FIRST)
                .wrapping_add(line.len() as u32),
        );
    }
    (lines, starts)
}

proptest! {
    #[test]
    fn a_receiver_s_own_acknowledgements_give_nothing_up(
        order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (lines, starts) = lines();
        let mut direction = Direction::default();
        let mut read = Lines::default();
        direction.open(FIRST.wrapping_sub(1));
        for (came, &index) in (1..).zip(&order) {
            let segment = segment(starts[index], lines[index].as_bytes());
            direction.segment(Side::Low, &segment, &Limits::default(), &mut read);
            let whole = (0..).find(|number| !order[..came].contains(number)).unwrap_or(12);
            direction.acknowledge(Side::Low, starts[whole], &mut read);
        }
        prop_assert_eq!(read.read, lines.concat().into_bytes());
        prop_assert!(read.lost.is_empty());
    }

    #[test]
    fn what_is_seen_is_read_once_what_is_not_was_delivered(lost in vec(any::<bool>(), 12)) {
        let (lines, starts) = lines();
        let mut direction = Direction::default();
        let mut read = Lines::default();
        direction.open(FIRST.wrapping_sub(1));
        let mut expected = String::new();
        for (index, _) in lost.iter().enumerate().filter(|(_, lost)| !**lost) {
            let segment = segment(starts[index], lines[index].as_bytes());
            direction.segment(Side::Low, &segment, &Limits::default(), &mut read);
            direction.acknowledge(Side::Low, starts[index + 1], &mut read);
            expected.push_str(&lines[index]);
            prop_assert_eq!(&read.read, expected.as_bytes());
        }
        prop_assert_eq!(direction.held(), 0);
    }
}
