//! Agents of all versions of SNMP, and all that can be wrong with SNMP v3: each is found as it is, or
//! not reached for the reason that it gave.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::options::tests::USERS;
use crate::program::{Tested, pdsno, run};
use crate::{SCAN, Seen, all_are_seen, expected_of, has_fault, in_front, seen, truth};

/// All faults of SNMP v3, with the reason that the program has for each when it asks by the user that
/// the agent should know, whoever else it asks by; none where it copes.
const FAULTS: [(&str, Option<&str>); 11] = [
    ("clock_disagrees", Some("not_in_time_window")),
    ("clock_told_wrongly", None),
    ("other_user", Some("unknown_user")),
    ("other_password", Some("wrong_password")),
    ("other_protocol", Some("wrong_password")),
    ("other_privacy", Some("user_unanswered")),
    ("undecryptable", Some("decryption_error")),
    ("no_privacy", Some("unsupported_level")),
    ("reboots", None),
    ("wrong_digest", Some("user_unanswered")),
    ("wrong_message_id", Some("timeout")),
];

/// The options for a share of each fault.
fn faults(share: &str) -> Vec<String> {
    FAULTS.iter().flat_map(|(fault, _)| [format!("--v3-{}", fault.replace('_', "-")), share.to_owned()]).collect()
}

/// What the program, which does not speak v1, should say of a host.
fn expected_by_users(host: &Value) -> Seen {
    let agent = &host["agent"];
    let by = |list: &str, version: &str| agent[list].as_array().is_some_and(|all| all.iter().any(|one| one == version));
    let speaks = |version| by("versions", version);
    let is_read = by("readable_by", "v2c") || by("readable_by", "v3");
    let mut host_as_read = host.clone();
    if !is_read && let Some(answers) = host_as_read["answers"].as_array_mut() {
        answers.retain(|protocol| protocol != "snmp");
    }
    let mut seen = expected_of(&host_as_read);
    let spoilt = ["wrong_id", "foreign_source", "malformed", "truncated"].iter().any(|fault| has_fault(host, fault));
    if speaks("v1") && !speaks("v2c") {
        seen.reason = json!("timeout");
    } else if speaks("v3") && !is_read && !spoilt {
        // What the other users are told, who are nobody to it, tells less.
        seen.reason = json!(FAULTS.iter().find(|(fault, _)| has_fault(host, fault)).and_then(|(_, reason)| *reason));
    }
    if is_read && speaks("v3") {
        let boots = agent["engine"]["boots"].as_u64().map(|boots| boots + u64::from(has_fault(host, "reboots")));
        seen.engine = json!({ "engine_id": agent["engine"]["engine_id"], "boots": boots });
    }
    seen
}

/// Scans a fleet with a list of credentials, compares everybody with the truth, found and stored, and
/// hands the truth back.
fn compare(options: &[&str], credentials: &Path) -> Tested<Value> {
    let truth = truth(options)?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let data = data.to_str().ok_or("a folder that is no text")?;
    let mut command = in_front(options, &[&SCAN[..], &["--save", "--data-dir", data]].concat());
    let scan = run(command.env("PDSNO_SECURITY__SNMP_CREDENTIALS_FILE", credentials))?.json()?;
    let stored = run(&mut pdsno(&["devices", "--format", "json", "--data-dir", data]))?.json()?;
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    let expected = || hosts.iter().map(|host| (host["mac"].to_string(), expected_by_users(host))).collect();
    all_are_seen(expected(), seen(&scan)?);
    all_are_seen(expected(), seen(&stored)?);
    Ok(truth)
}

#[test]
fn agents_of_all_versions_are_found_as_they_are() -> Tested {
    let mut options = vec!["--seed", "9", "--snmp", "0.6", "--snmp-users", USERS];
    options.extend(["--snmp-v1", "0.1", "--snmp-v3", "0.4", "--snmp-all", "0.3", "--multi-address", "0.1"]);
    options.extend(["--non-utf8", "0.1", "--looping", "0.1", "--huge-table", "100"]);
    options.extend(["--wrong-id", "0.02", "--foreign-source", "0.02", "--malformed", "0.02", "--truncated", "0.02"]);
    let faults = faults("0.05");
    options.extend(faults.iter().map(String::as_str));
    let truth = compare(&options, Path::new(USERS))?;
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    for versions in [json!(["v1"]), json!(["v1", "v2c"]), json!(["v3"]), json!(["v1", "v2c", "v3"])] {
        let agents = hosts.iter().filter(|host| host["agent"]["versions"] == versions).count();
        assert!(agents > 5, "{versions}: {agents}");
    }
    Ok(())
}

#[test]
fn each_way_in_which_snmp_v3_fails_is_told_by_its_reason() -> Tested {
    let folder = tempfile::tempdir()?;
    let users = folder.path().join("users.yaml");
    let all = std::fs::read_to_string(USERS)?;
    let (first, _) = all.split_once("- user: old").ok_or("no second user")?;
    std::fs::write(&users, first)?;
    let mut options = vec!["--snmp", "1", "--snmp-v3", "1", "--snmp-users"];
    options.push(users.to_str().ok_or("a folder that is no text")?);
    let faults = faults("0.08");
    options.extend(faults.iter().map(String::as_str));
    let truth = compare(&options, &users)?;
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    let met: BTreeSet<&str> = hosts.iter().filter_map(|host| host["faults"][0].as_str()).collect();
    assert_eq!(met, FAULTS.iter().map(|(fault, _)| *fault).collect());
    Ok(())
}
