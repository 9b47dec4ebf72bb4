use super::*;
use proptest::prelude::*;

const DAY: u64 = 86_400;
const MINUTES: u64 = 300;

fn engine(boots: u32) -> SnmpEngine {
    SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots }
}

fn moment(seconds: u64, engine: Option<&SnmpEngine>) -> Moment<'_> {
    Moment { at: Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap()), engine }
}

fn reading(uptime_seconds: u64, in_octets: u64) -> Reading {
    Reading {
        uptime: Some((u128::from(uptime_seconds) * 100 % (1 << 32)) as u32),
        width: Width::Bits64,
        in_octets: Some(in_octets),
        speed: Some(1_000_000_000),
        ..Reading::default()
    }
}

fn narrow(uptime_seconds: u64, in_octets: u64, speed: Option<u64>) -> Reading {
    Reading { width: Width::Bits32, speed, ..reading(uptime_seconds, in_octets) }
}

/// What five minutes between two readings come to, of an agent that does not count its starts.
fn after_minutes(before: Reading, now: Reading) -> Traffic {
    traffic((&before, moment(0, None)), (&now, moment(MINUTES, None)))
}

fn octets(traffic: Traffic) -> Result<u64, NoTraffic> {
    traffic.in_octets.ok_or_else(|| traffic.reason.unwrap())
}

#[test]
fn a_counter_grows_or_wraps() {
    let wide = |before, now| octets(after_minutes(reading(1_000, before), reading(1_300, now)));
    assert_eq!(wide(5, 1_005), Ok(1_000));
    assert_eq!(wide(7, 7), Ok(0));
    assert_eq!(wide(u64::MAX - 9, 90), Ok(100));
    assert_eq!(wide(1_000, 500), Err(NoTraffic::Implausible), "set back, and not almost 2^64 octets");
    let narrow = |before, now| {
        let of = |uptime, octets| narrow(uptime, octets, Some(10_000_000));
        octets(after_minutes(of(1_000, before), of(1_300, now)))
    };
    assert_eq!(narrow(5, 1_005), Ok(1_000));
    assert_eq!(narrow((1 << 32) - 10, 90), Ok(100));
    // 10 Mbit/s is 375 MB in five minutes.
    assert_eq!(narrow(0, 370_000_000), Ok(370_000_000));
    assert_eq!(narrow(0, 410_000_000), Err(NoTraffic::Implausible));
    assert_eq!(narrow(1_000_000_000, 5), Err(NoTraffic::Implausible), "set back, and not 3.3 GB");
}

#[test]
fn a_narrow_counter_that_may_have_wrapped_again_gives_no_number() {
    let after = |speed, grown| octets(after_minutes(narrow(1_000, 0, speed), narrow(1_300, grown, speed)));
    // At 100 Mbit/s it takes 344 s to wrap, at 1 Gbit/s 34 s.
    assert_eq!(after(Some(100_000_000), 80_000_000), Ok(80_000_000));
    assert_eq!(after(Some(1_000_000_000), 80_000_000), Err(NoTraffic::Ambiguous));
    assert_eq!(after(None, 80_000_000), Err(NoTraffic::SpeedUnknown));
    // Once it can have wrapped, but not this far.
    assert_eq!(after(Some(120_000_000), 3_900_000_000), Ok(3_900_000_000));
    assert_eq!(after(Some(120_000_000), 100_000_000), Err(NoTraffic::Ambiguous));
}

#[test]
fn a_wrap_of_the_uptime_is_no_restart_when_the_count_of_starts_is_the_same() {
    let (three, four) = (engine(3), engine(4));
    let wrap = 42_949_673;
    let after = |uptime, engines: (Option<&SnmpEngine>, Option<&SnmpEngine>)| {
        let before = (&reading(wrap - 100, 10), moment(0, engines.0));
        traffic(before, (&reading(uptime, 40), moment(MINUTES, engines.1)))
    };
    let wrapped = after(wrap + 200, (Some(&three), Some(&three)));
    assert_eq!((wrapped.in_octets, wrapped.elapsed), (Some(30), Some(30_000)));
    assert_eq!(octets(after(wrap + 200, (Some(&three), Some(&four)))), Err(NoTraffic::AgentRestarted));
    // Without the count a wrap is believed where it is due.
    let due = after(wrap + 200, (None, None));
    assert_eq!((due.in_octets, due.elapsed), (Some(30), Some(30_000)));
    assert_eq!(octets(after(wrap + 145, (None, None))), Ok(30), "245 s: within the minute that clocks may be off");
    let early = traffic((&reading(wrap - DAY, 10), moment(0, None)), (&reading(5, 40), moment(MINUTES, None)));
    assert_eq!(octets(early), Err(NoTraffic::AgentRestarted));
}

#[test]
fn an_agent_that_started_anew_gives_no_number_whatever_its_counters_say() {
    let (three, four) = (engine(3), engine(4));
    let other = SnmpEngine { engine_id: "80001f8805".parse().unwrap(), boots: 3 };
    let after = |before, now, engines: (Option<&SnmpEngine>, Option<&SnmpEngine>)| {
        octets(traffic((&reading(before, 10), moment(0, engines.0)), (&reading(now, 40), moment(MINUTES, engines.1))))
    };
    assert_eq!(after(1_000, 20, (None, None)), Err(NoTraffic::AgentRestarted));
    assert_eq!(after(1_000, 1_300, (Some(&three), Some(&four))), Err(NoTraffic::AgentRestarted));
    assert_eq!(after(1_000, 1_300, (Some(&three), Some(&other))), Err(NoTraffic::AgentRestarted), "another agent");
    assert_eq!(after(1_000, 20, (Some(&three), Some(&three))), Err(NoTraffic::AgentRestarted), "it does not count");
    // It was up for a minute, and is now for longer: only the two clocks tell.
    assert_eq!(after(60, 200, (None, None)), Err(NoTraffic::ClocksDisagree));
    assert_eq!(after(60, 200, (Some(&three), Some(&three))), Ok(30), "our clock was set, and it counts its starts");
    assert_eq!(after(60, 60, (Some(&three), Some(&three))), Err(NoTraffic::NoTimePassed));
}

#[test]
fn what_the_agent_says_of_its_counters_is_believed() {
    let (before, now) = (reading(1_000, 10), reading(1_300, 40));
    let since = |discontinuity, reading| Reading { discontinuity, ..reading };
    let after = |old, new| octets(after_minutes(since(old, before), since(new, now)));
    assert_eq!(after(Some(0), Some(110_000)), Err(NoTraffic::Discontinuity));
    assert_eq!([after(Some(7), Some(7)), after(None, Some(7)), after(None, None)], [Ok(30); 3]);
    let clockless = |reading| Reading { uptime: None, ..reading };
    assert_eq!(octets(after_minutes(clockless(before), now)), Err(NoTraffic::NoUptime));
    assert_eq!(octets(after_minutes(narrow(1_000, 10, None), now)), Err(NoTraffic::WidthChanged));
    assert_eq!(octets(after_minutes(before, Reading { in_octets: None, ..now })), Err(NoTraffic::NotTold));
    let late = traffic((&before, moment(0, None)), (&now, moment(300 * DAY, None)));
    assert_eq!((octets(late), late.since), (Err(NoTraffic::TooLongAgo), Some(Timestamp::from_millis(0))));
}

#[test]
fn packets_are_counted_beside_octets_that_are_not_known() {
    let counted =
        |reading, errors, discards| Reading { in_errors: Some(errors), out_discards: Some(discards), ..reading };
    let before = counted(narrow(1_000, 0, None), u32::MAX - 1, 1_000);
    let traffic = after_minutes(before, counted(narrow(1_300, 9, None), 3, 5));
    assert_eq!((traffic.in_octets, traffic.in_errors, traffic.out_discards), (None, Some(5), None));
    assert_eq!(traffic.reason, Some(NoTraffic::SpeedUnknown), "the first that is in the way");
    let set_back = after_minutes(counted(reading(1_000, 0), 0, 1_000), counted(reading(1_300, 9), 0, 5));
    assert_eq!((set_back.in_octets, set_back.out_discards), (Some(9), None));
    assert_eq!(set_back.reason, Some(NoTraffic::Implausible), "and not four thousand million packets");
}

#[test]
fn each_interface_is_compared_with_itself() {
    let readings = |seconds: i64, interfaces: Vec<(u32, Reading)>| Readings {
        read_at: Timestamp::from_millis(seconds * 1_000),
        engine: Some(engine(3)),
        interfaces,
    };
    let before = readings(0, vec![(1, reading(1_000, 10)), (3, reading(1_000, 30))]);
    let now = readings(300, vec![(2, reading(1_300, 20)), (3, reading(1_300, 37))]);
    let [second, third] = compared(Some(&before), &now)[..] else { panic!("not both") };
    assert_eq!((second.index, second.traffic), (2, Traffic::unknown(None, NoTraffic::FirstReading)));
    assert_eq!((third.index, third.traffic.in_octets, third.reading), (3, Some(7), now.interfaces[1].1));
    assert_eq!(third.traffic.since, Some(Timestamp::from_millis(0)));
    assert!(compared(None, &now).iter().all(|one| one.traffic.reason == Some(NoTraffic::FirstReading)));
}

/// An interface that is counted with 128 bits: what an agent tells of it is what is left of that.
#[derive(Debug, Clone)]
struct Truth {
    width: Width,
    speed: Option<u64>,
    counts_starts: bool,
    octets: u128,
    grown: u128,
    ticks: u128,
    passed: u32,
}

impl Truth {
    fn reading(&self, ticks: u128, octets: u128) -> Reading {
        let modulus = 1_u128 << self.width.bits();
        Reading {
            uptime: Some((ticks % (1 << 32)) as u32),
            width: self.width,
            in_octets: Some((octets % modulus) as u64),
            speed: self.speed,
            ..Reading::default()
        }
    }

    fn traffic(&self) -> Traffic {
        let start = engine(3);
        let engine = self.counts_starts.then_some(&start);
        let before = self.reading(self.ticks, self.octets);
        let now = self.reading(self.ticks + u128::from(self.passed), self.octets + self.grown);
        traffic((&before, moment(1_000, engine)), (&now, moment(1_000 + u64::from(self.passed / 100), engine)))
    }

    /// The most octets that the interface can have counted, as the decision allows for it.
    fn most(&self, speed: u64) -> u128 {
        let ticks = u128::from(self.passed);
        u128::from(speed) * (ticks + ticks / 100 + u128::from(STALE)) / 800
    }
}

fn near(edge: u128) -> impl Strategy<Value = u128> {
    prop_oneof![any::<u64>().prop_map(u128::from), (0..1_u128 << 33).prop_map(move |off| edge.saturating_sub(off))]
}

fn truths() -> impl Strategy<Value = Truth> {
    let speeds = vec![10_000_000_u64, 100_000_000, 1_000_000_000, 400_000_000_000];
    let speed = prop::option::weighted(0.9, prop::sample::select(speeds));
    let passed = prop_oneof![1..90_000_u32, 1..(7 * DAY as u32 * 100)];
    (any::<bool>(), speed, any::<bool>(), near(1 << 64), near(1 << 32), passed, 0.0..1.0_f64, 0..4_u8).prop_map(
        |(wide, speed, counts_starts, octets, ticks, passed, share, power)| {
            let width = if wide { Width::Bits64 } else { Width::Bits32 };
            let carried = u128::from(speed.unwrap_or(1_000_000_000)) * u128::from(passed) / 800;
            let grown = (carried as f64 * share.powi(i32::from(power))) as u128;
            Truth { width, speed, counts_starts, octets, grown, ticks, passed }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_difference_is_what_a_counter_of_128_bits_tells_or_none(truth in truths()) {
        let told = truth.traffic();
        prop_assert_eq!(told.elapsed, Some(truth.passed));
        // All true differences that leave these two counters, within what the interface can carry.
        let range = 1_u128 << truth.width.bits();
        let most = match truth.width {
            Width::Bits64 => (1 << 63) - 1,
            Width::Bits32 => truth.speed.map_or(0, |speed| truth.most(speed)),
        };
        let mut possible = (0..3).map(|wraps| truth.grown % range + wraps * range).take_while(|grown| *grown <= most);
        match (possible.next(), possible.next()) {
            (Some(only), None) => {
                prop_assert_eq!(only, truth.grown);
                prop_assert_eq!((told.in_octets.map(u128::from), told.reason), (Some(only), None));
            }
            (Some(_), Some(_)) => prop_assert_eq!(octets(told), Err(NoTraffic::Ambiguous)),
            (None, _) => prop_assert_eq!(octets(told), Err(NoTraffic::SpeedUnknown)),
        }
        if let Some((rate, octets)) = told.bits_per_second().0.zip(told.in_octets) {
            prop_assert_eq!(u128::from(rate), u128::from(octets) * 800 / u128::from(truth.passed));
        }
    }

    #[test]
    fn no_restart_gives_a_number(
        truth in truths(),
        starts in prop::option::of(1..4_u32),
        up_since in 0.0..1.0_f64,
        octets: u32,
    ) {
        // The agent was up for longer than clocks may be off, and no wrap was due.
        let passed = Duration::from_millis(u64::from(truth.passed) * 10);
        let least = (tolerance(passed).as_millis() / 10) as u32 + 101;
        let before = truth.reading(u128::from(least) + truth.ticks % (1 << 31), truth.octets);
        let now = truth.reading((f64::from(truth.passed) * up_since) as u128, octets.into());
        let (known, told) = (engine(3), engine(3 + starts.unwrap_or(0)));
        let (known, told) = (starts.map(|_| &known), starts.map(|_| &told));
        let told = traffic((&before, moment(1_000, known)), (&now, moment(1_000 + u64::from(truth.passed / 100), told)));
        prop_assert_eq!((told.in_octets, told.elapsed), (None, None), "{:?}", told.reason);
    }

    #[test]
    fn whatever_is_told_is_compared(
        before: (u32, u64, u32), now: (u32, u64, u32), speed: Option<u64>, wide: bool, at: (u32, u32), starts: (u32, u32),
    ) {
        let width = if wide { Width::Bits64 } else { Width::Bits32 };
        let reading = |(uptime, octets, errors): (u32, u64, u32)| Reading {
            uptime: Some(uptime),
            width,
            in_octets: Some(octets),
            in_errors: Some(errors),
            discontinuity: None,
            speed,
            ..Reading::default()
        };
        let engines = (engine(starts.0), engine(starts.1));
        let (before, now) = (reading(before), reading(now));
        let told = traffic(
            (&before, moment(at.0.into(), Some(&engines.0))),
            (&now, moment(at.1.into(), Some(&engines.1))),
        );
        prop_assert!(told.in_octets.is_some() || told.reason.is_some());
        let most = if wide { 1 << 63 } else { 1 << 32 };
        prop_assert!(told.in_octets.is_none_or(|octets| octets < most || before.in_octets <= now.in_octets));
        prop_assert!(told.in_errors.is_none_or(|errors| errors < 1 << 31 || before.in_errors <= now.in_errors));
    }
}
