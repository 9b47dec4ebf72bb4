//! The arguments.

mod acts;
mod policies;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

pub use self::acts::{
    BlocklistAddArgs, BlocklistCommand, BlocklistListArgs, BlocklistRemoveArgs, ControllersCommand,
    ControllersListArgs, ControllersReinstateArgs, ControllersRevokeArgs, ControllersShowArgs, TokenCommand,
    TokenIssueArgs, TokenListArgs, TokenRevokeArgs,
};
pub use self::policies::{
    DiscoverArgs, PolicyCheckArgs, PolicyCommand, PolicyHistoryArgs, PolicySetArgs, PolicyShowArgs,
};

const DAEMON_EXAMPLES: &str = "\
Examples:
  pdsno --role local --subnets 10.0.1.0/24            discover a subnet until told to stop
  pdsno scan 10.0.1.0/24                              one cycle, as a table
  pdsno devices --status inactive                     what has gone missing
  pdsno events --follow                               what changes, as it changes

Settings come from flags, then PDSNO_SECTION__KEY variables, then --config FILE, then defaults;
`pdsno config show` tells which. Exit codes: 0 done, 1 failed, 2 bad usage or configuration.";

/// A network controller: finds the devices of its subnets and keeps what is known of them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = DAEMON_EXAMPLES, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub daemon: DaemonArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command that works on a data folder takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Read settings from this YAML file
    #[arg(long, value_name = "FILE", env = "PDSNO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Keep the NIB in this folder [default: ./data]
    #[arg(long, value_name = "DIR", env = "PDSNO_DATA_DIR")]
    pub data_dir: Option<String>,
}

/// Which controller of a data folder is meant.
#[derive(Debug, Args)]
pub struct Chosen {
    #[command(flatten)]
    pub common: Common,
    /// With --role all, the controller that is meant: global, regional, local, or its name
    /// [default: the topmost one]
    #[arg(long = "as", value_name = "CONTROLLER")]
    pub controller: Option<String>,
}

/// What every command that can tell a log takes.
#[derive(Debug, Args)]
pub struct Log {
    /// Log from this level on, or by target: error, warn, info, debug, trace, target=level,…
    #[arg(long = "log", value_name = "FILTER", env = "PDSNO_LOG")]
    pub filter: Option<String>,
}

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

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Discover once, without a daemon
    Scan(ScanArgs),
    /// List the devices of the NIB
    Devices(DevicesArgs),
    /// Show one device: all of its facts
    Device(DeviceArgs),
    /// List events, oldest first
    Events(EventsArgs),
    /// Tell how the controller of a data folder does
    Status(StatusArgs),
    /// Make, list or take back the tokens with which controllers join
    #[command(subcommand)]
    Token(TokenCommand),
    /// List, show, revoke or reinstate the controllers below
    #[command(subcommand)]
    Controllers(ControllersCommand),
    /// List, block or unblock keys and sources whose requests are refused unseen
    #[command(subcommand)]
    Blocklist(BlocklistCommand),
    /// Show, check or set the policy of all controllers, or list what it was
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Have a running controller discover now, itself or those below it
    Discover(DiscoverArgs),
    /// Create the NIB, or bring it up to date
    Init(InitArgs),
    /// Check or copy the NIB
    #[command(subcommand)]
    Nib(NibCommand),
    /// List, verify, prove and export the event log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Pack what support needs into one file: state, last cycles and events, log, checks, and no secret
    SupportBundle(SupportBundleArgs),
    /// Print the manual page, or write those of all verbs into a folder
    #[command(after_help = "Examples:\n  pdsno man | man -l -\n  pdsno man /usr/local/share/man/man1")]
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Print a completion script
    #[command(after_help = "Example:\n  pdsno completions bash > /etc/bash_completion.d/pdsno")]
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs: one object
    Json,
    /// For spreadsheets: a line for each device
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlainFormat {
    /// For people
    Table,
    /// For programs
    Json,
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
    /// Tell packets, bytes, time, load and memory instead of scanning: nothing is sent, and no right is
    /// needed
    #[arg(long, conflicts_with = "save")]
    pub plan: bool,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub log: Log,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno devices
  pdsno devices --status inactive --format csv > missing.csv")]
pub struct DevicesArgs {
    /// Only those of this status: active, inactive, unreachable, quarantined, degraded
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno device nib-dev-000047
  pdsno device 10.0.1.7
  pdsno device 00:1b:2f:3c:4d:5e --format json")]
pub struct DeviceArgs {
    /// Its id, one of its IPv4 addresses, or its MAC address
    #[arg(value_name = "ID|IP|MAC")]
    pub key: String,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno events --since 1h
  pdsno events --type DEVICE_INACTIVE,DEVICE_DISCOVERED
  pdsno events --follow --format json | jq .subject")]
pub struct EventsArgs {
    /// Only of these types, DEVICE_UPDATED for example: one, or several with commas; may be repeated
    #[arg(long = "type", value_name = "TYPE,…", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only about this subject, a device's id for example
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// Only from this time on (2026-11-21T10:00:00Z), or from so long ago (15m, 2h, 7d)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Go on with what comes, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// How to print; json is one object a line
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno status
  pdsno status --as regional                          # one of the controllers of --role all
  pdsno status --format json --data-dir /var/lib/pdsno | jq .last_cycle")]
pub struct StatusArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// For trying out: ./data unless named otherwise
    Dev,
    /// For service: /var/lib/pdsno unless named otherwise
    Prod,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno init --env dev
  sudo pdsno init --env prod")]
pub struct InitArgs {
    /// What it is for
    #[arg(long, value_enum)]
    pub env: Environment,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum NibCommand {
    /// Read everything and tell what is wrong; exit code 1 if something is
    Check(NibCheckArgs),
    /// Copy the NIB to a new file, also while a controller runs
    Backup(NibBackupArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno nib check --data-dir /var/lib/pdsno")]
pub struct NibCheckArgs {
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno nib backup /backup/pdsno-$(date +%F).db --data-dir /var/lib/pdsno")]
pub struct NibBackupArgs {
    /// The copy; it must not exist yet
    #[arg(value_name = "FILE")]
    pub target: PathBuf,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno support-bundle
  pdsno support-bundle /tmp/pdsno-support.tar.gz --data-dir /var/lib/pdsno

It works while a controller runs and while none does, also when the configuration is refused. Without
--config it is the configuration that the controller was started with. The file is readable for its owner
only. Exit codes: 0 written, 1 failed, 2 the file cannot be made or is there already.")]
pub struct SupportBundleArgs {
    /// The file; it must not exist yet [default: pdsno-support-TIME.tar.gz in the present folder]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file and tell everything that is wrong with it
    Check(ConfigCheckArgs),
    /// Show the effective values, each with where it came from; secrets are hidden
    Show(Box<ConfigShowArgs>),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno config check config/context_runtime.yaml")]
pub struct ConfigCheckArgs {
    /// The file [default: the one of --config or PDSNO_CONFIG, with the environment's variables]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read settings from this YAML file
    #[arg(long, value_name = "FILE", env = "PDSNO_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno config show --config config/context_runtime.yaml --probe-rate 500")]
pub struct ConfigShowArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List the entries of the event log: position, type, decision, who
    List(AuditListArgs),
    /// Print the newest signed head with its cosignatures, or sign one now
    Checkpoint(AuditCheckpointArgs),
    /// Verify the own log, or exports and proofs of anybody's
    Verify(VerifyArgs),
    /// Write the proof of one event
    Prove(ProveArgs),
    /// Write entries, heads and certificates into a folder, for somebody who has no access here
    Export(ExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno audit list --from 100 --format json | jq .event_type")]
pub struct AuditListArgs {
    /// From this position on
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// How to print; json is one object a line
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno audit checkpoint --data-dir /var/lib/pdsno
  pdsno audit checkpoint --now --as regional           before an export, so that it covers everything
  pdsno audit checkpoint --format json | jq .size

Exit codes: 0 printed, 1 there is no signed head, 2 bad usage, or no controller's data folder.")]
pub struct AuditCheckpointArgs {
    /// Have a head of everything that is in the log now signed, and print that: by the controller that
    /// runs, which shows it to its witnesses, or without one here
    #[arg(long)]
    pub now: bool,
    /// How to print: table is the signed note as it is
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno audit verify
  pdsno audit verify export-2026-11 --root-key 'A8u0…='
  pdsno audit verify proof.json --root-key 'A8u0…=' --format json

Exit codes: 0 verified, 1 not verified (the first bad position is named), 2 nothing that can be verified.")]
pub struct VerifyArgs {
    /// Exports (folders) and proofs (files); without any the own log is verified
    #[arg(value_name = "DIR|FILE")]
    pub paths: Vec<PathBuf>,
    /// The trust root's public key, from somebody whom you believe
    #[arg(long, value_name = "KEY")]
    pub root_key: Option<String>,
    /// How to print; json is one object a line
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno audit prove 4711 proof.json
  pdsno audit prove 4711 proof.json --as local    (with --role all: as far up as it goes)
  pdsno audit prove --extend proof.json proof-with-region.json --as regional")]
pub struct ProveArgs {
    /// The event: its position or its id
    #[arg(value_name = "SEQ|EVENT_ID", required_unless_present = "extend")]
    pub event: Option<String>,
    /// The file; it must not exist yet [default: standard output]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Add that this controller took the head of that proof's log into its own
    #[arg(long, value_name = "PROOF")]
    pub extend: Option<PathBuf>,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pdsno audit export --from 0 --to 5000 export-2026-11")]
pub struct ExportArgs {
    /// The first entry
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// The one after the last [default: as far as heads were signed]
    #[arg(long, value_name = "SEQ")]
    pub to: Option<u64>,
    /// The folder; it must not exist yet
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub chosen: Chosen,
}
