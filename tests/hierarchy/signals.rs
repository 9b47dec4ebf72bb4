//! What signals do to three controllers.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Tested, run};
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

#[test]
fn a_link_that_goes_and_comes_makes_one_cycle_of_the_one_that_discovers() -> Tested {
    let site = Site::new()?;
    let mut daemon = site.start()?;
    assert_eq!(daemon.await_cycle()?["trigger"], "bootstrap");
    for state in ["down", "up"] {
        run(site.lab.command("ip").args(["link", "set", "lab0", state]))?.printed()?;
    }
    let begun = daemon.await_message("discovery cycle begun for what happened on the network")?;
    assert_eq!((&begun["reason"], &begun["span"]["id"]), (&json!("lab0 changed"), &json!(LOCAL)), "{begun}");
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["trigger"], &cycle["span"]["id"]), (&json!("event_driven"), &json!(LOCAL)), "{cycle}");
    // The next cycle is one that is asked for: nobody else began one for the same.
    daemon.signal(Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["trigger"], "on_demand");
    let cycles = |tier: &str| -> Tested<Vec<Value>> {
        let events = site.events(tier, "DISCOVERY_CYCLE_COMPLETED")?;
        Ok(events.into_iter().map(|event| event["payload"]["trigger"].clone()).collect())
    };
    assert_eq!(cycles("local")?, ["bootstrap", "event_driven", "on_demand"]);
    for tier in ["global", "regional"] {
        assert_eq!(cycles(tier)?, [Value::Null; 0], "{tier}");
    }
    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    let begun = log.iter().filter(|line| line.contains("begun for what happened on the network")).count();
    assert_eq!((status.code(), begun), (Some(0), 1), "{log:?}");
    Ok(())
}
