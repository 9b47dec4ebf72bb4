//! `pdsno support-bundle`.

use std::path::PathBuf;

use super::args::SupportBundleArgs;
use super::daemon::sources;
use super::output::{self, Ended, note};
use crate::app::clock::SystemClock;
use crate::app::config::Flags;
use crate::app::support::{SupportOrder, write};
use crate::domain::time::Clock;

pub fn run(args: &SupportBundleArgs) -> Result<(), Ended> {
    let common = &args.chosen.common;
    let flags = Flags { data_dir: common.data_dir.clone(), ..Flags::default() };
    let at = SystemClock::start().now();
    let target = args.file.clone().unwrap_or_else(|| {
        let second: String = at.to_string().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
        PathBuf::from(format!("pdsno-support-{second}Z.tar.gz"))
    });
    let order = SupportOrder { sources: sources(common, flags), controller: args.chosen.controller.as_deref(), at };
    let written = write(&order, &target)?;
    note("it names devices and addresses of your network, and no secret; look through it before you hand it on");
    let (path, size, files) = (written.path.display(), written.size, written.files.len());
    output::text(&format!("{path}: {files} files, {size} bytes\n"))
}
