//! Who made a device, by its hardware address.

use std::borrow::Cow;
use std::fmt;

use crate::domain::address::MacAddr;

pub mod enterprise;
pub mod registry;

pub use registry::VendorTableError;

/// The IEEE's registries MA-L, MA-M, MA-S and IAB of 2026, packed by `pack_vendor_table`.
const BUILTIN: &[u8] = include_bytes!("vendor/oui.bin");

/// The lengths that a registered prefix can have, in hexadecimal digits, longest first: MA-S with
/// 36 bits, MA-M with 28, MA-L with 24.
const PREFIX_DIGITS: [u8; 3] = [9, 7, 6];

/// A block of hardware addresses that the IEEE assigned to one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The leading 36 bits of an address, with those below the prefix zero.
    bits: u64,
    /// How many hexadecimal digits of `bits` are the prefix: 6, 7 or 9.
    digits: u8,
}

impl Prefix {
    /// The prefix of this length that an address has.
    fn of(mac: MacAddr, digits: u8) -> Self {
        let below = 4 * (9 - u32::from(digits.min(9)));
        Self { bits: (mac.to_u64() >> 12) >> below << below, digits }
    }

    /// The upper 40 bits of a record: prefixes in order, and for each the length.
    fn key(self) -> u64 {
        self.bits << 4 | u64::from(self.digits)
    }
}

/// Printed as an address is, `00:1b:2f` or `8c:1f:64:af:a`.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in 0..self.digits {
            let separator = if place > 0 && place % 2 == 0 { ":" } else { "" };
            write!(f, "{separator}{:x}", self.bits >> (4 * (8 - place)) & 0xf)?;
        }
        Ok(())
    }
}

/// Names of organizations by prefix: sorted records, searched where they lie. The table that is
/// built in is part of the program's image, so it costs nothing to start with.
///
/// ```
/// use pdsno::algorithms::discovery::vendor::VendorTable;
///
/// let table = VendorTable::builtin();
/// let (prefix, vendor) = table.lookup("00:1b:2f:3c:4d:5e".parse()?).ok_or("unknown")?;
/// assert_eq!((prefix.to_string().as_str(), vendor), ("00:1b:2f", "NETGEAR"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorTable {
    /// [`RECORD`] octets each, ascending: 36 bits of prefix, 4 bits of its length in digits, 24 bits
    /// of the place of the name, most significant octet first.
    records: Cow<'static, [u8]>,
    /// Names in UTF-8, each after one octet with its length.
    names: Cow<'static, [u8]>,
}

/// The octets of a record.
const RECORD: usize = 8;

impl VendorTable {
    /// The table that came with the program.
    pub fn builtin() -> Self {
        // The packed form is the number of records, then the records, then the names. A test reads
        // all of it, so the empty table is not met.
        let split = || {
            let (count, rest) = BUILTIN.split_first_chunk::<4>()?;
            rest.split_at_checked(RECORD.checked_mul(u32::from_be_bytes(*count) as usize)?)
        };
        let (records, names) = split().unwrap_or_default();
        Self { records: Cow::Borrowed(records), names: Cow::Borrowed(names) }
    }

    /// The table in the form that is built in.
    pub fn pack(&self) -> Vec<u8> {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        [&count.to_be_bytes(), self.records.as_ref(), self.names.as_ref()].concat()
    }

    /// The number of prefixes.
    pub fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    /// Whether there are no prefixes.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The organization that the longest registered prefix of the address belongs to. Nobody made a
    /// group address or one that was made up locally.
    pub fn lookup(&self, mac: MacAddr) -> Option<(Prefix, &str)> {
        if !mac.is_station() || mac.is_locally_administered() {
            return None;
        }
        PREFIX_DIGITS.iter().find_map(|digits| {
            let prefix = Prefix::of(mac, *digits);
            Some((prefix, self.name_of(prefix)?))
        })
    }

    fn name_of(&self, prefix: Prefix) -> Option<&str> {
        let (records, _) = self.records.as_chunks::<RECORD>();
        let found = records.binary_search_by_key(&prefix.key(), |record| u64::from_be_bytes(*record) >> 24).ok()?;
        let place = u64::from_be_bytes(*records.get(found)?) & 0xff_ffff;
        let (length, rest) = self.names.get(usize::try_from(place).ok()?..)?.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vendor(text: &str) -> Option<(String, String)> {
        let table = VendorTable::builtin();
        table.lookup(text.parse().unwrap()).map(|(prefix, name)| (prefix.to_string(), name.to_owned()))
    }

    #[test]
    fn the_builtin_table_is_well_formed() {
        let table = VendorTable::builtin();
        assert!(table.len() > 50_000, "{}", table.len());
        let (records, rest) = table.records.as_chunks::<RECORD>();
        assert!(rest.is_empty());
        assert!(records.is_sorted_by(|one, next| u64::from_be_bytes(*one) >> 24 < u64::from_be_bytes(*next) >> 24));
        for record in records {
            let key = u64::from_be_bytes(*record) >> 24;
            let prefix = Prefix { bits: key >> 4, digits: (key & 0xf) as u8 };
            assert!(PREFIX_DIGITS.contains(&prefix.digits), "{prefix:?}");
            let name = table.name_of(prefix).unwrap_or_else(|| panic!("{prefix} has no name"));
            assert!(!name.is_empty() && name.trim() == name, "{prefix}: {name:?}");
        }
        assert_eq!(table.pack(), BUILTIN);
    }

    #[test]
    fn the_builtin_table_knows_who_made_what() {
        for (mac, prefix, name) in [
            ("00:00:0c:01:02:03", "00:00:0c", "Cisco Systems, Inc"),
            ("00:1b:2f:3c:4d:5e", "00:1b:2f", "NETGEAR"),
            ("00:0c:29:01:02:03", "00:0c:29", "VMware, Inc."),
            ("4c:5e:0c:01:02:03", "4c:5e:0c", "Routerboard.com"),
            ("c8:5c:e2:70:00:01", "c8:5c:e2:7", "SYNERGY SYSTEMS AND SOLUTIONS"),
            ("8c:1f:64:af:a0:01", "8c:1f:64:af:a", "DATA ELECTRONIC DEVICES, INC"),
        ] {
            assert_eq!(vendor(mac), Some((prefix.to_owned(), name.to_owned())), "{mac}");
        }
    }

    #[test]
    fn nobody_made_a_group_address_or_one_made_up_locally() {
        // 02:60:8c was given to a vendor before the bit had its meaning; today such an address is random.
        for mac in
            ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "02:60:8c:00:00:01", "52:54:00:12:34:56", "00:00:00:00:00:00"]
        {
            assert_eq!(vendor(mac), None, "{mac}");
        }
    }

    proptest! {
        #[test]
        fn any_address_is_looked_up(octets: [u8; 6]) {
            let mac = MacAddr::new(octets);
            if let Some((prefix, name)) = VendorTable::builtin().lookup(mac) {
                prop_assert!(mac.to_string().starts_with(&prefix.to_string()));
                prop_assert!(!name.is_empty());
            }
        }
    }
}
