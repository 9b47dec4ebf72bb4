//! A fleet of simulated devices: up to 65,534 of them behind a TAP interface, which answer ARP, ICMP
//! echo and SNMP v1, v2c and v3, with whatever faults are asked for. It serves tests and measurements
//! and is no part of the program; `tests/lab/fleet.sh` runs a command in front of it.
//!
//! `network` says from the options alone who lives where and as what, `truth` tells that as JSON,
//! `answer` decides what is sent for a frame and when, with `snmp` and `engine` for what agents say;
//! `shell` does it.

mod answer;
mod ber;
mod draw;
mod engine;
mod fault;
mod frames;
mod model;
mod network;
mod objects;
mod options;
mod queue;
mod shell;
mod snmp;
mod storm;
mod truth;
mod users;
mod version;

use std::io::{self, BufWriter, Write};

use clap::{Parser, Subcommand};

use crate::answer::Fleet;
use crate::network::Network;
use crate::options::Options;

/// Simulates up to 65,534 devices behind a TAP interface
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print who lives where, what they answer, and what is wrong with them, as JSON
    Truth {
        #[command(flatten)]
        options: Options,
    },
    /// Make a TAP interface and answer until standard input ends or SIGTERM comes; print counters
    Run {
        #[command(flatten)]
        options: Options,
        /// The name of the interface
        #[arg(long, default_value = "tap0")]
        tap: String,
    },
}

fn main() -> anyhow::Result<()> {
    match Line::parse().command {
        Command::Truth { options } => {
            let mut out = BufWriter::new(io::stdout().lock());
            truth::write(&Network::new(options), &mut out)?;
            out.flush()?;
        }
        Command::Run { options, tap } => {
            let counters = shell::run(Fleet::new(Network::new(options)), &tap)?;
            println!("{}", serde_json::to_string(&counters)?);
        }
    }
    Ok(())
}
