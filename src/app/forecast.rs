//! What a scan would send, told instead of sent.

use std::net::Ipv4Addr;

use anyhow::anyhow;
use serde::{Serialize, Serializer};

use crate::algorithms::discovery::advice::too_long;
use crate::algorithms::discovery::credentials;
use crate::algorithms::discovery::forecast::{ASSUMED_ROWS, by_frames, through_kernel, together};
pub use crate::algorithms::discovery::forecast::{
    Course, Courses, Hop, KernelStack, SubnetForecast, Traffic, Way, WayForecast,
};
use crate::algorithms::discovery::plan::{PlanError, Plans, plan};
use crate::algorithms::discovery::sweep::SweepSettings;
use crate::app::config::{Config, Loaded, PolicySettings};
use crate::app::failure::Failure;
use crate::app::ways::{self, Sockets};
use crate::domain::cycle::TooLong;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::southbound::carrier::OpenError;
use crate::southbound::interfaces::links;
use crate::southbound::neighbours;
use crate::wire::rtnetlink::route::{Route, Unroutable};

/// What a scan of the configured subnets would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The configuration that it was made from.
    pub config: Config,
    /// What was done with the configuration that its author may not expect.
    pub notes: Vec<String>,
    /// Each way that would be gone: link by link, then what goes through the kernel.
    pub ways: Vec<WayForecast>,
    /// All ways together.
    pub total: Courses,
    /// What stands in the way, and what to think of before.
    pub warnings: Vec<Warning>,
}

impl Forecast {
    /// Whether a scan would begin as things are.
    pub fn would_begin(&self) -> bool {
        !self.ways.is_empty() && !self.warnings.iter().any(Warning::refuses)
    }

    /// How often anybody is asked at most.
    pub fn most_attempts(&self) -> u8 {
        let ordered = self.config.policy.discovery.probing.attempts;
        self.ways.iter().map(|way| way.most_attempts).max().unwrap_or(ordered)
    }
}

/// What to think of before a scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A subnet cannot be asked from here, or not by the interface that was named.
    #[error("{reason}")]
    NoLink {
        /// Why, with the subnet.
        reason: String,
    },
    /// Nothing leads to a subnet.
    #[error("{reason}")]
    NoRoute {
        /// Why, with the subnet.
        reason: String,
    },
    /// Something leads to a subnet, but we have no address to send from.
    #[error("{reason}")]
    NoSource {
        /// Why, with the subnet.
        reason: String,
    },
    /// Nothing leads to a part of a subnet.
    #[error("{addresses} addresses of {subnet} have no route now: they are named, and nobody is asked there")]
    PartWithoutRoute {
        /// The subnet.
        subnet: Subnet,
        /// How many addresses.
        addresses: u64,
    },
    /// An interface is down.
    #[error("{interface} is down or has no carrier: nobody would be asked there")]
    LinkDown {
        /// Its name.
        interface: String,
    },
    /// A public subnet.
    #[error(
        "{subnet} is routed on the public Internet{}",
        if *.allowed { "; it is allowed here" } else { ": a scan is refused without --allow-public or policy.allow_public" }
    )]
    Public {
        /// The subnet.
        subnet: Subnet,
        /// Whether that is allowed.
        allowed: bool,
    },
    /// Many addresses.
    #[error(
        "{addresses} addresses are more than {}{}", PolicySettings::MANY_ADDRESSES,
        if *.allowed { "; it is allowed here" } else { ": a scan is refused without --allow-large or policy.allow_large" }
    )]
    Large {
        /// How many.
        addresses: u64,
        /// Whether that is allowed.
        allowed: bool,
    },
    /// No right to send frames: what is on link is asked through the kernel.
    #[error("{lost}")]
    NoFrames {
        /// What is lost, and how to get it.
        lost: String,
    },
    /// No right to send anything, neither frames nor pings.
    #[error("{reason}. A scan is refused; the figures are those of one that may")]
    NoPermission {
        /// What is forbidden, and how to get it.
        reason: String,
    },
    /// There is no socket for another reason.
    #[error("{reason}: a scan is refused")]
    NoSocket {
        /// Which socket, and what the kernel said.
        reason: String,
    },
    /// A cycle takes too long.
    #[error("{0}")]
    TooLong(TooLong),
}

impl Warning {
    /// The name of its kind, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoLink { .. } => "no_link",
            Self::NoRoute { .. } => "no_route",
            Self::NoSource { .. } => "no_source_address",
            Self::PartWithoutRoute { .. } => "part_without_route",
            Self::LinkDown { .. } => "link_down",
            Self::Public { .. } => "public_range",
            Self::Large { .. } => "large_range",
            Self::NoFrames { .. } => "no_frames",
            Self::NoPermission { .. } => "no_permission",
            Self::NoSocket { .. } => "no_socket",
            Self::TooLong(_) => "cycle_too_long",
        }
    }

    /// Whether a scan would be refused for it.
    pub fn refuses(&self) -> bool {
        match self {
            Self::NoLink { .. }
            | Self::NoRoute { .. }
            | Self::NoSource { .. }
            | Self::NoPermission { .. }
            | Self::NoSocket { .. } => true,
            Self::Public { allowed, .. } | Self::Large { allowed, .. } => !allowed,
            Self::PartWithoutRoute { .. } | Self::LinkDown { .. } | Self::NoFrames { .. } | Self::TooLong(_) => false,
        }
    }
}

impl From<PlanError> for Warning {
    fn from(error: PlanError) -> Self {
        let reason = error.to_string();
        match error {
            PlanError::NoRoute { .. } => Self::NoRoute { reason },
            PlanError::NoSource { .. } => Self::NoSource { reason },
            PlanError::UnknownInterface { .. } | PlanError::NotOnInterface { .. } | PlanError::Loopback { .. } => {
                Self::NoLink { reason }
            }
        }
    }
}

impl From<OpenError> for Warning {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Permission { .. } => Self::NoPermission { reason: error.to_string() },
            OpenError::Io { .. } => Self::NoSocket { reason: format!("{:#}", anyhow::Error::from(error)) },
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View {
            kind: &'static str,
            refuses: bool,
            text: String,
        }
        View { kind: self.kind(), refuses: self.refuses(), text: self.to_string() }.serialize(serializer)
    }
}

/// The assumptions behind the figures, for people.
pub fn assumptions(forecast: &Forecast) -> Vec<String> {
    let (ordered, most) = (forecast.config.policy.discovery.probing.attempts, forecast.most_attempts());
    let lossy =
        if most > ordered { format!(" of {most}, as on a link that is seen to lose packets,") } else { String::new() };
    let mut told = vec![
        "everybody answers: the first packet of each protocol; nobody has an SNMP agent".to_owned(),
        format!(
            "slowest: everybody answers the last attempt only{lossy} with an SNMP agent of {ASSUMED_ROWS} interfaces"
        ),
        "bytes are what leaves, as Ethernet frames; answers are about as many, of agents up to 1,500 octets each"
            .to_owned(),
    ];
    if let Some(kernel) = forecast.ways.iter().find(|way| matches!(way.way, Way::Kernel { .. })) {
        told.push(
            "through the kernel: ICMP and UDP of ours; what its own ARP sends for hosts on link is not counted"
                .to_owned(),
        );
        if kernel.one_of > 1 {
            told.push(format!("through the kernel: the way of one in {} addresses was looked up", kernel.one_of));
        }
    }
    told
}

/// Works out what a scan of the configured subnets would take. Nothing is sent or written, and no right is
/// needed. Public and large subnets, which [`load_without_limits`](crate::app::config::load_without_limits)
/// lets through, are worked out and warned of.
///
/// # Errors
/// [`Failure::Usage`] when the kernel cannot be asked for its routes.
pub fn prepare(loaded: Loaded) -> Result<Forecast, Failure> {
    let mut routes = ways::routes()?;
    let host = Host {
        links: links(),
        neighbours: neighbours::limit() / 2,
        look_for_sockets: &Sockets::look,
        route_to: &mut |address| routes.to(address),
    };
    Ok(work_out(loaded, host))
}

/// What a scan would find of this host.
struct Host<'a> {
    links: Vec<Link>,
    neighbours: usize,
    look_for_sockets: &'a dyn Fn(usize) -> Sockets,
    route_to: &'a mut dyn FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
}

/// In the order of a scan: the configuration, the links, the routes, the sockets.
fn work_out(loaded: Loaded, host: Host<'_>) -> Forecast {
    let notes = loaded.notes().to_vec();
    let config = loaded.config;
    let mut warnings = limits(&config);
    let plans = reachable(&config, &host.links, host.route_to, &mut warnings);
    for plan in plans.links.iter().filter(|plan| !plan.link.running) {
        warnings.push(Warning::LinkDown { interface: plan.link.name.clone() });
    }
    let plans = match (host.look_for_sockets)(plans.links.len()) {
        Sockets::NoFrames(lost) if !plans.links.is_empty() => {
            warnings.push(Warning::NoFrames { lost: lost.clone() });
            plans.without_frames(&lost)
        }
        Sockets::None(error) => {
            warnings.push(error.into());
            plans
        }
        Sockets::All | Sockets::NoFrames(_) => plans,
    };
    let settings = sweep_settings(&config);
    let mut ways: Vec<WayForecast> = plans.links.iter().map(|plan| by_frames(plan, &settings)).collect();
    let stack = KernelStack { links: &host.links, neighbours: host.neighbours };
    ways.extend(plans.kernel.iter().map(|plan| through_kernel(plan, stack, &settings, host.route_to)));
    for warning in ways.iter().flat_map(|way| on_the_way(way, &host.links)) {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    let total = together(&ways);
    warnings.extend(too_long(total.expected(), config.policy.discovery.interval).map(Warning::TooLong));
    Forecast { config, notes, ways, total, warnings }
}

/// What somebody must allow.
fn limits(config: &Config) -> Vec<Warning> {
    let PolicySettings { allow_public, allow_large, .. } = config.policy;
    let subnets = &config.controller.subnets;
    let public = subnets.iter().filter(|subnet| subnet.is_public());
    let mut warnings: Vec<_> =
        public.map(|subnet| Warning::Public { subnet: *subnet, allowed: allow_public }).collect();
    let addresses = AddressSet::new(subnets).len();
    if addresses > PolicySettings::MANY_ADDRESSES {
        warnings.push(Warning::Large { addresses: addresses as u64, allowed: allow_large });
    }
    warnings
}

/// The plan of those subnets that something leads to.
fn reachable(
    config: &Config,
    links: &[Link],
    route_to: &mut dyn FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
    warnings: &mut Vec<Warning>,
) -> Plans {
    let interface = config.controller.interface.as_deref();
    let mut kept = Vec::new();
    for subnet in &config.controller.subnets {
        let refused = match plan(&[*subnet], interface, links) {
            Ok(plans) => plans.unroutable(links, &mut *route_to).into_iter().next().map(|(_, error)| error),
            Err(error) => Some(error),
        };
        match refused.map(Warning::from) {
            None => kept.push(*subnet),
            // One interface that is not there is one warning.
            Some(warning) if warnings.contains(&warning) => {}
            Some(warning) => warnings.push(warning),
        }
    }
    plan(&kept, interface, links).unwrap_or_default()
}

/// What is wrong on a way that would be gone.
fn on_the_way(way: &WayForecast, links: &[Link]) -> Vec<Warning> {
    let cut_off = way.subnets.iter().filter(|subnet| subnet.without_route > 0);
    let cut_off = cut_off.map(|part| Warning::PartWithoutRoute { subnet: part.subnet, addresses: part.without_route });
    let runs = |hop: &Hop| links.iter().any(|link| link.name == hop.interface && link.running);
    let hops = way.subnets.iter().flat_map(|subnet| &subnet.hops).filter(|hop| !runs(hop));
    cut_off.chain(hops.map(|hop| Warning::LinkDown { interface: hop.interface.clone() })).collect()
}

fn sweep_settings(config: &Config) -> SweepSettings {
    SweepSettings {
        protocols: config.policy.discovery.protocols.clone(),
        probing: config.policy.discovery.probing.clone(),
        credentials: credentials::prepare(&config.security.preferred()),
        neighbours: config.policy.discovery.neighbours,
        counters: config.policy.discovery.counters,
        snmp_port: 0,
    }
}

/// What a command that made a plan ends with.
///
/// # Errors
/// [`Failure::Failed`] when nobody can be asked from here.
pub fn verdict(forecast: &Forecast) -> Result<(), Failure> {
    if !forecast.ways.iter().any(WayForecast::leads_anywhere) {
        return Err(Failure::Failed(anyhow!("none of the subnets can be scanned from this host as it is")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::{Flags, Sources, load_without_limits};
    use crate::domain::address::MacAddr;

    fn sources(subnets: &[&str]) -> Sources {
        let targets = Some(subnets.iter().map(|text| (*text).to_owned()).collect());
        Sources { flags: Flags { role: Some("local".to_owned()), targets, ..Flags::default() }, ..Sources::default() }
    }

    /// A host in 10.0.0.0/8 and 8.8.8.0/24 by eth0, whose router leads to 172.16.0.0/16 but for its last half, and
    /// that may send what `sockets` says.
    fn made(sources: &Sources, running: bool, sockets: fn() -> Sockets) -> Forecast {
        let eth0 = Link {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
            addresses: vec!["10.0.0.1/8".parse().unwrap(), "8.8.8.1/24".parse().unwrap()],
            running,
        };
        let mut route_to = |address: Ipv4Addr| {
            let near = Route { interface: 2, gateway: None, source: [10, 0, 0, 1].into() };
            match address.octets() {
                [10, ..] | [8, 8, 8, _] => Ok(near),
                [172, 16, 0..=127, _] => Ok(Route { gateway: Some([10, 0, 0, 254].into()), ..near }),
                [172, 17, ..] => Err(Unroutable::NoSource),
                _ => Err(Unroutable::NoRoute),
            }
        };
        let look_for_sockets = &|_: usize| sockets();
        let host = Host { links: vec![eth0], neighbours: 512, look_for_sockets, route_to: &mut route_to };
        work_out(load_without_limits(sources.clone()).unwrap(), host)
    }

    fn all() -> Sockets {
        Sockets::All
    }

    fn no_frames() -> Sockets {
        Sockets::NoFrames("no permission to send frames".to_owned())
    }

    fn none() -> Sockets {
        Sockets::None(OpenError::Permission { program: "pdsno".to_owned(), group: 7 })
    }

    fn kinds(forecast: &Forecast) -> Vec<(&'static str, bool)> {
        forecast.warnings.iter().map(|warning| (warning.kind(), warning.refuses())).collect()
    }

    #[test]
    fn what_stands_in_the_way_is_told_and_the_rest_worked_out() {
        let subnets = ["10.0.0.0/15", "8.8.8.0/24", "192.168.7.0/24", "172.17.0.0/24", "172.16.127.0/24"];
        let of_all = made(&sources(&subnets), true, none);
        let expected = [
            ("public_range", true),
            ("large_range", true),
            ("no_source_address", true),
            ("no_route", true),
            ("no_permission", true),
            ("cycle_too_long", false),
        ];
        assert_eq!(kinds(&of_all), expected);
        assert!(!of_all.would_begin() && verdict(&of_all).is_ok());
        assert_eq!(of_all.ways.iter().map(|way| way.addresses).collect::<Vec<_>>(), [131_070 - 1 + 253, 254]);
        let text = of_all.warnings[3].to_string();
        assert!(text.contains("192.168.7.0/24") && text.contains("eth0"), "{text}");
        let text = of_all.warnings[4].to_string();
        assert!(text.contains("ping_group_range='7 7'") && text.contains("setcap"), "{text}");
        assert!(of_all.warnings[5].to_string().contains("Local Controllers"), "{}", of_all.warnings[5]);
    }

    #[test]
    fn what_is_allowed_does_not_stand_in_the_way() {
        let mut sources = sources(&["8.8.8.0/24"]);
        sources.flags.allow_public = Some(true);
        let one = made(&sources, true, all);
        assert_eq!(kinds(&one), [("public_range", false)]);
        assert!(one.would_begin());
        assert!(one.warnings[0].to_string().ends_with("it is allowed here"));
    }

    #[test]
    fn without_the_right_to_send_frames_the_kernel_is_the_way() {
        let one = made(&sources(&["10.0.0.0/24"]), true, no_frames);
        assert_eq!((kinds(&one), one.would_begin()), (vec![("no_frames", false)], true));
        let [WayForecast { way: Way::Kernel { instead_of_frames }, courses, .. }] = &one.ways[..] else {
            panic!("{:?}", one.ways)
        };
        assert_eq!(instead_of_frames.as_deref(), Some("no permission to send frames"));
        assert_eq!((courses.slowest.arp.packets, courses.fewest_packets), (0, 2 * 253));
        // Where no frame would have gone nothing is lost.
        let routed = made(&sources(&["172.16.0.0/24"]), true, no_frames);
        assert_eq!((kinds(&routed), routed.would_begin()), (Vec::new(), true));
    }

    #[test]
    fn a_subnet_that_is_reached_in_part_is_begun_with_and_the_rest_told() {
        let one = made(&sources(&["172.16.126.0/23", "172.16.128.0/22"]), true, all);
        assert_eq!(kinds(&one), [("no_route", true)]);
        let one = made(&sources(&["172.16.0.0/16"]), true, all);
        assert_eq!(kinds(&one), [("part_without_route", false)]);
        assert!(one.would_begin() && one.warnings[0].to_string().starts_with("32767 addresses of 172.16.0.0/16"));
    }

    #[test]
    fn on_a_link_that_is_down_nobody_is_asked() {
        let down = made(&sources(&["10.0.0.0/24"]), false, all);
        assert_eq!((kinds(&down), down.would_begin()), (vec![("link_down", false)], true), "it begins, and fails");
        assert!(verdict(&down).is_err() && down.total == Courses::default());
    }

    #[test]
    fn nowhere_to_go_is_a_failure() {
        let none = made(&sources(&["192.168.7.0/24"]), true, all);
        assert!(!none.would_begin() && verdict(&none).is_err());
        assert_eq!(none.total, Courses::default());
    }
}
