//! As much of the Basic Encoding Rules (X.690) as SNMP needs. Definite lengths are written in their
//! shortest form, which everybody reads, and read in any, as RFC 3417 section 8 allows them.

use std::ops::Range;

use crate::wire::oid::Oid;

/// `INTEGER`, universal, primitive.
pub const INTEGER: u8 = 0x02;
/// `OCTET STRING`, universal, primitive.
pub const OCTET_STRING: u8 = 0x04;
/// `NULL`, universal, primitive.
const NULL: u8 = 0x05;
/// `OBJECT IDENTIFIER`, universal, primitive.
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `SEQUENCE` and `SEQUENCE OF`, universal, constructed.
pub const SEQUENCE: u8 = 0x30;

/// Appends a value whose content is what `body` appends.
pub fn value(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    body(out);
    // The content is moved up by the one to three octets of its length; it is at most a datagram.
    let content_end = out.len();
    append_length(out, content_end - start);
    let length_octets = out.len() - content_end;
    if let Some(content_and_length) = out.get_mut(start..) {
        content_and_length.rotate_right(length_octets);
    }
}

/// Appends an `INTEGER` that is not negative.
pub fn unsigned(out: &mut Vec<u8>, content: u32) {
    number(out, INTEGER, content.into());
}

/// Appends a number that is not negative, with the tag of its type.
pub fn number(out: &mut Vec<u8>, tag: u8, content: u64) {
    signed(out, tag, content.into());
}

/// Appends an `INTEGER`.
pub fn integer(out: &mut Vec<u8>, content: i32) {
    signed(out, INTEGER, content.into());
}

/// Two's complement in as few octets as tell the sign (X.690 section 8.3.2).
fn signed(out: &mut Vec<u8>, tag: u8, content: i128) {
    let octets = content.to_be_bytes();
    let says_nothing = |pair: &&[u8]| {
        matches!(pair, [0, next] if next & 0x80 == 0) || matches!(pair, [0xff, next] if next & 0x80 != 0)
    };
    let superfluous = octets.windows(2).take_while(says_nothing).count();
    value(out, tag, |out| out.extend(octets.iter().skip(superfluous)));
}

/// Appends an `OCTET STRING`.
pub fn octet_string(out: &mut Vec<u8>, octets: &[u8]) {
    value(out, OCTET_STRING, |out| out.extend_from_slice(octets));
}

/// Appends a `NULL`.
pub fn null(out: &mut Vec<u8>) {
    value(out, NULL, |_| {});
}

/// Appends an `OBJECT IDENTIFIER`.
pub fn object_identifier(out: &mut Vec<u8>, oid: &Oid) {
    value(out, OBJECT_IDENTIFIER, |out| oid.append_content(out));
}

fn append_length(out: &mut Vec<u8>, length: usize) {
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        out.push(short);
        return;
    }
    let octets = length.to_be_bytes();
    let significant = octets.iter().skip_while(|octet| **octet == 0);
    // The first octet says how many follow.
    out.push(significant.clone().fold(0x80, |form, _| form + 1));
    out.extend(significant);
}

/// Octets that are not what was expected of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("octet {at} begins no value with tag {expected:#04x} that ends where it may")]
pub struct BerError {
    /// The place of the octet, from 0.
    pub at: usize,
    /// The tag that was expected.
    pub expected: u8,
}

/// Reads values one after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader of all of it.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0, end: octets.len() }
    }

    /// Passes over the next value, which has this tag: the range of its content among all octets.
    ///
    /// # Errors
    /// [`BerError`] for another tag, and for a length that is indefinite or goes too far.
    pub fn range(&mut self, tag: u8) -> Result<Range<usize>, BerError> {
        let refusal = BerError { at: self.at, expected: tag };
        let rest = self.octets.get(self.at..self.end).unwrap_or_default();
        let [found, first, after @ ..] = rest else { return Err(refusal) };
        let (length, header) = match usize::from(*first) {
            short @ 0..0x80 => (short, 2),
            // 0x80 has no length at all, and nothing that fits into a datagram needs five octets of it.
            form => {
                let more = after.get(..form - 0x80).filter(|more| (1..=4).contains(&more.len())).ok_or(refusal)?;
                (more.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), 2 + more.len())
            }
        };
        let start = self.at + header;
        let end = start.checked_add(length).filter(|end| *end <= self.end && *found == tag).ok_or(refusal)?;
        self.at = end;
        Ok(start..end)
    }

    /// The content of the next value, which has this tag.
    ///
    /// # Errors
    /// As [`Reader::range`].
    pub fn content(&mut self, tag: u8) -> Result<&'a [u8], BerError> {
        self.range(tag).map(|range| self.octets.get(range).unwrap_or_default())
    }

    /// A reader of the values in the next one, which has this tag.
    ///
    /// # Errors
    /// As [`Reader::range`].
    pub fn enter(&mut self, tag: u8) -> Result<Self, BerError> {
        let Range { start, end } = self.range(tag)?;
        Ok(Self { octets: self.octets, at: start, end })
    }

    /// An `INTEGER` that is not negative and has at most 32 bits.
    ///
    /// # Errors
    /// As [`Reader::range`], and for other numbers.
    pub fn unsigned(&mut self) -> Result<u32, BerError> {
        let refusal = BerError { at: self.at, expected: INTEGER };
        let content = self.content(INTEGER)?;
        let digits = content.iter().skip_while(|octet| **octet == 0).count();
        match content.first() {
            Some(0..0x80) if digits <= 4 => Ok(content.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))),
            _ => Err(refusal),
        }
    }

    /// All that has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn integers_have_the_fewest_octets_and_no_sign() {
        for (number, content) in [
            (0, [0].as_slice()),
            (127, &[0x7f]),
            (128, &[0x00, 0x80]),
            (255, &[0x00, 0xff]),
            (256, &[0x01, 0x00]),
            (0x7fff_ffff, &[0x7f, 0xff, 0xff, 0xff]),
            (0xffff_ffff, &[0x00, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let octets = encoded(|out| unsigned(out, number));
            assert_eq!(octets.split_at(2), ([0x02, content.len() as u8].as_slice(), content), "{number}");
        }
    }

    #[test]
    fn lengths_have_the_shortest_form() {
        for (length, header) in [
            (0, [0x04, 0x00].as_slice()),
            (127, &[0x04, 0x7f]),
            (128, &[0x04, 0x81, 0x80]),
            (255, &[0x04, 0x81, 0xff]),
            (256, &[0x04, 0x82, 0x01, 0x00]),
            (65_536, &[0x04, 0x83, 0x01, 0x00, 0x00]),
        ] {
            let content = vec![b'x'; length];
            let octets = encoded(|out| octet_string(out, &content));
            assert_eq!(octets.split_at(header.len()), (header, content.as_slice()), "{length}");
        }
    }

    #[test]
    fn negative_numbers_have_the_fewest_octets_too() {
        for (number, content) in
            [(-1, [0xff].as_slice()), (-128, &[0x80]), (-129, &[0xff, 0x7f]), (i32::MIN, &[0x80, 0, 0, 0])]
        {
            let octets = encoded(|out| integer(out, number));
            assert_eq!(octets.split_at(2), ([0x02, content.len() as u8].as_slice(), content), "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u32, octets in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let message = encoded(|out| value(out, SEQUENCE, |out| {
                unsigned(out, number);
                octet_string(out, &octets);
            }));
            let mut outer = Reader::new(&message);
            let mut inner = outer.enter(SEQUENCE).unwrap();
            prop_assert_eq!(inner.unsigned(), Ok(number));
            prop_assert_eq!(inner.clone().content(OCTET_STRING), Ok(octets.as_slice()));
            prop_assert_eq!(&message[inner.range(OCTET_STRING).unwrap()], octets.as_slice());
            prop_assert!(inner.rest().is_empty() && outer.rest().is_empty());
        }

        #[test]
        fn any_octets_are_entered_or_refused(octets: Vec<u8>, tag: u8) {
            let mut reader = Reader::new(&octets);
            while let Ok(range) = reader.range(tag) {
                prop_assert!(range.end <= octets.len());
            }
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused_at_its_place() {
        let refused = |at, expected| BerError { at, expected };
        for octets in [&[][..], &[0x02], &[0x02, 0x01], &[0x02, 0x80, 0, 0], &[0x02, 0x85, 0, 0, 0, 0, 1, 9]] {
            assert_eq!(Reader::new(octets).unsigned(), Err(refused(0, INTEGER)), "{octets:?}");
        }
        for number in [&[0x02, 0x01, 0xff][..], &[0x02, 0x00], &[0x02, 0x05, 1, 0, 0, 0, 0]] {
            assert_eq!(Reader::new(number).unsigned(), Err(refused(0, INTEGER)), "{number:?}");
        }
        assert_eq!(Reader::new(&[0x02, 0x82, 0, 1, 7]).unsigned(), Ok(7));
        let mut inner = Reader::new(&[0x30, 0x03, 0x04, 0x02, 0xaa, 0xbb]).enter(SEQUENCE).unwrap();
        assert_eq!(inner.content(OCTET_STRING), Err(refused(2, OCTET_STRING)));
    }
}
