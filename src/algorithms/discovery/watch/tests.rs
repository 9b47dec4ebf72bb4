use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn link(name: &str, index: u32, address: &str) -> Link {
    Link {
        name: name.to_owned(),
        index,
        mac: Some(MacAddr::new([2, 0, 0, 0, 1, index as u8])),
        addresses: vec![address.parse().unwrap()],
        running: true,
    }
}

fn links() -> Vec<Link> {
    vec![link("eth0", 2, "10.0.1.250/24"), link("eth1", 3, "10.9.0.1/16")]
}

fn subnets() -> Vec<Subnet> {
    vec!["10.0.1.0/24".parse().unwrap()]
}

fn watch() -> Watch {
    Watch::new(subnets(), None, &links())
}

fn pair(last: u8) -> Pair {
    Pair { address: [10, 0, 1, last].into(), mac: MacAddr::new([2, 0, 0, 0, 0, last]) }
}

fn eth0() -> Reason {
    Reason::Link("eth0".to_owned())
}

#[test]
fn a_cycle_begins_when_it_has_been_quiet() {
    let mut watch = watch();
    assert_eq!((watch.next_look(), watch.look(at(100))), (None, Look::Nothing));
    watch.on_link(at(100), 2, false);
    watch.on_link(at(101), 2, true);
    assert_eq!(watch.next_look(), Some(at(103)));
    assert_eq!(watch.look(at(102)), Look::Nothing);
    assert_eq!(watch.look(at(103)), Look::Begin(eth0()));
    watch.began(at(103));
    assert_eq!(watch.next_look(), None);
}

#[test]
fn what_is_never_quiet_waits_ten_seconds() {
    let mut watch = watch();
    for second in 100..110 {
        assert_eq!(watch.look(at(second)), Look::Nothing);
        watch.on_link(at(second), 2, second % 2 == 1);
    }
    assert_eq!(watch.look(at(110)), Look::Begin(eth0()));
}

#[test]
fn only_what_the_subnets_lie_on_counts() {
    let mut watch = watch();
    watch.on_link(at(1), 3, false);
    watch.on_link(at(1), 7, true);
    watch.on_link(at(1), 2, true);
    let mut others = links();
    others[0].addresses.push("192.168.7.1/24".parse().unwrap());
    others[1].running = false;
    others.push(link("eth2", 4, "172.16.0.1/12"));
    watch.on_links(at(1), &others);
    assert_eq!(watch.next_look(), None);
    for change in [
        |links: &mut Vec<Link>| links[0].running = false,
        |links: &mut Vec<Link>| links[0].addresses = vec!["10.0.1.7/24".parse().unwrap()],
        |links: &mut Vec<Link>| links[0].mac = None,
        |links: &mut Vec<Link>| drop(links.remove(0)),
        |links: &mut Vec<Link>| links[0].index = 9,
    ] {
        let (mut watch, mut changed) = (self::watch(), links());
        change(&mut changed);
        watch.on_links(at(1), &changed);
        assert_eq!(watch.look(at(3)), Look::Begin(eth0()), "{changed:?}");
    }
    let mut watch = self::watch();
    watch.on_links(at(1), &[links(), vec![link("eth5", 5, "10.0.1.9/24")]].concat());
    assert_eq!(watch.look(at(3)), Look::Begin(Reason::Link("eth5".to_owned())));
}

#[test]
fn where_one_interface_is_named_the_others_do_not_count() {
    let mut watch = Watch::new(subnets(), Some("eth0".to_owned()), &links());
    watch.on_links(at(1), &[links(), vec![link("eth5", 5, "10.0.1.9/24")]].concat());
    assert_eq!(watch.next_look(), None);
    watch.on_links(at(2), &[]);
    assert_eq!(watch.look(at(4)), Look::Begin(eth0()));
}

#[test]
fn a_pair_that_the_nib_has_is_no_reason() {
    let mut watch = watch();
    watch.on_pair(at(1), pair(7));
    watch.on_pair(at(2), pair(8));
    assert_eq!(watch.look(at(4)), Look::LookUp(vec![pair(7), pair(8)]));
    assert_eq!(watch.looked_up(&[pair(7), pair(8)], &[]), None);
    watch.on_pair(at(5), pair(7));
    assert_eq!(watch.next_look(), None, "it is not even looked up again");
}

#[test]
fn an_unknown_pair_is_a_reason_once_until_a_cycle_of_another_kind() {
    let mut watch = watch();
    watch.on_pair(at(1), pair(7));
    watch.on_pair(at(1), pair(8));
    assert_eq!(watch.looked_up(&[pair(7), pair(8)], &[pair(8)]), Some(Reason::Neighbour(pair(8))));
    watch.began(at(3));
    watch.on_cycle(at(3), true);
    watch.on_pair(at(100), pair(8));
    assert_eq!(watch.next_look(), None, "it was asked for and not found");
    watch.on_cycle(at(300), false);
    watch.on_pair(at(400), pair(8));
    assert_eq!(watch.look(at(402)), Look::LookUp(vec![pair(8)]));
}

#[test]
fn own_addresses_and_those_of_others_are_not_listened_to() {
    let mut watch = watch();
    watch.on_pair(at(1), Pair { mac: links()[0].mac.unwrap(), ..pair(7) });
    watch.on_pair(at(1), Pair { address: [10, 0, 2, 7].into(), ..pair(7) });
    watch.on_pair(at(1), Pair { address: [10, 0, 1, 255].into(), ..pair(7) });
    assert_eq!(watch.next_look(), None);
}

#[test]
fn what_says_itself_again_does_not_put_the_cycle_off() {
    let mut watch = watch();
    for second in 1..=3 {
        watch.on_pair(at(second), pair(7));
    }
    assert_eq!(watch.next_look(), Some(at(3)));
}

#[test]
fn what_happened_before_another_cycle_began_is_no_reason_after_it() {
    let mut watch = watch();
    watch.on_link(at(10), 2, false);
    watch.on_cycle(at(11), false);
    assert_eq!(watch.next_look(), None);
    watch.on_link(at(20), 2, true);
    watch.on_cycle(at(19), false);
    assert_eq!(watch.look(at(22)), Look::Begin(eth0()), "it happened while the cycle ran");
}

#[test]
fn while_another_cycle_goes_on_its_end_is_waited_for() {
    let mut watch = watch();
    watch.on_link(at(10), 2, false);
    watch.refused(at(12));
    assert_eq!(watch.look(at(41)), Look::Nothing);
    assert_eq!(watch.look(at(42)), Look::Begin(eth0()), "should nobody tell of the end");
    watch.refused(at(42));
    watch.on_cycle(at(9), false);
    assert_eq!(watch.look(at(43)), Look::Begin(eth0()));
    watch.refused(at(43));
    watch.on_failure();
    assert_eq!(watch.look(at(44)), Look::Begin(eth0()));
}

#[test]
fn other_subnets_hold_at_once_and_are_no_reason_themselves() {
    let mut watch = watch();
    watch.on_pair(at(1), pair(7));
    watch.cover(vec!["10.9.0.0/16".parse().unwrap()], &links());
    assert_eq!(watch.next_look(), None);
    watch.on_link(at(10), 2, false);
    assert_eq!(watch.next_look(), None);
    watch.on_link(at(10), 3, false);
    assert_eq!(watch.look(at(12)), Look::Begin(Reason::Link("eth1".to_owned())));
}

#[test]
fn a_cycle_that_began_before_other_subnets_held_does_not_bring_the_old_ones_back() {
    let mut watch = watch();
    watch.cover(vec!["10.9.0.0/16".parse().unwrap()], &links());
    watch.on_cycle(at(1), false);
    watch.on_link(at(10), 3, false);
    assert_eq!(watch.look(at(12)), Look::Begin(Reason::Link("eth1".to_owned())));
}

#[test]
fn what_the_kernel_tells_is_taken_in_its_order_and_links_are_looked_at_once() {
    let mut watch = watch();
    let Pair { address, mac } = pair(7);
    watch.on_notices(at(1), &[Notice::Neighbour { address, mac }], || panic!("no link is concerned"));
    assert_eq!(watch.look(at(3)), Look::LookUp(vec![pair(7)]));
    let mut looks = 0;
    let notices = [false, true].map(|running| Notice::Link { index: 2, running });
    watch.on_notices(at(4), &[&notices[..], &[Notice::Address]].concat(), || {
        looks += 1;
        links()
    });
    assert_eq!((looks, watch.look(at(6))), (1, Look::Begin(eth0())), "it went and came back");
    watch.began(at(6));
    watch.on_notices(at(40), &[Notice::Lost], links);
    assert_eq!(watch.look(at(42)), Look::Begin(Reason::Lost));
}

#[test]
fn a_flood_is_not_listened_to() {
    let mut watch = watch();
    assert!(watch.on_heard(at(1), MOST_A_SECOND));
    assert!(!watch.on_heard(at(1), 1));
    assert!(watch.on_heard(at(2), 1));
}

#[test]
fn memory_is_bounded_whatever_is_announced() {
    let mut watch = Watch::new(vec!["10.0.0.0/8".parse().unwrap()], None, &[link("eth0", 2, "10.0.0.1/8")]);
    for round in 0_u32..20 {
        for number in 0..1_000_u32 {
            let address = Ipv4Addr::from_bits(0x0a00_0002 + round * 1_000 + number);
            watch.on_pair(at(u64::from(round)), Pair { address, ..pair(7) });
        }
        assert!(watch.waiting.len() <= MOST_WAITING);
        watch.began(at(u64::from(round)));
    }
    assert!(watch.settled.len() < MOST_SETTLED + MOST_WAITING);
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Happens {
    Link(bool),
    Links(bool),
    Pair(u8),
    Loss,
    CycleEnds(bool),
}

fn happens() -> impl Strategy<Value = (u64, Happens)> {
    let what = prop_oneof![
        any::<bool>().prop_map(Happens::Link),
        any::<bool>().prop_map(Happens::Links),
        (1_u8..20).prop_map(Happens::Pair),
        Just(Happens::Loss),
        any::<bool>().prop_map(Happens::CycleEnds),
    ];
    (0_u64..4_000, what)
}

proptest! {
    /// Whatever happens, as fast as it likes: cycles are apart, and none begins before it was quiet or
    /// something had waited its time; what waits is looked at in the end.
    #[test]
    fn cycles_are_apart_and_none_is_forgotten(story in vec(happens(), 1..200), unknown in any::<bool>()) {
        let mut watch = watch();
        let (mut now, mut begun, mut last) = (Duration::ZERO, None, None);
        for (wait, what) in story {
            let until = now + Duration::from_millis(wait);
            // The shell looks whenever the core says so.
            while let Some(next) = watch.next_look().filter(|next| *next <= until) {
                now = now.max(next);
                let reason = match watch.look(now) {
                    Look::Nothing => return Err(TestCaseError::fail("it said that there was something to do")),
                    Look::Begin(reason) => Some(reason),
                    Look::LookUp(pairs) => watch.looked_up(&pairs, if unknown { &pairs } else { &[] }),
                };
                if reason.is_some() {
                    prop_assert!(begun.is_none_or(|begun| now >= begun + APART), "{begun:?} {now:?}");
                    prop_assert!(last.is_some(), "nothing happened");
                    watch.began(now);
                    begun = Some(now);
                }
            }
            now = until;
            let mut links = links();
            match what {
                Happens::Link(running) => watch.on_link(now, 2, running),
                Happens::Links(running) => {
                    links[0].running = running;
                    watch.on_links(now, &links);
                }
                Happens::Pair(number) => watch.on_pair(now, pair(number)),
                Happens::Loss => watch.on_loss(now),
                Happens::CycleEnds(event_driven) => watch.on_cycle(now, event_driven),
            }
            last = Some(now);
            if let Some(next) = watch.next_look() {
                prop_assert!(next <= now + PATIENCE.max(APART), "{next:?} {now:?}");
            }
        }
    }
}
