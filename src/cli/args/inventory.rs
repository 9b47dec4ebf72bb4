//! The arguments of the verbs that show what a NIB has.

use clap::Args;

use super::{Chosen, Format, PlainFormat};

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
