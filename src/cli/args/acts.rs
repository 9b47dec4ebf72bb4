//! The arguments of the verbs by which people decide who belongs here.

use clap::{Args, Subcommand};

use super::{Chosen, PlainFormat};

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token with which one controller can join, and print it once
    Issue(TokenIssueArgs),
    /// List the tokens that were made here
    List(TokenListArgs),
    /// Take an unused token back
    Revoke(TokenRevokeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno token issue --role regional --region zone-A
  pdsno token issue --role local --region zone-A --as regional --ttl 1h
  pdsno token issue --role regional --region zone-A > token; chmod 600 token

Nobody can see the token again: hand it to the new controller at once. It is used once.
Exit codes: 0 made, 1 refused, 2 bad usage or nobody to ask.")]
pub struct TokenIssueArgs {
    /// The tier of the new controller: regional on the Global Controller, local on a Regional one
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Its region
    #[arg(long, value_name = "REGION")]
    pub region: String,
    /// For how long the token can be used, 60s to 24h [default: 10m]
    #[arg(long, value_name = "SPAN")]
    pub ttl: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno token list
  pdsno token list --format json | jq '.tokens[] | select(.standing == \"usable\")'")]
pub struct TokenListArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  pdsno token revoke AAECAwQFBgcICQoL

Exit codes: 0 taken back, 1 refused, 2 bad usage or nobody to ask.")]
pub struct TokenRevokeArgs {
    /// The token's id: its second part, as `pdsno token list` shows it
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub id: String,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Subcommand)]
pub enum ControllersCommand {
    /// List the controllers that were validated here
    List(ControllersListArgs),
    /// Show one of them
    Show(ControllersShowArgs),
    /// Take a controller's certificate back; its messages are refused at once
    Revoke(ControllersRevokeArgs),
    /// Let a suspended controller in again
    Reinstate(ControllersReinstateArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno controllers list
  pdsno controllers list --as regional --format json")]
pub struct ControllersListArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno controllers show regional_cntl_zoneA_1
  pdsno controllers show local_cntl_zoneA_1 --as regional --format json")]
pub struct ControllersShowArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub id: String,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  pdsno controllers revoke regional_cntl_zoneA_1 --reason 'its host was stolen'

Exit codes: 0 revoked, 1 refused, 2 bad usage or nobody to ask.")]
pub struct ControllersRevokeArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub id: String,
    /// Why, for those who read the log later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  pdsno controllers reinstate local_cntl_zoneA_1 --as regional

Exit codes: 0 let in, 1 refused, 2 bad usage or nobody to ask.")]
pub struct ControllersReinstateArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub id: String,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Subcommand)]
pub enum BlocklistCommand {
    /// List the keys and sources that are refused
    List(BlocklistListArgs),
    /// Refuse a key or a source from now on
    Add(BlocklistAddArgs),
    /// Refuse it no longer
    Remove(BlocklistRemoveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno blocklist list
  pdsno blocklist list --as regional --format json")]
pub struct BlocklistListArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlainFormat,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pdsno blocklist add 192.0.2.7 --reason 'tries token after token'
  pdsno blocklist add 'A8u0…=' --reason 'the key of a stolen host'

Exit codes: 0 blocked, 1 refused, 2 bad usage or nobody to ask.")]
pub struct BlocklistAddArgs {
    /// A public key, or a source as the log names it
    #[arg(value_name = "KEY|SOURCE")]
    pub blocked: String,
    /// Why, for those who read the log later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  pdsno blocklist remove 192.0.2.7

Exit codes: 0 taken off the list, 1 refused, 2 bad usage or nobody to ask.")]
pub struct BlocklistRemoveArgs {
    /// The key or source, as `pdsno blocklist list` shows it
    #[arg(value_name = "KEY|SOURCE")]
    pub blocked: String,
    #[command(flatten)]
    pub chosen: Chosen,
}
