//! What the system does not give: rights, ports.

use std::process::Stdio;

use crate::lab::ends_within;
use crate::program::{LIMIT, PDSNO, Tested, run};
use crate::refusal::{Bench, SUBNET};

#[test]
fn without_the_right_to_send_frames_the_text_says_how_to_get_it() -> Tested {
    let bench = Bench::new()?;
    let parts = ["no permission", &format!("sudo setcap cap_net_raw+ep {PDSNO}"), "root", "net.ipv4.ping_group_range"];
    bench.refuses_run(&mut bench.unprivileged(&["scan", SUBNET]), &parts)?;
    bench.refuses_run(&mut bench.unprivileged(&["scan", SUBNET, "--save"]), &parts)?;
    bench.refuses_run(&mut bench.unprivileged(&["--role", "local", "--subnets", SUBNET]), &parts)?;
    Ok(())
}

#[test]
fn the_one_right_that_setcap_gives_is_enough() -> Tested {
    let bench = Bench::new()?;
    let ran = run(&mut bench.as_installed(&["scan", SUBNET, "--format", "csv"]))?;
    assert_eq!((ran.code(), ran.out.lines().count()), (Some(0), 1 + 1), "{ran:?}");
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named() -> Tested {
    let bench = Bench::new()?;
    let elsewhere = tempfile::tempdir()?;
    let data = elsewhere.path().to_str().ok_or("no text")?;
    // Another daemon has the default port: its first line tells when.
    let mut first = bench.pdsno(&["--role", "local", "--subnets", SUBNET, "--data-dir", data]);
    let mut first = first.stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let mut log = std::io::BufReader::new(first.stderr.take().ok_or("no stderr")?);
    std::io::BufRead::read_line(&mut log, &mut line)?;
    assert!(line.contains("local controller started"), "{line}");
    let refused = bench.refuses(&["--role", "local", "--subnets", SUBNET], &["127.0.0.1:8080", "--listen", "in use"]);
    first.kill()?;
    first.wait()?;
    assert!(ends_within(first.id(), LIMIT));
    refused.map(drop)
}
