//! Printing: to standard output what was asked for, to standard error everything else.

use std::io::{self, IsTerminal, Write, stderr, stdout};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::app::failure::Failure;

/// Why a command ended early.
#[derive(Debug)]
pub enum Ended {
    /// It failed.
    Failed(Failure),
    /// The reader of its output has gone, as `head` does: no failure of ours.
    ReaderGone,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(Failure::Failed(anyhow::Error::from(error).context("cannot write the output"))),
        }
    }
}

/// Whether colours are wanted on standard output (no-color.org).
pub fn colours() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a text, as it is.
pub fn text(text: &str) -> Result<(), Ended> {
    bytes(text.as_bytes())
}

/// Prints bytes, as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Ended> {
    let mut out = stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Ended> {
    let mut out = io::BufWriter::new(stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Prints a value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<(), Ended> {
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// A table without lines, as wide as the terminal at most; in a pipe as wide as it needs.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    if let Some(width) = terminal_width() {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Prints a table, each line as `dress` makes it.
pub fn print_table(table: &Table, dress: impl Fn(&str) -> String) -> Result<(), Ended> {
    let lines: String = table.lines().map(|line| dress(line.trim_end()) + "\n").collect();
    text(&lines)
}

fn terminal_width() -> Option<u16> {
    if !stdout().is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(stdout()).ok().map(|size| size.ws_col).filter(|width| *width >= 40)
}

/// A text on one line, for a cell.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tells people something, beside the output.
pub fn note(text: &str) {
    // Nobody to tell is nothing to fail for.
    let _told = writeln!(stderr(), "{text}");
}

/// Tells why a command failed.
pub fn complain(failure: &Failure) {
    note(&format!("error: {failure}"));
}
