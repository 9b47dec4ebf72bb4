//! The registry files of the IEEE: a table that is made of one packs, and knows nobody whom it does not
//! name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::domain::address::MacAddr;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let Ok(table) = VendorTable::from_ieee_csv(text) else { return };
    assert_eq!(table.is_empty(), table.len() == 0);
    assert!(!table.pack().is_empty());
    for octets in [[0; 6], [0x00, 0x1b, 0x54, 1, 2, 3], [0xfc, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        let mac = MacAddr::new(octets);
        if let Some((prefix, name)) = table.lookup(mac) {
            assert!(!name.is_empty());
            // No block of the registry is wider than its first three octets.
            assert_eq!(mac.to_string().get(..2), prefix.to_string().get(..2));
        }
    }
});
