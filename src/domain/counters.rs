//! What the interfaces of a device counted: how it was last told, and by how much it grew.
//!
//! Counters are no facts. They differ each time that they are read, so of an interface the last reading
//! is kept and what it came to since the one before, and nobody is told of either.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::device::DeviceId;
use crate::domain::fact::SnmpEngine;
use crate::domain::names::named;
use crate::domain::time::Timestamp;

/// How many bits the counters of octets have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// `Counter32`: `ifInOctets` and `ifOutOctets`.
    #[default]
    Bits32,
    /// `Counter64`: `ifHCInOctets` and `ifHCOutOctets`.
    Bits64,
}

impl Width {
    /// The number.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits32 => 32,
            Self::Bits64 => 64,
        }
    }
}

/// The counters of one interface at one moment (RFC 2863); none for what the agent does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// `sysUpTime`, told in the same answer, in hundredths of a second. It wraps after 497 days.
    pub uptime: Option<u32>,
    /// Of the two numbers of octets.
    pub width: Width,
    /// Octets received.
    pub in_octets: Option<u64>,
    /// Octets sent.
    pub out_octets: Option<u64>,
    /// `ifInErrors`.
    pub in_errors: Option<u32>,
    /// `ifOutErrors`.
    pub out_errors: Option<u32>,
    /// `ifInDiscards`.
    pub in_discards: Option<u32>,
    /// `ifOutDiscards`.
    pub out_discards: Option<u32>,
    /// `ifCounterDiscontinuityTime`: `sysUpTime` when a counter last did not go on from where it was.
    pub discontinuity: Option<u32>,
    /// The speed in bit/s, by `ifSpeed`, or by `ifHighSpeed` where that is too small to tell it.
    pub speed: Option<u64>,
}

/// All counters of a device as they were last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// When.
    pub read_at: Timestamp,
    /// The engine of the agent, and which of its starts it was.
    pub engine: Option<SnmpEngine>,
    /// By `ifIndex`, ascending.
    pub interfaces: Vec<(u32, Reading)>,
}

impl Readings {
    /// The reading of an interface.
    pub fn of(&self, index: u32) -> Option<&Reading> {
        let place = self.interfaces.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.interfaces.get(place).map(|(_, reading)| reading)
    }
}

/// What went through an interface between two readings; none where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// When the reading before was made; none when there was none.
    pub since: Option<Timestamp>,
    /// What passed between them by the agent's own clock, in hundredths of a second; more than 0.
    pub elapsed: Option<u32>,
    /// Octets received.
    pub in_octets: Option<u64>,
    /// Octets sent.
    pub out_octets: Option<u64>,
    /// Packets that could not be received.
    pub in_errors: Option<u32>,
    /// Packets that could not be sent.
    pub out_errors: Option<u32>,
    /// Packets that were received and dropped.
    pub in_discards: Option<u32>,
    /// Packets that were to be sent and dropped.
    pub out_discards: Option<u32>,
    /// Why something is not known that the agent counts.
    pub reason: Option<NoTraffic>,
}

impl Traffic {
    /// Nothing, for this reason.
    pub fn unknown(since: Option<Timestamp>, reason: NoTraffic) -> Self {
        Self { since, reason: Some(reason), ..Self::default() }
    }

    /// How long it took.
    pub fn duration(&self) -> Option<Duration> {
        self.elapsed.map(|ticks| Duration::from_millis(u64::from(ticks) * 10))
    }

    /// Bits a second, received and sent.
    pub fn bits_per_second(&self) -> (Option<u64>, Option<u64>) {
        let rate = |octets: Option<u64>| {
            let ticks = u128::from(self.elapsed.filter(|ticks| *ticks > 0)?);
            u64::try_from(u128::from(octets?) * 800 / ticks).ok()
        };
        (rate(self.in_octets), rate(self.out_octets))
    }
}

/// Why two readings have no difference, or a reading has no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoTraffic {
    /// There is no reading before it.
    FirstReading,
    /// The agent tells no octets of this interface.
    NotTold,
    /// The agent tells no `sysUpTime`, so it is not known how much time passed for it.
    NoUptime,
    /// The agent has started since, or it is another one: its counters began anew.
    AgentRestarted,
    /// `sysUpTime` went on by another time than our clock, and nothing says that it is the same start.
    ClocksDisagree,
    /// The reading before is so old that `sysUpTime` may have wrapped more than once.
    TooLongAgo,
    /// No time has passed for the agent.
    NoTimePassed,
    /// `ifCounterDiscontinuityTime` says that the counters did not go on from where they were.
    Discontinuity,
    /// Counters of another width are told than before.
    WidthChanged,
    /// A 32-bit counter, and it is not known how fast it can grow: nobody knows how often it wrapped.
    SpeedUnknown,
    /// A 32-bit counter that may have wrapped once more, at the interface's speed.
    Ambiguous,
    /// More than the interface can have carried: the counter was set back, or the speed is not the true one.
    Implausible,
}

named!(NoTraffic, NoTrafficError, "reason for unknown traffic",
    FirstReading => "first_reading", NotTold => "not_told", NoUptime => "no_uptime",
    AgentRestarted => "agent_restarted", ClocksDisagree => "clocks_disagree",
    TooLongAgo => "too_long_ago", NoTimePassed => "no_time_passed",
    Discontinuity => "discontinuity", WidthChanged => "width_changed",
    SpeedUnknown => "speed_unknown", Ambiguous => "ambiguous", Implausible => "implausible");

/// An interface, as the NIB keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// `ifIndex`.
    pub index: u32,
    /// The last reading.
    pub reading: Reading,
    /// What it came to since the one before.
    pub traffic: Traffic,
}

/// The counters of a device, as the NIB keeps them: what was told last, and nothing of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// The device.
    pub device: DeviceId,
    /// When they were read.
    pub read_at: Timestamp,
    /// The engine of the agent, and which of its starts it was.
    pub engine: Option<SnmpEngine>,
    /// Its interfaces, ascending by index; at least one.
    pub interfaces: Vec<InterfaceCounters>,
}

impl From<Counters> for Readings {
    fn from(Counters { read_at, engine, interfaces, .. }: Counters) -> Self {
        let interfaces = interfaces.into_iter().map(|one| (one.index, one.reading)).collect();
        Self { read_at, engine, interfaces }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_went_through_by_the_agents_clock() {
        let traffic = Traffic { elapsed: Some(30_000), in_octets: Some(37_500_000), ..Traffic::default() };
        assert_eq!(traffic.bits_per_second(), (Some(1_000_000), None));
        assert_eq!(traffic.duration(), Some(Duration::from_secs(300)));
        let most = Traffic { elapsed: Some(1), in_octets: Some(u64::MAX), out_octets: Some(0), ..Traffic::default() };
        assert_eq!(most.bits_per_second(), (None, Some(0)), "no number of that size is a rate");
        assert_eq!(Traffic { elapsed: Some(0), ..most }.bits_per_second(), (None, None));
    }

    #[test]
    fn an_interface_is_found_among_the_readings() {
        let reading = |octets| Reading { in_octets: Some(octets), ..Reading::default() };
        let interfaces = vec![(1, reading(10)), (7, reading(70))];
        let readings = Readings { read_at: Timestamp::from_millis(0), engine: None, interfaces };
        assert_eq!((readings.of(7), readings.of(2)), (Some(&reading(70)), None));
    }
}
