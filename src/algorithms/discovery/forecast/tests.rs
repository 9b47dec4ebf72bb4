use super::*;
use crate::algorithms::discovery::credentials::prepare;
use crate::algorithms::discovery::plan::{Plans, plan};
use crate::domain::address::MacAddr;
use crate::domain::credential::Credential;
use crate::domain::policy::Probing;
use crate::domain::protocol::Protocol;
use crate::domain::secret::Community;

fn settings(protocols: &[Protocol], communities: &[&str]) -> SweepSettings {
    let credentials: Vec<Credential> =
        communities.iter().map(|text| Credential::from(Community::new(text).unwrap())).collect();
    SweepSettings {
        protocols: protocols.to_vec(),
        probing: Probing::default(),
        credentials: prepare(&credentials),
        neighbours: false,
        counters: false,
        snmp_port: 0,
    }
}

fn links() -> [Link; 2] {
    let link = |index: u32, address: &str| Link {
        name: format!("eth{index}"),
        index,
        mac: Some(MacAddr::new([2, 0, 0, 0, 0, 9])),
        addresses: vec![address.parse().unwrap()],
        running: true,
    };
    [link(0, "10.0.1.250/24"), link(1, "10.9.0.1/16")]
}

fn planned(subnets: &[&str]) -> Plans {
    let subnets: Vec<Subnet> = subnets.iter().map(|text| text.parse().unwrap()).collect();
    plan(&subnets, None, &links()).unwrap()
}

fn plans(subnets: &[&str]) -> Vec<LinkPlan> {
    planned(subnets).links
}

fn of(subnet: &str, settings: &SweepSettings) -> WayForecast {
    by_frames(&plans(&[subnet])[0], settings)
}

/// By the router 10.0.1.1, but for 10.2.0.4 to .7, which have no route.
fn route_to(address: Ipv4Addr) -> Result<Route, Unroutable> {
    let near = address.octets()[..3] == [10, 0, 1];
    let routed = Route { interface: 0, gateway: Some([10, 0, 1, 1].into()), source: [10, 0, 1, 250].into() };
    match address.octets() {
        [10, 2, 0, 4..=7] => Err(Unroutable::NoRoute),
        _ if near => Ok(Route { gateway: None, ..routed }),
        _ => Ok(routed),
    }
}

/// The kernel's way to these, with a neighbour table of which so many entries may be used.
fn through(plans: &Plans, neighbours: usize, settings: &SweepSettings) -> WayForecast {
    let stack = KernelStack { links: &links(), neighbours };
    through_kernel(plans.kernel.as_ref().unwrap(), stack, settings, &mut route_to)
}

#[test]
fn a_subnet_is_asked_without_its_ends_and_ourselves() {
    let one = of("10.0.1.0/24", &settings(&Protocol::ALL, &["public"]));
    let eth0 = Way::Frames { interface: "eth0".to_owned(), running: true };
    assert_eq!((one.addresses, &one.way), (253, &eth0));
    let expected = SubnetForecast {
        subnet: "10.0.1.0/24".parse().unwrap(),
        hops: vec![Hop { interface: "eth0".to_owned(), gateway: None, source: [10, 0, 1, 250].into() }],
        addresses: 253,
        without_route: 0,
    };
    assert_eq!(one.subnets, [expected]);
    let other = of("10.0.1.0/28", &settings(&Protocol::ALL, &["public"]));
    assert_eq!(other.addresses, 14, "we are elsewhere on the link");
}

#[test]
fn an_empty_subnet_costs_each_attempt_and_the_waits_of_the_last_address() {
    let nobody = of("10.0.1.0/24", &settings(&Protocol::ALL, &["public"])).courses.nobody_answers;
    assert_eq!((nobody.arp, nobody.total()), (Traffic { packets: 759, octets: 759 * 64 }, nobody.arp));
    // 758 gaps of half a millisecond, and waits of 0.5, 1 and (capped) 1 s.
    assert_eq!(nobody.duration, Duration::from_millis(379 + 2_500));
    assert!((nobody.packets_per_second() - 759.0 / 2.879).abs() < 0.01);
    assert!((nobody.kbit_per_second() - 759.0 * 64.0 * 8.0 / 2_879.0).abs() < 0.01);
}

#[test]
fn communities_are_tried_side_by_side_in_each_attempt() {
    let of_one = of("10.0.1.0/28", &settings(&[Protocol::Snmp], &["public"])).courses;
    let of_two = of("10.0.1.0/28", &settings(&[Protocol::Snmp], &["public", "longer-than-public"])).courses;
    assert_eq!(of_one.slowest.icmp, Traffic::default());
    // Rows 1 to 52 by eights, and the seventh question ends the table.
    assert_eq!(of_one.slowest.snmp.packets, 14 * 6 * (1 + 7));
    assert_eq!(of_two.slowest.snmp.packets, 14 * 6 * (2 + 7));
    assert_eq!(of_two.everybody_answers.snmp, of_one.everybody_answers.snmp, "the first who refuses is believed");
    assert!(of_two.slowest.snmp.octets > of_one.slowest.snmp.octets + 14 * 6 * 64);
    assert_eq!(of("10.0.1.0/28", &settings(&[Protocol::Snmp], &[])).courses.slowest.snmp, Traffic::default());
}

#[test]
fn the_courses_are_in_order_whatever_is_asked() {
    for attempts in 1..=10 {
        for rate in [1, 20, 2_000, 1_000_000] {
            let mut settings = settings(&Protocol::ALL, &["public", "private"]);
            settings.probing = Probing { rate, attempts, timeout: Duration::from_millis(100) };
            for subnet in ["10.0.1.0/32", "10.0.1.0/24", "10.9.0.0/16"] {
                let courses = of(subnet, &settings).courses;
                let (few, most) = (courses.fewest_packets, courses.slowest.total().packets);
                assert!(few > 0 && few < most, "{subnet} {attempts} {rate}");
                assert!(courses.expected() < courses.slowest.duration, "{subnet} {attempts} {rate}");
                assert!(courses.slowest.packets_per_second() <= f64::from(rate) * 1.01);
            }
        }
    }
}

#[test]
fn links_are_swept_at_the_same_time() {
    let settings = settings(&[Protocol::Arp], &[]);
    let links: Vec<WayForecast> =
        plans(&["10.0.1.0/24", "10.9.0.0/16"]).iter().map(|plan| by_frames(plan, &settings)).collect();
    let all = together(&links);
    assert_eq!(all.nobody_answers.arp.packets, 3 * (253 + 65_533));
    assert_eq!(all.nobody_answers.duration, links[1].courses.nobody_answers.duration);
    assert_eq!(all.nobody_answers.memory, links.iter().map(|link| link.courses.nobody_answers.memory).sum::<u64>());
    assert!(all.nobody_answers.memory < 200 * 65_800);
    assert_eq!(together(&[]), Courses::default());
}

#[test]
fn nobody_to_ask_costs_nothing() {
    let alone = of("10.0.1.250/32", &settings(&Protocol::ALL, &["public"]));
    assert_eq!((alone.addresses, alone.courses), (0, Courses::default()));
}

#[test]
fn the_slowest_course_counts_the_attempts_of_a_link_that_loses_packets() {
    let mut settings = settings(&[Protocol::Arp, Protocol::Icmp], &[]);
    let slowest = |subnet: &str, settings: &SweepSettings| {
        let way = of(subnet, settings);
        (way.most_attempts, way.courses.slowest.arp.packets, way.courses.slowest.icmp.packets)
    };
    assert_eq!(slowest("10.0.1.0/28", &settings), (6, 14 * 6, 14 * 6));
    assert_eq!(slowest("10.0.1.0/30", &settings), (3, 2 * 3, 2 * 3), "two hosts tell of themselves, not of the link");
    settings.probing.attempts = 1;
    assert_eq!(slowest("10.0.1.0/28", &settings), (1, 14, 14), "nobody is asked again who could tell");
}

#[test]
fn through_the_kernel_the_echo_comes_first_and_nobody_is_asked_by_arp() {
    let plans = planned(&["10.2.0.0/28", "10.3.0.0/28"]);
    let all = through(&plans, 512, &settings(&Protocol::ALL, &["public"]));
    assert_eq!(all.way, Way::Kernel { instead_of_frames: None });
    let counted: Vec<_> = all.subnets.iter().map(|subnet| (subnet.addresses, subnet.without_route)).collect();
    assert_eq!((all.addresses, counted), (24, vec![(10, 4), (14, 0)]));
    let hop = Hop { interface: "eth0".to_owned(), gateway: Some([10, 0, 1, 1].into()), source: [10, 0, 1, 250].into() };
    assert!(all.subnets.iter().all(|subnet| subnet.hops == [hop.clone()]) && all.leads_anywhere());
    let Courses { everybody_answers, nobody_answers, slowest, .. } = all.courses;
    assert_eq!([everybody_answers, nobody_answers, slowest].map(|course| course.arp.packets), [0; 3]);
    assert_eq!((everybody_answers.icmp.packets, everybody_answers.snmp.packets), (24, 24));
    assert_eq!((nobody_answers.icmp.packets, nobody_answers.snmp.packets), (3 * 24, 0));
    assert_eq!((slowest.icmp.packets, slowest.snmp.packets), (6 * 24, 6 * 24 * 8));
    // Who does not want echoes is found by them all the same.
    let only_snmp = through(&plans, 512, &settings(&[Protocol::Snmp], &["public"]));
    assert_eq!(only_snmp.courses.nobody_answers, nobody_answers);
}

#[test]
fn what_has_no_route_costs_nothing() {
    let nowhere = through(&planned(&["10.2.0.4/31"]), 512, &settings(&Protocol::ALL, &["public"]));
    assert_eq!((nowhere.addresses, nowhere.courses, nowhere.leads_anywhere()), (0, Courses::default(), false));
    assert_eq!(nowhere.subnets[0].without_route, 2);
}

#[test]
fn on_link_the_neighbour_table_holds_up_who_is_asked() {
    let settings = settings(&[Protocol::Icmp], &[]);
    let near = planned(&["10.0.1.0/24"]).without_frames("no permission");
    let fast = through(&near, 1_000, &settings);
    assert_eq!(fast.way, Way::Kernel { instead_of_frames: Some("no permission".to_owned()) });
    assert_eq!((fast.addresses, &fast.subnets[0].hops[0].gateway), (253, &None));
    // 100 at once, and 100 five seconds later, and 53 five seconds after that.
    let held = through(&near, 100, &settings).courses;
    let held_up = Duration::from_secs(10);
    assert_eq!(held.everybody_answers.duration, held_up);
    assert_eq!(held.nobody_answers.duration, held_up + Duration::from_millis(2_500));
    assert_eq!(held.slowest.duration, fast.courses.slowest.duration + held_up);
    assert_eq!((held.least_duration, held.fewest_packets), (held_up, 253));
    // Behind a router nobody takes an entry.
    let far = through(&planned(&["10.3.0.0/24"]), 100, &settings).courses;
    assert!(far.slowest.duration < held_up, "{:?}", far.slowest.duration);
}

#[test]
fn of_very_many_addresses_some_stand_for_all() {
    let mut looked_up = 0;
    let mut route_to = |address: Ipv4Addr| {
        looked_up += 1;
        if address.octets()[1] < 128 { route_to(address) } else { Err(Unroutable::NoRoute) }
    };
    let plans = planned(&["10.0.0.0/8"]);
    let stack = KernelStack { links: &links(), neighbours: 512 };
    let way = through_kernel(plans.kernel.as_ref().unwrap(), stack, &settings(&[], &[]), &mut route_to);
    let half = 1_u64 << 23;
    assert!(way.addresses.abs_diff(half) < half / 1_000, "{}", way.addresses);
    assert!(looked_up <= 65_536 && way.one_of == 256, "{looked_up} {}", way.one_of);
}

#[test]
fn a_link_that_is_down_carries_nothing() {
    let mut plan = plans(&["10.0.1.0/24"]).remove(0);
    plan.link.running = false;
    let down = by_frames(&plan, &settings(&Protocol::ALL, &["public"]));
    assert_eq!((down.addresses, down.courses, down.leads_anywhere()), (253, Courses::default(), false));
}

#[test]
fn of_two_ways_each_may_take_its_cheapest_course() {
    let settings = settings(&Protocol::ALL, &["public"]);
    let ways = [of("10.0.1.0/28", &settings), through(&planned(&["10.3.0.0/28"]), 512, &settings)];
    // By frames nobody and everybody cost three packets; through the kernel everybody costs two.
    assert_eq!(together(&ways).fewest_packets, 14 * 3 + 14 * 2);
    assert_eq!(together(&ways).slowest.arp, ways[0].courses.slowest.arp);
}
