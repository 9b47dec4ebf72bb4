//! Agents of SNMP v3, Net-SNMP's, whose protection or whose clock is not what it should be.

use serde_json::{Value, json};

use crate::begun::Begun;
use crate::links::ip;
use crate::program::{Tested, run};
use crate::site::{SUBNET, Site, at, found};

const AGENT: &str = "10.0.1.1";

/// A list of credentials with this user alone, by the right passwords.
fn user(name: &str, privacy: &str) -> String {
    format!(
        "[{{user: {name}, auth_protocol: sha256, auth_password: correct horse, \
         privacy_protocol: {privacy}, privacy_password: battery staple}}]"
    )
}

/// Starts the agent again, with these lines more in its configuration, or instead of those about its engine,
/// and without what it noted of itself, which would count against them.
fn restart(site: &Site, lines: &str) -> Tested {
    let write = "cd /run/pdsno-lab/hosts/h1; rm -f state/*; \
                 sed -i '/^[a-z]*Engine/d;/^engineBoots/d' agent.conf; printf '%s\\n' \"$1\" >>agent.conf";
    site.lab.verb(&["snmp-stop", "h1"])?;
    run(site.lab.command("bash").args(["-c", write, "bash", lines]))?.printed()?;
    site.lab.verb(&["snmp-start", "h1"])?;
    Ok(())
}

/// An engine of a known name that has started so often before. Net-SNMP counts its starts on only where it
/// is called as it was the last time.
fn engine(boots: u32) -> String {
    format!("exactEngineID 0x80001f880477\noldEngineID 0x80001f880477\nengineBoots {boots}")
}

/// What a scan by these credentials prints of the agent, which is also what is stored.
fn asked(site: &Site, credentials: &str) -> Tested<Value> {
    let mut scan = site.program(&["scan", "--save", "--format", "json", SUBNET, "--data-dir"]);
    let told = run(scan.arg(site.data()).env("PDSNO_SECURITY__SNMP_CREDENTIALS", credentials))?.json()?;
    said_and_stored(site, &told)
}

fn said_and_stored(site: &Site, told: &Value) -> Tested<Value> {
    assert_eq!(told["completeness"], "complete", "no agent is an error of the cycle");
    let (said, stored) = (at(found(told)?, AGENT)?, site.device(AGENT)?);
    assert_eq!(*said, stored, "what is said is what is stored");
    let shown = site.read(&["device", AGENT])?.printed()?;
    let reason = stored["snmp"]["reason"].as_str().unwrap_or("yes\n");
    assert!(shown.contains(reason), "no {reason} in\n{shown}");
    Ok(stored["snmp"].clone())
}

#[test]
fn an_agent_without_the_protection_or_with_a_clock_that_has_run_out_is_named() -> Tested {
    let site = Site::new(2, 1, 0)?;
    restart(&site, "createUser scribe SHA-256 \"correct horse\"\nrouser scribe authNoPriv")?;
    let refused = |credentials: &str, reason: &str| -> Tested {
        let told = asked(&site, credentials)?;
        assert_eq!((&told["reachable"], &told["reason"]), (&json!(false), &json!(reason)), "{credentials}");
        assert_eq!((&told["sys_name"], &told["engine"]), (&Value::Null, &Value::Null), "{told}");
        Ok(())
    };
    refused(&user("scribe", "aes128"), "unsupported_level")?;
    // Its answer would have to be decrypted to be understood: it gives none.
    refused(&user("monitor", "aes256"), "user_unanswered")?;
    // One start more, and the count has reached its end: such an engine is outside of every time window
    // (RFC 3414 section 3.2 step 7).
    restart(&site, &engine(i32::MAX.unsigned_abs() - 1))?;
    refused(&user("monitor", "aes128"), "not_in_time_window")?;
    let last = format!("{}, {{community: public}}]", user("monitor", "aes128").trim_end_matches(']'));
    assert_eq!(asked(&site, &last)?["sys_name"], "cisco-router-1", "and the next credential is tried");
    assert_eq!(site.types_after("DEVICE_", 2)?, ["DEVICE_UPDATED"], "by the one that was answered");
    assert_eq!(site.events("DISCOVERY_CYCLE_COMPLETED")?.len(), 4);
    Ok(())
}

#[test]
fn an_agent_whose_clock_changes_in_mid_scan_is_asked_by_the_new_one_and_not_by_an_older_one() -> Tested {
    // No other host, which would ask who the scanner is.
    let site = Site::new(1, 1, 0)?;
    let credentials = user("monitor", "aes128");
    // Nor does its own: what is counted below shall be answers.
    let scanner = site.lab.truth()?.scanner;
    let known = format!("-n h1 neighbour replace {} lladdr {} dev eth0 nud permanent", scanner.address, scanner.mac);
    ip(&site, &known)?;
    // Enough rows for two answers: when the first object has been told, there is time until the last row.
    for number in 0..10 {
        ip(&site, &format!("-n h1 link add bridge{number} type bridge"))?;
    }
    restart(&site, &engine(7))?;
    let before = asked(&site, &credentials)?;
    assert_eq!((&before["engine"]["boots"], &before["reason"]), (&json!(8), &Value::Null));
    for (boots, reason, restarts) in [(8, Value::Null, 1), (2, json!("not_in_time_window"), 1)] {
        // Three answers: to ARP, to the question for the engine, to the first one for what it tells.
        let mut scan =
            site.program(&["scan", "--save", "--format", "json", "--protocols", "snmp", "--probe-rate", "1"]);
        let scan = scan.args([AGENT, "--data-dir"]).arg(site.data());
        let scan = Begun::begin(&site, scan.env("PDSNO_SECURITY__SNMP_CREDENTIALS", &credentials), "rx_packets", 3)?;
        // Nobody is told that the port is closed meanwhile, and the agent itself does not see that it is cut off.
        ip(&site, "-n switch link set h1 nomaster")?;
        restart(&site, &engine(boots))?;
        ip(&site, "-n switch link set h1 master switch0")?;
        let after = said_and_stored(&site, &scan.end()?.json()?)?;
        assert_eq!((&after["reachable"], &after["reason"]), (&json!(true), &reason), "{after}");
        assert_eq!(after["engine"]["boots"], 9, "who starts less often than before is not believed");
        for kept in ["sys_name", "sys_descr", "interfaces"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert_eq!(site.events("AGENT_RESTARTED")?.len(), restarts);
    }
    assert_eq!(site.types_after("DEVICE_", 1)?, [""; 0]);
    Ok(())
}
