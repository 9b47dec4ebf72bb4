//! The arguments of the verbs about the event log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Chosen, PlainFormat};

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
