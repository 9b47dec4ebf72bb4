//! SNMP agents as no real one should be: this test's binary, run once more on a device of the lab.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Stdio};

use pdsno::wire::mib;
use pdsno::wire::oid::Oid;
use pdsno::wire::snmp::pdu::{Pdu, PduKind};
use pdsno::wire::snmp::{Value as Told, decode, encode};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::lab::script;
use crate::program::{PDSNO, Tested, run, without_settings};
use crate::site::{SUBNET, Site, at, found};

/// Set in the process that is an agent: what is wrong with it.
const FAULT: &str = "PDSNO_TEST_AGENT";

/// As much text as a datagram can have beside the rest of the message.
const LONGEST: usize = 65_000;

const AGENT: &str = "10.0.1.1";
const NEIGHBOUR: &str = "10.0.1.2";

/// Where an agent sends from what is no SNMP, if it does.
fn garbling(fault: &str, own: &UdpSocket) -> Tested<Option<UdpSocket>> {
    Ok(match fault {
        "malformed" => Some(own.try_clone()?),
        "malformed, from another port" => Some(UdpSocket::bind((AGENT, 162))?),
        "malformed, in its neighbour's name" => {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_ip_transparent_v4(true)?;
            socket.bind(&SocketAddr::new(NEIGHBOUR.parse()?, 161).into())?;
            Some(socket.into())
        }
        _ => None,
    })
}

/// Answers for ever. Standard output itself says when: the test harness would keep what is printed.
fn speak(fault: &str) -> Tested {
    let socket = UdpSocket::bind((AGENT, 161))?;
    let garbling = garbling(fault, &socket)?;
    std::io::Write::write_all(&mut std::io::stdout(), b"\nspeaks\n")?;
    let (mut room, mut out, mut answered) = (vec![0; 65_536], Vec::new(), 0);
    loop {
        let (length, asker) = socket.recv_from(&mut room)?;
        if let Some(garbling) = &garbling {
            garbling.send_to(b"no SNMP", asker)?;
            continue;
        }
        let Ok(asked) = decode(&room[..length]) else { continue };
        if fault == "silent after the first answer" && answered > 0 {
            continue;
        }
        let long = |name: &Oid| match fault {
            "long description" => *name == mib::SYS_DESCR,
            "long name" => *name == mib::SYS_NAME,
            "long cell" => *name == mib::IF_DESCR,
            _ => false,
        };
        let value = |name: &Oid| match () {
            () if long(name) => Told::OctetString(vec![b'x'; LONGEST]),
            () if *name == mib::SYS_DESCR || *name == mib::SYS_NAME => Told::OctetString(b"of a test".to_vec()),
            () if *name == mib::SYS_UP_TIME => Told::TimeTicks(100),
            () if asked.pdu.kind == PduKind::Get => Told::NoSuchObject,
            () => Told::EndOfMibView,
        };
        // Its table has one row, in one column.
        let named = |name: &Oid| if *name == mib::IF_DESCR { format!("{name}.1").parse() } else { Ok(name.clone()) };
        let varbinds = asked.pdu.varbinds.iter().map(|(name, _)| Ok((named(name)?, value(name))));
        let varbinds = varbinds.collect::<Tested<_>>()?;
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

/// What a scan tells of a device whose agent is like that, and the site with the NIB that tells the same.
fn told_by(fault: &str, test: &str) -> Tested<(Site, Value)> {
    let site = Site::new(2, 0, 0)?;
    let agent = Agent::on(&site, "h1", fault, test)?;
    let told = site.scan()?;
    assert_eq!(told["completeness"], "complete");
    drop(agent);
    let device = site.device(AGENT)?;
    let printed = told["devices"].as_array().into_iter().flatten().find(|printed| printed["mac"] == device["mac"]);
    assert_eq!(printed, Some(&device), "what is said is what is stored");
    assert_eq!(site.device(NEIGHBOUR)?["methods"], json!(["arp", "icmp"]), "nobody else is touched by it");
    Ok((site, device))
}

#[test]
fn an_agent_that_is_silent_after_its_first_answer_is_known_by_that_answer() -> Tested {
    if let Ok(fault) = env::var(FAULT) {
        return speak(&fault);
    }
    let test = "agents::an_agent_that_is_silent_after_its_first_answer_is_known_by_that_answer";
    let (site, device) = told_by("silent after the first answer", test)?;
    assert_eq!((&device["methods"], &device["hostname"]), (&json!(["arp", "icmp", "snmp"]), &json!("of a test")));
    assert_eq!((&device["snmp"]["reachable"], &device["snmp"]["reason"]), (&json!(true), &json!("fell_silent")));
    assert_eq!(device["snmp"]["interfaces"], json!([]), "half of a table is none");
    assert_eq!(site.types_after("DEVICE_", 0)?, ["DEVICE_DISCOVERED"; 2]);
    Ok(())
}

#[test]
fn a_text_of_nearly_64_kib_is_cut() -> Tested {
    if let Ok(fault) = env::var(FAULT) {
        return speak(&fault);
    }
    let cut = |length| json!("x".repeat(length));
    let whole = json!("of a test");
    for (fault, descr, name, interface) in [
        ("long description", cut(1_024), whole.clone(), Value::Null),
        ("long name", whole.clone(), cut(1_024), Value::Null),
        ("long cell", whole.clone(), whole.clone(), cut(255)),
    ] {
        let (site, device) = told_by(fault, "agents::a_text_of_nearly_64_kib_is_cut")?;
        assert_eq!((&device["snmp"]["reachable"], &device["snmp"]["reason"]), (&json!(true), &Value::Null), "{fault}");
        assert_eq!((&device["snmp"]["sys_descr"], &device["hostname"]), (&descr, &name), "{fault}");
        assert_eq!(device["snmp"]["sys_name"], name, "{fault}");
        if interface != Value::Null {
            assert_eq!(device["snmp"]["interfaces"][0]["name"], interface, "{fault}");
        }
        let told = site.events("DEVICE_DISCOVERED")?;
        let of_agent = told.iter().find(|event| event["subject"] == device["device_id"]).ok_or("no event")?;
        assert_eq!(of_agent["payload"]["hostname"], name, "{fault}");
        // It is not read again as another one.
        assert_eq!(site.types_after("DEVICE_", 2)?, [""; 0]);
    }
    Ok(())
}

/// What a scan without the right to send frames prints.
fn unprivileged(site: &Site) -> Tested<Value> {
    run(site.lab.command("sh").args(["-c", "echo '0 0' >/proc/sys/net/ipv4/ping_group_range"]))?.printed()?;
    let mut scan = site.lab.command("setpriv");
    scan.args(["--bounding-set", "-all", "--inh-caps=-all", PDSNO, "scan", SUBNET, "--format", "json"]);
    run(without_settings(&mut scan).current_dir(site.folder()))?.json()
}

#[test]
fn what_is_no_snmp_is_an_agents_answer_only_where_the_agent_sent_it() -> Tested {
    if let Ok(fault) = env::var(FAULT) {
        return speak(&fault);
    }
    let test = "agents::what_is_no_snmp_is_an_agents_answer_only_where_the_agent_sent_it";
    for (fault, reason) in [
        ("malformed", "malformed"),
        ("malformed, from another port", "timeout"),
        ("malformed, in its neighbour's name", "timeout"),
    ] {
        // Its neighbour answers nothing but ARP.
        let site = Site::new(2, 0, 1)?;
        let agent = Agent::on(&site, "h1", fault, test)?;
        let told = site.scan()?;
        let by_kernel = unprivileged(&site)?;
        drop(agent);
        for (address, methods, reason) in
            [(AGENT, json!(["arp", "icmp"]), reason), (NEIGHBOUR, json!(["arp"]), "timeout")]
        {
            let device = site.device(address)?;
            assert_eq!((&device["methods"], &device["snmp"]["reachable"]), (&methods, &json!(false)), "{fault}");
            assert_eq!(device["snmp"]["reason"], reason, "{fault}, of {address}");
            assert_eq!(*at(found(&told)?, address)?, device, "what is said is what is stored");
        }
        assert_eq!(at(found(&by_kernel)?, AGENT)?["snmp"]["reason"], reason, "{fault}, through the kernel");
        // They came, if not from where they should.
        let rejected = told["protocols"]["snmp"]["rejected"].as_u64();
        assert_eq!(rejected > Some(0), fault != "malformed, from another port", "{fault}: {told}");
    }
    Ok(())
}
