//! The built program, run to its end, and folders that tell what it wrote. A crate includes this
//! beside `lab/handle.rs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::lab::ends_within;

/// What a test returns.
pub type Tested<T = ()> = Result<T, Box<dyn Error>>;

/// The built program.
pub const PDSNO: &str = env!("CARGO_BIN_EXE_pdsno");

/// Longer than anything here takes, also on a machine that is busy.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The exit code; none of a run that a signal ended.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// What it printed, where it ended with 0.
    pub fn printed(self) -> Tested<String> {
        if self.code() == Some(0) {
            Ok(self.out)
        } else {
            Err(format!("{}: {}{}", self.status, self.err, self.out).into())
        }
    }

    /// The JSON document that it printed, where it ended with 0.
    pub fn json(self) -> Tested<Value> {
        Ok(serde_json::from_str(&self.printed()?)?)
    }

    /// The JSON documents that it printed, one a line, where it ended with 0.
    pub fn json_lines(self) -> Tested<Vec<Value>> {
        self.printed()?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// The program with these arguments, with no setting of this process's environment.
pub fn pdsno(arguments: &[&str]) -> Command {
    let mut command = Command::new(PDSNO);
    without_settings(&mut command).args(arguments);
    command
}

/// Removes every setting of the program from the environment of a command.
pub fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PDSNO_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end; one that takes too long is killed, and what it said is the error.
pub fn run(command: &mut Command) -> Tested<Ran> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (reading(child.stdout.take()), reading(child.stderr.take()));
    let in_time = ends_within(child.id(), LIMIT);
    if !in_time {
        child.kill()?;
    }
    let ran = Ran { status: child.wait()?, out: said(out)?, err: said(err)? };
    if in_time { Ok(ran) } else { Err(format!("{command:?} did not end: {ran:?}").into()) }
}

fn reading(stream: Option<impl Read + Send + 'static>) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

fn said(reading: JoinHandle<io::Result<String>>) -> Tested<String> {
    Ok(reading.join().map_err(|_| "the reader of a pipe panicked")??)
}

/// All files, sockets and folders below a folder, with the content of the files.
pub fn listing(folder: &Path) -> io::Result<BTreeMap<PathBuf, Option<Vec<u8>>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(listing(&path)?);
            found.insert(path, None);
        } else {
            let content = if path.is_file() { Some(fs::read(&path)?) } else { None };
            found.insert(path, content);
        }
    }
    Ok(found)
}
