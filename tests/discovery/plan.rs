//! A plan sends nothing, needs no right, and says what a scan would be refused for.

use serde_json::Value;

use crate::agreement::sent;
use crate::program::{PDSNO, Tested, listing, run, without_settings};
use crate::site::{SUBNET, Site};

/// A scan of a subnet, planned, with no wish to save anything.
fn planned(site: &Site, more: &[&str]) -> Tested<Value> {
    run(site.program(&["scan", "--plan", "--format", "json"]).args(more))?.json()
}

#[test]
fn a_plan_sends_nothing_and_writes_nothing() -> Tested {
    let site = Site::new(4, 1, 1)?;
    let before = sent(&site)?;
    let plan = planned(&site, &[SUBNET])?;
    assert_eq!(sent(&site)?, before, "nothing left");
    assert!(listing(&site.folder())?.is_empty());
    let way = &plan["ways"][0];
    let truth = site.lab.truth()?.scanner;
    assert_eq!((&way["way"], &way["running"]), (&"frames".into(), &true.into()));
    assert_eq!(way["interface"], truth.interface);
    assert_eq!(way["subnets"][0]["hops"][0]["source"], truth.address.to_string());
    assert_eq!(way["subnets"][0]["subnet"], SUBNET);
    assert_eq!((&way["addresses"], &plan["warnings"]), (&14.into(), &Value::Array(Vec::new())));
    assert_eq!(plan["would_begin"], true);
    // The counter counts: a scan is seen by it.
    site.scan()?;
    assert!(sent(&site)? >= before + 14);
    Ok(())
}

#[test]
fn a_plan_needs_no_right_and_says_that_a_scan_does() -> Tested {
    let site = Site::new(1, 0, 0)?;
    let mut command = site.lab.command("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", PDSNO]);
    without_settings(&mut command).current_dir(site.folder());
    let plan = run(command.args(["scan", "--plan", SUBNET, "--format", "json"]))?.json()?;
    let warning = &plan["warnings"][0];
    assert_eq!((&warning["kind"], &warning["refuses"]), (&"no_permission".into(), &true.into()));
    assert_eq!((&plan["would_begin"], &plan["ways"][0]["addresses"]), (&false.into(), &14.into()));
    Ok(())
}

#[test]
fn a_plan_warns_of_what_a_scan_would_refuse_and_goes_on() -> Tested {
    let site = Site::new(1, 0, 0)?;
    let subnets = [SUBNET, "8.8.8.0/24", "10.128.0.0/9"];
    let plan = planned(&site, &subnets)?;
    let kinds: Vec<_> =
        plan["warnings"].as_array().into_iter().flatten().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["public_range", "large_range", "no_route", "no_route"]);
    let text = run(site.program(&["scan", "--plan"]).args(subnets))?;
    assert_eq!(text.code(), Some(0), "{text:?}");
    assert!(text.err.contains("nothing was sent") && text.err.contains("warning: 8.8.8.0/24"), "{text:?}");
    assert!(text.out.contains("everybody answers") && text.out.contains("slowest"), "{text:?}");
    // The same words with which the scan itself refuses.
    let refused = run(site.program(&["scan"]).args(subnets))?;
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    let nowhere = run(&mut site.program(&["scan", "--plan", "10.77.0.0/24"]))?;
    assert!(nowhere.code() == Some(1) && nowhere.err.contains("none of the subnets"), "{nowhere:?}");
    let spreadsheet = run(&mut site.program(&["scan", "--plan", SUBNET, "--format", "csv"]))?;
    assert_eq!(spreadsheet.code(), Some(2), "{spreadsheet:?}");
    Ok(())
}

#[test]
fn a_cycle_too_long_for_its_interval_is_told_before_and_after() -> Tested {
    let site = Site::new(2, 0, 0)?;
    let slow = ["10.0.1.0/27", "--probe-rate", "60", "--protocols", "arp"];
    let with_interval = |mut command: std::process::Command| {
        command.env("PDSNO_POLICY__DISCOVERY_INTERVAL", "2");
        command
    };
    let plan = run(with_interval(site.program(&["scan", "--plan", "--format", "json"])).args(slow))?.json()?;
    assert_eq!(plan["warnings"][0]["kind"], "cycle_too_long", "{plan}");
    let mut scan = with_interval(site.program(&["scan", "--save", "--format", "json", "--data-dir"]));
    let scan = run(scan.arg(site.data()).args(slow))?.json()?;
    assert_eq!(scan["too_long"]["interval_seconds"], 2, "{scan}");
    let controllers = scan["too_long"]["controllers"].as_u64().ok_or("no number")?;
    assert!(controllers >= 2, "{scan}");
    let status = site.read(&["status"])?.printed()?;
    assert!(status.contains("warning: the cycle takes more than half"), "{status}");
    assert!(status.contains("Local Controllers"), "{status}");
    let status = site.read(&["status", "--format", "json"])?.json()?;
    assert!(status["last_cycle"]["too_long"]["controllers"].as_u64() >= Some(2), "{status}");
    Ok(())
}
