//! The loop of the sweeper's thread, run on the test's own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pdsno::actors::sweeper::{Progress, Sweep, SweepError, SweepOrder, Sweeper, Swept, sweep};
use pdsno::algorithms::discovery::credentials::prepare;
use pdsno::algorithms::discovery::plan::plan;
use pdsno::domain::address::MacAddr;
use pdsno::domain::fact::SnmpFailure;
use pdsno::domain::policy::Probing;
use pdsno::domain::protocol::Protocol;
use pdsno::domain::secret::Community;
use pdsno::domain::time::Clock;

use crate::carrier::{Behind, HandClock, ScriptedCarrier, Shared, arp_reply, locked, mac, script};

/// The longest time without a look at the cancel flag.
const ATTENTION: Duration = Duration::from_millis(50);

struct Run {
    swept: Swept,
    progress: Progress,
    took: Duration,
}

impl Run {
    fn hosts(&self, link: usize) -> BTreeSet<(Ipv4Addr, MacAddr)> {
        self.swept.outcomes[link].hosts.iter().map(|host| (host.address, host.mac.unwrap())).collect()
    }

    fn failed(&self, link: usize) -> Option<&str> {
        self.swept.outcomes[link].failed.as_deref()
    }
}

fn order(script: &Shared, protocols: &[Protocol]) -> SweepOrder {
    let links = locked(script).interfaces.len();
    SweepOrder {
        subnets: (1..=links).map(|number| format!("10.0.{number}.0/28").parse().unwrap()).collect(),
        interface: None,
        protocols: protocols.to_vec(),
        probing: Probing::default(),
        credentials: prepare(&[Community::new("public").unwrap().into()]),
        neighbours: false,
        counters: false,
        seed: 7,
    }
}

fn run(script: &Shared, protocols: &[Protocol]) -> Run {
    run_until(script, protocols, &Arc::default(), &AtomicBool::new(false))
}

fn run_until(script: &Shared, protocols: &[Protocol], clock: &Arc<HandClock>, cancel: &AtomicBool) -> Run {
    let order = order(script, protocols);
    let find_links = || locked(script).interfaces.clone();
    let plans = plan(&order.subnets, None, &find_links()).unwrap();
    let progress = Progress::default();
    let mut carrier = ScriptedCarrier::new(script, clock);
    let swept = sweep(plans, &order, &mut carrier, &find_links, clock.as_ref(), cancel, &progress);
    Run { swept, progress, took: clock.elapsed() }
}

fn expected(link: u8, hosts: &[u8]) -> BTreeSet<(Ipv4Addr, MacAddr)> {
    hosts.iter().map(|host| (Ipv4Addr::new(10, 0, link, *host), mac(link, *host))).collect()
}

#[test]
fn two_links_are_swept_at_once_each_from_its_own_address() {
    let script = script([vec![1, 5], vec![2]]);
    let run = run(&script, &[Protocol::Arp]);
    assert_eq!((run.hosts(0), run.hosts(1)), (expected(1, &[1, 5]), expected(2, &[2])));
    assert_eq!((run.swept.asked.len(), run.swept.cancelled), (2, false));
    let progress = run.progress.now();
    assert_eq!((progress.settled, progress.targets, progress.hosts), (26, 26, 3));
    // As long as the slower of them, not as both.
    assert!(run.took < Duration::from_millis(2_700), "{:?}", run.took);
    for (name, number) in [("eth1", 1), ("eth2", 2)] {
        for frame in &locked(&script).records[name].sent {
            assert_eq!((&frame[6..12], &frame[28..32]), (&[2, 0, 0, 0, 0xff, number][..], &[10, 0, number, 14][..]));
        }
    }
}

#[test]
fn a_frame_that_finds_the_queue_full_is_offered_again_until_it_is_taken() {
    let script = script([vec![1, 5, 9]]);
    locked(&script).links.get_mut("eth1").unwrap().refusals = 3;
    let run = run(&script, &[Protocol::Arp]);
    assert_eq!(run.hosts(0), expected(1, &[1, 5, 9]));
    let record = locked(&script).records["eth1"].clone();
    assert_eq!(record.offered.len(), 4 * record.sent.len());
    assert!(record.offered.chunks(4).zip(&record.sent).all(|(offers, sent)| offers.iter().all(|offer| offer == sent)));
    assert_eq!(run.swept.outcomes[0].stats[0].1.sent, record.sent.len() as u64);
}

#[test]
fn a_queue_that_never_empties_costs_its_link_and_no_other() {
    let script = script([vec![1], vec![2]]);
    locked(&script).links.get_mut("eth1").unwrap().refusals = u32::MAX;
    let run = run(&script, &[Protocol::Arp]);
    assert_eq!(run.failed(0), Some("the queue of eth1 stays full"));
    assert_eq!((run.failed(1), run.hosts(1)), (None, expected(2, &[2])));
    assert_eq!(run.swept.asked.len(), 1);
    assert!(run.took < Duration::from_secs(6), "{:?}", run.took);
}

#[test]
fn a_link_that_goes_down_is_named_and_what_it_told_before_is_kept() {
    let script = script([vec![1, 2, 3, 4, 5, 6], vec![2]]);
    locked(&script).links.get_mut("eth1").unwrap().down_after = Some(8);
    let run = run(&script, &[Protocol::Arp]);
    assert!(run.failed(0).unwrap().starts_with("eth1 is down: "), "{:?}", run.failed(0));
    assert!(run.hosts(0).is_subset(&expected(1, &[1, 2, 3, 4, 5, 6])));
    assert_eq!((run.failed(1), run.hosts(1)), (None, expected(2, &[2])));
    let asked = &run.swept.asked;
    assert!(
        asked.len() == 1 && asked[0].addresses.contains([10, 0, 2, 1].into()),
        "silence on the failed link means nothing"
    );
}

#[test]
fn a_link_without_a_carrier_sends_nothing_and_its_silence_means_nothing() {
    let script = script([vec![], vec![2]]);
    locked(&script).interfaces[0].running = false;
    let run = run(&script, &[Protocol::Arp]);
    assert_eq!((run.failed(0), run.failed(1)), (Some("eth1 is down or has no carrier"), None));
    assert!(!locked(&script).records.contains_key("eth1"));
    assert_eq!(run.swept.asked.len(), 1);
}

#[test]
fn a_cable_that_is_pulled_in_mid_sweep_is_noticed_though_every_frame_left() {
    let script = script([vec![1]]);
    let (clock, unplug) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let pulled = Arc::clone(&unplug);
    locked(&script).on_wait = Some(Box::new(move |number, _| pulled.store(number >= 3, Ordering::Relaxed)));
    let order = order(&script, &[Protocol::Arp]);
    let find_links = || {
        let mut interfaces = locked(&script).interfaces.clone();
        interfaces[0].running = !unplug.load(Ordering::Relaxed);
        interfaces
    };
    let plans = plan(&order.subnets, None, &find_links()).unwrap();
    let mut carrier = ScriptedCarrier::new(&script, &clock);
    let never = AtomicBool::new(false);
    let swept = sweep(plans, &order, &mut carrier, &find_links, clock.as_ref(), &never, &Progress::default());
    assert_eq!(swept.outcomes[0].failed.as_deref(), Some("eth1 is down or has no carrier"));
    assert_eq!((swept.outcomes[0].hosts.len(), swept.asked.len()), (1, 0));
}

#[test]
fn a_sweep_that_is_cancelled_ends_within_its_attention() {
    let script = script([vec![1]]);
    let (clock, cancel) = (Arc::new(HandClock::default()), Arc::new(AtomicBool::new(false)));
    let (at, flag) = (Arc::clone(&clock), Arc::clone(&cancel));
    let asked_at = Arc::new(HandClock::default());
    let mark = Arc::clone(&asked_at);
    locked(&script).on_wait = Some(Box::new(move |number, timeout| {
        assert!(timeout <= ATTENTION, "{timeout:?}");
        if number == 5 {
            mark.advance(at.elapsed());
            flag.store(true, Ordering::Relaxed);
        }
    }));
    let run = run_until(&script, &[Protocol::Arp], &clock, &cancel);
    assert!(run.swept.cancelled);
    assert_eq!(run.swept.asked, [], "silence means nothing");
    assert!(run.took - asked_at.elapsed() <= ATTENTION);
}

#[test]
fn a_flood_does_not_keep_a_sweep_from_its_work_or_its_end() {
    let script = script([vec![1, 2]]);
    let mut stranger = vec![0; 60];
    pdsno::wire::arp::encode_request(&mut stranger, mac(9, 9), [10, 9, 9, 9].into(), [10, 0, 1, 14].into());
    let clock = Arc::new(HandClock::default());
    let ticking = Arc::clone(&clock);
    locked(&script).links.get_mut("eth1").unwrap().flood = Some(arp_reply(&stranger, mac(9, 8)));
    locked(&script).on_wait = Some(Box::new(move |_, _| ticking.advance(ATTENTION)));
    let run = run_until(&script, &[Protocol::Arp], &clock, &AtomicBool::new(false));
    assert_eq!(run.hosts(0), expected(1, &[1, 2]));
}

#[test]
fn an_answer_in_fragments_reaches_the_host_that_gave_it() {
    let script = script([vec![3], vec![4, 6]]);
    locked(&script).links.values_mut().for_each(|link| link.in_fragments = true);
    locked(&script).links.get_mut("eth2").unwrap().in_fragments = false;
    let run = run(&script, &[Protocol::Arp, Protocol::Snmp]);
    let answer =
        |link: usize| run.swept.outcomes[link].hosts.iter().map(|host| host.snmp.clone().unwrap()).collect::<Vec<_>>();
    assert!(answer(0)[0].is_ok(), "{:?}", answer(0));
    assert_eq!(answer(1), [Err(SnmpFailure::Timeout), Err(SnmpFailure::Timeout)]);
}

/// A sweep of 10.2.0.0/28, which no link covers.
fn routed(script: &Shared, protocols: &[Protocol]) -> Swept {
    let clock: Arc<HandClock> = Arc::default();
    let order = SweepOrder { subnets: vec!["10.2.0.0/28".parse().unwrap()], ..order(script, protocols) };
    let find_links = || locked(script).interfaces.clone();
    let plans = plan(&order.subnets, None, &find_links()).unwrap();
    let mut carrier = ScriptedCarrier::new(script, &clock);
    sweep(plans, &order, &mut carrier, &find_links, clock.as_ref(), &AtomicBool::new(false), &Progress::default())
}

fn behind(script: &Shared, there: impl IntoIterator<Item = (u8, Behind)>) {
    locked(script).routed = there.into_iter().map(|(last, what)| (Ipv4Addr::new(10, 2, 0, last), what)).collect();
}

#[test]
fn a_routed_subnet_is_asked_through_the_kernel_and_no_frame_leaves() {
    let script = script([vec![1]]);
    behind(&script, (1..15).map(|last| (last, if last % 5 == 0 { Behind::Host } else { Behind::Nobody })));
    locked(&script).full = 7;
    let swept = routed(&script, &Protocol::ALL);
    let outcome = &swept.outcomes[0];
    let mut found: Vec<_> = outcome.hosts.iter().map(|host| (host.address.octets()[3], host.mac)).collect();
    found.sort_unstable();
    assert_eq!((found, outcome.targets), (vec![(5, None), (10, None)], 14));
    for host in &outcome.hosts {
        assert_eq!(host.methods, [Protocol::Icmp, Protocol::Snmp]);
        assert!(matches!(host.snmp, Some(Ok(_))), "{host:?}");
    }
    let [(_, arp), (_, icmp), (_, snmp)] = &outcome.stats;
    assert_eq!((arp.sent, icmp.sent, icmp.received, icmp.hosts, snmp.hosts), (0, 2 + 3 * 12, 2, 2, 2));
    assert_eq!((&outcome.failed, locked(&script).records.len()), (&None, 0));
    assert!(swept.asked[0].judges([10, 2, 0, 3].into(), &[Protocol::Icmp]));
}

#[test]
fn what_has_no_route_or_is_barred_is_named_counted_and_not_judged() {
    let script = script([vec![1]]);
    behind(&script, [(1, Behind::Host), (2, Behind::Prohibited), (3, Behind::Nobody)]);
    let swept = routed(&script, &[Protocol::Icmp]);
    let outcome = &swept.outcomes[0];
    assert_eq!(outcome.hosts.len(), 1);
    let (_, icmp) = &outcome.stats[1];
    // One answers at once, two are asked three times, and nothing leaves to the others.
    assert_eq!((icmp.sent, icmp.unreachable), (1 + 2 * 3, 3));
    let named = "no route to 10.2.0.4, 10.2.0.5, 10.2.0.6, 10.2.0.7, 10.2.0.8, 10.2.0.9, 10.2.0.10, 10.2.0.11, 3 more addresses";
    assert_eq!((icmp.error.as_deref(), &outcome.failed), (Some(named), &None));
    let judged = (1..15).filter(|last| swept.asked[0].judges([10, 2, 0, *last].into(), &[Protocol::Icmp]));
    assert_eq!(judged.collect::<Vec<u8>>(), [1, 3]);
}

#[test]
fn a_subnet_without_a_route_is_named_and_nothing_leaves() {
    let script = script([vec![1]]);
    let swept = routed(&script, &Protocol::ALL);
    assert_eq!(swept.outcomes[0].failed.as_deref(), Some("no route to 10.2.0.0/28"));
    assert!(swept.outcomes[0].stats.iter().all(|(_, stats)| stats.sent == 0));
    assert!(swept.asked.is_empty());
}

#[test]
fn without_frames_a_link_is_asked_through_the_kernel_and_its_table_tells_who_is_who() {
    let script = script([vec![1]]);
    locked(&script).routed = (1..15).map(|last| (Ipv4Addr::new(10, 0, 1, last), Behind::Host)).collect();
    locked(&script).neighbours = (1..5).map(|last| (Ipv4Addr::new(10, 0, 1, last), mac(1, last))).collect();
    let clock: Arc<HandClock> = Arc::default();
    let order = order(&script, &Protocol::ALL);
    let find_links = || locked(&script).interfaces.clone();
    let plans = plan(&order.subnets, None, &find_links()).unwrap().without_frames("no permission");
    let mut carrier = ScriptedCarrier::new(&script, &clock);
    let never = AtomicBool::new(false);
    let swept = sweep(plans, &order, &mut carrier, &find_links, clock.as_ref(), &never, &Progress::default());
    let outcome = &swept.outcomes[0];
    // .14 is this host.
    assert_eq!((outcome.targets, outcome.hosts.len()), (13, 13));
    for host in &outcome.hosts {
        let last = host.address.octets()[3];
        assert_eq!((host.mac, host.methods.contains(&Protocol::Arp)), ((last < 5).then(|| mac(1, last)), last < 5));
    }
    assert_eq!(outcome.stats[0].1.error.as_deref(), Some("no permission"));
    assert!(!swept.asked[0].judges([10, 0, 1, 9].into(), &[Protocol::Arp]));
}

#[test]
fn a_third_order_is_refused_while_two_are_in_hand() {
    let script = script([vec![1]]);
    let clock = Arc::new(HandClock::default());
    let (carrier, gate) = ScriptedCarrier::gated(&script, &clock);
    let interfaces = locked(&script).interfaces.clone();
    let sweeper = Sweeper::start(carrier, move || interfaces.clone(), clock).unwrap();
    let order = order(&script, &[Protocol::Arp]);
    let mut answers = Vec::new();
    let refusal = loop {
        match sweeper.order(order.clone()) {
            Ok(answer) => answers.push(answer),
            Err(refusal) => break refusal,
        }
        assert!(answers.len() <= 2, "one in work, one in the queue");
    };
    assert!(matches!(refusal, SweepError::Busy));
    answers.iter().for_each(|_| gate.open());
    for answer in answers {
        let swept = answer.blocking_recv().unwrap().unwrap();
        assert_eq!(swept.outcomes[0].hosts.len(), 1);
    }
}
