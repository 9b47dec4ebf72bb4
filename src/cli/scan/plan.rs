//! `pdsno scan --plan`.

use std::time::Duration;

use serde::Serialize;

use super::super::args::{Format, ScanArgs};
use super::super::daemon::refused;
use super::super::output::{self, Ended, note};
use super::super::table::{Cell, Column, LeftOut, Table};
use crate::app::config::Sources;
use crate::app::failure::Failure;
use crate::app::forecast::{Course, Courses, Forecast, LinkForecast, Traffic, Warning, assumptions, prepare, verdict};
use crate::domain::cycle::millis;
use crate::domain::protocol::Protocol;

pub fn run(args: &ScanArgs, sources: Sources) -> Result<(), Ended> {
    let file = sources.file.clone();
    let forecast = prepare(&sources).map_err(|error| refused(error, file.as_deref()))?;
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
    timeout_ms: f64,
    communities: usize,
    discovery_interval_s: u64,
    links: Vec<LinkView<'a>>,
    total: CoursesView,
    warnings: &'a [Warning],
    assumptions: [String; 3],
}

#[derive(Serialize)]
struct LinkView<'a> {
    interface: &'a str,
    running: bool,
    addresses: u64,
    subnets: Vec<SubnetView>,
    #[serde(flatten)]
    courses: CoursesView,
}

#[derive(Serialize)]
struct SubnetView {
    subnet: String,
    source: String,
    addresses: u64,
}

#[derive(Serialize)]
struct CoursesView {
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
            timeout_ms: millis(policy.probing.timeout),
            communities: forecast.config.security.snmp_communities.len(),
            discovery_interval_s: policy.interval.as_secs(),
            links: forecast.links.iter().map(LinkView::of).collect(),
            total: CoursesView::of(&forecast.total),
            warnings: &forecast.warnings,
            assumptions: assumptions(),
        }
    }
}

impl<'a> LinkView<'a> {
    fn of(link: &'a LinkForecast) -> Self {
        let subnets = link.subnets.iter().map(|one| SubnetView {
            subnet: one.subnet.to_string(),
            source: one.source.to_string(),
            addresses: one.addresses,
        });
        Self {
            interface: &link.interface,
            running: link.running,
            addresses: link.addresses,
            subnets: subnets.collect(),
            courses: CoursesView::of(&link.courses),
        }
    }
}

impl CoursesView {
    fn of(courses: &Courses) -> Self {
        Self {
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
        Column::whole("INTERFACE", 2),
        Column::whole("FROM", 3),
        Column::key("SUBNET"),
        Column::whole("ADDRESSES", 1),
    ]);
    for link in &forecast.links {
        for one in &link.subnets {
            who.row([Cell::of(&link.interface), Cell::of(one.source), Cell::of(one.subnet), Cell::of(one.addresses)]);
        }
    }
    let mut left_out = who.show()?;
    for link in &forecast.links {
        output::text(&format!("\n{}\n", link.interface))?;
        left_out = left_out.with(courses(&link.courses)?);
    }
    if forecast.links.len() > 1 {
        output::text("\nall interfaces, at the same time\n")?;
        left_out = left_out.with(courses(&forecast.total)?);
    }
    left_out.tell();
    let policy = &forecast.config.policy.discovery;
    let protocols: Vec<String> = policy.protocols.iter().map(ToString::to_string).collect();
    note(&format!(
        "by {}; at most {} packets a second on an interface, {} attempts, {} ms for a reply; nothing was sent",
        protocols.join(", "),
        policy.probing.rate,
        policy.probing.attempts,
        policy.probing.timeout.as_millis()
    ));
    assumptions().iter().for_each(|text| note(text));
    forecast.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    Ok(())
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
