//! A log that somebody edited.

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::program::Tested;
use crate::site::{HOSTS, LOCAL, Site};

/// Edits an event as somebody does who drops the triggers first, and puts them back.
fn edit(site: &Site, tier: &str, seq: i64) -> Tested {
    let sql = Connection::open(site.nib(tier))?;
    let mut triggers = sql.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")?;
    let triggers: Vec<(String, String)> =
        triggers.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (name, _) in &triggers {
        sql.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    assert_eq!(sql.execute("UPDATE events SET subject = 'somebody_else' WHERE seq = ?1", [seq])?, 1);
    for (_, trigger) in &triggers {
        sql.execute_batch(trigger)?;
    }
    Ok(())
}

#[test]
fn an_edited_event_is_named_at_the_start_and_its_controller_only_answers() -> Tested {
    let site = Site::new()?;
    let mut daemon = site.start()?;
    daemon.await_cycle()?;
    site.await_devices("global", HOSTS)?;
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    let last = site.events("local", "CONTROLLER_STOPPED")?[0]["seq"].as_i64().ok_or("no number")?;
    edit(&site, "local", last)?;
    let before = std::fs::read(site.nib("local"))?;

    let mut daemon = site.begin(&["--listen", "none"])?;
    let told =
        daemon.await_line("LOG_CORRUPT", |line| line["message"].as_str().is_some_and(|m| m.contains("LOG_CORRUPT")))?;
    assert_eq!((&told["level"], &told["controller"]), (&Value::from("ERROR"), &Value::from(LOCAL)));
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains(&format!("entry {last} "))), "{told}");
    daemon.await_line("the other two go on", |line| {
        line["message"] == "validated" && line["span"]["role"] == "regional"
    })?;

    let live = &site.json(&["status", "--as", "local"])?["live"];
    assert_eq!((&live["log"]["state"], &live["controller_id"]), (&Value::from("LOG_CORRUPT"), &Value::from(LOCAL)));
    assert_eq!(site.await_devices("local", HOSTS)?.len(), HOSTS);
    assert_eq!(site.json(&["status", "--as", "regional"])?["live"]["membership"]["state"], "VALIDATED");
    daemon.signal(Signal::USR1)?;
    daemon.await_message("SIGUSR1 left out: no controller of this process discovers")?;
    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert_eq!(std::fs::read(site.nib("local"))?, before, "nothing was written");
    Ok(())
}

#[test]
fn without_a_controller_too_nothing_is_written_to_a_log_that_was_edited() -> Tested {
    let site = Site::new()?;
    let daemon = site.start()?;
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    let last = site.events("global", "CONTROLLER_STOPPED")?[0]["seq"].as_i64().ok_or("no number")?;
    edit(&site, "global", last)?;
    let issued = site.verb(&["token", "issue", "--role", "regional", "--region", "zone-B"])?;
    assert_eq!(issued.code(), Some(1), "{issued:?}");
    assert!(issued.err.contains(&format!("entry {last} ")), "{issued:?}");
    assert_eq!(site.json(&["token", "list"])?["tokens"].as_array().map(Vec::len), Some(1));
    Ok(())
}
