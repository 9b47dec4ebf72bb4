//! A scan that is caught in its middle.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::program::{LIMIT, Ran, Tested, run};
use crate::site::Site;

/// A scan that has begun.
pub struct Begun {
    scan: Child,
}

/// A counter of the scanner's interface.
pub fn counter(site: &Site, name: &str) -> Tested<u64> {
    let path = format!("/sys/class/net/lab0/statistics/{name}");
    Ok(run(site.lab.command("cat").arg(path))?.printed()?.trim().parse()?)
}

impl Begun {
    /// A saved scan that has so many packets on a counter of the interface, `tx_packets` or `rx_packets`.
    pub fn scan(site: &Site, arguments: &[&str], name: &str, packets: u64) -> Tested<Self> {
        let mut scan = site.program(&["scan", "--save", "--format", "json", "--data-dir"]);
        scan.arg(site.data()).args(arguments);
        Self::begin(site, &mut scan, name, packets)
    }

    /// Any scan in the lab that has so many packets on a counter of the interface.
    pub fn begin(site: &Site, scan: &mut Command, name: &str, packets: u64) -> Tested<Self> {
        let before = counter(site, name)?;
        let scan = scan.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let begun = Self { scan };
        let deadline = Instant::now() + LIMIT;
        while counter(site, name)? < before + packets {
            assert!(Instant::now() < deadline, "nothing happens on the interface");
        }
        Ok(begun)
    }

    /// Waits for its end.
    pub fn end(self) -> Tested<Ran> {
        let ended = self.scan.wait_with_output()?;
        Ok(Ran { status: ended.status, out: String::from_utf8(ended.stdout)?, err: String::from_utf8(ended.stderr)? })
    }
}
