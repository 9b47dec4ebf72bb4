//! Devices: versions, numbers, hardware addresses, pages, filters.

use std::collections::BTreeMap;
use std::time::Duration;

use pdsno::domain::device::{Device, DeviceStatus, DeviceType, Version};
use pdsno::domain::fact::{Fact, FactRow, SnmpUptime};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::Timestamp;
use pdsno::nib::{Change, Row};

use crate::backends::{Nib, conflict, invalid, not_found, numbers};
use crate::samples::{address, append, at, device, id, insert, mac};

const NONE: [u32; 0] = [];
const SECOND: Version = Version::from_number(2);

fn touch(number: u32, version: Version) -> Change {
    let (last_seen, methods, rtt) = (at(300_000), vec![Protocol::Snmp], Some(Duration::from_micros(70)));
    Change::TouchDevice { id: id(number), version, last_seen, methods, rtt }
}

pub fn an_inserted_device_is_read_back_in_full(mut nib: Nib) {
    nib.write([insert(1)]);
    assert_eq!(nib.device(1), device(1));
}

pub fn a_device_of_which_nothing_is_known_is_read_back(mut nib: Nib) {
    let bare = Device {
        mac: None,
        addresses: vec![],
        hostname: None,
        vendor: None,
        device_type: DeviceType::Unknown,
        region: None,
        local_controller: None,
        methods: vec![],
        rtt: None,
        ..device(1)
    };
    nib.write([Change::InsertDevice(bare.clone())]);
    assert_eq!(nib.device(1), bare);
}

pub fn a_device_that_is_not_there_is_none(mut nib: Nib) {
    nib.write([insert(2)]);
    assert_eq!(nib.reader.device(id(1)).unwrap(), None);
    assert_eq!(nib.reader.device(id(3)).unwrap(), None);
    assert_eq!(nib.reader.device_by_mac(mac(1)).unwrap(), None);
    assert_eq!(nib.reader.devices_by_address(address(1)).unwrap(), []);
}

pub fn an_update_replaces_the_row_and_counts_its_version(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    let wanted = Device {
        mac: Some(mac(9)),
        addresses: vec![address(1), address(9)],
        hostname: None,
        vendor: Some("Other".to_owned()),
        device_type: DeviceType::Router,
        firmware: Some("12.4(25)".to_owned()),
        region: None,
        local_controller: None,
        status: DeviceStatus::Quarantined,
        first_seen: at(-5),
        last_seen: at(5),
        missed_cycles: 2,
        methods: vec![Protocol::Snmp],
        rtt: None,
        ..device(1)
    };
    nib.write([Change::UpdateDevice(wanted.clone())]);
    assert_eq!(nib.device(1), Device { version: SECOND, ..wanted });
    assert_eq!(nib.device(2), device(2));
}

pub fn versions_are_counted_within_a_commit_too(mut nib: Nib) {
    let second = Device { version: SECOND, hostname: None, ..device(1) };
    nib.write([insert(1), Change::UpdateDevice(device(1)), Change::UpdateDevice(second)]);
    assert_eq!(nib.device(1).version, Version::from_number(3));
    assert_eq!(nib.device(1).hostname, None);
}

pub fn a_stale_update_is_a_conflict(mut nib: Nib) {
    nib.write([insert(1)]);
    nib.write([Change::UpdateDevice(device(1))]);
    let answer = nib.commit([Change::UpdateDevice(Device { hostname: None, ..device(1) })]);
    assert_eq!(conflict(answer), (Row::Device(id(1)), Some(Version::FIRST), Some(SECOND)));
    assert_eq!(nib.device(1), Device { version: SECOND, ..device(1) });
}

pub fn an_update_from_a_version_that_never_was_is_a_conflict(mut nib: Nib) {
    nib.write([insert(1)]);
    for never in [0, 2, u32::MAX].map(Version::from_number) {
        let answer = nib.commit([Change::UpdateDevice(Device { version: never, ..device(1) })]);
        assert_eq!(conflict(answer), (Row::Device(id(1)), Some(never), Some(Version::FIRST)));
    }
}

pub fn an_update_of_an_unknown_device_is_not_found(mut nib: Nib) {
    nib.write([insert(1)]);
    assert_eq!(not_found(nib.commit([Change::UpdateDevice(device(2))])), Row::Device(id(2)));
}

pub fn an_insert_with_a_later_version_is_refused(mut nib: Nib) {
    let detail = invalid(nib.commit([Change::InsertDevice(Device { version: SECOND, ..device(1) })]));
    assert!(detail.contains("nib-dev-000001"), "{detail}");
    assert_eq!(nib.numbers(), NONE);
}

pub fn a_number_is_given_once(mut nib: Nib) {
    nib.write([insert(1)]);
    nib.write([Change::UpdateDevice(device(1))]);
    let again = Device { mac: None, ..device(1) };
    assert_eq!(conflict(nib.commit([Change::InsertDevice(again)])), (Row::Device(id(1)), None, Some(SECOND)));
    assert_eq!(nib.device(1).mac, Some(mac(1)));
}

pub fn a_number_that_was_left_out_is_used_up(mut nib: Nib) {
    nib.write([insert(5)]);
    assert_eq!(nib.reader.next_device().unwrap(), id(6));
    assert_eq!(conflict(nib.commit([insert(4)])), (Row::Device(id(4)), None, None));
    assert_eq!(conflict(nib.commit([insert(7), insert(6)])), (Row::Device(id(6)), None, None));
    assert_eq!(nib.numbers(), [5]);
}

pub fn the_next_number_follows_the_highest_and_a_failed_insert_uses_none(mut nib: Nib) {
    assert_eq!(nib.reader.next_device().unwrap(), id(1));
    nib.write([insert(1), insert(2), insert(40)]);
    assert_eq!(nib.reader.next_device().unwrap(), id(41));
    conflict(nib.commit([insert(41), insert(42), insert(40)]));
    assert_eq!(nib.reader.next_device().unwrap(), id(41));
    nib.write([insert(41)]);
    assert_eq!(nib.reader.next_device().unwrap(), id(42));
}

pub fn numbers_out_of_range_are_refused(mut nib: Nib) {
    for number in [0, u32::MAX] {
        let detail = invalid(nib.commit([insert(number)]));
        assert!(detail.contains(&number.to_string()), "{detail}");
    }
    nib.write([insert(u32::MAX - 1)]);
    assert_eq!(nib.reader.next_device().unwrap(), id(u32::MAX));
    assert_eq!(nib.device(u32::MAX - 1).id.to_string(), "nib-dev-4294967294");
}

pub fn two_devices_cannot_have_one_mac(mut nib: Nib) {
    nib.write([insert(1)]);
    let twin = Device { mac: Some(mac(1)), ..device(2) };
    assert_eq!(conflict(nib.commit([Change::InsertDevice(twin.clone())])), (Row::Mac(mac(1)), None, None));
    assert_eq!(
        conflict(nib.commit([insert(2), Change::InsertDevice(Device { id: id(3), ..twin })])).0,
        Row::Mac(mac(1))
    );
    assert_eq!(nib.numbers(), [1]);
}

pub fn an_update_to_the_mac_of_another_is_a_conflict(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    let twin = Device { mac: Some(mac(1)), ..device(2) };
    assert_eq!(conflict(nib.commit([Change::UpdateDevice(twin)])), (Row::Mac(mac(1)), Some(Version::FIRST), None));
    assert_eq!(nib.device(2), device(2));
}

pub fn a_stale_update_to_the_mac_of_another_is_stale_first(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    nib.write([Change::UpdateDevice(device(2))]);
    let twin = Device { mac: Some(mac(1)), ..device(2) };
    assert_eq!(conflict(nib.commit([Change::UpdateDevice(twin)])).0, Row::Device(id(2)));
}

pub fn a_mac_can_move_to_another_device_within_a_commit(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    let gives = Change::UpdateDevice(Device { mac: None, ..device(1) });
    let takes = Change::UpdateDevice(Device { mac: Some(mac(1)), ..device(2) });
    assert_eq!(conflict(nib.commit([takes.clone(), gives.clone()])).0, Row::Mac(mac(1)), "in the order of the list");
    nib.write([gives, takes]);
    assert_eq!(nib.device(1).mac, None);
    assert_eq!(nib.reader.device_by_mac(mac(1)).unwrap().unwrap().id, id(2));
    assert_eq!(nib.reader.device_by_mac(mac(2)).unwrap(), None);
}

pub fn devices_without_a_mac_do_not_collide(mut nib: Nib) {
    let silent = |number| Change::InsertDevice(Device { mac: None, ..device(number) });
    nib.write([silent(1), silent(2), silent(3)]);
    assert_eq!(nib.numbers(), [1, 2, 3]);
}

pub fn a_device_is_found_by_the_mac_that_it_has_now(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    assert_eq!(nib.reader.device_by_mac(mac(2)).unwrap(), Some(device(2)));
    nib.write([Change::UpdateDevice(Device { mac: Some(mac(9)), ..device(2) })]);
    assert_eq!(nib.reader.device_by_mac(mac(2)).unwrap(), None);
    assert_eq!(nib.reader.device_by_mac(mac(9)).unwrap().unwrap().id, id(2));
}

pub fn a_touch_changes_the_sighting_and_nothing_else(mut nib: Nib) {
    let missed = Device { missed_cycles: 2, status: DeviceStatus::Degraded, ..device(1) };
    nib.write([Change::InsertDevice(missed.clone()), insert(2)]);
    nib.write([touch(1, Version::FIRST)]);
    let seen = Device {
        last_seen: at(300_000),
        methods: vec![Protocol::Snmp],
        rtt: Some(Duration::from_micros(70)),
        missed_cycles: 0,
        version: SECOND,
        ..missed
    };
    assert_eq!(nib.device(1), seen);
    assert_eq!(nib.device(2), device(2));
}

pub fn a_stale_touch_is_a_conflict(mut nib: Nib) {
    nib.write([insert(1)]);
    nib.write([touch(1, Version::FIRST)]);
    let stale = nib.commit([touch(1, Version::FIRST)]);
    assert_eq!(conflict(stale), (Row::Device(id(1)), Some(Version::FIRST), Some(SECOND)));
    let update = nib.commit([Change::UpdateDevice(device(1))]);
    assert_eq!(conflict(update), (Row::Device(id(1)), Some(Version::FIRST), Some(SECOND)));
    assert_eq!(not_found(nib.commit([touch(2, Version::FIRST)])), Row::Device(id(2)));
}

/// Seven devices of alternating status, with gaps between their numbers.
fn seven(nib: &mut Nib) -> Vec<u32> {
    let all = vec![1, 2, 3, 5, 8, 13, 21];
    let of = |number: u32| {
        let status = if number.is_multiple_of(2) { DeviceStatus::Inactive } else { DeviceStatus::Active };
        Change::InsertDevice(Device { status, ..device(number) })
    };
    nib.write(all.iter().copied().map(of).collect::<Vec<_>>());
    all
}

pub fn pages_of_every_size_meet_without_gap_or_overlap(mut nib: Nib) {
    let all = seven(&mut nib);
    for size in 1..=all.len() + 1 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = nib.reader.devices(None, after, size).unwrap();
            assert!(page.len() <= size);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(numbers(&page));
        }
        assert_eq!(seen, all, "by {size}");
    }
}

pub fn a_page_begins_after_any_number(mut nib: Nib) {
    let all = seven(&mut nib);
    for after in 0..=22 {
        let page = nib.reader.devices(None, Some(id(after)), 2).unwrap();
        let wanted: Vec<u32> = all.iter().copied().filter(|number| *number > after).take(2).collect();
        assert_eq!(numbers(&page), wanted, "after {after}");
    }
    assert_eq!(nib.reader.devices(None, Some(id(u32::MAX)), 2).unwrap(), []);
}

pub fn a_page_of_one_status_is_filled_with_that_status(mut nib: Nib) {
    seven(&mut nib);
    let page =
        |status, after: Option<u32>, limit| numbers(&nib.reader.devices(Some(status), after.map(id), limit).unwrap());
    assert_eq!(page(DeviceStatus::Inactive, None, 1), [2]);
    assert_eq!(page(DeviceStatus::Inactive, Some(2), 5), [8]);
    assert_eq!(page(DeviceStatus::Active, Some(1), 3), [3, 5, 13]);
    assert_eq!(page(DeviceStatus::Degraded, None, 3), NONE);
}

pub fn a_limit_may_be_nothing_or_everything(mut nib: Nib) {
    let all = seven(&mut nib);
    assert_eq!(nib.reader.devices(None, None, 0).unwrap(), []);
    assert_eq!(numbers(&nib.reader.devices(None, None, usize::MAX).unwrap()), all);
}

pub fn devices_are_counted_by_status(mut nib: Nib) {
    assert_eq!(nib.reader.count_devices().unwrap(), BTreeMap::new());
    seven(&mut nib);
    let counts = BTreeMap::from([(DeviceStatus::Active, 5), (DeviceStatus::Inactive, 2)]);
    assert_eq!(nib.reader.count_devices().unwrap(), counts);
}

pub fn an_address_is_matched_whole(mut nib: Nib) {
    let with = |number, addresses: &[&str]| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Change::InsertDevice(Device { addresses, ..device(number) })
    };
    nib.write([
        with(1, &["10.0.0.1"]),
        with(2, &["10.0.0.10", "10.0.0.11"]),
        with(3, &["110.0.0.1"]),
        with(4, &["10.0.0.9", "192.0.2.1", "203.0.113.255"]),
        with(5, &[]),
    ]);
    let found = |text: &str| numbers(&nib.reader.devices_by_address(text.parse().unwrap()).unwrap());
    assert_eq!(found("10.0.0.1"), [1]);
    assert_eq!(found("10.0.0.11"), [2]);
    assert_eq!(found("192.0.2.1"), [4]);
    assert_eq!(found("0.0.0.1"), NONE);
}

pub fn an_address_in_dispute_has_all_its_devices(mut nib: Nib) {
    let claims =
        |number| Change::InsertDevice(Device { addresses: vec![address(1), address(number)], ..device(number) });
    nib.write([insert(1), claims(2), insert(3), claims(4)]);
    assert_eq!(numbers(&nib.reader.devices_by_address(address(1)).unwrap()), [1, 2, 4]);
    nib.write([Change::UpdateDevice(Device { addresses: vec![address(9)], ..device(2) })]);
    assert_eq!(numbers(&nib.reader.devices_by_address(address(1)).unwrap()), [1, 4]);
}

pub fn addresses_that_are_not_ascending_are_refused(mut nib: Nib) {
    nib.write([insert(1)]);
    for addresses in [vec![address(2), address(1)], vec![address(1), address(1)]] {
        let detail = invalid(nib.commit([append(1), Change::UpdateDevice(Device { addresses, ..device(1) })]));
        assert!(detail.contains("nib-dev-000001"), "{detail}");
    }
    assert_eq!(nib.device(1), device(1));
}

pub fn any_text_is_kept_as_it_is(mut nib: Nib) {
    let texts =
        ["", " ", "\0", "a\0b", "\u{1b}[31m\r\n\t", "'; DROP TABLE devices; --", "\"\\", "größe 設備 🖧", "\u{10ffff}"];
    let of = |(number, text): (u32, &&str)| {
        let text = Some((*text).to_owned());
        let device = Device { hostname: text.clone(), vendor: text.clone(), firmware: text, ..device(number) };
        Change::InsertDevice(device)
    };
    let changes: Vec<Change> = (1..).zip(&texts).map(of).collect();
    nib.write(&changes);
    for (number, text) in (1..).zip(&texts) {
        let device = nib.device(number);
        for kept in [device.hostname, device.vendor, device.firmware] {
            assert_eq!(kept.as_deref(), Some(*text));
        }
    }
}

pub fn the_largest_and_smallest_numbers_are_kept(mut nib: Nib) {
    let (earliest, latest) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    let longest = Duration::from_nanos(i64::MAX as u64);
    let large = Device {
        first_seen: earliest,
        last_seen: latest,
        missed_cycles: u32::MAX,
        rtt: Some(longest),
        mac: Some("ff:ff:ff:ff:ff:ff".parse().unwrap()),
        addresses: vec!["0.0.0.0".parse().unwrap(), "255.255.255.255".parse().unwrap()],
        ..device(1)
    };
    let small = Device { rtt: Some(Duration::ZERO), mac: Some("00:00:00:00:00:00".parse().unwrap()), ..device(2) };
    nib.write([Change::InsertDevice(large.clone()), Change::InsertDevice(small.clone())]);
    assert_eq!((nib.device(1), nib.device(2)), (large, small));
}

pub fn a_round_trip_of_centuries_is_refused(mut nib: Nib) {
    nib.write([insert(1)]);
    let rtt = Some(Duration::from_nanos(i64::MAX as u64 + 1));
    invalid(nib.commit([Change::InsertDevice(Device { rtt, ..device(2) })]));
    invalid(nib.commit([Change::UpdateDevice(Device { rtt, ..device(1) })]));
    let (last_seen, methods) = (at(1), vec![]);
    invalid(nib.commit([Change::TouchDevice { id: id(1), version: Version::FIRST, last_seen, methods, rtt }]));
    assert_eq!(nib.device(1), device(1));
}

pub fn a_device_that_is_removed_is_gone_with_its_facts_and_its_number_stays_used(mut nib: Nib) {
    let fact = |number| {
        let fact = Fact::SnmpUptime(SnmpUptime { uptime_seconds: 42 });
        let source = "10.0.0.1".to_owned();
        Change::PutFact(FactRow {
            device: id(number),
            fact,
            source,
            protocol: Some(Protocol::Snmp),
            observed_at: at(0),
            observer: None,
        })
    };
    nib.write([insert(1), insert(2), fact(1), fact(2)]);
    nib.write([Change::RemoveDevice { id: id(1), version: Version::FIRST }]);
    assert_eq!(nib.reader.device(id(1)).unwrap(), None);
    assert_eq!(nib.reader.device_by_mac(mac(1)).unwrap(), None);
    let left: Vec<_> = nib.reader.facts(id(1), id(2)).unwrap().iter().map(|row| row.device).collect();
    assert_eq!(left, [id(2)]);
    assert_eq!(conflict(nib.commit([insert(1)])), (Row::Device(id(1)), None, None));
    let heir = Device { mac: Some(mac(1)), ..device(2) };
    nib.write([Change::UpdateDevice(heir)]);
    assert_eq!(nib.device(2).mac, Some(mac(1)), "its hardware address is free");
}

pub fn a_device_is_removed_from_its_version_only(mut nib: Nib) {
    nib.write([insert(1)]);
    let removal = |number, version| Change::RemoveDevice { id: id(number), version };
    let stale = conflict(nib.commit([removal(1, SECOND)]));
    assert_eq!(stale, (Row::Device(id(1)), Some(SECOND), Some(Version::FIRST)));
    assert_eq!(not_found(nib.commit([removal(2, Version::FIRST)])), Row::Device(id(2)));
    assert_eq!(nib.device(1), device(1));
}
