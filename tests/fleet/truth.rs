//! The truth as JSON, for a test to compare with what a scanner says.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use pdsno::domain::address::MacAddr;
use pdsno::domain::engine::EngineId;
use serde::Serialize;

use crate::answer::answers;
use crate::engine::Starts;
use crate::network::{Agent, Host, Kind, Network};
use crate::objects::View;
use crate::version::Version;

/// A fleet.
#[derive(Debug, Serialize)]
struct Truth {
    seed: u64,
    prefix: String,
    /// The address of nobody.
    scanner: Ipv4Addr,
    /// Addresses that answer ARP.
    live_addresses: usize,
    /// Hosts with an SNMP agent, and those of them that a scanner can read.
    agents: usize,
    readable_agents: usize,
    hosts: Vec<Told>,
}

/// A host.
#[derive(Debug, Serialize)]
struct Told {
    addresses: Vec<Ipv4Addr>,
    /// The hardware address under which it is reached.
    mac: MacAddr,
    /// Its own, where another one answers ARP for it.
    own_mac: Option<MacAddr>,
    /// What a scanner that makes no mistake sees it answer.
    answers: Vec<&'static str>,
    /// Whether it says that no agent listens.
    closed: bool,
    faults: Vec<&'static str>,
    agent: Option<ToldAgent>,
}

/// What an agent tells. Texts that are not UTF-8 have U+FFFD for what is not.
#[derive(Debug, Serialize)]
struct ToldAgent {
    model: &'static str,
    /// The versions of SNMP that it speaks, and those by which it can be read.
    versions: &'static [Version],
    readable_by: Vec<Version>,
    /// Of those that speak v3.
    engine: Option<ToldEngine>,
    sys_descr: &'static str,
    sys_object_id: String,
    sys_name: String,
    sys_location: String,
    sys_services: u8,
    /// The octets of the largest message that it sends.
    most_octets: usize,
    interfaces: Vec<ToldInterface>,
    /// Whether there are LLDP objects, and Cisco's.
    lldp: bool,
    cdp: bool,
    neighbours: Vec<ToldNeighbour>,
}

#[derive(Debug, Serialize)]
struct ToldEngine {
    engine_id: EngineId,
    /// How often it has started when the fleet begins.
    boots: u32,
    /// Who it answers, unless a fault says that it does not.
    user: String,
}

#[derive(Debug, Serialize)]
struct ToldInterface {
    index: u32,
    name: String,
    mac: MacAddr,
    admin_up: bool,
    oper_up: bool,
}

#[derive(Debug, Serialize)]
struct ToldNeighbour {
    local_index: u32,
    mac: MacAddr,
    sys_name: String,
    port: String,
}

/// Writes the truth about a fleet.
///
/// # Errors
/// When it cannot be written.
pub fn write(network: &Network, mut out: impl Write) -> io::Result<()> {
    let hosts: Vec<Told> = network.hosts.iter().map(|host| told(network, host)).collect();
    let agents = || hosts.iter().filter(|host| host.agent.is_some());
    let truth = Truth {
        seed: network.options.seed,
        prefix: network.options.prefix.to_string(),
        scanner: network.scanner,
        live_addresses: hosts.iter().map(|host| host.addresses.len()).sum(),
        agents: agents().count(),
        readable_agents: agents().filter(|host| host.answers.contains(&"snmp")).count(),
        hosts,
    };
    serde_json::to_writer(&mut out, &truth)?;
    writeln!(out)
}

fn told(network: &Network, host: &Host) -> Told {
    Told {
        addresses: host.offsets.iter().map(|offset| network.address(*offset)).collect(),
        mac: network.station(host),
        own_mac: host.behind.map(|_| host.mac),
        answers: answers(host),
        closed: host.kind == Kind::Plain { closed: true },
        faults: host.faults.iter().map(|fault| fault.name()).collect(),
        agent: host.agent().map(|agent| told_agent(&beginning(network, host, agent))),
    }
}

/// An agent as it is when the fleet begins.
fn beginning<'n>(network: &'n Network, host: &'n Host, agent: &'n Agent) -> View<'n> {
    View { network, host, agent, now: Duration::ZERO, starts: Starts::default() }
}

fn told_agent(view: &View<'_>) -> ToldAgent {
    let model = view.agent.model();
    let index = |agent: &Agent, row| agent.model().first_index + row;
    let interface = |row| ToldInterface {
        index: index(view.agent, row),
        name: text(|out| view.write_port_name(row, out)),
        mac: view.port_mac(row),
        admin_up: true,
        oper_up: view.is_up(row),
    };
    let neighbours = view.neighbours().map(|neighbour| {
        let there = view.at(&neighbour);
        ToldNeighbour {
            local_index: index(view.agent, neighbour.local_row),
            mac: neighbour.host.mac,
            sys_name: text(|out| there.write_sys_name(out)),
            port: text(|out| there.write_port_name(neighbour.remote_row, out)),
        }
    });
    let arcs: Vec<String> = model.sys_object_id.iter().map(u32::to_string).collect();
    ToldAgent {
        model: model.name,
        versions: view.agent.versions.0,
        readable_by: view.host.readable_by(),
        engine: view.agent.engine.map(|engine| ToldEngine {
            engine_id: view.host.engine_id(view.agent),
            boots: view.boots(),
            user: view.network.user(engine).map(|user| user.name.as_str().to_owned()).unwrap_or_default(),
        }),
        sys_descr: model.sys_descr,
        sys_object_id: arcs.join("."),
        sys_name: text(|out| view.write_sys_name(out)),
        sys_location: text(|out| view.write_location(out)),
        sys_services: model.sys_services,
        most_octets: view.agent.most_octets,
        interfaces: (0..view.agent.rows).map(interface).collect(),
        lldp: view.agent.lldp,
        cdp: view.agent.lldp && model.cdp,
        neighbours: neighbours.collect(),
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut octets = Vec::new();
    write(&mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options::tests::{USERS, options};

    fn truth(line: &str) -> serde_json::Value {
        let mut out = Vec::new();
        write(&Network::new(options(line)), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_live_address_is_told_once() {
        let truth = truth("--prefix 10.1.0.0/24 --live 0.8 --multi-address 0.2");
        let hosts = truth["hosts"].as_array().unwrap();
        let mut addresses: Vec<_> =
            hosts.iter().flat_map(|host| host["addresses"].as_array().unwrap()).map(ToString::to_string).collect();
        assert_eq!(truth["live_addresses"], addresses.len());
        addresses.sort();
        addresses.dedup();
        assert_eq!(truth["live_addresses"], addresses.len());
        assert!(hosts.len() < addresses.len());
    }

    #[test]
    fn an_agent_that_nobody_can_read_is_told_as_such() {
        let truth = truth("--prefix 10.1.0.0/24 --snmp 1 --wrong-id 0.5 --non-utf8 1");
        let hosts = truth["hosts"].as_array().unwrap();
        assert_eq!(truth["agents"], hosts.len());
        let readable = hosts.iter().filter(|host| host["faults"] == serde_json::json!(["non_utf8"])).count();
        assert_eq!(truth["readable_agents"], readable);
        assert!(hosts.iter().all(|host| host["agent"]["sys_name"].as_str().unwrap().ends_with('\u{fffd}')));
    }

    #[test]
    fn an_agent_is_told_with_its_versions_its_user_and_its_fault() {
        let truth = truth(&format!(
            "--prefix 10.1.0.0/24 --snmp 1 --snmp-v1 0.3 --snmp-v3 0.4 --v3-other-user 0.5 --snmp-users {USERS}"
        ));
        let agents = |versions: serde_json::Value| {
            let hosts = truth["hosts"].as_array().unwrap();
            hosts.iter().filter(move |host| host["agent"]["versions"] == versions).collect::<Vec<_>>()
        };
        assert!(agents(json!(["v1"])).len() > 10 && agents(json!(["v1", "v2c"])).len() > 10);
        for host in agents(json!(["v3"])) {
            let barred = host["faults"] == json!(["other_user"]);
            assert_eq!(host["agent"]["readable_by"], if barred { json!([]) } else { json!(["v3"]) });
            assert_eq!(host["answers"], if barred { json!(["arp", "icmp"]) } else { json!(["arp", "icmp", "snmp"]) });
            let engine = &host["agent"]["engine"];
            assert!(engine["engine_id"].as_str().unwrap().len() == 22 && engine["boots"].as_u64() > Some(0));
            assert!(["monitor", "old-monitor", "backbone", "watcher"].contains(&engine["user"].as_str().unwrap()));
        }
        assert!(agents(json!(["v1"])).iter().all(|host| host["agent"]["engine"].is_null()));
    }
}
