//! Small values to put into a NIB.

use std::net::Ipv4Addr;
use std::time::Duration;

use pdsno::domain::address::MacAddr;
use pdsno::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Version};
use pdsno::domain::event::{EventType, NewEvent};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::Timestamp;
use pdsno::nib::Change;
use serde_json::json;

pub const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_250);

pub fn id(number: u32) -> DeviceId {
    DeviceId::from_number(number)
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + millis)
}

pub fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr::new([0x00, 0x1b, a, b, c, d])
}

pub fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits().wrapping_add(number))
}

/// A device as a cycle finds it, with the address and the MAC of its number.
pub fn device(number: u32) -> Device {
    Device {
        id: id(number),
        mac: Some(mac(number)),
        addresses: vec![address(number)],
        hostname: Some(format!("host-{number}")),
        vendor: Some("Example Networks".to_owned()),
        device_type: DeviceType::Switch,
        firmware: None,
        region: Some("zone-A".parse().unwrap()),
        local_controller: Some("local_cntl_zoneA_5".parse().unwrap()),
        status: DeviceStatus::Active,
        first_seen: NOW,
        last_seen: NOW,
        missed_cycles: 0,
        methods: vec![Protocol::Arp, Protocol::Icmp],
        rtt: Some(Duration::from_nanos(1_234_567)),
        version: Version::FIRST,
    }
}

pub fn insert(number: u32) -> Change {
    Change::InsertDevice(device(number))
}

/// The event that is appended together with a device's row.
pub fn discovered(number: u32) -> NewEvent {
    NewEvent {
        event_type: EventType::DeviceDiscovered,
        actor: "local_cntl_zoneA_5".to_owned(),
        subject: id(number).to_string(),
        timestamp: NOW,
        payload: json!({ "address": address(number), "mac": mac(number), "vendor": "Example Networks" }),
    }
}

pub fn append(number: u32) -> Change {
    Change::Append(discovered(number))
}
