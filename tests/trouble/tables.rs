//! Tables that have no end, or a far one.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fleet::{Fleet, events, macs, said_and_stored, saved};
use crate::program::Tested;

#[test]
fn a_table_that_goes_in_circles_is_stored_up_to_there_with_the_reason() -> Tested {
    let options = &["--seed", "13", "--live", "0.8", "--snmp", "1", "--looping", "1"];
    let fleet = Fleet { prefix: "10.1.0.0/28", options };
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let (truth, scan) = (fleet.truth()?, fleet.scan_into(&data)?);
    said_and_stored(&scan, &data)?;
    let stored = saved(&data)?;
    assert_eq!(macs(&stored), macs(&truth["hosts"]));
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    for device in stored.as_array().ok_or("no devices")? {
        let host = hosts.iter().find(|host| host["mac"] == device["mac"]).ok_or("nobody")?;
        let told = &device["snmp"];
        assert_eq!((&told["reachable"], &told["reason"]), (&json!(true), &json!("table_loops")), "{device}");
        let rows = |table: &Value| -> Vec<Value> {
            table.as_array().into_iter().flatten().map(|row| json!([row["index"], row["name"], row["mac"]])).collect()
        };
        assert!(!rows(&told["interfaces"]).is_empty(), "{device}");
        assert_eq!(rows(&told["interfaces"]), rows(&host["agent"]["interfaces"]), "each row once");
    }
    assert_eq!(scan["completeness"], "complete", "no agent is an error of the cycle");
    let before = events(&data, None)?.len();
    // What goes in circles again is what it was.
    assert_eq!(fleet.scan_into(&data)?["changes"]["unchanged"], hosts.len());
    let told = events(&data, None)?.split_off(before);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["event_type"], "DISCOVERY_CYCLE_COMPLETED");
    Ok(())
}

#[test]
fn ten_thousand_interfaces_of_an_agent_are_found_and_stored() -> Tested {
    let options = &["--seed", "14", "--live", "0.5", "--snmp", "1", "--huge-table", "10000", "--huge-share", "1"];
    let fleet = Fleet { prefix: "10.1.0.0/29", options };
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let (truth, scan) = (fleet.truth()?, fleet.scan_into(&data)?);
    said_and_stored(&scan, &data)?;
    let stored = saved(&data)?;
    assert_eq!(macs(&stored), macs(&truth["hosts"]));
    for list in [&scan["devices"], &stored] {
        for device in list.as_array().ok_or("no devices")? {
            let host = truth["hosts"].as_array().into_iter().flatten().find(|host| host["mac"] == device["mac"]);
            let names = |table: &Value| -> Vec<Value> {
                table.as_array().into_iter().flatten().map(|row| row["name"].clone()).collect()
            };
            let expected = names(&host.ok_or("nobody")?["agent"]["interfaces"]);
            assert_eq!(expected.len(), 10_000);
            assert_eq!(names(&device["snmp"]["interfaces"]), expected);
            assert_eq!((&device["snmp"]["reachable"], &device["snmp"]["reason"]), (&json!(true), &Value::Null));
        }
    }
    Ok(())
}
