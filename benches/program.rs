//! The programs that are measured.

use std::process::Command;

use anyhow::Context;

/// The release build of pdsno.
pub const PDSNO: &str = env!("CARGO_BIN_EXE_pdsno");

/// How a program names its version: the first line that it prints.
pub fn version(program: &str, argument: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg(argument).output().with_context(|| format!("{program} cannot be run"))?;
    let text = String::from_utf8([output.stdout, output.stderr].concat())?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(program);
    let line = line.split(" (").next().unwrap_or(line);
    Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
}
