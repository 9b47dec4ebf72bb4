//! What the kernel tells of links, addresses and neighbours, from a datagram to a reason for a cycle: any
//! octets are notices or lost, no more of them than there is room for, and what stands behind them is read, too.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pdsno::algorithms::discovery::watch::{Look, PATIENCE, Watch};
use pdsno::domain::link::Link;
use pdsno::wire::rtnetlink::{Notice, decode};

/// Of a message, `struct nlmsghdr` (netlink(7)).
const HEADER: usize = 16;

fuzz_target!(|octets: &[u8]| {
    let notices = decode(octets);
    assert!(notices.len() <= octets.len() / HEADER + 1, "{notices:?}");
    for notice in &notices {
        assert!(!matches!(notice, Notice::Neighbour { mac, .. } if !mac.is_station()), "{notice:?}");
    }
    if octets.len() % 4 == 0 && !notices.contains(&Notice::Lost) {
        let mut address = [0; HEADER];
        address[..4].copy_from_slice(&16_u32.to_ne_bytes());
        address[4..6].copy_from_slice(&20_u16.to_ne_bytes());
        let followed = [&notices[..], &[Notice::Address]].concat();
        assert_eq!(decode(&[octets, &address].concat()), followed, "the next message is read");
    }

    let links = || {
        vec![Link {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some("02:00:00:00:00:01".parse().expect("it is one")),
            addresses: vec!["10.0.0.1/8".parse().expect("it is one")],
            running: true,
        }]
    };
    let mut watch = Watch::new(vec!["10.0.0.0/8".parse().expect("it is one")], None, &links());
    let now = Duration::from_secs(1);
    watch.on_notices(now, &notices, links);
    let about = |wanted: fn(&Notice) -> bool| notices.iter().any(wanted);
    match watch.look(now + PATIENCE) {
        Look::Nothing => assert!(watch.next_look().is_none() && !notices.contains(&Notice::Lost)),
        Look::LookUp(pairs) => {
            assert!(!pairs.is_empty() && pairs.len() <= notices.len());
            assert!(about(|notice| matches!(notice, Notice::Neighbour { .. })));
        }
        Look::Begin(_) => assert!(about(|notice| matches!(notice, Notice::Link { .. } | Notice::Lost))),
    }
});
