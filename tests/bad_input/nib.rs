//! Files that are no NIB of this program, and folders that cannot be used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use crate::program::{Tested, run};
use crate::refusal::{Bench, SUBNET};

/// Every command that opens the NIB, to write or to read.
const COMMANDS: [&[&str]; 8] = [
    &["scan", SUBNET, "--save"],
    &["--role", "local", "--subnets", SUBNET, "--listen", "none"],
    &["init", "--env", "dev"],
    &["devices"],
    &["device", "10.0.1.1"],
    &["events"],
    &["status"],
    &["nib", "check"],
];

/// A bench with a NIB in `data`.
fn with_nib() -> Tested<Bench> {
    let bench = Bench::new()?;
    run(&mut bench.pdsno(&["init", "--env", "dev"]))?.printed()?;
    Ok(bench)
}

fn refused_by_all(bench: &Bench, parts: &[&str]) -> Tested {
    COMMANDS.iter().try_for_each(|command| bench.refuses(command, parts).map(drop))
}

#[test]
fn a_file_that_is_no_database_is_refused() -> Tested {
    let bench = with_nib()?;
    fs::write(bench.folder().join("data/pdsno.db"), "a shopping list, and not a short one\n".repeat(100))?;
    refused_by_all(&bench, &["data/pdsno.db is not a pdsno NIB", "name another file, or move this one away"])
}

#[test]
fn a_database_of_another_program_is_refused() -> Tested {
    let bench = with_nib()?;
    let file = bench.folder().join("data/pdsno.db");
    fs::remove_file(&file)?;
    Connection::open(&file)?.execute_batch("CREATE TABLE recipes (name TEXT)")?;
    refused_by_all(&bench, &["data/pdsno.db is not a pdsno NIB", "name another file, or move this one away"])
}

#[test]
fn a_nib_of_a_newer_program_is_refused() -> Tested {
    let bench = with_nib()?;
    let sql = Connection::open(bench.folder().join("data/pdsno.db"))?;
    sql.execute_batch("INSERT INTO refinery_schema_history VALUES (99, 'sites', '2027-01-01T00:00:00Z', '1')")?;
    drop(sql);
    refused_by_all(&bench, &["data/pdsno.db", "schema 99", "use the pdsno that wrote it, or a newer one"])
}

#[test]
fn a_nib_that_was_cut_short_is_refused() -> Tested {
    let bench = with_nib()?;
    let file = fs::File::options().write(true).open(bench.folder().join("data/pdsno.db"))?;
    file.set_len(3 * 4096)?;
    refused_by_all(&bench, &["data/pdsno.db is damaged", "restore a backup"])
}

#[test]
fn a_folder_without_a_nib_is_refused_by_those_who_read() -> Tested {
    let bench = Bench::new()?;
    for command in COMMANDS.iter().skip(3) {
        bench.refuses(command, &["there is no NIB at ./data/pdsno.db", "pdsno init"])?;
    }
    bench.refuses(&["nib", "backup", "copy.db"], &["there is no NIB at ./data/pdsno.db", "pdsno init"])?;
    Ok(())
}

#[test]
fn a_folder_that_may_not_be_written_is_refused() -> Tested {
    let bench = with_nib()?;
    let data = bench.folder().join("data");
    fs::set_permissions(&data, Permissions::from_mode(0o500))?;
    for command in COMMANDS.iter().take(3) {
        let (there, new) = (["--data-dir", "data"], ["--data-dir", "data/new"]);
        let parts = ["cannot use the data folder data", "--data-dir", "Permission denied"];
        bench.refuses_run(&mut bench.as_installed(&[command, &there[..]].concat()), &parts)?;
        let parts = ["cannot make the data folder data/new", "--data-dir", "Permission denied"];
        bench.refuses_run(&mut bench.as_installed(&[command, &new[..]].concat()), &parts)?;
    }
    // What may be read is read.
    assert!(run(&mut bench.unprivileged(&["events"]))?.printed()?.contains("NIB_MIGRATED"));
    fs::set_permissions(&data, Permissions::from_mode(0o700))?;
    Ok(())
}

#[test]
fn a_nib_that_may_not_be_read_is_refused() -> Tested {
    let bench = with_nib()?;
    let file = bench.folder().join("data/pdsno.db");
    let before = fs::metadata(&file)?.len();
    fs::set_permissions(&file, Permissions::from_mode(0o000))?;
    for command in COMMANDS.iter().skip(2) {
        let ran = run(&mut bench.unprivileged(command))?;
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.err.contains("data/pdsno.db cannot be read; let this user read it"), "{ran:?}");
    }
    assert_eq!(fs::metadata(&file)?.len(), before);
    Ok(())
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() -> Tested {
    let bench = Bench::new()?;
    fs::write(bench.folder().join("data"), "")?;
    for command in COMMANDS.iter().take(3) {
        bench.refuses(command, &["cannot use the data folder ./data", "not a directory", "--data-dir"])?;
    }
    Ok(())
}
