//! Replies that nobody asked for, at a rate: of addresses that were not asked, and with ids that were not
//! asked with.

use std::net::Ipv4Addr;
use std::time::Duration;

use pdsno::domain::address::MacAddr;

use crate::frames::{self, Ends};
use crate::network::Network;

/// At most so many leave before somebody else has a turn.
const AT_ONCE: u64 = 256;

/// Where no fleet has an address.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);

/// A storm; it begins when the scanner has been heard, which tells where to blow.
#[derive(Debug)]
pub struct Storm {
    rate: u64,
    scanner: Ipv4Addr,
    /// Somebody who was asked, so that only the ids are wrong.
    somebody: Option<Ipv4Addr>,
    towards: Option<(MacAddr, Duration)>,
    blown: u64,
    frame: Vec<u8>,
}

impl Storm {
    pub fn new(network: &Network) -> Self {
        let somebody = network.hosts.first().and_then(|host| host.offsets.first()).map(|at| network.address(*at));
        let rate = network.options.unsolicited;
        Self { rate, scanner: network.scanner, somebody, towards: None, blown: 0, frame: Vec::new() }
    }

    /// Takes note of a frame of the scanner.
    pub fn heard(&mut self, now: Duration, frame: &[u8]) {
        if self.towards.is_none()
            && self.rate > 0
            && let Some(source) = frame.get(6..12).and_then(|octets| octets.try_into().ok())
        {
            self.towards = Some((MacAddr::new(source), now));
        }
    }

    /// When the next frame is due.
    pub fn next_due(&self) -> Option<Duration> {
        let (_, since) = self.towards?;
        Some(since + Duration::from_nanos(1_000_000_000 * (self.blown + 1) / self.rate))
    }

    /// Sends what is due.
    pub fn blow(&mut self, now: Duration, mut send: impl FnMut(&[u8])) {
        let Some((towards, since)) = self.towards else { return };
        let due = (now.saturating_sub(since).as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64;
        for number in self.blown..due.min(self.blown + AT_ONCE) {
            self.write(number, towards);
            send(&self.frame);
        }
        // What could not be sent in time is not sent later: a storm keeps its rate or falls short of it.
        self.blown = due;
    }

    fn write(&mut self, number: u64, towards: MacAddr) {
        let stranger = Ipv4Addr::from_bits(ELSEWHERE.to_bits() | (number as u32 & 0xffff));
        let source = if number.is_multiple_of(2) { stranger } else { self.somebody.unwrap_or(stranger) };
        let [.., high, low] = number.to_be_bytes();
        let ends = Ends {
            source_mac: MacAddr::new([2, 0x57, 0, 0, high, low]),
            source,
            destination_mac: towards,
            destination: self.scanner,
        };
        match number % 6 {
            0 => frames::write_arp(&mut self.frame, &ends),
            1 | 2 => frames::write_echo(&mut self.frame, &ends, &number.to_be_bytes()),
            3 | 4 => frames::write_snmp(&mut self.frame, &ends, 40_000, &number.to_be_bytes()),
            _ => frames::write_port_unreachable(&mut self.frame, &ends, &[0; 28]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::options;

    #[test]
    fn a_storm_blows_at_its_rate_once_the_scanner_was_heard_and_falls_short_when_held_up() {
        let network = Network::new(options("--prefix 10.1.0.0/24 --unsolicited 1000"));
        let mut storm = Storm::new(&network);
        let blown = |storm: &mut Storm, millis| {
            let mut frames = Vec::new();
            storm.blow(Duration::from_millis(millis), |frame| frames.push(frame.to_vec()));
            frames
        };
        assert_eq!((blown(&mut storm, 500).len(), storm.next_due()), (0, None));
        storm.heard(Duration::from_millis(500), &[7; 60]);
        assert_eq!(storm.next_due(), Some(Duration::from_millis(501)));
        let frames = blown(&mut storm, 512);
        assert_eq!(frames.len(), 12);
        assert!(frames.iter().all(|frame| frame[..6] == [7; 6]), "towards whoever asked");
        assert_eq!(blown(&mut storm, 2_500).len(), AT_ONCE as usize);
        assert_eq!(blown(&mut storm, 2_510).len(), 10, "and goes on at its rate");
        let mut calm = Storm::new(&Network::new(options("--prefix 10.1.0.0/24")));
        calm.heard(Duration::ZERO, &[7; 60]);
        assert_eq!(blown(&mut calm, 9_000).len(), 0);
    }
}
