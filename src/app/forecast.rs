//! What a scan would send, told instead of sent.

use anyhow::anyhow;
use rustix::thread::{CapabilitySet, capabilities};
use serde::{Serialize, Serializer};

use crate::algorithms::discovery::advice::too_long;
use crate::algorithms::discovery::credentials;
use crate::algorithms::discovery::forecast::{ASSUMED_ROWS, forecast, together};
pub use crate::algorithms::discovery::forecast::{Course, Courses, LinkForecast, Traffic};
use crate::algorithms::discovery::plan::{LinkPlan, plan};
use crate::algorithms::discovery::sweep::SweepSettings;
use crate::app::config::{Config, ConfigError, Loaded, PolicySettings, Sources, load};
use crate::app::failure::Failure;
use crate::domain::cycle::TooLong;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::southbound::interfaces::links;

/// What a scan of the configured subnets would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The configuration that it was made from, with public and large subnets let through.
    pub config: Config,
    /// What was done with the configuration that its author may not expect.
    pub notes: Vec<String>,
    /// Each link that would be swept.
    pub links: Vec<LinkForecast>,
    /// All links together.
    pub total: Courses,
    /// What stands in the way, and what to think of before.
    pub warnings: Vec<Warning>,
}

impl Forecast {
    /// Whether a scan would begin as things are.
    pub fn would_begin(&self) -> bool {
        !self.links.is_empty() && !self.warnings.iter().any(Warning::refuses)
    }
}

/// What to think of before a scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A subnet cannot be reached.
    #[error("{reason}")]
    NoLink {
        /// Why, with the subnet.
        reason: String,
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
    /// No right to send.
    #[error(
        "no permission to send ARP and ICMP frames: a scan needs CAP_NET_RAW (`make setcap`, or root); a plan does not"
    )]
    NoPermission,
    /// A cycle takes too long.
    #[error("{0}")]
    TooLong(TooLong),
}

impl Warning {
    /// The name of its kind, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoLink { .. } => "no_link",
            Self::LinkDown { .. } => "link_down",
            Self::Public { .. } => "public_range",
            Self::Large { .. } => "large_range",
            Self::NoPermission => "no_permission",
            Self::TooLong(_) => "cycle_too_long",
        }
    }

    /// Whether a scan would be refused for it.
    pub fn refuses(&self) -> bool {
        match self {
            Self::NoLink { .. } | Self::NoPermission => true,
            Self::Public { allowed, .. } | Self::Large { allowed, .. } => !allowed,
            Self::LinkDown { .. } | Self::TooLong(_) => false,
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
pub fn assumptions() -> [String; 3] {
    [
        "everybody answers: the first packet of each protocol; nobody has an SNMP agent".to_owned(),
        format!("slowest: everybody answers the last attempt only, with an SNMP agent of {ASSUMED_ROWS} interfaces"),
        "bytes are what leaves, as Ethernet frames; answers are about as many, of agents up to 1,500 octets each"
            .to_owned(),
    ]
}

/// Works out what a scan of the configured subnets would take. Nothing is sent or written, and no right is
/// needed. Public and large subnets are worked out and warned of, not refused.
///
/// # Errors
/// [`ConfigError`] for anything else that is wrong with the configuration.
pub fn prepare(sources: &Sources) -> Result<Forecast, ConfigError> {
    let with = |public: bool, large: bool| {
        let mut sources = sources.clone();
        sources.flags.allow_public = sources.flags.allow_public.or(public.then_some(true));
        sources.flags.allow_large = sources.flags.allow_large.or(large.then_some(true));
        load(sources)
    };
    let loaded = with(true, true)?;
    let allowed = Allowed { public: with(false, true).is_ok(), large: with(true, false).is_ok() };
    let may_send = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_RAW));
    Ok(work_out(loaded, allowed, &links(), may_send))
}

#[derive(Debug, Clone, Copy)]
struct Allowed {
    public: bool,
    large: bool,
}

fn work_out(loaded: Loaded, allowed: Allowed, links: &[Link], may_send: bool) -> Forecast {
    let notes = loaded.notes().to_vec();
    let config = loaded.config;
    let mut warnings = Vec::new();
    let subnets = &config.controller.subnets;
    let public = subnets.iter().filter(|subnet| subnet.is_public());
    warnings.extend(public.map(|subnet| Warning::Public { subnet: *subnet, allowed: allowed.public }));
    let addresses = AddressSet::new(subnets).len();
    if addresses > PolicySettings::MANY_ADDRESSES {
        warnings.push(Warning::Large { addresses: addresses as u64, allowed: allowed.large });
    }
    let links: Vec<LinkForecast> =
        reachable(&config, links, &mut warnings).iter().map(|plan| forecast(plan, &sweep_settings(&config))).collect();
    let down = links.iter().filter(|link| !link.running);
    warnings.extend(down.map(|link| Warning::LinkDown { interface: link.interface.clone() }));
    if !may_send {
        warnings.push(Warning::NoPermission);
    }
    let total = together(&links);
    warnings.extend(too_long(total.expected(), config.policy.discovery.interval).map(Warning::TooLong));
    Forecast { config, notes, links, total, warnings }
}

/// The plan of those subnets that a link leads to.
fn reachable(config: &Config, links: &[Link], warnings: &mut Vec<Warning>) -> Vec<LinkPlan> {
    let interface = config.controller.interface.as_deref();
    let here = links.iter().map(Link::to_string).collect::<Vec<_>>().join(", ");
    let mut kept = Vec::new();
    for subnet in &config.controller.subnets {
        match plan(&[*subnet], interface, links) {
            Ok(plans) if plans.kernel.is_none() => kept.push(*subnet),
            refused => {
                let routed = || {
                    format!(
                        "{subnet} is on link of no interface, and what is asked by routes is not worked out; this host has {here}"
                    )
                };
                let reason = refused.err().map_or_else(routed, |error| error.to_string());
                // One interface that is not there is one warning.
                if !warnings.iter().any(|one| matches!(one, Warning::NoLink { reason: told } if *told == reason)) {
                    warnings.push(Warning::NoLink { reason });
                }
            }
        }
    }
    plan(&kept, interface, links).unwrap_or_default().links
}

fn sweep_settings(config: &Config) -> SweepSettings {
    SweepSettings {
        protocols: config.policy.discovery.protocols.clone(),
        probing: config.policy.discovery.probing.clone(),
        credentials: credentials::prepare(&config.security.preferred()),
        neighbours: config.policy.discovery.neighbours,
        snmp_port: 0,
    }
}

/// What a command that made a plan ends with.
///
/// # Errors
/// [`Failure::Failed`] when no subnet can be scanned from here.
pub fn verdict(forecast: &Forecast) -> Result<(), Failure> {
    if forecast.links.is_empty() {
        return Err(Failure::Failed(anyhow!("none of the subnets can be scanned from this host")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Flags;
    use crate::domain::address::MacAddr;

    fn sources(subnets: &[&str]) -> Sources {
        let targets = Some(subnets.iter().map(|text| (*text).to_owned()).collect());
        Sources { flags: Flags { role: Some("local".to_owned()), targets, ..Flags::default() }, ..Sources::default() }
    }

    fn made(sources: &Sources, may_send: bool) -> Forecast {
        let eth0 = Link {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
            addresses: vec!["10.0.0.1/8".parse().unwrap(), "8.8.8.1/24".parse().unwrap()],
            running: false,
        };
        let mut open = sources.clone();
        (open.flags.allow_public, open.flags.allow_large) = (Some(true), Some(true));
        let allowed = Allowed {
            public: sources.flags.allow_public == Some(true),
            large: sources.flags.allow_large == Some(true),
        };
        work_out(load(open).unwrap(), allowed, &[eth0], may_send)
    }

    fn kinds(forecast: &Forecast) -> Vec<(&'static str, bool)> {
        forecast.warnings.iter().map(|warning| (warning.kind(), warning.refuses())).collect()
    }

    #[test]
    fn what_stands_in_the_way_is_told_and_the_rest_worked_out() {
        let of_all = made(&sources(&["10.0.0.0/15", "8.8.8.0/24", "192.168.7.0/24"]), false);
        let expected = [
            ("public_range", true),
            ("large_range", true),
            ("no_link", true),
            ("link_down", false),
            ("no_permission", true),
            ("cycle_too_long", false),
        ];
        assert_eq!(kinds(&of_all), expected);
        assert!(!of_all.would_begin() && verdict(&of_all).is_ok());
        assert_eq!(of_all.links[0].addresses, 131_070 - 1 + 253);
        let text = of_all.warnings[2].to_string();
        assert!(text.contains("192.168.7.0/24") && text.contains("eth0"), "{text}");
        assert!(of_all.warnings[5].to_string().contains("2 Local Controllers"), "{}", of_all.warnings[5]);
    }

    #[test]
    fn what_is_allowed_does_not_stand_in_the_way() {
        let mut sources = sources(&["8.8.8.0/24"]);
        sources.flags.allow_public = Some(true);
        let one = made(&sources, true);
        assert_eq!(kinds(&one), [("public_range", false), ("link_down", false)]);
        assert!(one.would_begin());
        assert!(one.warnings[0].to_string().ends_with("it is allowed here"));
    }

    #[test]
    fn nowhere_to_go_is_a_failure() {
        let none = made(&sources(&["192.168.7.0/24"]), true);
        assert!(!none.would_begin() && verdict(&none).is_err());
        assert_eq!(none.total, Courses::default());
    }
}
