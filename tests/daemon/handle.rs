//! A daemon that a test runs in a lab, and the HTTP answers that it gives there.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::lab::{Lab, ends_within};
use crate::program::{LIMIT, PDSNO, Tested, run, without_settings};

/// A daemon that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    waiting: Child,
    program: Pid,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Daemon {
    /// Starts it in the lab's scanner with these arguments; when this returns, it runs.
    pub fn start<A: AsRef<OsStr>>(lab: &Lab, arguments: &[A]) -> Tested<Self> {
        let mut daemon = Self::begin(lab, arguments)?;
        daemon.await_message("local controller started")?;
        Ok(daemon)
    }

    /// Starts it, and does not wait for anything.
    pub fn begin<A: AsRef<OsStr>>(lab: &Lab, arguments: &[A]) -> Tested<Self> {
        Self::begin_with(lab, &[], arguments)
    }

    /// Starts it with these variables more in its environment, and does not wait for anything.
    pub fn begin_with<A: AsRef<OsStr>>(lab: &Lab, variables: &[(&str, &OsStr)], arguments: &[A]) -> Tested<Self> {
        let mut command = lab.command(PDSNO);
        without_settings(&mut command).args(arguments).envs(variables.iter().copied());
        Self::spawn(lab, command)
    }

    /// Starts it without any capability; when this returns, it runs.
    pub fn start_unprivileged<A: AsRef<OsStr>>(lab: &Lab, arguments: &[A]) -> Tested<Self> {
        let mut command = lab.command("setpriv");
        without_settings(&mut command).args(["--bounding-set", "-all", "--inh-caps=-all", PDSNO]).args(arguments);
        let mut daemon = Self::spawn(lab, command)?;
        daemon.await_message("local controller started")?;
        Ok(daemon)
    }

    fn spawn(lab: &Lab, mut command: Command) -> Tested<Self> {
        let mut waiting = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = waiting.stderr.take().ok_or("no stderr")?;
        let (told, lines) = channel();
        thread::spawn(move || {
            // Ends with the program, or with whoever listened.
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| told.send(line))
        });
        let program = match lab.program_of(&waiting) {
            Ok(program) => program,
            Err(error) => {
                waiting.kill()?;
                waiting.wait()?;
                return Err(format!("{error}: {}", lines.iter().collect::<Vec<_>>().join("\n")).into());
            }
        };
        Ok(Self { waiting, program, lines, log: Vec::new() })
    }

    /// Its process, as it is outside the lab.
    pub fn process(&self) -> Pid {
        self.program
    }

    /// Its number inside the lab (proc_pid_status(5)).
    pub fn number_in_lab(&self) -> Tested<u32> {
        let status = fs::read_to_string(self.proc("status"))?;
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).ok_or("no NSpid")?;
        Ok(numbers.split_whitespace().next_back().ok_or("no number")?.parse()?)
    }

    /// A file of its folder in `/proc`.
    pub fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.program)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Tested {
        Ok(kill_process(self.program, signal)?)
    }

    /// Waits for the next line of its log with this message.
    pub fn await_message(&mut self, message: &str) -> Tested<Value> {
        self.await_line(message, |line| line["message"] == message)
    }

    /// Waits for the end of the next cycle, whose line this is.
    pub fn await_cycle(&mut self) -> Tested<Value> {
        self.await_message("discovery cycle ended")
    }

    /// Waits for the next line of its log that is meant.
    pub fn await_line(&mut self, what: &str, meant: impl Fn(&Value) -> bool) -> Tested<Value> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                return Err(format!("no line {what:?} in the log:\n{}", self.log.join("\n")).into());
            };
            let parsed = serde_json::from_str(&line);
            self.log.push(line);
            match parsed {
                Ok(line) if meant(&line) => return Ok(line),
                _ => {}
            }
        }
    }

    /// Whether the next line has come that is meant; does not wait.
    pub fn has_logged(&mut self, message: &str) -> bool {
        let before = self.log.len();
        self.log.extend(self.lines.try_iter());
        let new = self.log.iter().skip(before);
        new.filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|line| line["message"] == message)
    }

    /// Waits for its end, and returns how it ended with the whole of its log.
    pub fn end(mut self) -> Tested<(ExitStatus, Vec<String>)> {
        if !ends_within(self.waiting.id(), LIMIT) {
            self.log.extend(self.lines.try_iter());
            return Err(format!("it goes on:\n{}", self.log.join("\n")).into());
        }
        let status = self.waiting.wait()?;
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        Ok((status, log))
    }

    /// Kills it, whatever it does, and waits for its end.
    pub fn kill(mut self) -> Tested {
        self.signal(Signal::KILL)?;
        self.waiting.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The program ends with the process that waits for it.
        let _ = self.waiting.kill();
        let _ = self.waiting.wait();
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Result<Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.body)?)
    }
}

/// Asks a daemon of the lab that listens on 127.0.0.1:8080.
pub fn get(lab: &Lab, path: &str) -> Tested<Answer> {
    let url = format!("http://127.0.0.1:8080{path}");
    let told = "\n%{http_code} %{content_type}";
    let text =
        run(lab.command("curl").args(["--silent", "--show-error", "--max-time", "10", "-w", told, &url]))?.printed()?;
    let (body, told) = text.rsplit_once('\n').ok_or("curl told nothing")?;
    let (status, content_type) = told.split_once(' ').ok_or("curl told no type")?;
    Ok(Answer { status: status.parse()?, content_type: content_type.to_owned(), body: body.to_owned() })
}

/// Asks again until the status is this one.
pub fn await_status(lab: &Lab, path: &str, status: u16) -> Tested<Answer> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let answer = get(lab, path)?;
        if answer.status == status {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("{path} did not answer {status}: {answer:?}").into());
        }
    }
}

/// The arguments that give a daemon a data folder, and nothing to listen on.
pub fn quiet<'a>(subnet: &'a str, data: &'a Path) -> [&'a OsStr; 8] {
    let [role, local, subnets, folder, listen, none] =
        ["--role", "local", "--subnets", "--data-dir", "--listen", "none"].map(OsStr::new);
    [role, local, subnets, OsStr::new(subnet), folder, data.as_os_str(), listen, none]
}
