//! A panic of any thread ends the process, and says why.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use pdsno::app::logging::{abort_on_panic, start};

/// Set in the process that is to panic: this very test, run once more.
const PANICS: &str = "PANIC_ENDS_THE_PROCESS";

/// SIGABRT (signal(7)).
const ABORTED: i32 = 6;

#[test]
fn a_panic_of_any_thread_ends_the_process_and_says_why() {
    if std::env::var_os(PANICS).is_some() {
        start("info").unwrap();
        abort_on_panic();
        let thread = std::thread::Builder::new().name("sweeper".to_owned()).spawn(|| panic!("a frame too many"));
        let survived = thread.unwrap().join();
        unreachable!("the process goes on after {survived:?}");
    }
    let this = "a_panic_of_any_thread_ends_the_process_and_says_why";
    let Output { status, stderr, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this, "--nocapture"])
        .env(PANICS, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&stderr);
    assert_eq!(status.signal(), Some(ABORTED), "{status}: {told}");
    for part in ["a frame too many", "sweeper", "tests/panic.rs"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}
