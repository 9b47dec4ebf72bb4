//! Other scanners on the same fleet.

use ipnet::Ipv4Net;

use crate::fleet::Fleet;
use crate::look::{Look, Prints, Seen};
use crate::look_with;
use crate::series::{self, Series};

/// The part of the fleet that nmap's script for SNMP gets.
const PART: &str = "10.1.0.0/24";

/// Behind a router: every host but the first is reached by way of the first.
const ROUTED: &str = "--proxy-arp 1";

/// What they saw.
pub struct Others {
    pub looks: Vec<Look>,
    rounds: Vec<Vec<Option<Seen>>>,
    /// Hosts and agents of the whole fleet, and of the part.
    whole: (usize, usize),
    part: (usize, usize),
}

impl Others {
    pub fn measure(fleet: &Fleet, prefix: &str, rounds: usize) -> anyhow::Result<Self> {
        let look = |name: &str, line: String, prints| Look::new(name, &line, prints);
        let scan = |subnet: &str| format!("pdsno scan {subnet} --probe-rate 30000 --save --format json --data-dir DIR");
        // fping has 65,536 sequence numbers and takes one back after 10 s, so it cannot send faster.
        let direct = vec![
            look("pdsno: ARP, ICMP, SNMP and the commit", scan(prefix), Prints::Scan),
            look("nmap: ARP", format!("nmap -sn -n -T5 --min-rate 20000 {prefix}"), Prints::Nmap),
            look(
                "fping: ICMP by the kernel's sockets",
                format!("fping -q -a -r1 -t 300 -i 0.16 -g {prefix}"),
                Prints::List,
            ),
            look("pdsno: all of it, a /24", scan(PART), Prints::Scan),
            look("nmap: SNMP alone, a /24", format!("nmap -n -sU -p161 --script snmp-sysdescr {PART}"), Prints::Nmap),
        ];
        let truth = fleet.truth()?;
        let scanner = truth.scanner();
        // masscan 1.3 waits for ever where nothing more arrives, and then has not written all that it found.
        let routed = vec![
            look(
                "zmap: ICMP, one probe",
                format!(
                    "zmap -q -v 0 -b /dev/null -M icmp_echoscan -r 30000 -c 1 -i lab0 -S {scanner} -G ROUTER {prefix}"
                ),
                Prints::List,
            ),
            look(
                "masscan: ICMP, stopped after 15 s",
                format!(
                    "timeout 15 stdbuf -oL masscan --ping --rate 30000 -e lab0 --adapter-ip {scanner} --router-mac ROUTER {prefix}"
                ),
                Prints::Discovered,
            ),
        ];
        let behind = fleet.with(ROUTED);
        let mut seen = Vec::new();
        for _ in 0..rounds {
            let mut round = look_with(fleet, &direct)?;
            round.extend(look_with(&behind, &routed)?);
            seen.push(round);
        }
        let (hosts, agents) = (truth.hosts(), truth.agents());
        let part: Ipv4Net = PART.parse()?;
        Ok(Self {
            looks: direct.into_iter().chain(routed).collect(),
            rounds: seen,
            whole: (hosts.len(), agents.len()),
            part: (
                hosts.iter().filter(|address| part.contains(*address)).count(),
                agents.keys().filter(|address| part.contains(*address)).count(),
            ),
        })
    }

    pub fn table(&self) -> Vec<Vec<String>> {
        let series = Series::each(&self.looks, &self.rounds);
        series::table(&self.looks, &series, |look| {
            let (hosts, agents) = if look.line.contains(PART) { self.part } else { self.whole };
            (hosts * self.rounds.len(), agents * self.rounds.len())
        })
    }
}
