//! Search filters, RFC 4511 4.5.1.7: as text (RFC 4515), and as a list of what is compared.
//!
//! Filters nest, and servers differ in how deep they follow (Samba to 128, OpenLDAP to 5000): the
//! walk keeps its own stack and goes deeper than a message's length lets anybody ask in earnest.

use std::fmt::Write;

use goshawk_model::ldap::{Comparison, Condition};

use super::attribute;
use super::ber::{Ber, Element};
use super::text::{self, Bounded};

/// Longest text, bytes.
const MAX_TEXT: usize = 4096;
/// Conditions kept.
const MAX_CONDITIONS: usize = 128;
/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 8192;
/// Stands for a value that is not told.
pub(super) const HIDDEN: &str = "<hidden>";

/// A filter, read.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) text: Box<str>,
    pub(super) conditions: Vec<Condition>,
    pub(super) total: u32,
    pub(super) depth: u32,
    /// Whether it was not read to its end.
    pub(super) cut: bool,
}

/// `and`, `or` or `not`, and what is left of it.
struct Level<'a> {
    rest: Ber<'a>,
    negated: bool,
}

/// Reads a filter, and whether it is well-formed as far as it is there.
pub(super) fn read(filter: Element<'_>) -> (Filter, bool) {
    let mut walk = Walk {
        text: Bounded::new(MAX_TEXT),
        conditions: Vec::new(),
        total: 0,
    };
    let (mut stack, mut depth, mut cut): (Vec<Level<'_>>, _, _) = (Vec::new(), 1, false);
    let mut well_formed = true;
    let mut next = Some(filter);
    loop {
        let negated = stack.last().is_some_and(|level| level.negated);
        match next {
            Some(Element { tag, content }) => {
                let operator = match tag {
                    0xa0 => Some('&'),
                    0xa1 => Some('|'),
                    0xa2 => Some('!'),
                    _ => None,
                };
                if let Some(operator) = operator {
                    if stack.len() >= MAX_DEPTH {
                        cut = true;
                        break;
                    }
                    walk.write(format_args!("({operator}"));
                    stack.push(Level {
                        rest: content,
                        negated: negated != (operator == '!'),
                    });
                    depth = depth.max(stack.len());
                } else {
                    depth = depth.max(stack.len() + 1);
                    well_formed &= walk.condition(tag, content, negated).is_some();
                }
            }
            None => {
                // Nothing is left here, or what is left is no filter.
                let Some(level) = stack.pop() else { break };
                cut |= level.rest.is_cut();
                well_formed &= level.rest.is_cut() || level.rest.bytes().is_empty();
                walk.write(format_args!(")"));
            }
        }
        if stack.is_empty() {
            break;
        }
        next = stack.last_mut().and_then(|level| level.rest.element());
    }
    let filter = Filter {
        cut: cut || walk.text.is_full() || walk.total as usize > walk.conditions.len(),
        text: walk.text.into_text(),
        conditions: walk.conditions,
        total: walk.total,
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
    };
    (filter, well_formed)
}

/// What was gathered so far.
struct Walk {
    text: Bounded,
    conditions: Vec<Condition>,
    total: u32,
}

impl Walk {
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // An error says only that it is full, which it remembers.
        let _ = self.text.write_fmt(text);
    }

    /// Takes one comparison.
    fn condition(&mut self, tag: u8, content: Ber<'_>, negated: bool) -> Option<()> {
        self.total = self.total.saturating_add(1);
        if self.text.is_full() && self.conditions.len() >= MAX_CONDITIONS {
            return Some(());
        }
        let Some((spelled, condition)) = comparison(tag, content) else {
            self.write(format_args!("(?)"));
            return None;
        };
        let Condition {
            comparison, value, ..
        } = &condition;
        match comparison {
            Comparison::Extensible(rule) => {
                let colon = if rule.is_empty() { "" } else { ":" };
                self.write(format_args!("({spelled}{colon}{rule}:={value})"));
            }
            other => {
                let operator = match other {
                    Comparison::GreaterOrEqual => ">=",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Approx => "~=",
                    _ => "=",
                };
                self.write(format_args!("({spelled}{operator}{value})"));
            }
        }
        if self.conditions.len() < MAX_CONDITIONS {
            self.conditions.push(Condition {
                negated,
                ..condition
            });
        }
        Some(())
    }
}

/// One comparison, and its attribute as it was spelled.
fn comparison(tag: u8, content: Ber<'_>) -> Option<(Box<str>, Condition)> {
    let (description, comparison, value) = match tag {
        0xa3 => assertion(content, Comparison::Equal)?,
        0xa5 => assertion(content, Comparison::GreaterOrEqual)?,
        0xa6 => assertion(content, Comparison::LessOrEqual)?,
        0xa8 => assertion(content, Comparison::Approx)?,
        0xa4 => substrings(content)?,
        0x87 => (content.bytes(), Comparison::Present, "*".into()),
        0xa9 => extensible(content)?,
        _ => return None,
    };
    let name = attribute::name(description);
    let value = if attribute::is_secret(&name) && comparison != Comparison::Present {
        HIDDEN.into()
    } else {
        value
    };
    let condition = Condition {
        attribute: name,
        comparison,
        value,
        negated: false,
    };
    Some((text::cut(description, text::MAX_VALUE), condition))
}

type Parts<'a> = (&'a [u8], Comparison, Box<str>);

/// `AttributeValueAssertion`
fn assertion(mut content: Ber<'_>, comparison: Comparison) -> Option<Parts<'_>> {
    let description = content.octets()?;
    let value = content.octets().or(content.is_cut().then_some(&[]))?;
    Some((description, comparison, text::value(value)))
}

/// `SubstringFilter`: `initial` [0], `any` [1], `final` [2].
fn substrings(mut content: Ber<'_>) -> Option<Parts<'_>> {
    let description = content.octets()?;
    let mut substrings = content.element().map(|element| element.content)?;
    let mut value = Bounded::new(text::MAX_VALUE);
    let mut ended = false;
    while let Some(substring) = substrings.element() {
        // An error says only that it is full.
        if substring.tag != 0x80 {
            let _ = value.write_str("*");
        }
        let _ = text::escape(substring.content.bytes(), &mut value);
        ended = substring.tag == 0x82;
    }
    if !ended {
        let _ = value.write_str("*");
    }
    Some((description, Comparison::Substrings, value.into_text()))
}

/// `MatchingRuleAssertion`: `matchingRule` [1], `type` [2], `matchValue` [3].
fn extensible(mut content: Ber<'_>) -> Option<Parts<'_>> {
    let rule = content.optional(0x81).map_or(&[][..], Ber::bytes);
    let description = content.optional(0x82).map_or(&[][..], Ber::bytes);
    let value = match content.optional(0x83) {
        Some(value) => value.bytes(),
        None if content.is_cut() => &[],
        None => return None,
    };
    let rule = text::cut(rule, text::MAX_OID);
    Some((
        description,
        Comparison::Extensible(rule),
        text::value(value),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x84];
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn assert_that(tag: u8, description: &str, value: &[u8]) -> Vec<u8> {
        let parts = [tlv(4, description.as_bytes()), tlv(4, value)];
        tlv(tag, &parts.concat())
    }

    fn read_bytes(bytes: &[u8]) -> (Filter, bool) {
        read(Ber::new(bytes, false).element().unwrap())
    }

    #[test]
    fn every_comparison_has_its_text() {
        let substrings = [tlv(0x80, b"a"), tlv(0x81, b"b"), tlv(0x82, b"c")].concat();
        let rule = [
            tlv(0x81, b"1.2"),
            tlv(0x82, b"uac"),
            tlv(0x83, b"2"),
            tlv(0x84, &[0xff]),
        ];
        let filter = tlv(
            0xa0,
            &[
                assert_that(0xa3, "objectClass", b"user"),
                tlv(0xa2, &assert_that(0xa5, "Logons", b"5")),
                tlv(
                    0xa1,
                    &[
                        assert_that(0xa6, "a", b"*"),
                        assert_that(0xa8, "b", &[0xff]),
                        tlv(0x87, b"CN"),
                    ]
                    .concat(),
                ),
                tlv(0xa4, &[tlv(4, b"x"), tlv(0x30, &substrings)].concat()),
                tlv(0xa4, &[tlv(4, b"x"), tlv(0x30, &tlv(0x81, b"b"))].concat()),
                tlv(0xa9, &rule.concat()),
                assert_that(0xa3, "userPassword", b"secret"),
            ]
            .concat(),
        );
        let (filter, well_formed) = read_bytes(&filter);
        assert!(well_formed && !filter.cut);
        assert_eq!(
            &*filter.text,
            "(&(objectClass=user)(!(Logons>=5))(|(a<=\\2a)(b~=\\ff)(CN=*))(x=a*b*c)(x=*b*)\
             (uac:1.2:=2)(userPassword=<hidden>))"
        );
        assert_eq!((filter.total, filter.depth), (9, 3));
        let logons = &filter.conditions[1];
        assert!(logons.negated && &*logons.attribute == "logons");
        let rule = &filter.conditions[7];
        assert_eq!(rule.comparison, Comparison::Extensible("1.2".into()));
    }

    #[test]
    fn deep_and_long_filters_are_bounded() {
        let mut deep = assert_that(0xa3, "a", b"b");
        for _ in 0..400 {
            deep = tlv(0xa2, &deep);
        }
        let (filter, well_formed) = read_bytes(&deep);
        assert!(well_formed && !filter.cut);
        assert_eq!(filter.depth, 401);
        assert!(!filter.conditions[0].negated);

        let long = tlv(0xa1, &assert_that(0xa3, "objectSid", &[7; 28]).repeat(1000));
        let (filter, _) = read_bytes(&long);
        assert!(filter.cut);
        assert_eq!(
            (filter.total, filter.conditions.len()),
            (1000, MAX_CONDITIONS)
        );
        assert!(filter.text.len() <= MAX_TEXT);
    }

    #[test]
    fn what_is_no_filter_is_told() {
        assert!(!read_bytes(&tlv(0xa0, &[0xa3, 9, 1])).1);
        assert!(!read_bytes(&tlv(0xab, b"x")).1);
        assert!(read_bytes(&tlv(0xa0, b"")).1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut: bool) {
            let bytes = tlv(0xa0, &bytes);
            let (filter, _) = read(Ber::new(&bytes, cut).element().unwrap());
            prop_assert!(filter.text.len() <= MAX_TEXT);
        }
    }
}
