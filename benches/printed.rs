//! The addresses in what other programs print.

use std::net::Ipv4Addr;

/// The hosts that nmap reports as up, in its normal output.
pub fn reported_up(printed: &str) -> impl Iterator<Item = Ipv4Addr> {
    reports_with(printed, "Host is up")
}

/// The hosts whose sysDescr nmap reports.
pub fn described(printed: &str) -> impl Iterator<Item = Ipv4Addr> {
    reports_with(printed, "| snmp-sysdescr:")
}

fn reports_with<'a>(printed: &'a str, sign: &'a str) -> impl Iterator<Item = Ipv4Addr> + 'a {
    printed.split("Nmap scan report for ").skip(1).filter_map(move |report| {
        let (address, rest) = report.split_once('\n')?;
        rest.contains(sign).then(|| address.trim().parse().ok())?
    })
}

/// The hosts that arp-scan lists: an address, then its MAC.
pub fn listed(printed: &str) -> impl Iterator<Item = Ipv4Addr> {
    printed.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok())
}
