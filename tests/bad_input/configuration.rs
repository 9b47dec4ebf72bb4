//! Bad configuration files and variables.

use std::fs;

use crate::program::{Tested, run};
use crate::refusal::{Bench, SUBNET};

/// What is refused for its configuration file, whatever was asked for.
const COMMANDS: [&[&str]; 5] = [
    &["scan", SUBNET, "--save"],
    &["--role", "local", "--subnets", SUBNET],
    &["devices"],
    &["init", "--env", "dev"],
    &["config", "show"],
];

fn refused(text: &[u8], parts: &[&str]) -> Tested {
    let bench = Bench::new()?;
    fs::write(bench.folder().join("site.yaml"), text)?;
    for command in COMMANDS {
        bench.refuses(&[command, &["--config", "site.yaml"]].concat(), parts)?;
    }
    bench.refuses(&["config", "check", "site.yaml"], parts)?;
    Ok(())
}

#[test]
fn a_missing_file_is_named() -> Tested {
    let bench = Bench::new()?;
    for command in COMMANDS {
        bench.refuses(&[command, &["--config", "none.yaml"]].concat(), &["none.yaml", "does not exist"])?;
    }
    bench.refuses(&["config", "check", "none.yaml"], &["none.yaml", "does not exist"])?;
    bench.refuses(&["config", "check", "."], &["it is a directory, not a file"])?;
    Ok(())
}

#[test]
fn broken_yaml_is_refused_with_its_line() -> Tested {
    refused(b"policy:\n  probe_rate: [1\n", &["site.yaml:3:1", "not valid YAML"])
}

#[test]
fn what_is_no_text_is_refused_with_its_line() -> Tested {
    refused(b"policy:\n  probe_rate: \xff\n", &["site.yaml", "not UTF-8", "line 2"])
}

#[test]
fn unknown_keys_and_sections_are_refused_with_line_and_suggestion() -> Tested {
    let text = b"# a site\npolicy:\n  prob_rate: 5\npolicies:\n  probe_rate: 5\n";
    refused(
        text,
        &[
            "site.yaml:3:3: policy.prob_rate: no such key; did you mean probe_rate?",
            "site.yaml:4:1: policies: no such section; did you mean policy?",
        ],
    )
}

#[test]
fn wrong_types_are_all_told_at_once() -> Tested {
    let text = b"controller:\n  subnets: 10.0.1.0/24\npolicy:\n  allow_public: 3\n  probe_timeout_ms: [1]\n";
    refused(
        text,
        &[
            "site.yaml:4:3: policy.allow_public: expected true or false, found 3",
            "site.yaml:5:3: policy.probe_timeout_ms: expected a whole number",
        ],
    )
}

#[test]
fn a_secret_of_a_file_is_not_repeated_by_its_refusal() -> Tested {
    let bench = Bench::new()?;
    let file = bench.folder().join("site.yaml");
    for security in [
        "snmp_communities: h0nter2",
        "snmp_communities: [\"h0nter2\\a\"]",
        "snmp_communities: {h0nter2: 1}",
        "snmp_communities_file: h0nter2",
        "signing_key: [h0nter2]",
        "freshness_window_seconds: h0nter2",
    ] {
        fs::write(&file, format!("controller:\n  subnets: [{SUBNET}]\nsecurity:\n  {security}\n"))?;
        let ran = bench.refuses(&["scan", "--config", "site.yaml"], &["site.yaml:4:", "security."])?;
        assert!(!ran.err.contains("h0nter2"), "{security}: {ran:?}");
    }
    Ok(())
}

#[test]
fn bad_variables_are_refused_by_name() -> Tested {
    let bench = Bench::new()?;
    for (name, value, parts) in [
        ("PDSNO_POLICY__PROBE_RAT", "5", &["PDSNO_POLICY__PROBE_RAT", "did you mean PDSNO_POLICY__PROBE_RATE?"][..]),
        ("PDSNO_POLICY__PROBE_RATE", "0", &["PDSNO_POLICY__PROBE_RATE", "from 1 to 1000000"]),
        ("PDSNO_POLICY__ALLOW_PUBLIC", "maybe", &["PDSNO_POLICY__ALLOW_PUBLIC", "true or false"]),
        ("PDSNO_CONFIG", "none.yaml", &["none.yaml", "does not exist"]),
    ] {
        bench.refuses_run(bench.pdsno(&["scan", SUBNET]).env(name, value), parts)?;
    }
    Ok(())
}

#[test]
fn overlapping_and_repeated_subnets_are_no_error_but_told() -> Tested {
    let bench = Bench::new()?;
    let text = "controller:\n  role: local\n  subnets: [10.0.1.0/24, 10.0.1.0/28, 10.0.1.0/24]\n";
    fs::write(bench.folder().join("site.yaml"), text)?;
    let ran = run(&mut bench.pdsno(&["config", "check", "site.yaml"]))?;
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.err.contains("10.0.1.0/28 is left out, 10.0.1.0/24 covers it"), "{ran:?}");
    assert!(ran.err.contains("10.0.1.0/24 is there twice and is scanned once"), "{ran:?}");
    Ok(())
}
