use super::*;
use crate::domain::fact::{SnmpEngine, SnmpSystem};
use proptest::prelude::*;

/// An agent that tells one of few engine ids and some of few hardware addresses, or nothing.
fn some_answer() -> impl Strategy<Value = SnmpAnswer> {
    let macs = prop::option::of(prop::collection::vec((prop::bool::ANY, 0_u8..5), 0..3));
    (prop::option::of("[ab]"), macs, "[a-c]").prop_map(|(engine, macs, name)| SnmpAnswer {
        system: SnmpSystem { sys_name: Some(name), ..SnmpSystem::default() },
        engine: engine.map(|digit| named(&digit.repeat(10))),
        interfaces: macs.map(|macs| macs.into_iter().map(|(is_local, number)| interface(is_local, number)).collect()),
        ..SnmpAnswer::default()
    })
}

fn named(digits: &str) -> SnmpEngine {
    SnmpEngine { engine_id: digits.parse().unwrap(), boots: 1 }
}

fn interface(is_local: bool, number: u8) -> Interface {
    let mac = MacAddr::new([if is_local { 2 } else { 0 }, 0x1b, 0x54, 0, 0, number]);
    Interface { index: u32::from(number), mac: Some(mac), ..Interface::default() }
}

fn some_host() -> impl Strategy<Value = HostObservation> {
    let snmp = prop_oneof![
        Just(None),
        Just(Some(Err(SnmpFailure::Timeout))),
        Just(Some(Err(SnmpFailure::PortUnreachable))),
        some_answer().prop_map(|answer| Some(Ok(answer))),
    ];
    let methods = prop::sample::subsequence(Protocol::ALL.to_vec(), 0..=3);
    let mac = prop::option::of((prop::bool::ANY, 0_u8..4));
    (mac, 0_u8..20, methods, prop::option::of(1_u64..9), snmp).prop_map(|(mac, address, methods, rtt, snmp)| {
        HostObservation {
            address: Ipv4Addr::new(10, 0, 1, address),
            mac: mac.and_then(|(is_local, number)| interface(is_local, number).mac),
            methods,
            rtt: rtt.map(Duration::from_millis),
            snmp,
        }
    })
}

/// Hosts with distinct (address, hardware address), as sweeps give them, in two orders. An address is
/// behind a router or on a link, not both.
fn hosts_in_two_orders() -> impl Strategy<Value = (Vec<HostObservation>, Vec<HostObservation>)> {
    prop::collection::vec(some_host(), 0..25)
        .prop_map(|mut hosts| {
            hosts.sort_by_key(|host| (host.address, host.mac.is_none(), host.mac));
            hosts.dedup_by_key(|host| (host.address, host.mac));
            let on_link: Vec<Ipv4Addr> =
                hosts.iter().filter(|host| host.mac.is_some()).map(|host| host.address).collect();
            hosts.retain(|host| host.mac.is_some() || !on_link.contains(&host.address));
            hosts
        })
        .prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle()))
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter((one, other) in hosts_in_two_orders()) {
        prop_assert_eq!(merge(one), merge(other));
    }

    #[test]
    fn no_observation_is_lost((hosts, _) in hosts_in_two_orders()) {
        let devices = merge(hosts.clone());
        for host in &hosts {
            let of_host = |device: &&DeviceObservation| {
                device.addresses.contains(&host.address) && (host.mac.is_none() || device.mac == host.mac)
            };
            let found: Vec<&DeviceObservation> = devices.iter().filter(of_host).collect();
            prop_assert_eq!(found.len(), 1, "{:?}", host);
            let device = found[0];
            prop_assert!(host.methods.iter().all(|method| device.methods.contains(method)));
            prop_assert!(device.rtt <= host.rtt || host.rtt.is_none());
            if matches!(host.snmp, Some(Ok(_))) {
                prop_assert!(matches!(device.snmp, Some((_, Ok(_)))));
            }
        }
        let macs: BTreeSet<MacAddr> = devices.iter().filter_map(|device| device.mac).collect();
        prop_assert_eq!(macs.len(), devices.iter().filter(|device| device.mac.is_some()).count());
    }

    #[test]
    fn hosts_of_which_no_agent_tells_stay_apart(numbers in prop::collection::btree_set(0_u8..40, 0..20)) {
        let hosts = numbers.iter().map(|number| routed(*number, None)).collect();
        prop_assert_eq!(merge(hosts).len(), numbers.len());
    }
}

fn routed(address: u8, snmp: Option<Result<SnmpAnswer, SnmpFailure>>) -> HostObservation {
    let methods = vec![Protocol::Icmp];
    HostObservation { address: Ipv4Addr::new(10, 2, 0, address), mac: None, methods, rtt: None, snmp }
}

fn agent(engine: Option<&str>, macs: &[u8]) -> SnmpAnswer {
    SnmpAnswer {
        engine: engine.map(|digits| named(&digits.repeat(5))),
        interfaces: Some(macs.iter().map(|number| interface(false, *number)).collect()),
        ..SnmpAnswer::default()
    }
}

#[test]
fn a_router_that_is_seen_on_link_and_behind_itself_is_one_device() {
    let here = HostObservation {
        address: Ipv4Addr::new(10, 0, 1, 1),
        mac: interface(false, 7).mac,
        ..routed(1, Some(Ok(agent(Some("80"), &[7, 8]))))
    };
    let there = routed(1, Some(Ok(agent(Some("80"), &[7, 8]))));
    let mute = HostObservation { snmp: Some(Err(SnmpFailure::Timeout)), ..here.clone() };
    for on_link in [here, mute] {
        let devices = merge(vec![there.clone(), on_link, routed(2, None)]);
        assert_eq!(devices.len(), 2);
        assert_eq!(devices[0].mac, interface(false, 7).mac);
        assert_eq!(devices[0].addresses, [Ipv4Addr::new(10, 0, 1, 1), Ipv4Addr::new(10, 2, 0, 1)]);
    }
}

#[test]
fn of_the_reasons_at_several_addresses_the_one_is_told_that_tells_most() {
    let at = |address: u8, reason| HostObservation {
        mac: interface(false, 7).mac,
        ..routed(address, Some(Err::<SnmpAnswer, _>(reason)))
    };
    let reasons = [SnmpFailure::Timeout, SnmpFailure::WrongPassword, SnmpFailure::UnknownUser];
    let devices = merge((1..).zip(reasons).map(|(address, reason)| at(address, reason)).collect());
    let said = devices.iter().map(|device| device.snmp.clone()).collect::<Vec<_>>();
    assert_eq!(said, [Some((Ipv4Addr::new(10, 2, 0, 2), Err(SnmpFailure::WrongPassword)))]);
}

#[test]
fn who_answers_arp_for_others_speaks_for_itself_where_its_agent_does() {
    let at = |address: u8, snmp| HostObservation { mac: interface(false, 7).mac, ..routed(address, snmp) };
    let behind = || at(1, Some(Ok(agent(Some("81"), &[1]))));
    let further = at(2, Some(Ok(agent(Some("82"), &[2]))));
    let spoken = |hosts| match merge(hosts).as_slice() {
        [DeviceObservation { snmp: Some((address, Ok(_))), addresses, .. }] => (address.octets()[3], addresses.len()),
        other => panic!("{other:?}"),
    };
    let own = at(3, Some(Ok(agent(Some("80"), &[7, 8]))));
    let again = at(4, Some(Ok(agent(Some("80"), &[7, 8]))));
    assert_eq!(spoken(vec![behind(), further.clone(), own, again]), (3, 4));
    let mute = at(3, Some(Err(SnmpFailure::Timeout)));
    assert_eq!(spoken(vec![behind(), further, mute]), (1, 3), "else it is the first who does");
}

#[test]
fn several_addresses_of_one_engine_are_one_device() {
    let hosts = (1..=3).map(|address| routed(address, Some(Ok(agent(Some("80"), &[])))));
    let devices = merge(hosts.chain([routed(4, Some(Ok(agent(Some("81"), &[]))))]).collect());
    assert_eq!(devices.iter().map(|device| device.addresses.len()).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn an_address_with_two_owners_is_disputed() {
    let host = |mac: u8, address: u8| HostObservation {
        address: Ipv4Addr::new(10, 0, 1, address),
        mac: interface(true, mac).mac,
        methods: vec![Protocol::Arp],
        rtt: None,
        snmp: None,
    };
    let devices = merge(vec![host(1, 7), host(2, 7), host(1, 8), routed(9, None)]);
    let owners = owners(&devices);
    assert_eq!(owners.len(), 3);
    let disputed: BTreeMap<_, _> = disputed(&owners).collect();
    assert_eq!(disputed.keys().copied().collect::<Vec<_>>(), [Ipv4Addr::new(10, 0, 1, 7)]);
    assert_eq!(disputed[&Ipv4Addr::new(10, 0, 1, 7)].len(), 2);
}
