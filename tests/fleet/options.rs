//! What a fleet is made of.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::fault::Fault;
use crate::users::Users;

/// The options of every command. A share is a number from 0 to 1.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Where all chance comes from: the same options with the same seed are the same fleet
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The addresses of the fleet, at most a /16
    #[arg(long, default_value = "10.1.0.0/16", value_parser = prefix)]
    pub prefix: Ipv4Net,
    /// The address that is nobody's of the fleet; by default the 250th, or the last one
    #[arg(long)]
    pub scanner: Option<Ipv4Addr>,
    /// The share of addresses that somebody has
    #[arg(long, default_value_t = 0.30, value_parser = share)]
    pub live: f64,
    /// The share of live hosts with an SNMP agent
    #[arg(long, default_value_t = 0.40, value_parser = share)]
    pub snmp: f64,
    /// The community that agents answer to; to any other they are silent
    #[arg(long, default_value = "public")]
    pub community: String,
    /// The share of agents that speak SNMP v1 alone
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub snmp_v1: f64,
    /// The share of agents that speak SNMP v3 alone
    #[arg(long, default_value_t = 0.0, value_parser = share, requires = "snmp_users")]
    pub snmp_v3: f64,
    /// The share of agents that speak SNMP v3, too; all that are left speak v1 and v2c
    #[arg(long, default_value_t = 0.0, value_parser = share, requires = "snmp_users")]
    pub snmp_all: f64,
    /// A file with users of SNMP v3, as `pdsno` has it in `security.snmp_credentials_file`: each agent
    /// that speaks v3 knows one of them
    #[arg(long, env = "FLEET_SNMP_USERS", value_name = "FILE", value_parser = Users::read)]
    pub snmp_users: Option<Users>,
    /// The share of agents with neighbours in lldpRemTable, and Cisco's in cdpCacheTable
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub lldp: f64,
    /// The share of hosts without an agent that answer nothing but ARP
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub arp_only: f64,
    /// The share of hosts without an agent that say so by ICMP port unreachable; others are silent
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub closed: f64,
    /// How long a reply takes: 2ms, 1.5s
    #[arg(long, default_value = "2ms", value_parser = duration)]
    pub delay: Duration,
    /// How much longer it takes at most
    #[arg(long, default_value = "0", value_parser = duration)]
    pub jitter: Duration,
    /// The share of requests that get lost
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub loss_in: f64,
    /// The share of replies that get lost
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub loss_out: f64,
    /// The share of replies that come twice
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub duplicates: f64,
    /// The share of replies that come late
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub late: f64,
    /// How much later than others a late reply comes
    #[arg(long, default_value = "1500ms", value_parser = duration)]
    pub late_by: Duration,
    /// The share of hosts whose ICMP and SNMP replies bear an id that nobody asked with
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub wrong_id: f64,
    /// The share of hosts whose ICMP and SNMP replies come from another address
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub foreign_source: f64,
    /// The share of hosts whose ICMP and SNMP replies are malformed, and a first ARP reply, too
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub malformed: f64,
    /// The share of hosts whose ICMP and SNMP replies are cut off, and a first ARP reply, too
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub truncated: f64,
    /// The share of agents whose texts are not UTF-8
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub non_utf8: f64,
    /// The share of agents whose ifTable begins again where it should end
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub looping: f64,
    /// The rows of ifTable of those agents that have a huge one; 0 for no such agents
    #[arg(long, default_value_t = 0, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(..=65_535))]
    pub huge_table: u32,
    /// The share of agents that have a huge table
    #[arg(long, default_value_t = 0.01, value_parser = share)]
    pub huge_share: f64,
    /// The share of hosts that have 2 to 8 of the live addresses
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub multi_address: f64,
    /// The share of hosts that are reached by way of another one, which answers ARP for them
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub proxy_arp: f64,
    /// Replies a second that nobody asked for, from the first frame on
    #[arg(long, default_value_t = 0, value_name = "RATE")]
    pub unsolicited: u64,
    #[command(flatten)]
    pub engines: EngineFaults,
}

/// The faults of agents that speak SNMP v3. An agent has at most one of them.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Shares of the agents that speak SNMP v3")]
pub struct EngineFaults {
    /// Whose clock runs away, so that no question is ever of its time
    #[arg(long = "v3-clock-disagrees", default_value_t = 0.0, value_parser = share)]
    clock_disagrees: f64,
    /// Whose clock is told wrongly as long as nobody can check that
    #[arg(long = "v3-clock-told-wrongly", default_value_t = 0.0, value_parser = share)]
    clock_told_wrongly: f64,
    /// Whose user has another name
    #[arg(long = "v3-other-user", default_value_t = 0.0, value_parser = share)]
    other_user: f64,
    /// Whose user has another password
    #[arg(long = "v3-other-password", default_value_t = 0.0, value_parser = share)]
    other_password: f64,
    /// Whose user has another authentication protocol
    #[arg(long = "v3-other-protocol", default_value_t = 0.0, value_parser = share)]
    other_protocol: f64,
    /// Whose user has another password for privacy: what cannot be read is discarded
    #[arg(long = "v3-other-privacy", default_value_t = 0.0, value_parser = share)]
    other_privacy: f64,
    /// The same, but what cannot be read is reported
    #[arg(long = "v3-undecryptable", default_value_t = 0.0, value_parser = share)]
    undecryptable: f64,
    /// Whose user has no privacy
    #[arg(long = "v3-no-privacy", default_value_t = 0.0, value_parser = share)]
    no_privacy: f64,
    /// That start again after their first answer
    #[arg(long = "v3-reboots", default_value_t = 0.0, value_parser = share)]
    reboots: f64,
    /// Whose authenticated messages are changed afterwards
    #[arg(long = "v3-wrong-digest", default_value_t = 0.0, value_parser = share)]
    wrong_digest: f64,
    /// Whose messages answer others than those that were asked
    #[arg(long = "v3-wrong-message-id", default_value_t = 0.0, value_parser = share)]
    wrong_message_id: f64,
}

impl Options {
    /// The share of those that can have a fault that do.
    pub const fn share(&self, fault: Fault) -> f64 {
        let engines = &self.engines;
        match fault {
            Fault::WrongId => self.wrong_id,
            Fault::ForeignSource => self.foreign_source,
            Fault::Malformed => self.malformed,
            Fault::Truncated => self.truncated,
            Fault::NonUtf8 => self.non_utf8,
            Fault::Looping => self.looping,
            Fault::ClockDisagrees => engines.clock_disagrees,
            Fault::ClockToldWrongly => engines.clock_told_wrongly,
            Fault::OtherUser => engines.other_user,
            Fault::OtherPassword => engines.other_password,
            Fault::OtherProtocol => engines.other_protocol,
            Fault::OtherPrivacy => engines.other_privacy,
            Fault::Undecryptable => engines.undecryptable,
            Fault::NoPrivacy => engines.no_privacy,
            Fault::Reboots => engines.reboots,
            Fault::WrongDigest => engines.wrong_digest,
            Fault::WrongMessageId => engines.wrong_message_id,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

fn prefix(text: &str) -> Result<Ipv4Net, String> {
    let prefix: Ipv4Net = text.parse().map_err(|_| "write a prefix as 10.1.0.0/16")?;
    match prefix {
        prefix if prefix.network() != prefix.addr() => Err(format!("it has host bits set; {} has not", prefix.trunc())),
        prefix if (16..=29).contains(&prefix.prefix_len()) => Ok(prefix),
        _ => Err("it is not between a /16 and a /29".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let refused = || "write a duration as 2ms, 250us or 1.5s".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "" if number == "0" => 0.0,
        _ => return Err(refused()),
    };
    let number: f64 = number.parse().map_err(|_| refused())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| refused())
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// A file with four users, the last of them without privacy.
    pub const USERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/users.yaml");

    /// The options of a command line.
    pub fn options(line: &str) -> Options {
        read(line).unwrap()
    }

    fn read(line: &str) -> Result<Options, clap::Error> {
        Ok(Line::try_parse_from(["fleet"].into_iter().chain(line.split_whitespace()))?.options)
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(options("--delay 1.5s").delay, Duration::from_millis(1_500));
        assert_eq!(options("--delay 250us").delay, Duration::from_micros(250));
        assert_eq!(options("--jitter 0").jitter, Duration::ZERO);
        for refused in ["--delay 2", "--delay ms", "--delay 2m", "--delay -1ms", "--delay 1e99s"] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_makes_no_fleet_is_refused() {
        for refused in ["--live 1.1", "--snmp -0.1", "--loss-in NaN", "--prefix 10.0.0.0/15", "--prefix 10.0.0.1/24"] {
            assert!(read(refused).is_err(), "{refused}");
        }
        assert_eq!(options("--prefix 10.2.0.0/22").prefix.prefix_len(), 22);
    }

    #[test]
    fn who_speaks_snmp_v3_needs_users() {
        for line in ["--snmp-v3 0.5", "--snmp-all 0.5", "--snmp-users /nowhere/at/all"] {
            assert!(read(line).is_err(), "{line}");
        }
        assert_eq!(options(&format!("--snmp-v3 0.5 --snmp-users {USERS}")).snmp_users.map(|all| all.count()), Some(4));
    }

    #[test]
    fn each_fault_has_a_share_of_its_own() {
        for (number, fault) in Fault::all().enumerate() {
            let prefix = if Fault::OF_ENGINES.contains(&fault) { "--v3-" } else { "--" };
            let options = options(&format!("{prefix}{} 0.25", fault.name().replace('_', "-")));
            let shares: Vec<f64> = Fault::all().map(|fault| options.share(fault)).collect();
            assert!(shares.iter().enumerate().all(|(at, share)| *share == if at == number { 0.25 } else { 0.0 }));
        }
    }
}
