//! Whole sweeps over a made link, on virtual time.

mod garbled;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::{LinkOutcome, LinkSweep, Step, SweepSettings};
use crate::algorithms::discovery::credentials::prepare;
use crate::algorithms::discovery::forecast::by_frames;
use crate::algorithms::discovery::observation::SnmpAnswer;
use crate::algorithms::discovery::pacing::Pacer;
use crate::algorithms::discovery::plan::{LinkPlan, plan};
use crate::domain::address::MacAddr;
use crate::domain::cycle::ProtocolStats;
use crate::domain::fact::SnmpFailure;
use crate::domain::link::Link;
use crate::domain::policy::Probing;
use crate::domain::protocol::Protocol;
use crate::domain::secret::Community;
use crate::wire::ipv4::Heading;
use crate::wire::udp::Datagram;
use crate::wire::{arp, udp};

mod users;

const OWN: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0xfe]);
const MS: fn(u64) -> Duration = Duration::from_millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    None,
    Silent,
    Public,
    Private,
    Garbled,
}

#[derive(Debug, Clone, Copy)]
struct SimulatedHost {
    mac: MacAddr,
    echo: bool,
    agent: Agent,
    delay: Duration,
}

/// What the link does to a packet, by its number.
#[derive(Debug, Clone, Default)]
struct Faults {
    /// How many of the first packets to each host and protocol are lost.
    lose_first: u8,
    /// Loses one of ten questions, or its answer, as this says.
    chance: Option<fastrand::Rng>,
    /// Every answer comes twice.
    duplicate: bool,
    /// Echo replies come from the address beside the one that was asked.
    from_beside: bool,
    /// Bytes that come beside every answer.
    noise: Vec<u8>,
}

struct SimulatedLink {
    hosts: BTreeMap<Ipv4Addr, SimulatedHost>,
    faults: Faults,
    asked: BTreeMap<(Ipv4Addr, u8, Vec<u8>), u8>,
    under_way: BinaryHeap<Reverse<(Duration, usize, Vec<u8>)>>,
    count: usize,
    /// Agents that say themselves what they answer, and how long that takes.
    agents: BTreeMap<Ipv4Addr, Speaker>,
    /// How long it takes the sweep to make keys.
    keys_take: Duration,
    /// How often it made some.
    keys_made: usize,
}

type Speaker = Box<dyn FnMut(&[u8]) -> Option<(Duration, Vec<u8>)>>;

impl SimulatedLink {
    fn new(hosts: BTreeMap<Ipv4Addr, SimulatedHost>, faults: Faults) -> Self {
        Self {
            hosts,
            faults,
            asked: BTreeMap::new(),
            under_way: BinaryHeap::new(),
            count: 0,
            agents: BTreeMap::new(),
            keys_take: Duration::ZERO,
            keys_made: 0,
        }
    }

    fn carry(&mut self, now: Duration, frame: &[u8]) {
        let (to, kind) = if frame[12..14] == [8, 6] { (&frame[38..42], 0) } else { (&frame[30..34], frame[23]) };
        let to = Ipv4Addr::from_octets(to.try_into().unwrap());
        let Some(host) = self.hosts.get(&to).copied() else { return };
        // A question that is asked again is the same payload.
        let question = if kind == 17 { frame[42..].to_vec() } else { Vec::new() };
        let asked = self.asked.entry((to, kind, question)).or_default();
        *asked += 1;
        if *asked <= self.faults.lose_first {
            return;
        }
        if self.faults.chance.as_mut().is_some_and(|chance| chance.f64() < 0.1) {
            return;
        }
        if kind == 17
            && let Some(speak) = self.agents.get_mut(&to)
        {
            if let Some((after, said)) = speak(&frame[42..]) {
                self.count += 1;
                self.under_way.push(Reverse((now + after, self.count, datagram(to, &host, &said))));
            }
            return;
        }
        let Some(mut answer) = answer(frame, kind, &host) else { return };
        if self.faults.from_beside && kind == 1 {
            answer[29] ^= 1;
            answer[24..26].fill(0);
            let sum = checksum(&answer[14..34]);
            answer[24..26].copy_from_slice(&sum);
        }
        let mut deliver = |frame: Vec<u8>| {
            self.count += 1;
            self.under_way.push(Reverse((now + host.delay, self.count, frame)));
        };
        if self.faults.duplicate {
            deliver(answer.clone());
        }
        if !self.faults.noise.is_empty() {
            let mut garbled = answer.clone();
            for (place, byte) in self.faults.noise.iter().enumerate() {
                let length = garbled.len();
                garbled[(place * 7 + usize::from(*byte)) % length] ^= byte;
            }
            garbled.truncate(garbled.len() - usize::from(self.faults.noise[0]) % garbled.len());
            // Only what is no longer an answer: a flipped bit in an SNMP value is another value.
            if kind == 0 || kind == 1 {
                deliver(self.faults.noise.clone());
            }
            if kind == 1 && garbled != answer {
                deliver(garbled);
            }
        }
        deliver(answer);
    }
}

fn answer(frame: &[u8], kind: u8, host: &SimulatedHost) -> Option<Vec<u8>> {
    let mut answer = frame.to_vec();
    answer[..6].copy_from_slice(&frame[6..12]);
    answer[6..12].copy_from_slice(&host.mac.octets());
    if kind == 0 {
        answer[21] = 2;
        answer[22..28].copy_from_slice(&host.mac.octets());
        answer[28..32].copy_from_slice(&frame[38..42]);
        answer[32..42].copy_from_slice(&frame[22..32]);
        return Some(answer);
    }
    answer[26..30].copy_from_slice(&frame[30..34]);
    answer[30..34].copy_from_slice(&frame[26..30]);
    if kind == 1 {
        answer[34] = 0;
        let sum = u32::from(u16::from_be_bytes([answer[36], answer[37]])) + 0x0800;
        let sum = (sum & 0xffff) + (sum >> 16);
        answer[36..38].copy_from_slice(&(sum as u16).to_be_bytes());
        return host.echo.then_some(answer);
    }
    answer[34..36].copy_from_slice(&frame[36..38]);
    answer[36..38].copy_from_slice(&frame[34..36]);
    // SEQUENCE, length, version, community: then the tag of the PDU, which an answer has another of.
    // A length from 128 on takes an octet more (X.690 section 8.1.3.5).
    let start = 42 + 7 + usize::from(frame[43] > 0x80);
    let community_length = usize::from(frame[start - 1]);
    let community = &frame[start..start + community_length];
    answer[start + community_length] = 0xa2;
    match host.agent {
        Agent::Public if community == b"public" => Some(answer),
        Agent::Private if community == b"private" => Some(answer),
        Agent::Garbled => {
            answer[42] = 0x31;
            Some(answer)
        }
        Agent::None => Some(port_unreachable(frame, host)),
        _ => None,
    }
}

fn datagram(from: Ipv4Addr, host: &SimulatedHost, payload: &[u8]) -> Vec<u8> {
    let heading = Heading {
        source_mac: host.mac,
        source: from,
        destination_mac: OWN,
        destination: [10, 0, 1, 250].into(),
        identification: 0,
    };
    let mut frame = Vec::new();
    udp::encode(&mut frame, &heading, &Datagram { source_port: 161, destination_port: 40_000, payload }).unwrap();
    frame
}

fn port_unreachable(frame: &[u8], host: &SimulatedHost) -> Vec<u8> {
    let mut answer = frame[6..12].to_vec();
    answer.extend(host.mac.octets());
    answer.extend([8, 0]);
    let quoted = &frame[14..42];
    let mut header = vec![0x45, 0, 0, 20 + 8 + quoted.len() as u8, 0, 1, 0, 0, 64, 1, 0, 0];
    header.extend(&frame[30..34]);
    header.extend(&frame[26..30]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
    message.extend(quoted);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    [answer, header, message].concat()
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes()
}

struct Run {
    outcome: LinkOutcome,
    sent_at: Vec<Duration>,
    end: Duration,
}

impl Run {
    fn stats(&self, protocol: Protocol) -> &ProtocolStats {
        &self.outcome.stats.iter().find(|(which, _)| *which == protocol).unwrap().1
    }

    fn host(&self, last: u8) -> &crate::algorithms::discovery::observation::HostObservation {
        self.outcome.hosts.iter().find(|host| host.address.octets()[3] == last).unwrap()
    }
}

fn link_plan(subnet: &str) -> LinkPlan {
    let link = Link {
        name: "lab0".into(),
        index: 2,
        mac: Some(OWN),
        addresses: vec!["10.0.1.250/24".parse().unwrap()],
        running: true,
    };
    plan(&[subnet.parse().unwrap()], None, &[link]).unwrap().links.remove(0)
}

fn settings(protocols: &[Protocol]) -> SweepSettings {
    SweepSettings {
        protocols: protocols.to_vec(),
        probing: Probing::default(),
        credentials: prepare(&["public", "private"].map(|text| Community::new(text).unwrap().into())),
        neighbours: false,
        counters: false,
        snmp_port: 40_000,
    }
}

fn run(link: &mut SimulatedLink, settings: SweepSettings, seed: u64) -> Run {
    let mut sweep = LinkSweep::new(link_plan("10.0.1.0/24"), settings, seed);
    let mut now = Duration::ZERO;
    let mut frame = Vec::new();
    let mut sent_at = Vec::new();
    loop {
        while link.under_way.peek().is_some_and(|Reverse((at, _, _))| *at <= now) {
            let Reverse((_, _, bytes)) = link.under_way.pop().unwrap();
            sweep.on_frame(now, &bytes);
        }
        match sweep.next(now, &mut frame) {
            Step::Send => {
                sent_at.push(now);
                link.carry(now, &frame);
            }
            Step::SendEcho(_) | Step::SendSnmp(_) => panic!("a link is sent frames"),
            Step::Prepared => {
                link.keys_made += 1;
                now += link.keys_take;
            }
            Step::Wait(until) => {
                assert!(until > now, "a wait that is over is no wait");
                let arrival = link.under_way.peek().map(|Reverse((at, _, _))| *at);
                now = arrival.map_or(until, |at| at.min(until)).max(now);
            }
            Step::Done => return Run { outcome: sweep.finish(), sent_at, end: now },
        }
        assert!(sent_at.len() < 100_000 && now < Duration::from_secs(60), "a sweep ends");
    }
}

fn host(number: u8, echo: bool, agent: Agent) -> (Ipv4Addr, SimulatedHost) {
    let mac = MacAddr::new([2, 0, 0, 0, 1, number]);
    (Ipv4Addr::new(10, 0, 1, number), SimulatedHost { mac, echo, agent, delay: MS(2) })
}

fn some_hosts() -> impl Strategy<Value = BTreeMap<Ipv4Addr, SimulatedHost>> {
    let agent = prop_oneof![
        Just(Agent::None),
        Just(Agent::Silent),
        Just(Agent::Public),
        Just(Agent::Private),
        Just(Agent::Garbled)
    ];
    prop::collection::btree_map(1_u8..250, (any::<bool>(), agent, 0_u64..60), 0..30).prop_map(|hosts| {
        hosts
            .into_iter()
            .map(|(number, (echo, agent, delay))| {
                let (address, simulated) = host(number, echo, agent);
                (address, SimulatedHost { delay: MS(delay), ..simulated })
            })
            .collect()
    })
}

fn some_faults() -> impl Strategy<Value = Faults> {
    (0_u8..3, any::<bool>(), prop::collection::vec(1_u8.., 0..40)).prop_map(|(lose_first, duplicate, noise)| Faults {
        lose_first,
        chance: None,
        duplicate,
        from_beside: false,
        noise,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Two packets of three may be lost, each answer may come twice and among garbage: the sweep
    /// finds who is there, and nobody else.
    #[test]
    fn everybody_is_found_and_nobody_is_made_up(hosts in some_hosts(), faults in some_faults(), seed: u64) {
        let mut link = SimulatedLink::new(hosts.clone(), faults);
        let run = run(&mut link, settings(&Protocol::ALL), seed);
        let found: BTreeSet<(Ipv4Addr, MacAddr)> =
            run.outcome.hosts.iter().map(|host| (host.address, host.mac.unwrap())).collect();
        let there: BTreeSet<(Ipv4Addr, MacAddr)> =
            hosts.iter().map(|(address, host)| (*address, host.mac)).collect();
        prop_assert_eq!(found, there);
        for host in &run.outcome.hosts {
            let truth = hosts[&host.address];
            prop_assert_eq!(host.methods.contains(&Protocol::Icmp), truth.echo);
            let told = match truth.agent {
                Agent::Public | Agent::Private =>
                    Ok(SnmpAnswer { interfaces: Some(Vec::new()), ..SnmpAnswer::default() }),
                Agent::None => Err(SnmpFailure::PortUnreachable),
                Agent::Silent => Err(SnmpFailure::Timeout),
                Agent::Garbled => Err(SnmpFailure::Malformed),
            };
            prop_assert_eq!(host.snmp.clone(), Some(told));
        }
    }

    /// However much is lost, and so asked more often than ordered: the plan has told it.
    #[test]
    fn no_sweep_leaves_the_bounds_of_its_plan(hosts in some_hosts(), faults in some_faults(), tenth: bool, seed: u64) {
        let chance = tenth.then(|| fastrand::Rng::with_seed(seed));
        let run = run(&mut SimulatedLink::new(hosts, Faults { chance, ..faults }), settings(&Protocol::ALL), seed);
        within_its_plan(&run);
    }

    #[test]
    fn the_rate_holds_whatever_is_answered(hosts in some_hosts(), faults in some_faults(), rate in 20_u32..5_000, seed: u64) {
        let mut settings = settings(&Protocol::ALL);
        settings.probing.rate = rate;
        let run = run(&mut SimulatedLink::new(hosts, faults), settings, seed);
        for window in run.sent_at.windows(50) {
            let span = window[49] - window[0] + Pacer::BURST;
            prop_assert!(50.0 <= span.as_secs_f64() * f64::from(rate) * 1.000_001 + 1.0);
        }
        let sent: u64 = run.outcome.stats.iter().map(|(_, stats)| stats.sent).sum();
        prop_assert_eq!(sent, run.sent_at.len() as u64);
    }
}

/// Asserts that a sweep of the whole link took what its plan says.
fn within_its_plan(run: &Run) {
    let courses = by_frames(&link_plan("10.0.1.0/24"), &settings(&Protocol::ALL)).courses;
    let slowest = courses.slowest;
    for (protocol, most) in Protocol::ALL.into_iter().zip([slowest.arp, slowest.icmp, slowest.snmp]) {
        assert!(run.stats(protocol).sent <= most.packets, "{protocol}: {:?} of {most:?}", run.stats(protocol));
    }
    assert!(run.sent_at.len() as u64 >= courses.fewest_packets, "{} of {courses:?}", run.sent_at.len());
    assert!((courses.least_duration..=slowest.duration).contains(&run.end), "{:?} of {courses:?}", run.end);
}

#[test]
fn a_link_that_loses_packets_costs_more_than_ordered_and_no_more_than_planned() {
    let hosts = (1..=10).map(|n| host(n, true, Agent::None)).collect();
    let faults = Faults { lose_first: 2, ..Faults::default() };
    let run = run(&mut SimulatedLink::new(hosts, faults), settings(&Protocol::ALL), 1);
    assert!(run.stats(Protocol::Arp).sent > 3 * 253, "{:?}", run.stats(Protocol::Arp));
    within_its_plan(&run);
}

#[test]
fn an_empty_link_costs_three_packets_an_address_and_the_waits() {
    let run = run(&mut SimulatedLink::new(BTreeMap::new(), Faults::default()), settings(&Protocol::ALL), 1);
    let arp = run.stats(Protocol::Arp);
    // 254 addresses less our own.
    assert_eq!((arp.sent, arp.retried, arp.received), (3 * 253, 2 * 253, 0));
    assert_eq!(run.stats(Protocol::Icmp).sent + run.stats(Protocol::Snmp).sent, 0);
    // Nothing was measured, so the waits are 0.5 s, 1 s and (capped) 1 s after the last first packet.
    assert!(run.end < MS(2_700), "{:?}", run.end);
}

#[test]
fn a_fast_link_is_swept_in_less_than_a_second() {
    let hosts = (1..=150).map(|n| host(n, true, if n <= 60 { Agent::Public } else { Agent::None })).collect();
    let run = run(&mut SimulatedLink::new(hosts, Faults::default()), settings(&Protocol::ALL), 1);
    assert_eq!(run.outcome.hosts.len(), 150);
    assert_eq!(run.stats(Protocol::Snmp).hosts, 60);
    assert!(run.end < MS(1_000), "{:?}", run.end);
    assert!(run.host(7).rtt.unwrap() >= MS(2));
}

/// With three attempts for everybody, 8 of these 8,000 hosts would be missing, and as many echoes and agents.
#[test]
fn a_link_that_loses_a_tenth_hides_nobody() {
    for seed in 0..40 {
        let hosts: BTreeMap<_, _> = (1..=200).map(|n| host(n, true, Agent::Public)).collect();
        let faults = Faults { chance: Some(fastrand::Rng::with_seed(seed)), ..Faults::default() };
        let run = run(&mut SimulatedLink::new(hosts, faults), settings(&Protocol::ALL), seed);
        let found = Protocol::ALL.map(|protocol| run.stats(protocol).hosts);
        assert_eq!(found, [200, 200, 200], "with seed {seed}");
        assert!(run.end < MS(2_500), "{:?}", run.end);
    }
}

#[test]
fn silence_is_told_from_a_closed_port() {
    let hosts = [host(1, false, Agent::Silent), host(2, false, Agent::None)].into();
    let run = run(&mut SimulatedLink::new(hosts, Faults::default()), settings(&Protocol::ALL), 1);
    assert_eq!(run.host(1).snmp, Some(Err(SnmpFailure::Timeout)));
    assert_eq!(run.host(2).snmp, Some(Err(SnmpFailure::PortUnreachable)));
    assert_eq!(run.host(1).methods, [Protocol::Arp]);
    // Two communities, three attempts; the closed port is asked once or twice, never a second time.
    assert!((7..=8).contains(&run.stats(Protocol::Snmp).sent), "{:?}", run.stats(Protocol::Snmp));
}

#[test]
fn a_reply_from_another_address_than_was_asked_answers_for_neither() {
    let both = || BTreeMap::from([host(4, true, Agent::None), host(5, true, Agent::None)]);
    let mut link = SimulatedLink::new(both(), Faults { from_beside: true, ..Faults::default() });
    let run = run(&mut link, settings(&[Protocol::Icmp]), 7);
    assert_eq!(run.outcome.hosts.iter().map(|host| host.methods.len()).collect::<Vec<_>>(), [0, 0]);
    assert_eq!((run.stats(Protocol::Icmp).hosts, run.stats(Protocol::Icmp).rejected), (0, 6));
}

#[test]
fn without_arp_addresses_are_resolved_all_the_same_and_not_claimed_as_answers() {
    let hosts = [host(1, true, Agent::None), host(2, false, Agent::None)].into();
    let run = run(&mut SimulatedLink::new(hosts, Faults::default()), settings(&[Protocol::Icmp]), 1);
    assert_eq!(run.host(1).methods, [Protocol::Icmp]);
    assert_eq!(run.host(2).methods, []);
    assert_eq!(run.host(2).snmp, None);
    assert_eq!(run.stats(Protocol::Snmp).sent, 0);
}

#[test]
fn a_second_owner_of_an_address_is_told_once() {
    let mut link = SimulatedLink::new([host(1, true, Agent::None)].into(), Faults::default());
    let mut sweep = LinkSweep::new(link_plan("10.0.1.0/24"), settings(&[Protocol::Arp]), 1);
    let mut frame = Vec::new();
    for now in (0..1_000).map(MS) {
        while sweep.next(now, &mut frame) == Step::Send {
            link.carry(now, &frame);
        }
        while let Some(Reverse((_, _, mut answer))) = link.under_way.pop() {
            sweep.on_frame(now, &answer);
            answer[27] = 0x77;
            sweep.on_frame(now, &answer);
            sweep.on_frame(now, &answer);
        }
    }
    let outcome = sweep.finish();
    let macs: Vec<MacAddr> = outcome.hosts.iter().filter_map(|host| host.mac).collect();
    assert_eq!(macs, [MacAddr::new([2, 0, 0, 0, 1, 1]), MacAddr::new([2, 0, 0, 0, 1, 0x77])]);
}

#[test]
fn a_host_that_claims_our_own_address_is_seen() {
    let mut sweep = LinkSweep::new(link_plan("10.0.1.0/24"), settings(&[Protocol::Arp]), 1);
    let asked = sweep.progress().targets;
    let mut announcement = Vec::new();
    let thief = MacAddr::new([2, 0, 0, 0, 9, 9]);
    arp::encode_request(&mut announcement, thief, [10, 0, 1, 250].into(), [10, 0, 1, 250].into());
    sweep.on_frame(MS(1), &announcement);
    assert_eq!((asked, sweep.progress().settled), (253, 0));
    let outcome = sweep.finish();
    assert_eq!(outcome.hosts.first().map(|host| (host.address, host.mac)), Some(([10, 0, 1, 250].into(), Some(thief))));
}

#[test]
fn a_link_that_fails_ends_its_sweep_and_says_why() {
    let mut sweep = LinkSweep::new(link_plan("10.0.1.0/24"), settings(&Protocol::ALL), 1);
    let mut frame = Vec::new();
    assert_eq!(sweep.next(MS(0), &mut frame), Step::Send);
    sweep.fail("lab0 is down".to_owned());
    assert_eq!(sweep.next(MS(0), &mut frame), Step::Done);
    assert_eq!(sweep.finish().failed.as_deref(), Some("lab0 is down"));
}

#[test]
fn a_sweep_that_is_ended_early_calls_nobody_silent() {
    let hosts = [host(1, true, Agent::Public), host(2, false, Agent::Silent)].into();
    let mut link = SimulatedLink::new(hosts, Faults::default());
    let mut settings = settings(&Protocol::ALL);
    settings.probing.rate = 10_000;
    let mut sweep = LinkSweep::new(link_plan("10.0.1.0/24"), settings, 1);
    let mut frame = Vec::new();
    // All have been asked, and who is silent has not been given up.
    for now in (0..90).map(MS) {
        while sweep.next(now, &mut frame) == Step::Send {
            link.carry(now, &frame);
        }
        while let Some(Reverse((_, _, answer))) = link.under_way.pop() {
            sweep.on_frame(now, &answer);
        }
    }
    let outcome = sweep.finish();
    let told: BTreeMap<u8, _> = outcome.hosts.iter().map(|host| (host.address.octets()[3], host)).collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert!(matches!(told[&1].snmp, Some(Ok(_))), "{told:?}");
    assert_eq!((&told[&2].snmp, &told[&2].methods[..]), (&None, &[Protocol::Arp][..]));
}

#[test]
fn a_target_waits_in_less_than_two_hundred_bytes() {
    let queued = size_of::<super::Waiting>() * 2;
    let ordered = size_of::<u32>();
    assert!(size_of::<super::targets::Target>() + queued + ordered + size_of::<super::Probe>() <= 200);
}
