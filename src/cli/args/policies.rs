//! The arguments of the verbs about policy and about what is done by it now.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Chosen, PlainFormat};

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show the policy in effect, and who runs which version
    Show(PolicyShowArgs),
    /// Check a file with a policy and tell everything that is wrong with it; needs no controller
    Check(PolicyCheckArgs),
    /// Set the policy of all controllers, at the Global Controller
    Set(PolicySetArgs),
    /// List the policies that were in effect
    History(PolicyHistoryArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno policy show
  pdsno policy show --as local --format json | jq .in_effect.values")]
pub struct PolicyShowArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno policy check site-policy.yaml
  pdsno policy check site-policy.yaml --format json | jq .values

Exit codes: 0 it is a policy, 2 it is none; every problem is told with its place.")]
pub struct PolicyCheckArgs {
    /// The file: the section policy as in config/policy_default.yaml
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno policy set site-policy.yaml
  pdsno policy set site-policy.yaml --expires 90d
  pdsno policy set site-policy.yaml --expires 2027-06-30 --format json

Keys that the file does not have are as in config/policy_default.yaml, whatever they were before.
A policy that has ended stays in effect until another is set.
Exit codes: 0 set, 1 refused, 2 bad usage, a file that is no policy, or nobody to ask.")]
pub struct PolicySetArgs {
    /// The file: the section policy as in config/policy_default.yaml
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// When it ends: so long from now (12h, 90d), a date (midnight UTC) or a time [default: in a year]
    #[arg(long, value_name = "DURATION|DATE")]
    pub expires: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno policy history
  pdsno policy history --as regional --format json")]
pub struct PolicyHistoryArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno discover --as local --wait                     a Local Controller's own cycle, to its end
  pdsno discover                                       all Local Controllers below this one
  pdsno discover local_cntl_zoneA_1 --reason 'new switch in rack 4'

Exit codes: 0 asked for, 1 refused or failed, 2 bad usage or nobody to ask.")]
pub struct DiscoverArgs {
    /// At a Global or Regional Controller, the Local Controller that is meant [default: all below]
    #[arg(value_name = "NAME")]
    pub of: Option<String>,
    /// Why, for those who read the logs of the controllers below
    #[arg(long, value_name = "TEXT", default_value = "asked for by an operator")]
    pub reason: String,
    /// Wait for the end of a Local Controller's own cycle
    #[arg(long)]
    pub wait: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}
