//! The files in which the IEEE publishes its registrations.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{PREFIX_DIGITS, Prefix, VendorTable};
use crate::domain::address::MacAddr;

/// What stands in place of the owner's name: a block that the IEEE divides further, and one whose
/// owner pays for not being named. Neither made a device.
const NOT_VENDORS: [&str; 2] = ["IEEE Registration Authority", "Private"];

/// Why a file is not one of the IEEE's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct VendorTableError {
    /// The line, from 1; a record may begin above it.
    pub line: u64,
    /// What is wrong with it.
    pub reason: VendorTableReason,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VendorTableReason {
    /// Not the columns of the IEEE's files.
    #[error(
        "the columns are {found:?}; the IEEE's are Registry, Assignment, Organization Name and Organization Address"
    )]
    Header {
        /// What the first line says.
        found: String,
    },
    /// Not CSV, or fewer or more fields than columns.
    #[error("not a record of CSV with the columns of the first line ({0})")]
    Record(String),
    /// Not a prefix.
    #[error("{text:?} is not a prefix; the IEEE assigns 6, 7 or 9 hexadecimal digits")]
    Assignment {
        /// What was given.
        text: String,
    },
    /// Too long to be stored.
    #[error("a name of {length} octets is too long, the limit is {limit}")]
    Name {
        /// Its length in octets.
        length: usize,
        /// The most that is stored.
        limit: usize,
    },
    /// The names of all organizations together are too long to be stored.
    #[error("the names take more than {limit} octets")]
    Full {
        /// The most that is stored.
        limit: usize,
    },
}

/// The columns that count, in a record and by name.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "Assignment")]
    assignment: &'a str,
    #[serde(rename = "Organization Name")]
    organization: &'a str,
}

const COLUMNS: [&str; 2] = ["Assignment", "Organization Name"];

/// Registrations on the way from the IEEE's files to a [`VendorTable`].
#[derive(Debug, Clone, Default)]
pub struct Registrations {
    /// The owner of each prefix; `None` when the files name several.
    owners: BTreeMap<Prefix, Option<String>>,
    /// The octets that the names take at most.
    names_length: usize,
}

impl Registrations {
    const NAME_LIMIT: usize = u8::MAX as usize;
    const NAMES_LIMIT: usize = 1 << 24;

    /// Adds what a file says: CSV with the columns `Registry`, `Assignment`, `Organization Name` and
    /// `Organization Address`, as the IEEE publishes for MA-L, MA-M, MA-S and IAB. Three old
    /// prefixes have several owners there; such a prefix names none.
    ///
    /// # Errors
    /// [`VendorTableError`] with the first line that is not such a record.
    pub fn add_ieee_csv(&mut self, text: &str) -> Result<(), VendorTableError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let unreadable = |error: &csv::Error| VendorTableError {
            line: error.position().map_or(1, csv::Position::line),
            reason: VendorTableReason::Record(error.to_string()),
        };
        let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
        // Even without a record after it, so that a wrong file is not taken for an empty registry.
        if !COLUMNS.iter().all(|column| header.iter().any(|name| name == *column)) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            return Err(VendorTableError { line: 1, reason: VendorTableReason::Header { found } });
        }
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| unreadable(&error))? {
            let record: Record<'_> = row.deserialize(Some(&header)).map_err(|error| unreadable(&error))?;
            let line = row.position().map_or(1, csv::Position::line);
            self.add(&record).map_err(|reason| VendorTableError { line, reason })?;
        }
        Ok(())
    }

    fn add(&mut self, record: &Record<'_>) -> Result<(), VendorTableReason> {
        let prefix = prefix(record.assignment)
            .ok_or_else(|| VendorTableReason::Assignment { text: record.assignment.to_owned() })?;
        let name = record.organization.trim();
        if name.len() > Self::NAME_LIMIT {
            return Err(VendorTableReason::Name { length: name.len(), limit: Self::NAME_LIMIT });
        }
        if name.is_empty() || NOT_VENDORS.contains(&name) {
            return Ok(());
        }
        self.names_length += 1 + name.len();
        if self.names_length > Self::NAMES_LIMIT {
            return Err(VendorTableReason::Full { limit: Self::NAMES_LIMIT });
        }
        self.owners
            .entry(prefix)
            .and_modify(|owner| *owner = owner.take().filter(|owner| owner == name))
            .or_insert_with(|| Some(name.to_owned()));
        Ok(())
    }

    /// The table. It depends on the registrations only, not on their order.
    #[expect(clippy::cast_possible_truncation, reason = "no name is added that is longer than an octet can say")]
    pub fn into_table(self) -> VendorTable {
        let mut records = Vec::new();
        let mut names = Vec::new();
        let mut places = HashMap::new();
        for (prefix, owner) in &self.owners {
            let Some(owner) = owner else { continue };
            let place = *places.entry(owner).or_insert_with(|| {
                let place = names.len() as u64;
                names.push(owner.len() as u8);
                names.extend_from_slice(owner.as_bytes());
                place
            });
            records.extend_from_slice(&(prefix.key() << 24 | place).to_be_bytes());
        }
        VendorTable { records: Cow::Owned(records), names: Cow::Owned(names) }
    }
}

impl VendorTable {
    /// The table that an operator gives instead of the one that is built in: CSV as the IEEE
    /// publishes it, see [`Registrations::add_ieee_csv`].
    ///
    /// # Errors
    /// [`VendorTableError`] with the first line that is not a record of the IEEE's.
    pub fn from_ieee_csv(text: &str) -> Result<Self, VendorTableError> {
        let mut registrations = Registrations::default();
        registrations.add_ieee_csv(text)?;
        Ok(registrations.into_table())
    }
}

fn prefix(text: &str) -> Option<Prefix> {
    let digits = u8::try_from(text.len()).ok().filter(|digits| PREFIX_DIGITS.contains(digits))?;
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(text, 16).ok().filter(|_| hexadecimal)?;
    let [_, _, octets @ ..] = (number << (4 * (12 - u32::from(digits)))).to_be_bytes();
    Some(Prefix::of(MacAddr::new(octets), digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Registry,Assignment,Organization Name,Organization Address\n";

    fn table(rows: &str) -> Result<VendorTable, VendorTableError> {
        VendorTable::from_ieee_csv(&format!("{HEADER}{rows}"))
    }

    fn vendor<'a>(table: &'a VendorTable, mac: &str) -> Option<&'a str> {
        table.lookup(mac.parse().unwrap()).map(|(_, name)| name)
    }

    #[test]
    fn the_longest_prefix_owns_an_address() {
        let table = table(
            "MA-L,001122,Large,\"Street 1, \"\"The House\"\"\"\nMA-M,0011223,\"Medium, Inc. \",\nMA-S,001122334,Small,\n",
        )
        .unwrap();
        assert_eq!(vendor(&table, "00:11:22:40:00:00"), Some("Large"));
        assert_eq!(vendor(&table, "00:11:22:3f:00:00"), Some("Medium, Inc."));
        assert_eq!(vendor(&table, "00:11:22:33:4f:ff"), Some("Small"));
        assert_eq!(vendor(&table, "00:11:23:33:4f:ff"), None);
    }

    #[test]
    fn a_prefix_without_one_named_owner_names_none() {
        let table = table(
            "MA-L,001122,IEEE Registration Authority,\nMA-M,0011223,Private,\nMA-L,080030,CERN,\nMA-L,080030,OTHER,\n\
             MA-L,080030,CERN,\nMA-L,0001C8,CONRAD,\nMA-L,0001C8,CONRAD,\n",
        )
        .unwrap();
        for mac in ["00:11:22:40:00:00", "00:11:22:3f:00:00", "08:00:30:00:00:00"] {
            assert_eq!(vendor(&table, mac), None, "{mac}");
        }
        assert_eq!(vendor(&table, "00:01:c8:00:00:00"), Some("CONRAD"));
    }

    #[test]
    fn the_same_registrations_make_the_same_octets() {
        let one = table("MA-L,001122,Large,\nMA-M,0011223,Medium,\nMA-L,001124,Large,\n").unwrap();
        let other = table("MA-L,001124,Large,\nMA-M,0011223,Medium,\nMA-L,001122,Large,\n").unwrap();
        assert_eq!(one.pack(), other.pack());
        assert_eq!(one.len(), 3);
    }

    #[test]
    fn a_refusal_names_the_line_and_what_stood_there() {
        for assignment in ["00112", "00112233", "00112g", "+01122", "", "0011223344"] {
            let refusal = table(&format!("MA-L,001122,Large,\nMA-L,{assignment},Bad,\n")).unwrap_err();
            assert_eq!(refusal.reason, VendorTableReason::Assignment { text: assignment.to_owned() });
            assert!(refusal.to_string().starts_with("line 3: "), "{refusal}");
        }
        let long = table(&format!("MA-L,001122,{},\n", "x".repeat(256))).unwrap_err();
        assert_eq!(long.reason, VendorTableReason::Name { length: 256, limit: 255 });
        assert!(matches!(table("MA-L,001122\n").unwrap_err().reason, VendorTableReason::Record(_)));
        for other in ["", "prefix,name\n001122,Large\n"] {
            let refusal = VendorTable::from_ieee_csv(other).unwrap_err();
            assert!(matches!(refusal.reason, VendorTableReason::Header { .. }), "{refusal}");
        }
        assert!(table("").unwrap().is_empty());
    }
}
