//! As much of the Basic Encoding Rules (X.690) as an agent needs. It shares nothing with the codecs
//! of the program, so that neither hides an error of the other.

pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;

/// What is left of the content of a constructed value.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: its tag and its content. None at the end, and where there is no value.
    pub fn value(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match usize::from(*length) {
            short @ ..0x80 => (short, rest),
            long => {
                let (octets, rest) = rest.split_at_checked(long & 0x7f)?;
                let whole =
                    octets.iter().try_fold(0_usize, |sum, octet| Some(sum.checked_mul(256)? + usize::from(*octet)));
                (whole.filter(|_| !octets.is_empty())?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next value, if that has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.value().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

/// The content of an `INTEGER`.
pub fn integer(content: &[u8]) -> Option<i64> {
    let (first, _) = content.split_first()?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    (content.len() <= 5).then(|| content.iter().fold(sign, |number, octet| (number << 8) | i64::from(*octet)))
}

/// More arcs than any object has that is known here, with room to see that there are more.
pub const MOST_ARCS: usize = 32;

/// The content of an `OBJECT IDENTIFIER`, written to `arcs`. What has too many arcs is cut: a name
/// that goes on is behind all that begin like it, and no object.
pub fn arcs<'b>(content: &[u8], arcs: &'b mut [u32; MOST_ARCS]) -> Option<&'b [u32]> {
    let mut count = 0;
    let mut arc: u32 = 0;
    for octet in content {
        arc = arc.checked_mul(128)? | u32::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        if count == 0 {
            let root = (arc / 40).min(2);
            arcs[0] = root;
            arc -= root * 40;
            count = 1;
        }
        if count < MOST_ARCS {
            arcs[count] = arc;
            count += 1;
        }
        arc = 0;
    }
    (content.last()? & 0x80 == 0).then_some(&arcs[..count])
}

/// Appends a value whose content is what `body` appends.
pub fn value(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let start = out.len();
    body(out);
    let length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    // A datagram is shorter than 65,536 octets.
    let [high, low] = (length as u16).to_be_bytes();
    let octets = [0x82, high, low];
    out.splice(start - 1..start, octets);
}

/// Appends a number of 32 bits, signed or not, with the fewest octets.
pub fn number(out: &mut Vec<u8>, tag: u8, number: i64) {
    let octets = number.to_be_bytes();
    let superfluous = octets.windows(2).take_while(|pair| {
        let next_is_negative = pair[1] & 0x80 != 0;
        pair[0] == 0 && !next_is_negative || pair[0] == 0xff && next_is_negative
    });
    let superfluous = superfluous.count();
    out.extend_from_slice(&[tag, (octets.len() - superfluous) as u8]);
    out.extend_from_slice(&octets[superfluous..]);
}

/// Appends the octets of a text or an address.
pub fn octets(out: &mut Vec<u8>, octets: &[u8]) {
    value(out, OCTET_STRING, |out| out.extend_from_slice(octets));
}

/// Appends an object identifier that is given in pieces.
pub fn object_identifier(out: &mut Vec<u8>, pieces: &[&[u32]]) {
    value(out, OBJECT_IDENTIFIER, |out| {
        let mut arcs = pieces.iter().copied().flatten().copied();
        let (first, second) = (arcs.next().unwrap_or(0), arcs.next().unwrap_or(0));
        arc(out, first * 40 + second);
        arcs.for_each(|next| arc(out, next));
    });
}

fn arc(out: &mut Vec<u8>, arc: u32) {
    for group in (1..5).rev().filter(|group| arc >> (7 * group) != 0) {
        out.push((arc >> (7 * group)) as u8 | 0x80);
    }
    out.push(arc as u8 & 0x7f);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_shortest_and_read_back() {
        for (given, content) in [
            (0, [0].as_slice()),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (-1, &[0xff]),
            (-129, &[0xff, 0x7f]),
            (0xffff_ffff, &[0, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let mut out = Vec::new();
            number(&mut out, INTEGER, given);
            assert_eq!(Reader(&out).expect(INTEGER), Some(content), "{given}");
            assert_eq!(integer(content), Some(given));
        }
    }

    #[test]
    fn values_of_any_length_are_written_and_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 1_400] {
            let mut out = Vec::new();
            octets(&mut out, &vec![7; length]);
            out.push(9);
            let mut reader = Reader(&out);
            assert_eq!(reader.expect(OCTET_STRING), Some(vec![7; length].as_slice()));
            assert_eq!(reader.0, [9]);
        }
    }

    #[test]
    fn object_identifiers_are_written_and_read_back() {
        for given in [&[1, 3, 6, 1, 4, 1, 2636, 1][..], &[1, 0, 8802, 1, 1, 2], &[1, 3, 0, 127, 128, 16_384, u32::MAX]]
        {
            let mut out = Vec::new();
            object_identifier(&mut out, &[&given[..3], &given[3..]]);
            let mut room = [0; MOST_ARCS];
            assert_eq!(arcs(&out[2..], &mut room), Some(given));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_value() {
        let mut out = Vec::new();
        octets(&mut out, &[7; 200]);
        for length in 0..out.len() {
            assert_eq!(Reader(&out[..length]).value(), None, "{length}");
        }
        assert_eq!(Reader(&[0x30, 0x80, 0, 0]).value(), None, "no definite length");
        assert_eq!(Reader(&[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]).value(), None, "longer than anything");
        assert_eq!(arcs(&[0x2b, 0x86], &mut [0; MOST_ARCS]), None);
        assert_eq!(arcs(&[0x8f, 0xff, 0xff, 0xff, 0xff, 0x7f], &mut [0; MOST_ARCS]), None);
        assert_eq!(integer(&[]), None);
    }
}
