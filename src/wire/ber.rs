//! As much of the Basic Encoding Rules (X.690) as an SNMP request needs: definite lengths in their
//! shortest form, which every agent reads, although RFC 3417 section 8 allows longer ones.

use crate::wire::oid::Oid;

/// `INTEGER`, universal, primitive.
const INTEGER: u8 = 0x02;
/// `OCTET STRING`, universal, primitive.
const OCTET_STRING: u8 = 0x04;
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
pub fn unsigned(out: &mut Vec<u8>, number: u32) {
    // A leading zero keeps the sign bit clear; of the leading zeroes only one that does so stays.
    let [b0, b1, b2, b3] = number.to_be_bytes();
    let octets = [0, b0, b1, b2, b3];
    let superfluous = octets.windows(2).take_while(|pair| matches!(pair, [0, next] if next & 0x80 == 0)).count();
    value(out, INTEGER, |out| out.extend(octets.iter().skip(superfluous)));
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
