//! What signals do to three controllers.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::Tested;
use crate::site::{LOCAL, Site, await_names};

#[test]
fn a_cycle_is_asked_for_and_the_configuration_read_again() -> Tested {
    let (site, folder) = (Site::new()?, TempDir::new()?);
    let file = folder.path().join("c.yaml");
    fs::write(&file, "policy: {probe_attempts: 2}\n")?;
    let config = file.to_str().ok_or("no text")?;
    let mut daemon = site.begin(&["--listen", "none", "--config", config])?;
    await_names(&mut daemon)?;
    daemon.await_cycle()?;
    daemon.signal(Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["trigger"], "on_demand");

    fs::write(&file, "policy: {probe_attempts: 3}\ncommunication: {rest_port: 9000}\n")?;
    daemon.signal(Signal::HUP)?;
    daemon.await_line("that policy is set elsewhere", |line| {
        line["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("policy.* of the configuration is the first"))
    })?;
    daemon.await_message("configuration read again and taken over")?;
    fs::write(&file, "policy: {probe_attempts: many}\n")?;
    daemon.signal(Signal::HUP)?;
    daemon.await_message("configuration read again and refused; the old values stay")?;
    daemon.signal(Signal::USR1)?;
    daemon.await_cycle()?;
    for event_type in ["CONFIG_RELOADED", "CONFIG_REJECTED"] {
        let events = site.events("local", event_type)?;
        assert_eq!(events.len(), 1, "{event_type}");
        assert_eq!(events[0]["actor"], LOCAL);
    }
    Ok(())
}

#[test]
fn sigint_ends_all_three_in_order_also_before_they_have_names() -> Tested {
    let site = Site::new()?;
    for message in ["starting", "controller started", "policy in effect"] {
        let mut daemon = site.begin(&["--listen", "none"])?;
        daemon.await_message(message)?;
        let asked = Instant::now();
        daemon.signal(Signal::INT)?;
        let (status, log) = daemon.end()?;
        assert_eq!(status.code(), Some(0), "{message}: {log:?}");
        assert!(asked.elapsed() < Duration::from_secs(6), "{message}: {:?}", asked.elapsed());
        let files = site.files()?;
        assert!(files.iter().all(|file| file.ends_with("pdsno.db") || file.ends_with(".key")), "{message}: {files:?}");
    }
    Ok(())
}
