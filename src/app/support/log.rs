//! The last lines of the log. The program writes it to its standard error; where that leads is where it is
//! read again: a file, or the journal of the service manager.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// How many octets of the end of a file.
const OCTETS: u64 = 2 << 20;
/// How many lines of the journal.
const LINES: &str = "--lines=5000";
/// The unit that is installed.
const UNIT: &str = "pdsno.service";

/// The last lines that a process logged; without one those of the unit that is installed.
///
/// # Errors
/// When the log cannot be read again from where it went, with where that is.
pub(super) fn last_lines(process: Option<u32>) -> anyhow::Result<String> {
    let Some(process) = process else {
        return of_journal(UNIT).context("no controller runs");
    };
    let path = format!("/proc/{process}/fd/2");
    let target =
        fs::read_link(&path).with_context(|| format!("where process {process} logs cannot be seen: {path}"))?;
    let kind = fs::metadata(&path)?.file_type();
    if kind.is_file() {
        return end_of(&mut File::open(&path)?).with_context(|| target.display().to_string());
    }
    // The manager's standard error of a service is a socket of its journal (systemd-journald(8)).
    let unit = kind.is_socket().then(|| unit_of(process)).flatten();
    match unit {
        Some(unit) => of_journal(&unit),
        None => bail!(
            "process {process} logs to {}, which cannot be read again: ask whoever reads it there for the log",
            target.display()
        ),
    }
}

fn end_of(file: &mut (impl Read + Seek)) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    let begin = length.saturating_sub(OCTETS);
    file.seek(SeekFrom::Start(begin))?;
    let mut octets = Vec::new();
    file.take(OCTETS).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    Ok(match text.split_once('\n') {
        // The rest of a line is none.
        Some((_, whole)) if begin > 0 => whole.to_owned(),
        _ => text,
    })
}

/// The service that a process belongs to: the last part of its control group (systemd.service(5)).
fn unit_of(process: u32) -> Option<String> {
    unit_in(&fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?)
}

/// The same of a text of cgroups(7): version 2 has one line, version 1 one for each hierarchy.
fn unit_in(groups: &str) -> Option<String> {
    let mut last = groups.lines().filter_map(|line| line.rsplit('/').next());
    last.find(|name| name.ends_with(".service")).map(str::to_owned)
}

fn of_journal(unit: &str) -> anyhow::Result<String> {
    let mut ask = Command::new("journalctl");
    ask.args(["--quiet", "--no-pager", "--output=short-iso-precise", LINES, "--unit", unit]).stdin(Stdio::null());
    let told = ask.output().context("the journal cannot be read: journalctl")?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let said = String::from_utf8_lossy(&told.stderr);
    ensure!(!text.trim().is_empty(), "the journal tells no line of {unit}. {}", said.trim());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn of_a_long_file_the_last_whole_lines_are_told() {
        let line = "0123456789abcdef\n";
        let many = line.repeat(usize::try_from(OCTETS).unwrap() / line.len() + 5);
        let told = end_of(&mut Cursor::new(&many)).unwrap();
        assert!(told.len() as u64 <= OCTETS && told.len() as u64 > OCTETS - 2 * line.len() as u64, "{}", told.len());
        assert!(told.lines().all(|told| told == line.trim()));
        assert_eq!(end_of(&mut Cursor::new("one\ntwo")).unwrap(), "one\ntwo");
        assert_eq!(end_of(&mut Cursor::new("")).unwrap(), "");
    }

    #[test]
    fn the_service_of_a_process_is_in_its_control_group() {
        let unit = |text| unit_in(text);
        assert_eq!(unit("0::/system.slice/pdsno.service\n").as_deref(), Some("pdsno.service"));
        let of_version_1 = "3:cpu:/\n1:name=systemd:/system.slice/pdsno@b.service\n0::/\n";
        assert_eq!(unit(of_version_1).as_deref(), Some("pdsno@b.service"));
        assert_eq!(unit("0::/user.slice/session-3.scope\n"), None);
        assert_eq!(unit(""), None);
    }
}
