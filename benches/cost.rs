//! What a program takes: time, processor, memory.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::time::Duration;

use anyhow::{Context, bail};
use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock;
use serde::{Deserialize, Serialize};
use wait4::Wait4;

/// What a program took from its start to its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Cost {
    /// Time.
    pub wall: Duration,
    /// Processor time, its own and the kernel's for it.
    pub cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub peak: u64,
}

/// Where a process of this bench that runs one program for it writes what that took.
const TAKEN: &str = "PDSNO_BENCH_TAKEN";

/// Runs a program to its end; returns what it printed and what it took. It must end with one of these
/// codes.
///
/// It is started by a process of its own. The kernel counts what the starter had in memory as the
/// program's, until it is executed, and a bench that has read what others printed has much.
pub fn run(program: impl AsRef<OsStr>, arguments: &[&str], codes: &[i32]) -> anyhow::Result<(String, Cost)> {
    let name = Path::new(program.as_ref()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut errors = tempfile::tempfile()?;
    let taken = tempfile::NamedTempFile::new()?;
    let mut starter = Command::new(env::current_exe()?);
    starter.env(TAKEN, taken.path()).arg(program.as_ref()).args(arguments);
    let ended = starter.stdin(Stdio::null()).stderr(errors.try_clone()?).stdout(Stdio::piped()).spawn()?;
    let ended = ended.wait_with_output()?;
    if !ended.status.code().is_some_and(|code| codes.contains(&code)) {
        let mut said = String::new();
        errors.rewind()?;
        errors.read_to_string(&mut said)?;
        bail!("{name}: {}: {}", ended.status, said.trim());
    }
    let cost = serde_json::from_slice(&fs::read(taken.path())?).with_context(|| format!("{name} was not measured"))?;
    Ok((String::from_utf8(ended.stdout)?, cost))
}

/// What to do in place of a bench where this process was started to run one program for it: its first
/// argument, with the others. Never comes back then.
#[expect(clippy::disallowed_methods, reason = "its exit code is the program's, and nothing is left to be dropped")]
pub fn if_started_for_one() -> anyhow::Result<()> {
    let Some(taken) = env::var_os(TAKEN) else { return Ok(()) };
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().context("no program")?;
    let clock = SystemClock::start();
    let used = Command::new(&program).args(arguments).env_remove(TAKEN).spawn().context("it cannot be run")?.wait4()?;
    let cost = Cost { wall: clock.elapsed(), cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss };
    fs::write(taken, serde_json::to_vec(&cost)?)?;
    exit(used.status.code().context("it was ended by a signal")?)
}
