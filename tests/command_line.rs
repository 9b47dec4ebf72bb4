//! The command line as people and scripts meet it. Nothing here sends anything.

#[expect(dead_code, reason = "no lab is needed; what waits for the end of a process is")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;
#[expect(dead_code, reason = "the tests of the NIB use the rest")]
#[path = "nib_contract/samples.rs"]
mod samples;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pdsno::nib::NibStore;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use program::{LIMIT, PDSNO, Ran, Tested, listing, pdsno, run, without_settings};
use serde_json::{Value, json};
use tempfile::TempDir;

/// More than a pipe holds (64 KiB), printed in any form.
const MANY: u32 = 2_000;

/// A folder whose NIB has so many devices, each with the event of its discovery.
fn nib_of(devices: u32) -> Tested<TempDir> {
    let folder = TempDir::new()?;
    let mode = OpenMode::Migrate { actor: "standalone", at: samples::NOW };
    let mut nib = SqliteNib::open(&folder.path().join("pdsno.db"), mode)?;
    nib.commit(
        &(1..=devices).flat_map(|number| [samples::insert(number), samples::append(number)]).collect::<Vec<_>>(),
    )?;
    nib.close()?;
    Ok(folder)
}

fn on(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = pdsno(arguments);
    command.arg("--data-dir").arg(folder);
    command
}

// ---- help ----

/// The words after `Commands:` in a help text.
fn commands_of(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that is indented further goes on with what the one before it says.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// Calls `see` with each command that does something, and its help.
fn each_help(path: &[&str], see: &mut impl FnMut(&[&str], &str)) -> Tested {
    let ran = run(&mut pdsno(&[path, &["--help"]].concat()))?;
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""), "{path:?}");
    let below = commands_of(&ran.out);
    if below.is_empty() || path.is_empty() {
        see(path, &ran.out);
    }
    below.into_iter().try_for_each(|name| each_help(&[path, &[name]].concat(), see))
}

#[test]
fn the_help_of_every_command_has_examples() -> Tested {
    let mut seen = Vec::new();
    each_help(&[], &mut |path, help| {
        let examples = help.split("Example").nth(1).unwrap_or_default();
        let name = [&["pdsno"], path].concat().join(" ");
        assert!(examples.contains(&name), "{name} has no example of itself:\n{help}");
        assert!(!help.contains('\u{1b}'), "{name}: colours in a pipe");
        seen.push(path.join(" "));
    })?;
    let all = [
        "",
        "scan",
        "devices",
        "device",
        "events",
        "status",
        "token issue",
        "token list",
        "token revoke",
        "controllers list",
        "controllers show",
        "controllers revoke",
        "controllers reinstate",
        "blocklist list",
        "blocklist add",
        "blocklist remove",
        "policy show",
        "policy check",
        "policy set",
        "policy history",
        "discover",
        "init",
        "nib check",
        "nib backup",
        "audit list",
        "audit checkpoint",
        "audit verify",
        "audit prove",
        "audit export",
        "config check",
        "config show",
        "support-bundle",
        "man",
        "completions",
    ];
    assert_eq!(seen, all);
    Ok(())
}

#[test]
fn the_help_tells_of_settings_and_exit_codes() -> Tested {
    let help = run(&mut pdsno(&["--help"]))?.printed()?;
    for part in ["--role", "--subnets", "--listen", "127.0.0.1:8080", "PDSNO_", "--config", "Exit codes: 0"] {
        assert!(help.contains(part), "{part} in\n{help}");
    }
    let version = run(&mut pdsno(&["--version"]))?.printed()?;
    assert_eq!(version, concat!("pdsno ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(())
}

#[test]
fn completions_are_scripts_of_their_shell() -> Tested {
    for (shell, sign) in [("bash", "complete -F _pdsno"), ("zsh", "#compdef pdsno"), ("fish", "complete -c pdsno")] {
        let script = run(&mut pdsno(&["completions", shell]))?.printed()?;
        assert!(script.contains(sign) && script.contains("probe-rate"), "{shell}:\n{script}");
        let folder = TempDir::new()?;
        let file = folder.path().join("script");
        fs::write(&file, script)?;
        match run(Command::new(shell).arg("-n").arg(&file)) {
            Ok(checked) => assert_eq!((checked.code(), checked.err.as_str()), (Some(0), ""), "{shell}"),
            Err(missing) => assert_ne!(shell, "bash", "{missing}"),
        }
    }
    Ok(())
}

// ---- exit codes ----

#[test]
fn bad_usage_exits_with_2_and_says_what_was_meant() -> Tested {
    let folder = nib_of(1)?;
    for (arguments, parts) in [
        (&["discovr"][..], &["'discovr'", "Usage"][..]),
        (&["device"], &["<ID|IP|MAC>"]),
        (&["scan", "--formt", "json"], &["'--formt'", "--format"]),
        (&["devices", "--format", "yaml"], &["'yaml'", "table, json, csv"]),
        (&["completions", "tcsh"], &["'tcsh'", "bash"]),
        (&["init"], &["--env"]),
        (&["nib"], &["check", "backup"]),
        (&[], &["Usage: pdsno", "scan"]),
    ] {
        let ran = run(&mut pdsno(arguments))?;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {ran:?}");
    }
    for (arguments, parts) in [
        (&["events", "--since", "yesterday"][..], &["\"yesterday\"", "2026-11-21T10:00:00Z", "15m"][..]),
        (&["events", "--type", "DEVICE_EXPLODED"], &["\"DEVICE_EXPLODED\"", "DEVICE_UPDATED"]),
        (&["events", "--type", "LOG_FORK,DEVICE_INACTIV"], &["\"DEVICE_INACTIV\"; did you mean DEVICE_INACTIVE"]),
        (&["devices", "--status", "gone"], &["\"gone\"", "active, inactive"]),
        (&["device", "h1"], &["\"h1\"", "nib-dev-000047", "MAC address"]),
    ] {
        let ran = run(&mut on(folder.path(), arguments))?;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {ran:?}");
    }
    Ok(())
}

/// The first line is what a log or a script keeps.
#[test]
fn the_first_line_about_a_misspelt_word_says_what_was_meant() -> Tested {
    for (arguments, line) in [
        (
            &["devices", "--data-dri", "x"][..],
            "error: unexpected argument '--data-dri' found; did you mean --data-dir?",
        ),
        (&["--role", "local", "--subnts", "x"], "error: unexpected argument '--subnts' found; did you mean --subnets?"),
        (&["discove"], "error: unrecognized subcommand 'discove'; did you mean discover?"),
    ] {
        let ran = run(&mut pdsno(arguments))?;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert_eq!(ran.err.lines().next(), Some(line), "{ran:?}");
        assert!(!ran.err.contains("tip:") && ran.err.contains("Usage: pdsno"), "{ran:?}");
    }
    Ok(())
}

#[test]
fn a_device_that_is_not_there_exits_with_1() -> Tested {
    let folder = nib_of(1)?;
    for key in ["nib-dev-000002", "10.0.0.2", "00:1b:00:00:00:02"] {
        let ran = run(&mut on(folder.path(), &["device", key]))?;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains(key) && ran.err.contains("is not in the NIB"), "{ran:?}");
    }
    Ok(())
}

#[test]
fn output_that_cannot_be_written_exits_with_1() -> Tested {
    let folder = nib_of(1)?;
    for arguments in [&["devices"][..], &["devices", "--format", "csv"], &["events"], &["status", "--format", "json"]] {
        let mut command = on(folder.path(), arguments);
        let ended = command.stdin(Stdio::null()).stdout(File::options().write(true).open("/dev/full")?).output()?;
        let text = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains("cannot write the output: No space left on device"), "{arguments:?}: {text}");
    }
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() -> Tested {
    let folder = nib_of(MANY)?;
    for arguments in [
        &["events"][..],
        &["events", "--format", "json"],
        &["events", "--follow"],
        &["devices"],
        &["devices", "--format", "json"],
        &["devices", "--format", "csv"],
    ] {
        let mut command = on(folder.path(), arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // As `head -1` does it.
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        if !lab::ends_within(child.id(), LIMIT) {
            child.kill()?;
        }
        let ended = child.wait_with_output()?;
        let told = (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned());
        assert_eq!(told, (Some(0), String::new()), "{arguments:?}");
    }
    Ok(())
}

// ---- output ----

#[test]
fn what_is_printed_for_programs_can_be_read_by_them() -> Tested {
    let folder = nib_of(3)?;
    let json = |arguments: &[&str]| run(&mut on(folder.path(), &[arguments, &["--format", "json"]].concat()))?.json();
    let devices = json(&["devices"])?;
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(3));
    assert_eq!(json(&["devices", "--status", "inactive"])?, json!({"devices": []}));
    for key in ["nib-dev-000002", "10.0.0.2", "00:1B:00:00:00:02"] {
        assert_eq!(json(&["device", key])?["devices"], json!([devices["devices"][1]]), "{key}");
    }
    let status = json(&["status"])?;
    assert_eq!(
        (&status["running"], &status["devices"]["total"], &status["events"]),
        (&json!(false), &json!(3), &json!(4))
    );

    let events = run(&mut on(folder.path(), &["events", "--format", "json"]))?.json_lines()?;
    assert_eq!(events.iter().map(|event| &event["seq"]).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let csv = run(&mut on(folder.path(), &["devices", "--format", "csv"]))?.printed()?;
    let rows = csv::Reader::from_reader(csv.as_bytes()).records().collect::<Result<Vec<_>, _>>()?;
    assert_eq!((rows.len(), &rows[2][0]), (3, "nib-dev-000003"));

    let settings = json(&["config", "show"])?;
    let path = settings.as_array().into_iter().flatten().find(|row| row["key"] == "nib.path").ok_or("no nib.path")?;
    let expected = folder.path().join("pdsno.db");
    assert_eq!((&path["value"], &path["origin"]), (&json!(expected.to_str()), &json!("--data-dir")));
    Ok(())
}

#[test]
fn a_pipe_gets_no_colours() -> Tested {
    let folder = nib_of(2)?;
    for arguments in
        [&["devices"][..], &["device", "10.0.0.1"], &["events"], &["status"], &["config", "show"], &["nib", "check"]]
    {
        // Whatever a terminal would be able to show.
        let ran = run(on(folder.path(), arguments).env("TERM", "xterm-256color").env("COLORTERM", "truecolor"))?;
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{arguments:?}: {ran:?}");
    }
    Ok(())
}

#[test]
fn events_are_selected_by_type_subject_and_time() -> Tested {
    let folder = nib_of(3)?;
    let select = |arguments: &[&str]| -> Tested<Vec<u64>> {
        let events =
            run(&mut on(folder.path(), &[&["events", "--format", "json"], arguments].concat()))?.json_lines()?;
        Ok(events.iter().filter_map(|event| event["seq"].as_u64()).collect())
    };
    assert_eq!(select(&["--type", "device_discovered"])?, [1, 2, 3]);
    assert_eq!(select(&["--type", "NIB_MIGRATED", "--type", "DEVICE_INACTIVE"])?, [0]);
    assert_eq!(select(&["--type", "DEVICE_INACTIVE,nib_migrated"])?, [0]);
    let both = select(&["--type", "NIB_MIGRATED,DEVICE_INACTIVE", "--type", "DEVICE_DISCOVERED"])?;
    assert_eq!(both, [0, 1, 2, 3]);
    assert_eq!(select(&["--subject", "nib-dev-000002"])?, [2]);
    assert_eq!(select(&["--since", &samples::NOW.to_string()])?, [0, 1, 2, 3]);
    assert_eq!(select(&["--since", "9999-01-01T00:00:00Z"])?, [0; 0]);
    Ok(())
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() -> Tested {
    let folder = TempDir::new()?;
    let file = folder.path().join("site.yaml");
    fs::write(&file, "policy:\n  probe_rate: 500\nsecurity:\n  snmp_communities: [h0nter2]\n")?;
    let mut show = pdsno(&["config", "show", "--format", "json", "--timeout", "300", "--config"]);
    let ran = run(show.arg(&file).env("PDSNO_POLICY__DISCOVERY_INTERVAL", "60"))?;
    assert!(!ran.out.contains("h0nter2") && !ran.err.contains("h0nter2"), "{ran:?}");
    let rows = ran.json()?;
    let row =
        |key: &str| rows.as_array().into_iter().flatten().find(|row| row["key"] == key).cloned().unwrap_or(Value::Null);
    let shown = |key: &str| (row(key)["value"].clone(), row(key)["origin"].clone());
    let (in_file, line_4) = (format!("{}:2", file.display()), format!("{}:4", file.display()));
    assert_eq!(shown("policy.probe_rate"), (json!("500"), json!(in_file)));
    assert_eq!(shown("policy.probe_timeout_ms"), (json!("300"), json!("--timeout")));
    let variable = "environment variable PDSNO_POLICY__DISCOVERY_INTERVAL";
    assert_eq!(shown("policy.discovery_interval"), (json!("60"), json!(variable)));
    assert_eq!(shown("policy.probe_attempts"), (json!("3"), json!("default")));
    assert_eq!(row("security.snmp_communities")["origin"], json!(line_4));
    Ok(())
}

// ---- the NIB's folder ----

#[test]
fn init_makes_a_private_folder_once() -> Tested {
    let folder = TempDir::new()?;
    let init = || run(pdsno(&["init", "--env", "dev"]).current_dir(folder.path()))?.printed();
    assert!(init()?.starts_with("./data/pdsno.db created with schema "));
    let data = folder.path().join("data");
    assert_eq!(fs::metadata(&data)?.permissions().mode() & 0o777, 0o700);
    let before = listing(folder.path())?;
    assert_eq!(init()?, "./data/pdsno.db is up to date\n");
    assert_eq!(listing(folder.path())?, before);
    assert_eq!(before.into_keys().collect::<Vec<_>>(), [data.clone(), data.join("pdsno.db")]);
    Ok(())
}

#[test]
fn a_backup_is_a_nib_and_overwrites_nothing() -> Tested {
    let folder = nib_of(3)?;
    let elsewhere = TempDir::new()?;
    let copy = elsewhere.path().join("pdsno.db");
    let backup = || -> Tested<Ran> { run(on(folder.path(), &["nib", "backup"]).arg(&copy)) };
    assert!(backup()?.printed()?.contains("copied to"));
    let check = run(&mut on(elsewhere.path(), &["nib", "check"]))?.printed()?;
    assert!(
        check.contains("is sound: schema ") && check.contains(", 3 devices, 0 facts, 4 events without a gap"),
        "{check}"
    );
    let before = listing(elsewhere.path())?;
    let again = backup()?;
    assert_eq!(again.code(), Some(2), "{again:?}");
    assert!(again.err.contains("exists; name a file that does not"), "{again:?}");
    assert_eq!(listing(elsewhere.path())?, before);
    Ok(())
}

#[test]
fn a_nib_with_wrong_rows_fails_its_check() -> Tested {
    let folder = nib_of(3)?;
    let sql = rusqlite::Connection::open(folder.path().join("pdsno.db"))?;
    sql.execute_batch("UPDATE devices SET status = 'gone' WHERE number = 2")?;
    drop(sql);
    let ran = run(&mut on(folder.path(), &["nib", "check"]))?;
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(
        ran.err.contains("problem: devices nib-dev-000002") && ran.err.contains("is not sound: problems found: 1"),
        "{ran:?}"
    );
    Ok(())
}

#[test]
fn the_program_runs_where_nothing_is_set() -> Tested {
    let folder = nib_of(1)?;
    let mut bare = Command::new(PDSNO);
    without_settings(&mut bare).env_clear().args(["status", "--data-dir"]).arg(folder.path());
    assert!(run(&mut bare)?.printed()?.contains("stopped"));
    Ok(())
}
