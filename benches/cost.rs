//! What a program takes: time, processor, memory.

use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock;
use wait4::Wait4;

/// What a program took from its start to its end.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Time.
    pub wall: Duration,
    /// Processor time, its own and the kernel's for it.
    pub cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub peak: u64,
}

/// Runs a program to its end; returns what it printed and what it took. It must end with one of these
/// codes.
pub fn run(program: impl AsRef<OsStr>, arguments: &[&str], codes: &[i32]) -> anyhow::Result<(String, Cost)> {
    let name = Path::new(program.as_ref()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut errors = tempfile::tempfile()?;
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
    let clock = SystemClock::start();
    let mut child = command.spawn().with_context(|| format!("{name} cannot be run"))?;
    let mut printed = String::new();
    child.stdout.take().context("no pipe")?.read_to_string(&mut printed)?;
    let used = child.wait4()?;
    let wall = clock.elapsed();
    if !used.status.code().is_some_and(|code| codes.contains(&code)) {
        let mut said = String::new();
        errors.rewind()?;
        errors.read_to_string(&mut said)?;
        bail!("{name}: {}: {}", used.status, said.trim());
    }
    Ok((printed, Cost { wall, cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss }))
}
