//! The arguments of the verbs that care for data folder and configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Chosen, Common, DaemonArgs, PlainFormat};

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
