//! What the cells of a table mean: octets that an agent chose become values that can be shown.

use std::net::Ipv4Addr;

use crate::domain::address::MacAddr;
use crate::wire::snmp::Value;

/// Longest text kept: `DisplayString` has at most 255 octets, agents exceed it.
pub(super) const MOST_TEXT: usize = 1_024;

/// Longest text kept of a cell, of which a table has many.
pub(super) const MOST_CELL: usize = 255;

pub(super) fn octets(value: &Value) -> Option<&[u8]> {
    match value {
        Value::OctetString(octets) => Some(octets),
        _ => None,
    }
}

pub(super) fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::Gauge32(number) | Value::Counter32(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn station(octets: &[u8]) -> Option<MacAddr> {
    let octets: [u8; 6] = octets.try_into().ok()?;
    Some(MacAddr::new(octets)).filter(|mac| mac.is_station())
}

/// A cell as text.
pub(super) fn cell(value: &Value) -> Option<String> {
    octets(value).and_then(|octets| text(octets, MOST_CELL))
}

/// Four octets as an address.
pub(super) fn address(octets: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = octets.try_into().ok()?;
    Some(octets.into())
}

/// Octets as text, at most so many: what is not UTF-8 and what would move a terminal's cursor is replaced.
pub(super) fn text(octets: &[u8], most: usize) -> Option<String> {
    let octets = octets.get(..octets.len().min(most)).unwrap_or(octets);
    let lossy = String::from_utf8_lossy(octets);
    let printable = |c: char| if c.is_control() && c != '\n' && c != '\r' { char::REPLACEMENT_CHARACTER } else { c };
    let text: String = lossy.trim_end_matches('\0').chars().map(printable).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_readable_whatever_the_agent_sends() {
        let text = |octets| text(octets, MOST_TEXT);
        assert_eq!(text(b"line one\r\nline two\0\0").as_deref(), Some("line one\r\nline two"));
        assert_eq!(text(b"caf\xe9 \x1b[31m").as_deref(), Some("caf\u{fffd} \u{fffd}[31m"));
        assert_eq!(text(b"  \0"), None);
        assert_eq!(text(&[b'x'; 65_000]).unwrap().len(), MOST_TEXT);
        assert_eq!(cell(&Value::OctetString(vec![b'x'; 65_000])).unwrap().len(), MOST_CELL);
    }
}
