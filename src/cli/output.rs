//! Printing: to standard output what was asked for, to standard error everything else.

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;
use serde::Serialize;

use super::text::{self, LongWord, fold};
use crate::app::failure::Failure;

/// Nobody reads on fewer columns; what says that it has fewer does not know.
const NARROWEST: usize = 16;

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
    stdout().is_terminal() && are_colours_welcome()
}

/// Whether colours are wanted on standard error.
pub fn colours_of_errors() -> bool {
    stderr().is_terminal() && are_colours_welcome()
}

fn are_colours_welcome() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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

/// What is handed to the system at once of a long output: as much as a pipe holds (pipe(7)).
const AT_ONCE: usize = 65_536;

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Ended> {
    let mut out = io::BufWriter::with_capacity(AT_ONCE, stdout().lock());
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

/// How many columns standard output has, if it is a terminal.
pub fn room() -> Option<usize> {
    columns(stdout())
}

/// How many columns standard error has, if it is a terminal.
pub fn room_for_notes() -> Option<usize> {
    columns(stderr())
}

fn columns(stream: impl IsTerminal + AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream.as_fd()).ok().filter(|_| stream.is_terminal())?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= NARROWEST)
}

/// Prints lines; those that are too long for a terminal are folded and go on up to `hang` columns further in.
pub fn lines(text: &str, hang: usize) -> Result<(), Ended> {
    self::text(&folded(text, room(), hang, LongWord::Break))
}

/// Prints a sentence for people; what may be copied from it, a path or a key, is not broken.
pub fn say(text: &str) -> Result<(), Ended> {
    self::text(&folded(&format!("{text}\n"), room(), 2, LongWord::Keep))
}

/// Prints labels with their values, those `label` columns in.
pub fn sheet<L: AsRef<str>>(lines: &[(L, String)], label: usize) -> Result<(), Ended> {
    self::text(&text::sheet(lines, label, room()))
}

fn folded(text: &str, room: Option<usize>, hang: usize, long: LongWord) -> String {
    let Some(room) = room else { return text.to_owned() };
    // On 40 columns an id of 36 (RFC 9562) still has a line of its own.
    let hang = hang.min((room / 10).max(2));
    text.lines().map(|line| fold(line, room, hang, long) + "\n").collect()
}

/// Tells people something, beside the output.
pub fn note(text: &str) {
    // Nobody to tell is nothing to fail for.
    let _told = stderr().write_all(folded(&format!("{text}\n"), room_for_notes(), 2, LongWord::Keep).as_bytes());
}

/// Tells why a command failed.
pub fn complain(failure: &Failure) {
    note(&format!("error: {failure}"));
}
