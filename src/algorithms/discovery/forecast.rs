//! What a sweep will cost, before anything is sent: packets, octets, time, load and memory.
//!
//! Nobody knows beforehand who will answer, so three courses are told. In the first everybody answers
//! the first packet, and nobody has an SNMP agent, as most devices have none. In the second nobody is
//! there. In the third everything is as slow as it can be: each address answers the last packet that
//! could still find it, is silent to every echo, and has an agent that answers last packets only.
//! What a sweep sends lies between the cheaper one of the first two and the third, unless an agent has
//! more than [`ASSUMED_ROWS`] to tell, or the link loses so many packets that the sweep asks more often than
//! policy says.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::pacing::{Pacer, RttEstimator};
use crate::algorithms::discovery::plan::LinkPlan;
use crate::algorithms::discovery::sweep::SweepSettings;
use crate::algorithms::discovery::sweep::footprint::{self, Lengths};
use crate::domain::protocol::Protocol;
use crate::domain::subnet::{AddressSet, Subnet};

/// The rows of the interface table that every agent is assumed to have in the slowest course: a switch
/// of 48 ports with its uplinks. An agent with more takes another question for each eight.
pub const ASSUMED_ROWS: u32 = 52;

/// Packets and what they weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets of their Ethernet frames with padding and check sequence, without preamble and gap.
    pub octets: u64,
}

impl Traffic {
    fn of(packets: u64, octets_each: u64) -> Self {
        Self { packets, octets: packets.saturating_mul(octets_each) }
    }

    fn and(self, other: Self) -> Self {
        Self { packets: self.packets.saturating_add(other.packets), octets: self.octets.saturating_add(other.octets) }
    }

    fn times(self, count: u64) -> Self {
        Self { packets: self.packets.saturating_mul(count), octets: self.octets.saturating_mul(count) }
    }
}

/// One course that a sweep can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// Address resolution, which the other protocols need, too.
    pub arp: Traffic,
    /// Echo requests.
    pub icmp: Traffic,
    /// Questions to agents.
    pub snmp: Traffic,
    /// From the first packet to the end of the last wait.
    pub duration: Duration,
    /// What the program holds for those whom it asks, in octets.
    pub memory: u64,
}

impl Course {
    /// All protocols together.
    pub fn total(&self) -> Traffic {
        self.arp.and(self.icmp).and(self.snmp)
    }

    /// The mean load in packets a second.
    pub fn packets_per_second(&self) -> f64 {
        per_second(self.total().packets, self.duration)
    }

    /// The mean load in kilobits a second.
    pub fn kbit_per_second(&self) -> f64 {
        per_second(self.total().octets, self.duration) * 8.0 / 1_000.0
    }

    /// Both at the same time, on different links.
    fn beside(self, other: Self) -> Self {
        Self {
            arp: self.arp.and(other.arp),
            icmp: self.icmp.and(other.icmp),
            snmp: self.snmp.and(other.snmp),
            duration: self.duration.max(other.duration),
            memory: self.memory.saturating_add(other.memory),
        }
    }
}

/// A load of no duration is one of a single packet: a second of it is that packet.
fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / if span.is_zero() { 1.0 } else { span.as_secs_f64() }
}

/// The courses that a sweep can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Courses {
    /// Everybody answers the first packet, and nobody has an agent. No sweep of as many hosts is shorter.
    pub everybody_answers: Course,
    /// Nobody answers any packet.
    pub nobody_answers: Course,
    /// Everybody answers as late as possible, with an agent of [`ASSUMED_ROWS`]. No sweep is longer.
    pub slowest: Course,
}

impl Courses {
    /// The fewest packets that a sweep can take.
    pub fn fewest_packets(&self) -> u64 {
        self.everybody_answers.total().packets.min(self.nobody_answers.total().packets)
    }

    /// How long a sweep takes on a link that is well: the longer one of a full and an empty subnet.
    pub fn expected(&self) -> Duration {
        self.everybody_answers.duration.max(self.nobody_answers.duration)
    }

    fn beside(self, other: Self) -> Self {
        Self {
            everybody_answers: self.everybody_answers.beside(other.everybody_answers),
            nobody_answers: self.nobody_answers.beside(other.nobody_answers),
            slowest: self.slowest.beside(other.slowest),
        }
    }
}

/// What one subnet is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubnetForecast {
    /// The subnet.
    pub subnet: Subnet,
    /// Our address on it, which everything is sent from.
    pub source: Ipv4Addr,
    /// How many addresses are asked: without the network's, the broadcast and our own.
    pub addresses: u64,
}

/// What one link will carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkForecast {
    /// The name of the interface.
    pub interface: String,
    /// Whether it is up and has a carrier.
    pub running: bool,
    /// Its subnets.
    pub subnets: Vec<SubnetForecast>,
    /// How many addresses are asked, each once.
    pub addresses: u64,
    /// What that takes.
    pub courses: Courses,
}

/// What the sweep of one link will take.
pub fn forecast(plan: &LinkPlan, settings: &SweepSettings) -> LinkForecast {
    let own: BTreeSet<Ipv4Addr> = plan.link.own_addresses().collect();
    let asked = |set: &AddressSet| set.len() - own.iter().filter(|address| set.contains(**address)).count();
    let subnets = plan.subnets.iter().map(|(subnet, source)| SubnetForecast {
        subnet: *subnet,
        source: *source,
        addresses: asked(&AddressSet::new(&[*subnet])) as u64,
    });
    let addresses = asked(&plan.targets);
    LinkForecast {
        interface: plan.link.name.clone(),
        running: plan.link.running,
        subnets: subnets.collect(),
        addresses: addresses as u64,
        courses: courses(addresses, settings),
    }
}

/// All links, which are swept at the same time.
pub fn together(links: &[LinkForecast]) -> Courses {
    links.iter().fold(Courses::default(), |all, link| all.beside(link.courses))
}

fn courses(addresses: usize, settings: &SweepSettings) -> Courses {
    if addresses == 0 {
        return Courses::default();
    }
    let wants = |protocol| u64::from(settings.protocols.contains(&protocol));
    let (echo, agent) = (wants(Protocol::Icmp), wants(Protocol::Snmp) * u64::from(!settings.credentials.is_empty()));
    // Where each credential is for some subnets, there may be addresses that nobody is asked at.
    let anywhere = agent * u64::from(settings.credentials.iter().any(PreparedCredential::is_for_all));
    let attempts = u64::from(settings.probing.attempts.max(1));
    let each = addresses as u64;
    let lengths = Lengths::of(Arc::clone(&settings.credentials), settings.neighbours, ASSUMED_ROWS);
    let resolution = on_wire(lengths.resolution);
    let first: Vec<u64> = lengths.first_questions.iter().flatten().map(|frame| on_wire(*frame)).collect();
    let longest = first.iter().copied().max().unwrap_or(0);
    let first_attempts = Traffic { packets: first.len() as u64, octets: first.iter().sum() }
        .and(Traffic::of(lengths.corrections, longest));
    let table = Traffic::of(lengths.further_questions, on_wire(lengths.further_question));
    let rate = settings.probing.rate;

    let mut everybody_answers = Course {
        arp: Traffic::of(each, resolution),
        icmp: Traffic::of(each * echo, on_wire(lengths.echo)),
        snmp: Traffic::of(each * anywhere, first.iter().copied().min().unwrap_or(0)),
        memory: footprint::octets(addresses, addresses),
        ..Course::default()
    };
    everybody_answers.duration = flow(everybody_answers.total().packets, rate).saturating_sub(Pacer::BURST);
    let mut nobody_answers = Course {
        arp: Traffic::of(each * attempts, resolution),
        memory: footprint::octets(addresses, 0),
        ..Course::default()
    };
    nobody_answers.duration = flow(nobody_answers.total().packets, rate) + unmeasured_waits(settings);
    let mut slowest = Course {
        arp: Traffic::of(each * attempts, resolution),
        icmp: Traffic::of(each * echo * attempts, on_wire(lengths.echo)),
        snmp: first_attempts.and(table).times(each * agent * attempts),
        memory: footprint::octets(addresses, addresses),
        ..Course::default()
    };
    // In a row: the address, then one question to the agent after the other, and the echo beside these.
    let rounds = lengths.first_questions.len() as u64 + lengths.corrections;
    let in_a_row = 1 + (agent * (rounds + lengths.further_questions)).max(echo);
    let waits = u32::try_from(in_a_row * attempts).unwrap_or(u32::MAX);
    slowest.duration = flow(slowest.total().packets, rate) + settings.probing.timeout.saturating_mul(waits);
    Courses { everybody_answers, nobody_answers, slowest }
}

/// How long an even flow of so many packets takes, from the first to the last.
///
/// A sweep is no longer than the flow of all its packets and the longest chain of waits: at any instant
/// it sends, or everybody is waited for.
fn flow(packets: u64, rate: u32) -> Duration {
    let seconds = packets.saturating_sub(1) as f64 / f64::from(rate.max(1));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// All waits for one address on a link where nobody ever answers, so that nothing is measured.
fn unmeasured_waits(settings: &SweepSettings) -> Duration {
    let estimator = RttEstimator::new(settings.probing.timeout);
    (0..settings.probing.attempts.max(1)).map(|attempt| estimator.wait(attempt)).sum()
}

/// The octets of a frame on the wire: with the check sequence at least 64 (IEEE 802.3 clause 4A.4.2,
/// `minFrameSize`).
fn on_wire(frame: usize) -> u64 {
    const CHECK_SEQUENCE: usize = 4;
    const SHORTEST: usize = 64;
    (frame + CHECK_SEQUENCE).max(SHORTEST) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::discovery::credentials::prepare;
    use crate::algorithms::discovery::plan::plan;
    use crate::domain::address::MacAddr;
    use crate::domain::credential::Credential;
    use crate::domain::link::Link;
    use crate::domain::policy::Probing;
    use crate::domain::secret::Community;

    fn settings(protocols: &[Protocol], communities: &[&str]) -> SweepSettings {
        let credentials: Vec<Credential> =
            communities.iter().map(|text| Credential::from(Community::new(text).unwrap())).collect();
        SweepSettings {
            protocols: protocols.to_vec(),
            probing: Probing::default(),
            credentials: prepare(&credentials),
            neighbours: false,
            snmp_port: 0,
        }
    }

    fn plans(subnets: &[&str]) -> Vec<LinkPlan> {
        let link = |index: u32, address: &str| Link {
            name: format!("eth{index}"),
            index,
            mac: Some(MacAddr::new([2, 0, 0, 0, 0, 9])),
            addresses: vec![address.parse().unwrap()],
            running: true,
        };
        let subnets: Vec<Subnet> = subnets.iter().map(|text| text.parse().unwrap()).collect();
        plan(&subnets, None, &[link(0, "10.0.1.250/24"), link(1, "10.9.0.1/16")]).unwrap().links
    }

    fn of(subnet: &str, settings: &SweepSettings) -> LinkForecast {
        forecast(&plans(&[subnet])[0], settings)
    }

    #[test]
    fn a_subnet_is_asked_without_its_ends_and_ourselves() {
        let one = of("10.0.1.0/24", &settings(&Protocol::ALL, &["public"]));
        assert_eq!((one.addresses, one.interface.as_str(), one.running), (253, "eth0", true));
        let expected =
            SubnetForecast { subnet: "10.0.1.0/24".parse().unwrap(), source: [10, 0, 1, 250].into(), addresses: 253 };
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
        assert_eq!(of_one.slowest.snmp.packets, 14 * 3 * (1 + 7));
        assert_eq!(of_two.slowest.snmp.packets, 14 * 3 * (2 + 7));
        assert_eq!(of_two.everybody_answers.snmp, of_one.everybody_answers.snmp, "the first who refuses is believed");
        assert!(of_two.slowest.snmp.octets > of_one.slowest.snmp.octets + 14 * 3 * 64);
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
                    let (few, most) = (courses.fewest_packets(), courses.slowest.total().packets);
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
        let links: Vec<LinkForecast> =
            plans(&["10.0.1.0/24", "10.9.0.0/16"]).iter().map(|plan| forecast(plan, &settings)).collect();
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
}
