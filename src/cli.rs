//! Layer 7: the command line. It reads arguments, calls `app`, and prints.

mod args;
mod audit;
mod blocklist;
mod configuration;
mod controllers;
mod daemon;
mod devices;
mod discover;
mod events;
mod maintenance;
mod manual;
mod output;
mod policy;
mod scan;
mod status;
mod support;
mod table;
mod text;
mod token;
mod usage;

use std::process::ExitCode;

use clap::CommandFactory;

use self::args::{Cli, Command, ConfigCommand, NibCommand};
use self::output::Ended;

/// Runs the program; the exit code is 0 when it did what was asked, 1 when that failed, 2 when it
/// could not even be begun.
pub fn main() -> ExitCode {
    let cli = match usage::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match run(cli) {
        // Whoever reads the output has seen enough.
        Ok(()) | Err(Ended::ReaderGone) => ExitCode::SUCCESS,
        Err(Ended::Failed(failure)) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Ended> {
    match cli.command {
        None => daemon::run(cli.daemon),
        Some(Command::Scan(args)) => scan::run(args),
        Some(Command::Devices(args)) => devices::list(&args),
        Some(Command::Device(args)) => devices::show(&args),
        Some(Command::Events(args)) => events::run(&args),
        Some(Command::Status(args)) => status::run(&args),
        Some(Command::Token(command)) => token::run(&command),
        Some(Command::Controllers(command)) => controllers::run(&command),
        Some(Command::Blocklist(command)) => blocklist::run(&command),
        Some(Command::Policy(command)) => policy::run(&command),
        Some(Command::Discover(args)) => discover::run(&args),
        Some(Command::Init(args)) => maintenance::init(&args),
        Some(Command::Nib(NibCommand::Check(args))) => maintenance::check(&args),
        Some(Command::Nib(NibCommand::Backup(args))) => maintenance::backup(&args),
        Some(Command::Audit(command)) => audit::run(&command),
        Some(Command::Config(ConfigCommand::Check(args))) => configuration::check(&args),
        Some(Command::Config(ConfigCommand::Show(args))) => configuration::show(&args),
        Some(Command::SupportBundle(args)) => support::run(&args),
        Some(Command::Man { folder }) => manual::run(Cli::command(), folder.as_deref()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pdsno", &mut script);
            output::bytes(&script)
        }
    }
}
