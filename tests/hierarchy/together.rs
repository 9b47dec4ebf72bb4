//! What three controllers do together.

use std::ffi::OsStr;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::handle::{Daemon, await_status, get};
use crate::program::{LIMIT, Tested, pdsno, run};
use crate::site::{GLOBAL, HOSTS, LOCAL, REGIONAL, Site, TIERS, await_names};

#[test]
fn what_the_lowest_finds_the_topmost_knows_and_each_is_asked_for_itself() -> Tested {
    let site = Site::new()?;
    let mut daemon = site.begin(&[])?;
    await_names(&mut daemon)?;
    for device in site.await_devices("global", HOSTS)? {
        assert_eq!((&device["local_controller"], &device["region"]), (&Value::from(LOCAL), &Value::from("zone-A")));
    }
    assert_eq!(site.await_devices("regional", HOSTS)?.len(), site.await_devices("local", HOSTS)?.len());

    for (tier, id) in TIERS.into_iter().zip([GLOBAL, REGIONAL, LOCAL]) {
        for wanted in [tier, id] {
            let live = &site.json(&["status", "--as", wanted])?["live"];
            assert_eq!((&live["controller_id"], &live["role"]), (&Value::from(id), &Value::from(tier)), "{live}");
            assert_eq!(live["membership"]["state"], "VALIDATED", "{live}");
        }
    }
    // Over TCP the topmost one is read.
    assert_eq!(get(&site.lab, "/api/v1/status")?.json()?["controller_id"], GLOBAL);
    assert_eq!(await_status(&site.lab, "/readyz", 200)?.json()?["validated"], true);
    assert_eq!(get(&site.lab, "/api/v1/controllers")?.json()?["controllers"][0]["id"], REGIONAL);

    let below = site.json(&["controllers", "list", "--as", "regional"])?;
    assert_eq!(below["controllers"][0]["id"], LOCAL);
    let tokens = site.json(&["token", "list"])?;
    assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(1), "{tokens}");
    assert_eq!(tokens["tokens"][0]["used_by"], REGIONAL, "{tokens}");
    let issued = site.json(&["token", "issue", "--role", "local", "--region", "zone-A", "--as", "regional"])?;
    assert!(issued["token"].is_string());
    assert_eq!(site.json(&["token", "list", "--as", "regional"])?["tokens"].as_array().map(Vec::len), Some(2));
    assert_ne!(site.verb(&["token", "list", "--as", "local"])?.code(), Some(0));
    // Who started the process is who let them in.
    let by = &site.events("regional", "BOOTSTRAP_TOKEN_ISSUED")?[0]["payload"]["by"];
    assert_eq!(by["uid"], rustix::process::getuid().as_raw());

    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(!log.iter().any(|line| line.contains("\"ERROR\"")), "{log:?}");
    let left = ["keys/first.key", "pdsno.db"].map(|file| TIERS.map(|tier| format!("{tier}/{file}")));
    assert_eq!(site.files()?, left.into_iter().flatten().collect());
    for tier in TIERS {
        assert_eq!(site.events(tier, "CONTROLLER_STOPPED")?[0]["payload"]["signal"], "SIGTERM");
        let verified = site.verb(&["audit", "verify", "--as", tier])?;
        assert_eq!(verified.code(), Some(0), "{verified:?}");
        assert_eq!(site.verb(&["nib", "check", "--as", tier])?.code(), Some(0));
    }
    Ok(())
}

#[test]
fn a_head_that_is_asked_for_is_signed_by_who_runs_and_cosigned_and_a_stranger_sees_that() -> Tested {
    let site = Site::new()?;
    let daemon = site.start()?;
    for (tier, id, witness) in [("global", GLOBAL, REGIONAL), ("regional", REGIONAL, GLOBAL)] {
        let (own, other) = (format!("pdsno/pdsno/{id}"), format!("pdsno/pdsno/{witness}"));
        let made = site.json(&["audit", "checkpoint", "--now", "--as", tier])?;
        assert_eq!((&made["origin"], &made["signed_by"][0]), (&Value::from(own.clone()), &Value::from(own)));
        let deadline = Instant::now() + LIMIT;
        loop {
            // A later head may have taken its place.
            let newest = site.json(&["audit", "checkpoint", "--as", tier])?;
            assert!(newest["size"].as_u64() >= made["size"].as_u64(), "{made} {newest}");
            if newest["signed_by"].as_array().ok_or("nobody")?.contains(&Value::from(other.clone())) {
                break;
            }
            assert!(Instant::now() < deadline, "{tier}: {newest}");
        }
    }
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    // With nothing but the root key the export of the topmost one says who cosigned.
    let export = site.data().join("export");
    let handed = site.verb(&["audit", "export", &export.to_string_lossy(), "--as", "global"])?.printed()?;
    let root = handed.split_whitespace().last().ok_or("no root key")?.to_owned();
    let examined = run(pdsno(&["audit", "verify", "--root-key", &root]).arg(&export))?.printed()?;
    assert!(examined.contains(&format!("cosigned by pdsno/pdsno/{REGIONAL} at")), "{examined}");
    let own = site.verb(&["audit", "verify", "--as", "global"])?.printed()?;
    assert!(own.contains(&format!("cosigned by pdsno/pdsno/{REGIONAL} at")), "{own}");
    Ok(())
}

#[test]
fn what_an_agent_says_is_known_to_the_topmost_with_who_heard_it() -> Tested {
    let site = Site::with_agents(2, "arp,icmp,snmp")?;
    let mut daemon = site.begin(&["--listen", "none"])?;
    await_names(&mut daemon)?;
    let told = |tier: &str| -> Tested<Value> {
        let shown = site.json(&["device", "10.0.1.1", "--as", tier])?;
        Ok(shown["devices"][0].clone())
    };
    site.await_devices("global", HOSTS)?;
    let (lowest, topmost) = (told("local")?, told("global")?);
    assert_eq!(topmost["snmp"], lowest["snmp"]);
    assert!(topmost["snmp"]["interfaces"].as_array().is_some_and(|table| !table.is_empty()), "{topmost}");
    let origin = |device: &Value| -> Vec<Value> {
        let facts = device["facts"].as_array().cloned().unwrap_or_default();
        facts
            .into_iter()
            .map(|fact| {
                Value::from(["kind", "source", "protocol", "observed_at"].map(|key| fact[key].clone()).to_vec())
            })
            .collect()
    };
    assert_eq!(origin(&topmost), origin(&lowest));
    assert!(topmost["facts"].as_array().is_some_and(|facts| facts.iter().all(|fact| fact["observer"] == LOCAL)));
    let sheet = site.verb(&["device", "10.0.1.1", "--as", REGIONAL])?.printed()?;
    let line = sheet.lines().find(|line| line.contains("snmp_interfaces")).ok_or("no line about interfaces")?;
    assert!(line.contains("from 10.0.1.1 by snmp") && line.contains(&format!("seen by {LOCAL}")), "{line}");
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    Ok(())
}

#[test]
fn a_global_controller_runs_alone_in_the_data_folder_itself() -> Tested {
    let site = Site::new()?;
    let data = site.data();
    let arguments = ["--role", "global", "--listen", "none", "--data-dir"].map(OsStr::new);
    let mut daemon = Daemon::begin(&site.lab, &[&arguments[..], &[data.as_os_str()]].concat())?;
    daemon.await_message("validated")?;
    let issued = site.json(&["token", "issue", "--role", "regional", "--region", "zone-A"])?;
    assert!(issued["token"].is_string(), "{issued}");
    assert_eq!(site.json(&["status", "--as", GLOBAL])?["live"]["controller_id"], GLOBAL);
    assert_eq!(site.json(&["controllers", "list"])?["controllers"].as_array().map(Vec::len), Some(0));
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    assert_eq!(site.files()?, ["keys/first.key", "pdsno.db"].map(str::to_owned).into());
    Ok(())
}

#[test]
fn a_line_of_the_log_tells_whose_it_is() -> Tested {
    let site = Site::new()?;
    let mut daemon = site.start()?;
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["span"]["id"], &cycle["span"]["role"]), (&Value::from(LOCAL), &Value::from("local")));
    Ok(())
}
