//! Facts: which one stays, and whose they are.

use pdsno::domain::address::MacAddr;
use pdsno::domain::digest::Digest;
use pdsno::domain::fact::{
    Evidence, Fact, FactKind, FactRow, FactVersions, Interface, Neighbour, NeighbourProtocol, SnmpEngine, SnmpFailure,
    SnmpReachability, SnmpSystem, SnmpUptime, Withheld,
};
use pdsno::domain::protocol::Protocol;
use pdsno::nib::{Change, Row};

use crate::backends::{Nib, not_found};
use crate::samples::{at, id, insert};

fn uptime(device: u32, source: &str, seconds: u64, observed: i64) -> FactRow {
    FactRow {
        device: id(device),
        fact: Fact::SnmpUptime(SnmpUptime { uptime_seconds: seconds }),
        source: source.to_owned(),
        protocol: Some(Protocol::Snmp),
        observed_at: at(observed),
        observer: None,
    }
}

fn row(fact: Fact) -> FactRow {
    FactRow { device: id(1), fact, source: "10.0.0.1".to_owned(), protocol: None, observed_at: at(0), observer: None }
}

/// One of every kind, in the order of the kinds.
fn of_every_kind() -> Vec<FactRow> {
    let withheld = Withheld { kind: FactKind::VendorEvidence, octets: 70_000, digest: Digest::from_bytes([7; 32]) };
    let evidence = |conclusion: &str| Evidence {
        conclusion: conclusion.to_owned(),
        from: "sysServices".to_owned(),
        value: "a\0b \u{7} 設備".to_owned(),
    };
    let system = SnmpSystem {
        sys_descr: Some("line\r\nline".to_owned()),
        sys_object_id: Some("1.3.6.1.4.1.9.1.1".to_owned()),
        sys_name: Some(String::new()),
        sys_location: None,
        sys_services: Some(u32::MAX),
    };
    let interface = Interface {
        index: u32::MAX,
        name: Some("Gi0/1".to_owned()),
        if_type: Some(6),
        speed: Some(u32::MAX),
        mac: Some(MacAddr::BROADCAST),
        admin_up: Some(true),
        oper_up: Some(false),
    };
    let neighbour = Neighbour {
        protocol: NeighbourProtocol::Cdp,
        local_port: "Gi0/1".to_owned(),
        chassis: Some("core-1".to_owned()),
        port: None,
        port_description: None,
        name: None,
        description: Some("Gerät".to_owned()),
        address: Some([10, 0, 1, 1].into()),
    };
    [
        Fact::SnmpReachability(SnmpReachability { reachable: false, reason: Some(SnmpFailure::Timeout) }),
        Fact::SnmpSystem(system),
        Fact::SnmpUptime(SnmpUptime { uptime_seconds: u64::MAX }),
        Fact::SnmpInterfaces(vec![interface, Interface::default()]),
        Fact::SnmpEngine(SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots: u32::MAX }),
        Fact::Neighbours(vec![neighbour]),
        Fact::TypeEvidence(evidence("router")),
        Fact::VendorEvidence(evidence("Example Networks")),
        Fact::SilentAddresses([([10, 0, 1, 7].into(), u32::MAX)].into()),
    ]
    .map(row)
    .into_iter()
    .chain([FactRow { source: "10.0.0.2".to_owned(), ..row(Fact::Withheld(withheld)) }])
    .map(|row| FactRow { observer: Some("local_cntl_zoneA_1".parse().unwrap()), ..row })
    .collect()
}

fn facts(nib: &Nib, device: u32) -> Vec<FactRow> {
    nib.reader.facts(id(device), id(device)).unwrap()
}

fn put(nib: &mut Nib, rows: &[FactRow]) {
    nib.write(rows.iter().cloned().map(Change::PutFact).collect::<Vec<_>>());
}

pub fn facts_of_every_kind_are_read_back_in_the_order_of_the_kinds(mut nib: Nib) {
    nib.write([insert(1)]);
    let mut rows = of_every_kind();
    rows.sort_by_key(|row| row.fact.kind());
    assert_eq!(rows.len(), FactKind::ALL.len() + 1);
    rows.reverse();
    put(&mut nib, &rows);
    rows.reverse();
    assert_eq!(facts(&nib, 1), rows);
}

pub fn a_newer_fact_replaces(mut nib: Nib) {
    nib.write([insert(1)]);
    put(&mut nib, &[uptime(1, "10.0.0.1", 10, 0)]);
    let observer = Some("local_cntl_zoneA_2".parse().unwrap());
    let newer = FactRow { protocol: None, observer, ..uptime(1, "10.0.0.1", 20, 1) };
    put(&mut nib, std::slice::from_ref(&newer));
    assert_eq!(facts(&nib, 1), [newer]);
}

pub fn an_older_fact_changes_nothing_and_does_not_fail(mut nib: Nib) {
    nib.write([insert(1)]);
    put(&mut nib, &[uptime(1, "10.0.0.1", 10, 0)]);
    put(&mut nib, &[uptime(1, "10.0.0.1", 20, -1), uptime(1, "10.0.0.2", 30, -1)]);
    assert_eq!(facts(&nib, 1), [uptime(1, "10.0.0.1", 10, 0), uptime(1, "10.0.0.2", 30, -1)]);
}

pub fn a_fact_of_the_same_time_replaces(mut nib: Nib) {
    nib.write([insert(1)]);
    put(&mut nib, &[uptime(1, "10.0.0.1", 10, 0), uptime(1, "10.0.0.1", 11, 0)]);
    assert_eq!(facts(&nib, 1), [uptime(1, "10.0.0.1", 11, 0)]);
}

pub fn a_fact_does_not_change_its_device(mut nib: Nib) {
    nib.write([insert(1)]);
    let before = nib.device(1);
    put(&mut nib, &of_every_kind());
    assert_eq!(nib.device(1), before);
}

pub fn sources_are_kept_apart_whatever_their_text(mut nib: Nib) {
    nib.write([insert(1)]);
    let mut sources = ["oui", "10.0.0.1", "10.0.0.10", "", "\0", "設備", "OUI", "a'b\"c"];
    let rows: Vec<FactRow> = (1..).zip(sources).map(|(seconds, source)| uptime(1, source, seconds, 0)).collect();
    put(&mut nib, &rows);
    sources.sort_unstable();
    let found = facts(&nib, 1);
    assert_eq!(found.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), sources);
    assert!(rows.iter().all(|row| found.contains(row)));
}

pub fn a_fact_of_a_device_of_the_same_commit_is_taken(mut nib: Nib) {
    nib.write([
        insert(1),
        Change::PutFact(uptime(1, "10.0.0.1", 1, 0)),
        insert(2),
        Change::PutFact(uptime(2, "x", 2, 0)),
    ]);
    assert_eq!(facts(&nib, 1), [uptime(1, "10.0.0.1", 1, 0)]);
    assert_eq!(facts(&nib, 2), [uptime(2, "x", 2, 0)]);
}

pub fn a_fact_before_its_device_is_refused(mut nib: Nib) {
    let answer = nib.commit([Change::PutFact(uptime(1, "x", 1, 0)), insert(1)]);
    assert_eq!(not_found(answer), Row::Device(id(1)));
    assert!(nib.numbers().is_empty());
}

pub fn a_fact_of_an_unknown_device_is_refused_with_all_around_it(mut nib: Nib) {
    nib.write([insert(1)]);
    let known = Change::PutFact(uptime(1, "x", 1, 0));
    for unknown in [0, 2, u32::MAX] {
        let answer = nib.commit([known.clone(), Change::PutFact(uptime(unknown, "x", 1, 0)), insert(3)]);
        assert_eq!(not_found(answer), Row::Device(id(unknown)));
    }
    assert_eq!(facts(&nib, 1), []);
    assert_eq!(nib.numbers(), [1]);
}

pub fn facts_of_a_range_come_by_device(mut nib: Nib) {
    nib.write([insert(1), insert(2), insert(3), insert(10)]);
    let rows = [uptime(1, "x", 1, 0), uptime(2, "a", 1, 0), uptime(2, "b", 1, 0), uptime(10, "x", 1, 0)];
    let mut shuffled = rows.to_vec();
    shuffled.rotate_left(2);
    put(&mut nib, &shuffled);
    let range = |first: u32, last: u32| nib.reader.facts(id(first), id(last)).unwrap();
    assert_eq!(range(0, u32::MAX), rows);
    assert_eq!(range(2, 9), rows[1..3]);
    assert_eq!(range(3, 10), rows[3..]);
    assert_eq!(range(3, 9), []);
    assert_eq!(range(10, 1), [], "from the last to the first there is nothing");
}

pub fn which_facts_there_are_is_told_without_their_values(mut nib: Nib) {
    nib.write([insert(1), insert(2), insert(3)]);
    let rows = of_every_kind();
    put(&mut nib, &rows);
    put(&mut nib, &[uptime(2, "b", 1, 5), uptime(2, "a", 1, 4), uptime(2, "a", 2, 3)]);
    let versions = |first: u32, last: u32| nib.reader.fact_versions(id(first), id(last)).unwrap();
    let all = versions(1, 3);
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(all[&id(1)], rows.iter().collect());
    let mut second = FactVersions::default();
    second.put(FactKind::SnmpUptime, "a".to_owned(), at(4));
    second.put(FactKind::SnmpUptime, "b".to_owned(), at(5));
    assert_eq!(versions(2, 2), [(id(2), second)].into());
    assert!(versions(3, 9).is_empty());
}

pub fn a_fact_may_be_of_any_time(mut nib: Nib) {
    use pdsno::domain::time::Timestamp;
    nib.write([insert(1)]);
    let earliest = FactRow { observed_at: Timestamp::from_millis(i64::MIN), ..uptime(1, "x", 1, 0) };
    put(&mut nib, std::slice::from_ref(&earliest));
    assert_eq!(facts(&nib, 1), std::slice::from_ref(&earliest));
    let latest = FactRow { observed_at: Timestamp::from_millis(i64::MAX), ..uptime(1, "x", 2, 0) };
    put(&mut nib, &[latest.clone(), earliest]);
    assert_eq!(facts(&nib, 1), [latest]);
}
