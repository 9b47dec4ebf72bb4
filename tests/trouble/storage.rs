//! A disk that is full or may not be written.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::begun::counter;
use crate::handle::{Daemon, quiet};
use crate::program::{Ran, Tested, run};
use crate::site::{SUBNET, Site};

/// Whatever a verb of the scanner's own tools does; inside of the lab, whose mounts are its own.
fn shell(site: &Site, script: &str) -> Tested<String> {
    run(site.lab.command("bash").args(["-c", script, "bash"]).arg(site.data()))?.printed()
}

/// A site whose data folder is a file system of its own, of this size.
fn with_a_disk(size: &str) -> Tested<Site> {
    let site = Site::new(4, 0, 0)?;
    shell(&site, &format!("mkdir \"$1\" && mount -t tmpfs -o size={size},mode=700 disk \"$1\""))?;
    Ok(site)
}

/// A command that reads the NIB where it is.
fn read(site: &Site, arguments: &[&str]) -> Tested<Ran> {
    run(site.program(arguments).arg("--data-dir").arg(site.data()))
}

fn types(site: &Site) -> Tested<Vec<Value>> {
    let events = read(site, &["events", "--format", "json"])?.json_lines()?;
    Ok(events.into_iter().map(|event| event["event_type"].clone()).collect())
}

#[test]
fn a_disk_that_is_full_in_the_commit_fails_the_cycle_and_the_next_one_makes_up_for_it() -> Tested {
    let site = with_a_disk("1m")?;
    let data = site.data();
    let mut daemon = Daemon::start(&site.lab, &quiet(SUBNET, &data))?;
    assert_eq!(daemon.await_cycle()?["new"], 4);
    let before = types(&site)?;
    for number in 5..=13 {
        site.lab.verb(&["add", &format!("h{number}"), "plain"])?;
    }
    // Until not one octet more fits.
    shell(&site, "dd if=/dev/zero of=\"$1/filler\" bs=1k status=none 2>&1; test -s \"$1/filler\"")?;
    let failed = loop {
        daemon.signal(Signal::USR1)?;
        let line = daemon.await_line("the end of a cycle", |line| {
            ["discovery cycle ended", "discovery cycle failed"].iter().any(|message| line["message"] == *message)
        })?;
        if line["message"] == "discovery cycle failed" {
            break line;
        }
    };
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("no space is left for the NIB")), "{failed}");
    let events = types(&site)?;
    assert!(events.starts_with(&before), "what was told stays");

    shell(&site, "rm \"$1/filler\"")?;
    daemon.signal(Signal::USR1)?;
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["hosts"], &cycle["completeness"]), (&json!(13), &json!("complete")));
    let discovered = types(&site)?.iter().filter(|event| *event == "DEVICE_DISCOVERED").count();
    assert_eq!(discovered, 13, "each once");
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    assert!(read(&site, &["nib", "check"])?.printed()?.contains("13 devices"));
    Ok(())
}

#[test]
fn on_a_file_system_that_may_not_be_written_a_scan_says_so_before_it_sends_anything() -> Tested {
    let site = with_a_disk("4m")?;
    site.scan()?;
    shell(&site, "mount -o remount,ro \"$1\"")?;
    let sent = counter(&site, "tx_packets")?;
    let refused = run(site.program(&["scan", SUBNET, "--save", "--data-dir"]).arg(site.data()))?;
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.out.is_empty() && refused.err.contains(&site.data().display().to_string()), "{refused:?}");
    assert!(refused.err.to_lowercase().contains("read-only"), "{refused:?}");
    assert_eq!(counter(&site, "tx_packets")?, sent, "and nobody was asked");
    // What is not saved needs no disk.
    let unsaved = run(site.program(&["scan", SUBNET, "--format", "csv", "--data-dir"]).arg(site.data()))?;
    assert_eq!(unsaved.printed()?.lines().count(), 1 + 4);

    shell(&site, "mount -o remount,rw \"$1\"")?;
    assert_eq!(site.scan()?["changes"]["unchanged"], 4);
    assert!(read(&site, &["nib", "check"])?.printed()?.contains("4 devices"));
    Ok(())
}
