//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An EUI-48 hardware address (IEEE Std 802), the key of a device that is on link.
///
/// It is printed as six lower-case hexadecimal octets with colons, and read with colons, hyphens
/// or in Cisco's dotted form:
///
/// ```
/// use pdsno::domain::address::MacAddr;
///
/// let mac: MacAddr = "001B.2F3c.4D5e".parse()?;
/// assert_eq!(mac.to_string(), "00:1b:2f:3c:4d:5e");
/// assert_eq!(mac, "00-1b-2f-3c-4d-5e".parse()?);
/// # Ok::<(), pdsno::domain::address::MacError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// Why a text is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a MAC address; write six hexadecimal octets, for example 00:1b:2f:3c:4d:5e")]
pub struct MacError {
    text: String,
}

impl MacAddr {
    /// All ones: every station on the link (IEEE Std 802).
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The address with these octets, first transmitted first.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The octets, first transmitted first.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address as a number, for tables that are sorted by prefix.
    pub fn to_u64(self) -> u64 {
        self.0.iter().fold(0, |sum, octet| (sum << 8) | u64::from(*octet))
    }

    /// Whether this names a group of stations (the I/G bit), so that no single device has it.
    pub const fn is_group(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// Whether the address was made up locally (the U/L bit), so that no vendor owns its prefix.
    pub const fn is_locally_administered(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether one station can own the address: neither a group nor all zeroes.
    pub fn is_station(self) -> bool {
        !self.is_group() && self.0 != [0; 6]
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digit by digit: of each device it is written several times.
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |value: u8| DIGITS.get(usize::from(value & 0x0f)).copied().unwrap_or_default();
        let mut text = [b':'; 17];
        for (place, octet) in text.chunks_mut(3).zip(self.0) {
            if let [high, low, ..] = place {
                (*high, *low) = (digit(octet >> 4), digit(octet));
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let refuse = || MacError { text: text.to_owned() };
        let (separator, digits, groups) = match text.chars().find(|c| !c.is_ascii_hexdigit()) {
            Some(separator @ (':' | '-')) => (separator, 2, 6),
            Some('.') => ('.', 4, 3),
            _ => return Err(refuse()),
        };
        let parts: Vec<&str> = text.split(separator).collect();
        let well_formed = |part: &&str| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
        if parts.len() != groups || !parts.iter().all(well_formed) {
            return Err(refuse());
        }
        let number = u64::from_str_radix(&parts.concat(), 16).map_err(|_| refuse())?;
        let [_, _, octets @ ..] = number.to_be_bytes();
        Ok(Self(octets))
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(octets: [u8; 6]) {
            let mac = MacAddr::new(octets);
            prop_assert_eq!(mac.to_string().parse::<MacAddr>(), Ok(mac));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(mac) = text.parse::<MacAddr>() {
                prop_assert_eq!(mac.to_string().parse::<MacAddr>(), Ok(mac));
            }
        }
    }

    #[test]
    fn a_refusal_names_the_text() {
        for text in ["", "00:1b:2f:3c:4d", "00:1b:2f:3c:4d:5g", "001b2f3c4d5e", "00:1b-2f:3c:4d:5e", "0:1:2:3:4:5"] {
            let refusal = text.parse::<MacAddr>().unwrap_err().to_string();
            assert!(refusal.contains(&format!("{text:?}")), "{refusal}");
        }
    }

    #[test]
    fn group_and_local_bits_are_the_two_lowest_of_the_first_octet() {
        assert!(MacAddr::BROADCAST.is_group());
        assert!(MacAddr::new([0x02, 0, 0, 0, 0, 1]).is_locally_administered());
        assert!(MacAddr::new([0x00, 0x1b, 0x2f, 0, 0, 1]).is_station());
        assert!(!MacAddr::new([0; 6]).is_station());
    }
}
