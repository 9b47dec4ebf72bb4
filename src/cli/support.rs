//! `pdsno support-bundle`.

use std::path::PathBuf;

use clap::Parser;

use super::args::{Cli, SupportBundleArgs};
use super::daemon::{flags, sources};
use super::output::{self, Ended, note};
use crate::app::clock::SystemClock;
use crate::app::config::{Flags, Sources};
use crate::app::support::{Started, SupportOrder, write};
use crate::domain::time::Clock;

pub fn run(args: &SupportBundleArgs) -> Result<(), Ended> {
    let common = &args.chosen.common;
    let place = Flags { data_dir: common.data_dir.clone(), ..Flags::default() };
    let at = SystemClock::start().now();
    let target = args.file.clone().unwrap_or_else(|| {
        let second: String = at.to_string().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
        PathBuf::from(format!("pdsno-support-{second}Z.tar.gz"))
    });
    let controller = args.chosen.controller.as_deref();
    let order = SupportOrder { sources: sources(common, place), of_controller: &of_daemon, controller, at };
    let written = write(&order, &target)?;
    note("it names devices and addresses of your network, and no secret; look through it before you hand it on");
    let (path, size, files) = (written.path.display(), written.size, written.files.len());
    output::say(&format!("{path}: {files} files, {size} bytes"))
}

/// What a daemon that was started so has its settings from. Variables that stand for flags are those of this
/// process where it has them: they name the data folder that the daemon was found by.
fn of_daemon(started: &Started) -> Option<Sources> {
    let args = Cli::try_parse_from(&started.arguments).ok().filter(|cli| cli.command.is_none())?.daemon;
    let variable = |name: &str| started.variable(name).map(str::to_owned);
    let file = args.common.config.clone().or_else(|| variable("PDSNO_CONFIG").map(PathBuf::from));
    let mut flags = flags(&args);
    flags.data_dir = flags.data_dir.or_else(|| variable("PDSNO_DATA_DIR"));
    Some(Sources { file: file.map(|file| started.folder.join(file)), environment: started.environment.clone(), flags })
}
