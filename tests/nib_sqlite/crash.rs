//! A process that is killed while it commits: this test's binary, started once more.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pdsno::domain::event::EventSeq;
use pdsno::nib::sqlite::{OpenMode, SqliteNib, SqliteReader, check};
use pdsno::nib::{EventQuery, NibReader, NibStore};

use crate::samples::{append, id, insert};
use crate::scene::Scene;

/// Set in the process that is to be killed: the NIB.
const VICTIM: &str = "PDSNO_TEST_CRASH_NIB";

/// Kills per run; each time the NIB goes on from where it was.
const KILLS: u64 = 25;

/// Commits in a loop, and says after each which number it has.
fn commit_until_killed(path: &Path) -> ! {
    let mut nib = SqliteNib::open(path, OpenMode::Current).unwrap();
    let mut number = nib.reader().unwrap().next_device().unwrap().number();
    // Standard output itself: the test harness would keep what is printed.
    let mut output = std::io::stdout();
    loop {
        nib.commit(&[insert(number), append(number)]).unwrap();
        writeln!(output, "committed {number}").unwrap();
        output.flush().unwrap();
        number += 1;
    }
}

/// Starts a victim, kills it after this many acknowledged commits, and returns the last of them.
fn kill_after(path: &Path, commits: u64) -> u32 {
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::every_acknowledged_commit_survives_a_kill", "--nocapture"])
        .env(VICTIM, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let acknowledged = |line: std::io::Result<String>| line.unwrap().strip_prefix("committed ")?.parse::<u32>().ok();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut last = lines.by_ref().filter_map(acknowledged).nth(commits as usize).unwrap();
    victim.kill().unwrap();
    let status = victim.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it ended otherwise: {status}");
    // What it had said before it was dead counts, too. The last line may be cut.
    last = lines.filter_map(acknowledged).last().unwrap_or(last);
    last
}

#[test]
fn every_acknowledged_commit_survives_a_kill() {
    if let Some(path) = env::var_os(VICTIM) {
        commit_until_killed(Path::new(&path));
    }
    let scene = Scene::new();
    for kill in 0..KILLS {
        let last = kill_after(&scene.path, kill * 3);
        // A reader comes first, before anybody has recovered the log.
        let seen = SqliteReader::open(&scene.path).unwrap();
        assert!(seen.device(id(last)).unwrap().is_some(), "{last} was acknowledged");
        let report = check(&scene.path).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!(report.events, report.devices + 1, "row and event of a commit are both there or not");
        // The commit after the last word may be there, too; no other.
        assert!((u64::from(last)..=u64::from(last) + 1).contains(&report.devices), "{last}: {report:?}");
    }
    let nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let query = EventQuery { limit: usize::MAX, from: EventSeq::from_number(1), ..EventQuery::default() };
    let events = nib.reader().unwrap().events(&query).unwrap();
    assert!((1..).zip(&events).all(|(number, event)| event.subject == id(number).to_string()));
}
