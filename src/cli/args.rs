//! The arguments: what all verbs share here, those of each family of verbs in a file of its own.

mod acts;
mod audit;
mod discovery;
mod inventory;
mod maintenance;
mod policies;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::acts::{
    BlocklistAddArgs, BlocklistCommand, BlocklistListArgs, BlocklistRemoveArgs, ControllersCommand,
    ControllersListArgs, ControllersReinstateArgs, ControllersRevokeArgs, ControllersShowArgs, TokenCommand,
    TokenIssueArgs, TokenListArgs, TokenRevokeArgs,
};
pub use self::audit::{AuditCheckpointArgs, AuditCommand, AuditListArgs, ExportArgs, ProveArgs, VerifyArgs};
pub use self::discovery::{DaemonArgs, Probing, ScanArgs};
pub use self::inventory::{DeviceArgs, DevicesArgs, EventsArgs, StatusArgs};
pub use self::maintenance::{
    ConfigCheckArgs, ConfigCommand, ConfigShowArgs, Environment, InitArgs, NibBackupArgs, NibCheckArgs, NibCommand,
    SupportBundleArgs,
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
