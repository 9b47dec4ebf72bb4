//! `pdsno scan --plan`.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use super::super::args::{Format, ScanArgs};
use super::super::daemon::refused;
use super::super::output::{self, Ended, note};
use super::super::table::{Cell, Column, LeftOut, Table};
use crate::app::config::{Sources, load_without_limits};
use crate::app::failure::Failure;
use crate::app::forecast::{
    Course, Courses, Forecast, Hop, SubnetForecast, Traffic, Warning, Way, WayForecast, assumptions, prepare, verdict,
};
use crate::domain::cycle::millis;
use crate::domain::protocol::Protocol;

pub fn run(args: &ScanArgs, sources: Sources) -> Result<(), Ended> {
    let file = sources.file.clone();
    let loaded = load_without_limits(sources).map_err(|error| refused(error, file.as_deref()))?;
    let forecast = prepare(loaded)?;
    forecast.notes.iter().for_each(|text| note(&format!("note: {text}")));
    match args.format {
        Format::Json => output::json(&PlanView::of(&forecast))?,
        Format::Table => table(&forecast)?,
        Format::Csv => return Err(Failure::Usage(anyhow::anyhow!("a plan is a table or json, not csv")).into()),
    }
    Ok(verdict(&forecast)?)
}

/// The JSON output: one object.
#[derive(Serialize)]
struct PlanView<'a> {
    would_begin: bool,
    protocols: &'a [Protocol],
    probe_rate: u32,
    attempts: u8,
    attempts_at_most: u8,
    timeout_ms: f64,
    communities: usize,
    discovery_interval_s: u64,
    ways: Vec<WayView<'a>>,
    total: CoursesView,
    warnings: &'a [Warning],
    assumptions: Vec<String>,
}

/// A way is `frames` or `kernel`; only frames have one interface for all.
#[derive(Serialize)]
struct WayView<'a> {
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of_frames: Option<&'a str>,
    addresses: u64,
    attempts_at_most: u8,
    subnets: Vec<SubnetView<'a>>,
    #[serde(flatten)]
    courses: CoursesView,
}

#[derive(Serialize)]
struct SubnetView<'a> {
    subnet: String,
    addresses: u64,
    without_route: u64,
    hops: Vec<HopView<'a>>,
}

#[derive(Serialize)]
struct HopView<'a> {
    interface: &'a str,
    gateway: Option<Ipv4Addr>,
    source: Ipv4Addr,
}

#[derive(Serialize)]
struct CoursesView {
    packets_at_least: u64,
    packets_at_most: u64,
    duration_ms_at_least: f64,
    duration_ms_at_most: f64,
    everybody_answers: CourseView,
    nobody_answers: CourseView,
    slowest: CourseView,
}

#[derive(Serialize)]
struct CourseView {
    packets: u64,
    octets: u64,
    arp: TrafficView,
    icmp: TrafficView,
    snmp: TrafficView,
    duration_ms: f64,
    packets_per_second: f64,
    kbit_per_second: f64,
    memory_octets: u64,
}

#[derive(Serialize)]
struct TrafficView {
    packets: u64,
    octets: u64,
}

impl<'a> PlanView<'a> {
    fn of(forecast: &'a Forecast) -> Self {
        let policy = &forecast.config.policy.discovery;
        Self {
            would_begin: forecast.would_begin(),
            protocols: &policy.protocols,
            probe_rate: policy.probing.rate,
            attempts: policy.probing.attempts,
            attempts_at_most: forecast.most_attempts(),
            timeout_ms: millis(policy.probing.timeout),
            communities: forecast.config.security.snmp_communities.len(),
            discovery_interval_s: policy.interval.as_secs(),
            ways: forecast.ways.iter().map(WayView::of).collect(),
            total: CoursesView::of(&forecast.total),
            warnings: &forecast.warnings,
            assumptions: assumptions(forecast),
        }
    }
}

impl<'a> WayView<'a> {
    fn of(forecast: &'a WayForecast) -> Self {
        let (way, interface, running, instead_of_frames) = match &forecast.way {
            Way::Frames { interface, running } => ("frames", Some(interface.as_str()), Some(*running), None),
            Way::Kernel { instead_of_frames } => ("kernel", None, None, instead_of_frames.as_deref()),
        };
        Self {
            way,
            interface,
            running,
            instead_of_frames,
            addresses: forecast.addresses,
            attempts_at_most: forecast.most_attempts,
            subnets: forecast.subnets.iter().map(SubnetView::of).collect(),
            courses: CoursesView::of(&forecast.courses),
        }
    }
}

impl<'a> SubnetView<'a> {
    fn of(forecast: &'a SubnetForecast) -> Self {
        let hop =
            |Hop { interface, gateway, source }: &'a Hop| HopView { interface, gateway: *gateway, source: *source };
        Self {
            subnet: forecast.subnet.to_string(),
            addresses: forecast.addresses,
            without_route: forecast.without_route,
            hops: forecast.hops.iter().map(hop).collect(),
        }
    }
}

impl CoursesView {
    fn of(courses: &Courses) -> Self {
        Self {
            packets_at_least: courses.fewest_packets,
            packets_at_most: courses.slowest.total().packets,
            duration_ms_at_least: millis(courses.least_duration),
            duration_ms_at_most: millis(courses.slowest.duration),
            everybody_answers: CourseView::of(&courses.everybody_answers),
            nobody_answers: CourseView::of(&courses.nobody_answers),
            slowest: CourseView::of(&courses.slowest),
        }
    }
}

impl CourseView {
    fn of(course: &Course) -> Self {
        let traffic = |Traffic { packets, octets }| TrafficView { packets, octets };
        let Traffic { packets, octets } = course.total();
        Self {
            packets,
            octets,
            arp: traffic(course.arp),
            icmp: traffic(course.icmp),
            snmp: traffic(course.snmp),
            duration_ms: millis(course.duration),
            packets_per_second: rounded(course.packets_per_second()),
            kbit_per_second: rounded(course.kbit_per_second()),
            memory_octets: course.memory,
        }
    }
}

fn rounded(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

fn table(forecast: &Forecast) -> Result<(), Ended> {
    let mut who = Table::new(&[
        Column::whole("WAY", 2),
        Column::whole("FROM", 3),
        Column::key("SUBNET"),
        Column::whole("ADDRESSES", 1),
    ]);
    for way in &forecast.ways {
        for subnet in &way.subnets {
            rows(&way.way, subnet).into_iter().for_each(|row| who.row(row.map(Cell::of)));
        }
    }
    let mut left_out = who.show()?;
    for way in &forecast.ways {
        output::text(&format!("\n{}\n", name(&way.way)))?;
        left_out = left_out.with(courses(&way.courses)?);
    }
    if forecast.ways.len() > 1 {
        output::text("\nall ways, at the same time\n")?;
        left_out = left_out.with(courses(&forecast.total)?);
    }
    left_out.tell();
    let policy = &forecast.config.policy.discovery;
    let protocols: Vec<String> = policy.protocols.iter().map(ToString::to_string).collect();
    note(&format!(
        "by {}; at most {} packets a second on each way, {} attempts, {} ms for a reply; nothing was sent",
        protocols.join(", "),
        policy.probing.rate,
        attempts(policy.probing.attempts, forecast.most_attempts()),
        policy.probing.timeout.as_millis()
    ));
    assumptions(forecast).iter().for_each(|text| note(text));
    forecast.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    Ok(())
}

fn attempts(ordered: u8, most: u8) -> String {
    if most > ordered { format!("{ordered} (up to {most} where packets are lost)") } else { ordered.to_string() }
}

fn name(way: &Way) -> String {
    match way {
        Way::Frames { interface, .. } => format!("frames on {interface}"),
        Way::Kernel { .. } => "through the kernel".to_owned(),
    }
}

/// A row for each place where packets to a subnet leave; the number of addresses is in the first.
fn rows(way: &Way, subnet: &SubnetForecast) -> Vec<[String; 4]> {
    let by = |hop: &Hop| match (way, hop.gateway) {
        (Way::Frames { .. }, _) => name(way),
        (Way::Kernel { .. }, None) => format!("kernel, {}", hop.interface),
        (Way::Kernel { .. }, Some(gateway)) => format!("kernel, {} via {gateway}", hop.interface),
    };
    let mut places: Vec<(String, String)> = subnet.hops.iter().map(|hop| (by(hop), hop.source.to_string())).collect();
    if places.is_empty() {
        places.push(("no route".to_owned(), "-".to_owned()));
    }
    let mut counts = std::iter::once(subnet.addresses.to_string()).chain(std::iter::repeat(String::new()));
    let row = |(way, source)| [way, source, subnet.subnet.to_string(), counts.next().unwrap_or_default()];
    places.into_iter().map(row).collect()
}

fn courses(courses: &Courses) -> Result<LeftOut, Ended> {
    let mut table = Table::new(&[
        Column::key(""),
        Column::whole("ARP", 7),
        Column::whole("ICMP", 8),
        Column::whole("SNMP", 9),
        Column::whole("PACKETS", 1),
        Column::whole("BYTES", 3),
        Column::whole("TIME", 2),
        Column::whole("PACKETS/S", 5),
        Column::whole("KBIT/S", 4),
        Column::whole("MEMORY", 6),
    ]);
    let rows = [
        ("everybody answers", &courses.everybody_answers),
        ("nobody answers", &courses.nobody_answers),
        ("slowest", &courses.slowest),
    ];
    for (name, course) in rows {
        let Traffic { packets, octets } = course.total();
        table.row([
            Cell::of(name),
            Cell::of(course.arp.packets),
            Cell::of(course.icmp.packets),
            Cell::of(course.snmp.packets),
            Cell::of(packets),
            Cell::of(octets),
            Cell::of(span(course.duration)),
            Cell::of(format!("{:.0}", course.packets_per_second())),
            Cell::of(format!("{:.0}", course.kbit_per_second())),
            Cell::of(format!("{} KiB", course.memory.div_ceil(1_024))),
        ]);
    }
    table.show()
}

/// A span for people.
fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match span.as_secs() {
        0..=119 => format!("{seconds:.2} s"),
        120..=7_199 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_unit_that_people_would_choose() {
        assert_eq!(span(Duration::from_millis(379)), "0.38 s");
        assert_eq!(span(Duration::from_secs(180)), "3.0 min");
        assert_eq!(span(Duration::from_secs(9_000)), "2.5 h");
    }
}
