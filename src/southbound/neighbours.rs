//! The kernel's neighbour table (arp(7), proc(5)): the hardware addresses of who is on link, for a
//! process that may not ask by ARP itself.

use std::net::Ipv4Addr;

use crate::domain::address::MacAddr;

/// The table as text. It says of each entry whether it is complete, which is all that is needed, and
/// takes neither a right nor a library to be read.
const TABLE: &str = "/proc/net/arp";

/// The most entries (arp(7), `gc_thresh3`).
const LIMIT: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

/// What the limit is where it cannot be read: the kernel's own default.
const USUAL_LIMIT: usize = 1_024;

/// `ATF_COM`: the hardware address of the entry is valid.
const COMPLETE: u32 = 0x2;

/// Who is on link, by the entries that are complete; nobody where there is no table.
pub fn neighbours() -> Vec<(Ipv4Addr, MacAddr)> {
    read(&std::fs::read_to_string(TABLE).unwrap_or_default())
}

/// How many entries the table may have.
pub fn limit() -> usize {
    std::fs::read_to_string(LIMIT).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(USUAL_LIMIT)
}

/// Columns: address, kind of hardware, flags, hardware address, mask, interface.
fn read(table: &str) -> Vec<(Ipv4Addr, MacAddr)> {
    let entry = |line: &str| {
        let mut columns = line.split_ascii_whitespace();
        let address = columns.next()?.parse().ok()?;
        let flags = columns.nth(1)?.strip_prefix("0x")?;
        let is_complete = u32::from_str_radix(flags, 16).ok()? & COMPLETE != 0;
        let mac: MacAddr = columns.next()?.parse().ok()?;
        (is_complete && mac.is_station()).then_some((address, mac))
    };
    table.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_complete_are_read_and_others_passed_over() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.0.1.7         0x1         0x2         00:1b:54:00:00:07     *        eth0\n\
                     10.0.1.8         0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     10.0.1.9         0x1         0x6         00:1b:54:00:00:09     *        eth0\n\
                     10.0.1.10        0x20        0x2         00:00:00:00:80:00:00:48:fe *    ib0\n\
                     half a line";
        let mac = |last| MacAddr::new([0, 0x1b, 0x54, 0, 0, last]);
        let at = |last| Ipv4Addr::new(10, 0, 1, last);
        assert_eq!(read(table), [(at(7), mac(7)), (at(9), mac(9))]);
        assert_eq!(read(""), []);
    }
}
