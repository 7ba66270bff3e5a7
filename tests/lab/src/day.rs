//! A day of ordinary life, pressed into hours: the benign recordings, over and over, each time with
//! other people at other machines.
//!
//! A sensor must stay silent through it. So each round has addresses, names of people and computers,
//! tickets and challenges of its own: the same ticket in the hands of two people would be an attack.
//! Lengths stay as recorded, for every protocol counts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::accounts::{EXPIRED, OUTDATED, PEOPLE, SPRAYED};
use crate::capture::{Capture, Packet};
use crate::compose::Cast;
use crate::labels::{self, Label, Labels};

/// How long it lasts. Tickets are sealed with the times of the recordings, so the day may be no
/// longer than a ticket lives.
pub const LENGTH: Duration = Duration::from_secs(3 * 3600);
/// The part of it in which everybody comes to work: half of all happens there.
const MORNING: Duration = Duration::from_secs(3600);
/// Scenes that happen in one round of so many: a domain gets no new controller every minute.
const SELDOM: [&str; 4] = [
    "controller-join",
    "replication",
    "replication-midstream",
    "global-catalog",
];
const ONE_IN: usize = 8;
/// Scenes that happen once: one whose tickets are in base64 and cannot be changed in place, and one of a
/// service with an old password, which runs on one machine.
const ONCE: [&str; 2] = ["http-logons", "stale-service"];
/// Scenes that are no part of it: one whose tickets were issued before the day began, and one of an
/// account that is removed while it is logged on, which is told (2027) where that logon was lost.
const NOT_TODAY: [&str; 2] = ["tickets-of-yesterday", "account-removed"];
/// Computers that have an account.
const COMPUTERS: [&str; 3] = ["ws1", "ws2", "ws3"];

/// Writes a day of at least `packets` packets to `path`; returns how many they are.
///
/// # Errors
/// If there is no benign recording, one cannot be read, `path` cannot be written, or so many packets
/// would need more names than there are.
pub fn compose(packets: usize, path: &Path) -> Result<usize> {
    let mut parts = Vec::new();
    for label in Labels::load(&labels::folder())?.captures {
        if label.file.starts_with("benign/") && is_of_the_day(&label) {
            parts.push(Part::load(label)?);
        }
    }
    let mut events = Vec::new();
    let mut total = 0;
    for round in 0.. {
        if parts.is_empty() || round >= MOST_ROUNDS {
            bail!("the benign recordings do not make a day of {packets} packets");
        }
        if total >= packets {
            break;
        }
        for part in parts.iter().filter(|part| part.happens(round)) {
            events.push((round, part));
            total += part.capture.packets.len();
        }
    }
    let mut day = Vec::with_capacity(total);
    for (number, (round, part)) in events.iter().enumerate() {
        part.play(*round, beginning() + when(number, events.len()), &mut day);
    }
    day.sort_by_key(|packet| packet.time);
    let day = Capture { packets: day };
    day.save(path)?;
    Ok(day.packets.len())
}

/// Names are told apart by two characters of base 36, computers by three numbers each round.
const MOST_ROUNDS: usize = 36 * 36 / COMPUTERS.len();

/// Whether a recording can be part of it. One that is crafted lasts for days, or is of another domain
/// whose controllers go by other rules.
fn is_of_the_day(label: &Label) -> bool {
    !NOT_TODAY.contains(&label.scene.as_str()) && !label.about.contains("crafted")
}

/// When the day begins: the lab's recordings are of 2026-11-24, around noon.
fn beginning() -> Duration {
    Duration::from_secs(1_795_521_600)
}

/// When one of `total` things happens: the first half of them in the morning.
fn when(number: usize, total: usize) -> Duration {
    // Scattered, so that neighbours in the list are none in the day: a prime is in no total.
    let place = (number * 7_919) % total;
    let (half, rest) = (total / 2, total - total / 2);
    let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
    if place < half {
        MORNING.mul_f64(share(place, half))
    } else {
        MORNING + (LENGTH - MORNING).mul_f64(share(place - half, rest))
    }
}

/// A recording, and where in it is what changes from round to round.
struct Part {
    label: Label,
    capture: Capture,
    sites: Vec<Site>,
}

/// A place in a packet.
struct Site {
    packet: usize,
    at: usize,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// A name, its characters so many bytes apart.
    Name { name: usize, step: usize },
    /// Bytes that nobody but their maker can read: tickets, challenges, responses.
    Secret,
}

impl Part {
    fn load(label: Label) -> Result<Self> {
        let capture = Capture::load(&label.path())?;
        let names = names();
        let mut sites = Vec::new();
        for (packet, Packet { frame, .. }) in capture.packets.iter().enumerate() {
            // Behind the headers of Ethernet and IP.
            for at in 34..frame.len() {
                let found = what(frame, at, &names);
                sites.extend(found.map(|(at, what)| Site { packet, at, what }));
            }
        }
        Ok(Self {
            label,
            capture,
            sites,
        })
    }

    fn happens(&self, round: usize) -> bool {
        let scene = self.label.scene.as_str();
        let seldom = SELDOM.contains(&scene) && !round.is_multiple_of(ONE_IN);
        !seldom && (!ONCE.contains(&scene) || round == 0)
    }

    /// Adds what happens when people of this round play it.
    fn play(&self, round: usize, start: Duration, day: &mut Vec<Packet>) {
        let Some(first) = self.capture.packets.first() else {
            return;
        };
        let mut cast = Cast::new(round, &self.label.controllers);
        let begin = day.len();
        let mut end = start;
        for packet in &self.capture.packets {
            // Two processors may stamp neighbours out of order by microseconds.
            end = end.max(start + packet.time.saturating_sub(first.time));
            let mut frame = packet.frame.clone();
            cast.dress(&mut frame);
            day.push(Packet { time: end, frame });
        }
        if round == 0 {
            return;
        }
        let names = names();
        for Site { packet, at, what } in &self.sites {
            let frame = &mut day[begin + packet].frame;
            match *what {
                What::Name { name, step } => rename(frame, *at, step, &names[name], round),
                What::Secret => {
                    for (byte, change) in frame[*at..].iter_mut().zip(round.to_le_bytes()) {
                        *byte ^= change;
                    }
                }
            }
        }
    }
}

/// Names that differ from round to round, and which of several that differ in nothing but their last
/// character each is.
fn names() -> Vec<(&'static str, usize)> {
    let people = PEOPLE.iter().chain(&[SPRAYED, EXPIRED, OUTDATED]);
    let computers = COMPUTERS.iter().enumerate();
    people
        .map(|name| (*name, 0))
        .chain(computers.map(|(number, name)| (*name, number)))
        .collect()
}

/// What begins at `at` and changes, or tells where something does.
fn what(frame: &[u8], at: usize, names: &[(&str, usize)]) -> Option<(usize, What)> {
    let rest = &frame[at..];
    for (name, (text, _)) in names.iter().enumerate() {
        for step in [1, 2] {
            if is_name(rest, text, step) {
                return Some((at, What::Name { name, step }));
            }
        }
    }
    let random = ciphertext(rest).or_else(|| ntlm(rest))?;
    (random + 8 <= rest.len()).then_some((at + random, What::Secret))
}

/// Whether `bytes` begin with `name` in any case, in one byte or UTF-16 characters.
fn is_name(bytes: &[u8], name: &str, step: usize) -> bool {
    bytes.len() >= name.len() * step
        && name.bytes().zip(bytes.chunks(step)).all(|(want, found)| {
            found[0].eq_ignore_ascii_case(&want) && found[1..].iter().all(|&zero| zero == 0)
        })
}

/// Where the cipher of an `EncryptedData` (RFC 4120 5.2.9) in DER begins: behind etype and kvno, if
/// it is 256 bytes long or more, as tickets are.
fn ciphertext(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..18)?;
    matches!(
        head,
        [
            0xa0,
            3,
            2,
            1,
            17 | 18 | 23,
            0xa1,
            3,
            2,
            1,
            _,
            0xa2,
            0x82,
            _,
            _,
            4,
            0x82,
            _,
            _
        ]
    )
    .then_some(head.len())
}

/// Where the challenge, or the answer to one, is in a message of NTLM ([MS-NLMP] 2.2.1.2, 2.2.1.3).
fn ntlm(bytes: &[u8]) -> Option<usize> {
    match bytes.strip_prefix(b"NTLMSSP\0")?.first()? {
        2 => Some(24),
        3 => {
            let offset = bytes.get(24..28)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(offset)).ok()
        }
        _ => None,
    }
}

/// Writes this round's form of a name over it: its first letter and two characters that tell the
/// round, in the case of what was there.
fn rename(frame: &mut [u8], at: usize, step: usize, (_, number): &(&str, usize), round: usize) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let code = round * COMPUTERS.len() + number;
    let upper = frame[at + step].is_ascii_uppercase();
    for (place, digit) in [(1, code / 36), (2, code % 36)] {
        let digit = DIGITS[digit % 36];
        frame[at + place * step] = if upper {
            digit.to_ascii_uppercase()
        } else {
            digit
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_keeps_its_length_its_case_and_its_bearer() {
        let mut seen = BTreeMap::new();
        let names = names();
        for round in 1..MOST_ROUNDS {
            for (name, number) in &names {
                let mut frame = [b"..", name.as_bytes(), b".."].concat();
                rename(&mut frame, 2, 1, &(name, *number), round);
                let other = seen.insert((frame.clone(), name.len()), (*name, round));
                assert_eq!(other, None, "{name} in round {round}");
                assert!(frame.starts_with(b"..") && frame.ends_with(b".."));
            }
        }
        let mut wide = b"W\0S\x002\0$\0".to_vec();
        assert!(is_name(&wide, "ws2", 2) && !is_name(&wide, "ws2", 1));
        rename(&mut wide, 0, 2, &("ws2", 1), 4);
        assert_eq!(wide, b"W\x000\0D\0$\0");
    }

    #[test]
    fn a_day_is_as_long_as_asked_in_order_and_half_of_it_is_morning() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("day.pcap");
        let written = compose(20_000, &path).unwrap();
        let day = Capture::load(&path).unwrap().packets;
        assert!(written >= 20_000 && day.len() == written);
        assert!(day.is_sorted_by_key(|packet| packet.time));
        let noon = beginning() + MORNING;
        let before = day.partition_point(|packet| packet.time < noon);
        assert!((written / 4..written * 3 / 4).contains(&before), "{before}");
    }

    #[test]
    fn secrets_are_found_where_they_begin() {
        let mut challenge = b"NTLMSSP\0\x02\0\0\0".to_vec();
        challenge.extend([7; 28]);
        assert!(matches!(what(&challenge, 0, &[]), Some((24, What::Secret))));
        challenge.truncate(30);
        assert!(what(&challenge, 0, &[]).is_none(), "cut off");
        let mut ticket = vec![
            0, 0xa0, 3, 2, 1, 18, 0xa1, 3, 2, 1, 1, 0xa2, 0x82, 4, 0, 4, 0x82, 4, 4,
        ];
        ticket.extend([9; 64]);
        assert!(matches!(what(&ticket, 1, &[]), Some((19, What::Secret))));
    }
}
