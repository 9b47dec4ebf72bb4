//! What went through an interface between two readings of its counters.
//!
//! Counters wrap and agents start anew: in both cases a counter is less than it was. Which of them it
//! is, is decided by `snmpEngineBoots` (RFC 3414 section 2.2), `sysUpTime` (RFC 3418) and
//! `ifCounterDiscontinuityTime` (RFC 2863 section 3.1.5). Where they leave it open there is no number.

use std::time::Duration;

use super::delta::restart::tolerance;
use crate::domain::counters::{InterfaceCounters, NoTraffic, Reading, Readings, Traffic, Width};
use crate::domain::fact::SnmpEngine;
use crate::domain::time::Timestamp;

/// How much older counters may be than the `sysUpTime` that is told with them, in hundredths of a second:
/// agents look at their interfaces now and then (Net-SNMP each 15 s).
const STALE: u64 = 1_500;

/// `sysUpTime` may have wrapped twice in as long, for all that can be told from it.
const HALF_OF_ITS_RANGE: Duration = Duration::from_millis(10 << 31);

/// When a reading was made, and of which start of which agent.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// By our clock.
    pub at: Timestamp,
    /// As the agent told it.
    pub engine: Option<&'a SnmpEngine>,
}

impl<'a> From<&'a Readings> for Moment<'a> {
    fn from(readings: &'a Readings) -> Self {
        Self { at: readings.read_at, engine: readings.engine.as_ref() }
    }
}

/// All interfaces that were read now, each with what went through it since it was last read.
pub fn compared(before: Option<&Readings>, now: &Readings) -> Vec<InterfaceCounters> {
    let of = |(index, reading): &(u32, Reading)| {
        let known = before.and_then(|before| Some((before.of(*index)?, Moment::from(before))));
        let traffic = match known {
            Some(before) => traffic(before, (reading, Moment::from(now))),
            None => Traffic::unknown(None, NoTraffic::FirstReading),
        };
        InterfaceCounters { index: *index, reading: *reading, traffic }
    };
    now.interfaces.iter().map(of).collect()
}

/// What went through an interface between two readings.
pub fn traffic(before: (&Reading, Moment<'_>), now: (&Reading, Moment<'_>)) -> Traffic {
    let since = Some(before.1.at);
    let elapsed = match elapsed(before, now) {
        Ok(elapsed) => elapsed,
        Err(reason) => return Traffic::unknown(since, reason),
    };
    let ((before, _), (now, _)) = (before, now);
    if before.discontinuity.zip(now.discontinuity).is_some_and(|(before, now)| before != now) {
        return Traffic::unknown(since, NoTraffic::Discontinuity);
    }
    let mut reason = None;
    let mut note = |known: Option<Result<u64, NoTraffic>>| match known? {
        Ok(difference) => Some(difference),
        Err(why) => {
            reason.get_or_insert(why);
            None
        }
    };
    let octets = |part: fn(&Reading) -> Option<u64>| {
        let pair = part(before).zip(part(now));
        pair.map(
            |pair| if before.width == now.width { grown(pair, now, elapsed) } else { Err(NoTraffic::WidthChanged) },
        )
    };
    let in_octets = note(octets(|reading| reading.in_octets));
    let out_octets = note(octets(|reading| reading.out_octets));
    let mut packets = |part: fn(&Reading) -> Option<u32>| {
        let pair = part(before).zip(part(now));
        note(pair.map(|pair| counted(pair).map(u64::from))).and_then(|difference| u32::try_from(difference).ok())
    };
    let in_errors = packets(|reading| reading.in_errors);
    let out_errors = packets(|reading| reading.out_errors);
    let in_discards = packets(|reading| reading.in_discards);
    let out_discards = packets(|reading| reading.out_discards);
    if now.in_octets.or(now.out_octets).is_none() {
        reason.get_or_insert(NoTraffic::NotTold);
    }
    let elapsed = Some(elapsed);
    Traffic { since, elapsed, in_octets, out_octets, in_errors, out_errors, in_discards, out_discards, reason }
}

/// How much time passed for the agent between two readings, in hundredths of a second. `sysUpTime` tells
/// it modulo 2^32, as long as the agent did not start in between.
fn elapsed(before: (&Reading, Moment<'_>), now: (&Reading, Moment<'_>)) -> Result<u32, NoTraffic> {
    let ((before, then), (now, at)) = (before, now);
    let (earlier, later) = before.uptime.zip(now.uptime).ok_or(NoTraffic::NoUptime)?;
    let same_start = match (then.engine, at.engine) {
        (Some(before), Some(now)) if before == now => true,
        (Some(_), Some(_)) => return Err(NoTraffic::AgentRestarted),
        _ => false,
    };
    let passed = at.at.since(then.at);
    if passed >= HALF_OF_ITS_RANGE {
        return Err(NoTraffic::TooLongAgo);
    }
    let ticks = later.wrapping_sub(earlier);
    let told = Duration::from_millis(u64::from(ticks) * 10);
    let agrees = told.abs_diff(passed) <= tolerance(passed);
    // The count of starts is believed, but an uptime that falls back when no wrap is due is not: there are
    // agents that do not count. Our own clock may have been set, so it is asked only where there is doubt.
    match later >= earlier {
        _ if agrees => {}
        true if same_start => {}
        true => return Err(NoTraffic::ClocksDisagree),
        false => return Err(NoTraffic::AgentRestarted),
    }
    if ticks == 0 { Err(NoTraffic::NoTimePassed) } else { Ok(ticks) }
}

/// By how much a counter of octets has grown. As with serial numbers (RFC 1982) one of 64 bits that is less
/// has wrapped when that is the shorter way, and else was set back.
fn grown((before, now): (u64, u64), reading: &Reading, ticks: u32) -> Result<u64, NoTraffic> {
    match reading.width {
        // It takes years to wrap, so it is believed whatever the speed is said to be.
        Width::Bits64 => {
            let grown = now.wrapping_sub(before);
            if now >= before || grown < 1 << 63 { Ok(grown) } else { Err(NoTraffic::Implausible) }
        }
        Width::Bits32 => {
            const RANGE: u64 = 1 << 32;
            let grown = now.wrapping_sub(before) % RANGE;
            let most = most_octets(reading.speed.ok_or(NoTraffic::SpeedUnknown)?, ticks);
            if u128::from(grown + RANGE) <= most {
                Err(NoTraffic::Ambiguous)
            } else if u128::from(grown) <= most {
                Ok(grown)
            } else {
                Err(NoTraffic::Implausible)
            }
        }
    }
}

/// The most octets that an interface of this speed in bit/s can have counted between two readings: one
/// per cent is for clocks, and [`STALE`] for counters that are older than they look.
fn most_octets(speed: u64, ticks: u32) -> u128 {
    let ticks = u64::from(ticks) + u64::from(ticks) / 100 + STALE;
    // Hundredths of a second, and eight bits.
    u128::from(speed) * u128::from(ticks) / 800
}

/// By how much a counter of packets has grown. It has 32 bits at any speed, and is taken to wrap once at
/// most: a link that drops millions of packets a second is down for all who use it.
fn counted((before, now): (u32, u32)) -> Result<u32, NoTraffic> {
    let grown = now.wrapping_sub(before);
    if now >= before || grown < 1 << 31 { Ok(grown) } else { Err(NoTraffic::Implausible) }
}

#[cfg(test)]
mod tests;
