//! Who wrote an agent, by the enterprise number in its `sysObjectID`.
//!
//! Numbers are from IANA's registry of private enterprise numbers (RFC 9371), names as they are in
//! use. Only enterprises are listed whose agents are common on networks.

use crate::domain::device::DeviceType::{self, Endpoint, Printer, Router, Server, Switch};
use crate::wire::mib;
use crate::wire::oid::Oid;

/// An enterprise whose agents are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enterprise {
    /// Its number below `enterprises`.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// Whether it makes the devices that its agents run on, or only software for others' devices.
    pub makes_devices: bool,
    /// What its devices are, when nearly all are of one type.
    pub device_type: Option<DeviceType>,
}

/// The enterprise that an object identifier lies under.
pub fn of(object: &Oid) -> Option<&'static Enterprise> {
    let (number, _) = object.suffix(&mib::ENTERPRISES)?.split_first()?;
    let found = ENTERPRISES.binary_search_by_key(number, |enterprise| enterprise.number).ok()?;
    ENTERPRISES.get(found)
}

const fn vendor(number: u32, name: &'static str) -> Enterprise {
    Enterprise { number, name, makes_devices: true, device_type: None }
}

const fn maker_of(number: u32, name: &'static str, device_type: DeviceType) -> Enterprise {
    Enterprise { number, name, makes_devices: true, device_type: Some(device_type) }
}

const fn software(number: u32, name: &'static str, device_type: Option<DeviceType>) -> Enterprise {
    Enterprise { number, name, makes_devices: false, device_type }
}

/// Ascending by number.
const ENTERPRISES: &[Enterprise] = &[
    vendor(2, "IBM"),
    vendor(9, "Cisco"),
    vendor(11, "HP"),
    vendor(43, "3Com"),
    vendor(63, "Apple"),
    vendor(119, "NEC"),
    vendor(171, "D-Link"),
    vendor(193, "Ericsson"),
    vendor(207, "Allied Telesis"),
    vendor(232, "Compaq"),
    vendor(236, "Samsung"),
    vendor(244, "Lantronix"),
    maker_of(253, "Xerox", Printer),
    software(311, "Microsoft", None),
    maker_of(318, "APC", Endpoint),
    vendor(343, "Intel"),
    maker_of(367, "Ricoh", Printer),
    maker_of(368, "Axis", Endpoint),
    maker_of(534, "Eaton", Endpoint),
    maker_of(641, "Lexmark", Printer),
    vendor(674, "Dell"),
    maker_of(789, "NetApp", Server),
    vendor(890, "ZyXEL"),
    vendor(1182, "Yamaha"),
    maker_of(1248, "Epson", Printer),
    maker_of(1347, "Kyocera", Printer),
    maker_of(1588, "Brocade", Switch),
    maker_of(1602, "Canon", Printer),
    maker_of(1916, "Extreme Networks", Switch),
    maker_of(1991, "Foundry Networks", Switch),
    maker_of(2001, "Oki", Printer),
    vendor(2011, "Huawei"),
    software(2021, "UCD-SNMP", None),
    maker_of(2435, "Brother", Printer),
    maker_of(2620, "Check Point", Router),
    vendor(2636, "Juniper"),
    maker_of(3224, "NetScreen", Router),
    vendor(3375, "F5"),
    vendor(3902, "ZTE"),
    vendor(4526, "Netgear"),
    vendor(4881, "Ruijie"),
    vendor(6027, "Force10"),
    vendor(6486, "Alcatel-Lucent"),
    vendor(6527, "Nokia"),
    maker_of(6574, "Synology", Server),
    software(6876, "VMware", Some(Server)),
    vendor(6889, "Avaya"),
    software(8072, "Net-SNMP", None),
    vendor(8691, "Moxa"),
    maker_of(8741, "SonicWall", Router),
    maker_of(10642, "Zebra", Printer),
    maker_of(10876, "Supermicro", Server),
    vendor(11863, "TP-Link"),
    vendor(12356, "Fortinet"),
    vendor(14823, "Aruba"),
    vendor(14988, "MikroTik"),
    maker_of(18334, "Konica Minolta", Printer),
    vendor(19046, "Lenovo"),
    maker_of(24681, "QNAP", Server),
    vendor(25053, "Ruckus"),
    maker_of(25461, "Palo Alto Networks", Router),
    vendor(25506, "H3C"),
    vendor(29671, "Meraki"),
    maker_of(30065, "Arista", Switch),
    maker_of(39165, "Hikvision", Endpoint),
    vendor(41112, "Ubiquiti"),
    maker_of(47196, "Aruba", Switch),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_enterprise_once() {
        assert!(ENTERPRISES.is_sorted_by(|one, next| one.number < next.number));
    }

    #[test]
    fn an_object_belongs_to_the_enterprise_that_it_lies_under() {
        let name = |text: &str| of(&text.parse().unwrap()).map(|enterprise| enterprise.name);
        assert_eq!(name("1.3.6.1.4.1.9.1.1208"), Some("Cisco"));
        assert_eq!(name("1.3.6.1.4.1.14988"), Some("MikroTik"));
        assert_eq!(name("1.3.6.1.4.1"), None);
        assert_eq!(name("1.3.6.1.4.1.4294967295.1"), None);
        assert_eq!(name("1.3.6.1.2.1.9.1"), None);
    }
}
