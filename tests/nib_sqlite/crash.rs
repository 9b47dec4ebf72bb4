//! A process that is killed while it commits: this test's binary, started once more.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pdsno::domain::event::{EventSeq, NewEvent};
use pdsno::domain::number::StreamSeq;
use pdsno::domain::stream::{Stream, StreamChange, StreamPosition};
use pdsno::nib::sqlite::{OpenMode, SqliteNib, SqliteReader, check};
use pdsno::nib::{Change, EventQuery, NibReader, NibStore, Source, StreamReader};

use crate::samples::{NOW, append, id, insert};
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

/// Set in the process that is to be killed in the middle of a commit: the NIB, and after how many batches.
const HALFWAY: [&str; 2] = ["PDSNO_TEST_CRASH_HALFWAY_NIB", "PDSNO_TEST_CRASH_BATCHES"];

/// Hands over so many batches of a commit, says when they have been taken, and waits for its end.
fn commit_batches_until_killed(path: &Path, batches: u32) -> ! {
    let mut nib = SqliteNib::open(path, OpenMode::Current).unwrap();
    let first = nib.reader().unwrap().next_device().unwrap().number();
    let source = Source::new(move |sink| {
        (0..batches).try_for_each(|batch| {
            let begin = first + batch * 500;
            let rows = (begin..begin + 500).flat_map(|number| [insert(number), bulky(number)]);
            sink(&rows.chain([told(begin)]).collect::<Vec<_>>())
        })?;
        let mut output = std::io::stdout();
        writeln!(output, "\ntaken").unwrap();
        output.flush().unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
        ControlFlow::Continue(())
    });
    panic!("it ended: {:?}", nib.commit_from(source))
}

/// What the controller above is told of a batch.
fn told(number: u32) -> Change {
    let body = format!("{{\"devices\":{number}}}");
    Change::Stream(StreamChange::Enqueue { stream: Stream::Reports, body, at: NOW })
}

/// An event of some 4 KiB.
fn bulky(number: u32) -> Change {
    match append(number) {
        Change::Append(event) => {
            Change::Append(NewEvent { payload: serde_json::json!({ "text": "x".repeat(4_096) }), ..event })
        }
        other => other,
    }
}

#[test]
fn a_kill_between_batches_leaves_nothing_of_them() {
    if let [Some(path), Some(batches)] = HALFWAY.map(env::var_os) {
        commit_batches_until_killed(Path::new(&path), batches.to_str().unwrap().parse().unwrap());
    }
    let scene = Scene::new();
    SqliteNib::open(&scene.path, OpenMode::Current).unwrap().commit(&[insert(1), append(1)]).unwrap();
    // The cache holds 16 MiB: some of them are killed with pages of theirs in the log, some without.
    for batches in [1, 3, 12, 20_u32] {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::a_kill_between_batches_leaves_nothing_of_them", "--nocapture"])
            .env(HALFWAY[0], &scene.path)
            .env(HALFWAY[1], batches.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "taken"), "it ended before it was killed");
        // Who looks meanwhile sees nothing of it, either.
        assert_eq!(SqliteReader::open(&scene.path).unwrap().next_event().unwrap(), EventSeq::from_number(2));
        let log = std::fs::metadata(scene.path.with_extension("sqlite-wal")).unwrap().len();
        assert_eq!(log > 1 << 20, batches > 10, "{log} octets of log after {batches} batches");
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().signal(), Some(9));
        let report = check(&scene.path).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!((report.devices, report.events), (1, 2));
        let seen = SqliteReader::open(&scene.path).unwrap();
        assert_eq!(seen.position(Stream::Reports).unwrap(), StreamPosition::default());
        assert_eq!(seen.outbox(Stream::Reports, StreamSeq::default(), 1).unwrap(), []);
    }
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    nib.commit(&[insert(2), append(2), told(2)]).unwrap();
    let waiting = nib.reader().unwrap().outbox(Stream::Reports, StreamSeq::default(), 9).unwrap();
    assert_eq!(waiting.iter().map(|item| item.seq.number()).collect::<Vec<_>>(), [1], "no number is lost");
}
