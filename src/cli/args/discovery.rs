//! The arguments of those who discover: the daemon, and one cycle without it.

use clap::Args;
use secrecy::SecretString;

use super::{Common, Format, Log};

/// How to probe.
#[derive(Debug, Args)]
pub struct Probing {
    /// Use only this interface [default: the one whose network holds the subnet]
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,
    /// Probe with these: arp, icmp, snmp [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub protocols: Option<Vec<String>>,
    /// Try this SNMP community; may be repeated, the preferred first. Others on this host can read
    /// arguments: security.snmp_communities_file keeps it out of sight [default: public]
    #[arg(long = "community", value_name = "C", value_parser = secret)]
    pub communities: Option<Vec<SecretString>>,
    /// Send at most this many packets a second on one interface [default: 2000]
    #[arg(long, value_name = "N")]
    pub probe_rate: Option<u64>,
    /// Wait at most this long for one reply, in milliseconds [default: 1000]
    #[arg(long = "timeout", value_name = "MS")]
    pub timeout_ms: Option<u64>,
    /// Scan subnets of the public Internet, too
    #[arg(long)]
    pub allow_public: bool,
    /// Scan more than 65,536 addresses
    #[arg(long)]
    pub allow_large: bool,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// The daemon.
#[derive(Debug, Args)]
pub struct DaemonArgs {
    /// Run as this tier: local, global, or all three in one process: all; regional comes later
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// The region of the Regional and the Local Controller, for example zone-A
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The controller's name, where it is not given by another
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,
    /// The controller above, in another process: comes later
    #[arg(long, value_name = "NAME")]
    pub parent: Option<String>,
    /// Discover these subnets, separated by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub subnets: Option<Vec<String>>,
    /// Serve health, metrics and status here, or nowhere: none [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub probing: Probing,
    #[command(flatten)]
    pub log: Log,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno scan 10.0.1.0/24
  pdsno scan 10.0.1.0/24 10.0.2.0/24 --protocols arp,icmp
  pdsno scan 10.0.1.0/24 --format json | jq '.devices[].mac'
  pdsno scan 10.0.1.0/24 --save --data-dir /var/lib/pdsno
  pdsno scan --plan 10.0.0.0/16 --probe-rate 500        what that would send; nothing is sent

Exit codes: 0 scanned or planned, 1 scan failed or no subnet in reach, 2 bad usage or configuration.")]
pub struct ScanArgs {
    /// The subnets
    #[arg(value_name = "CIDR", value_delimiter = ',')]
    pub subnets: Vec<String>,
    #[command(flatten)]
    pub probing: Probing,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Write the result into the NIB of the data folder
    #[arg(long)]
    pub save: bool,
    /// Tell instead of scanning by which way each subnet would be asked, with packets, bytes, time, load
    /// and memory: nothing is sent, and no right is needed
    #[arg(long, conflicts_with = "save")]
    pub plan: bool,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub log: Log,
}
