//! SNMP agents as no real one should be: this test's binary, run once more on a device of the lab.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Stdio};

use pdsno::wire::mib;
use pdsno::wire::snmp::pdu::{Pdu, PduKind};
use pdsno::wire::snmp::{Value as Told, decode, encode};
use serde_json::{Value, json};

use crate::lab::script;
use crate::program::Tested;
use crate::site::Site;

/// Set in the process that is an agent: what is wrong with it.
const FAULT: &str = "PDSNO_TEST_AGENT";

/// As much text as a datagram can have beside the rest of the message.
const LONGEST: usize = 65_000;

/// Answers for ever. Standard output itself says when: the test harness would keep what is printed.
fn speak(fault: &str) -> Tested {
    let socket = UdpSocket::bind("0.0.0.0:161")?;
    std::io::Write::write_all(&mut std::io::stdout(), b"\nspeaks\n")?;
    let (mut room, mut out, mut answered) = (vec![0; 65_536], Vec::new(), 0);
    loop {
        let (length, asker) = socket.recv_from(&mut room)?;
        let Ok(asked) = decode(&room[..length]) else { continue };
        if fault == "silent after the first answer" && answered > 0 {
            continue;
        }
        let value = |name: &pdsno::wire::oid::Oid| match () {
            () if *name == mib::SYS_DESCR && fault == "long text" => Told::OctetString(vec![b'x'; LONGEST]),
            () if *name == mib::SYS_DESCR || *name == mib::SYS_NAME => Told::OctetString(b"of a test".to_vec()),
            () if *name == mib::SYS_UP_TIME => Told::TimeTicks(100),
            () if asked.pdu.kind == PduKind::Get => Told::NoSuchObject,
            () => Told::EndOfMibView,
        };
        let varbinds = asked.pdu.varbinds.iter().map(|(name, _)| (name.clone(), value(name))).collect();
        let id = asked.pdu.request_id;
        let response = Pdu { kind: PduKind::Response, request_id: id, error_status: 0, error_index: 0, varbinds };
        out.clear();
        encode(&mut out, &asked.community, &response);
        socket.send_to(&out, asker)?;
        answered += 1;
    }
}

/// An agent on a device. Dropping it ends it.
struct Agent(Child);

impl Agent {
    /// The test of this name is the one that [`speak`]s.
    fn on(site: &Site, host: &str, fault: &str, test: &str) -> Tested<Self> {
        let mut agent = site.lab.command(script());
        agent.args(["exec", host]).arg(env::current_exe()?).args(["--exact", test, "--nocapture"]);
        let mut agent = Self(agent.env(FAULT, fault).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
        let lines = BufReader::new(agent.0.stdout.take().ok_or("no stdout")?).lines();
        let begun = lines.map_while(Result::ok).any(|line| line == "speaks");
        if begun { Ok(agent) } else { Err("the agent ended".into()) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // What runs in the lab ends with the process that waits for it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a scan tells of a device whose agent is like that, and the NIB after it.
fn told_by(fault: &str, test: &str) -> Tested<Value> {
    let site = Site::new(2, 0, 0)?;
    let agent = Agent::on(&site, "h1", fault, test)?;
    let told = site.scan()?;
    assert_eq!(told["completeness"], "complete");
    drop(agent);
    let device = site.device("10.0.1.1")?;
    let printed = told["devices"].as_array().into_iter().flatten().find(|printed| printed["mac"] == device["mac"]);
    assert_eq!(printed, Some(&device), "what is said is what is stored");
    assert_eq!(site.device("10.0.1.2")?["methods"], json!(["arp", "icmp"]), "nobody else is touched by it");
    Ok(device)
}

#[test]
fn an_agent_that_is_silent_after_its_first_answer_is_known_by_that_answer() -> Tested {
    if let Ok(fault) = env::var(FAULT) {
        return speak(&fault);
    }
    let test = "agents::an_agent_that_is_silent_after_its_first_answer_is_known_by_that_answer";
    let device = told_by("silent after the first answer", test)?;
    assert_eq!((&device["methods"], &device["hostname"]), (&json!(["arp", "icmp", "snmp"]), &json!("of a test")));
    assert_eq!((&device["snmp"]["reachable"], &device["snmp"]["reason"]), (&json!(true), &json!("fell_silent")));
    assert_eq!(device["snmp"]["interfaces"], json!([]), "half of a table is none");
    Ok(())
}

#[test]
fn a_text_of_nearly_64_kib_is_cut() -> Tested {
    if let Ok(fault) = env::var(FAULT) {
        return speak(&fault);
    }
    let device = told_by("long text", "agents::a_text_of_nearly_64_kib_is_cut")?;
    assert_eq!((&device["snmp"]["reachable"], &device["hostname"]), (&json!(true), &json!("of a test")));
    assert_eq!(device["snmp"]["sys_descr"].as_str().map(str::len), Some(1_024));
    Ok(())
}
