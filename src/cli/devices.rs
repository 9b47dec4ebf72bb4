//! `pdsno devices` and `pdsno device`.

use anstyle::{AnsiColor, Style};
use anyhow::anyhow;
use serde::Serialize;

use super::args::{Chosen, DeviceArgs, DevicesArgs, Format, PlainFormat};
use super::daemon::{configuration, sources};
use super::output::{self, Ended};
use super::table::{Cell, Column, Table};
use super::text::one_line;
use crate::app::config::{Config, Flags};
use crate::app::failure::Failure;
use crate::app::inventory::{self, DeviceKey, DeviceView};
use crate::app::tiers::chosen;
use crate::domain::device::DeviceStatus;
use crate::domain::inventory::{FactView, InterfaceView, TrafficView};

#[derive(Serialize)]
struct DeviceList {
    devices: Vec<DeviceView>,
}

/// The configuration of a command that only needs to know where the NIB is.
pub fn folder_configuration(Chosen { common, controller }: &Chosen) -> Result<Config, Ended> {
    let flags = Flags { data_dir: common.data_dir.clone(), ..Flags::default() };
    let mut config = configuration(sources(common, flags))?.config;
    config.nib = chosen(config.nib, controller.as_deref())?;
    Ok(config)
}

pub fn list(args: &DevicesArgs) -> Result<(), Ended> {
    let status = args.status.as_deref().map(str::parse::<DeviceStatus>).transpose().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let devices = inventory::devices(&reader, status, |_| true).map_err(Failure::failed)?;
    match args.format {
        Format::Table => table(&devices, true),
        Format::Json => output::json(&DeviceList { devices }),
        Format::Csv => csv(&devices),
    }
}

pub fn show(args: &DeviceArgs) -> Result<(), Ended> {
    let key: DeviceKey = args.key.parse().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let devices = inventory::find(&reader, key).map_err(Failure::failed)?;
    if devices.is_empty() {
        return Err(Failure::Failed(anyhow!("{} is not in the NIB {}", args.key, config.nib.path.display())).into());
    }
    match args.format {
        PlainFormat::Json => output::json(&DeviceList { devices }),
        PlainFormat::Table => devices.iter().try_for_each(|device| {
            output::sheet(&sheet(device), 17)?;
            output::text("\n")
        }),
    }
}

/// Prints devices as a table, with what the NIB adds when they are from there.
pub fn table(devices: &[DeviceView], from_nib: bool) -> Result<(), Ended> {
    let mut columns = vec![
        Column::key("IP"),
        Column::whole("MAC", 2),
        Column::text("HOSTNAME", 3, 12),
        Column::text("VENDOR", 4, 10),
        Column::whole("TYPE", 5),
        Column::whole("METHODS", 8),
        Column::whole("RTT", 9),
    ];
    if from_nib {
        columns.splice(0..0, [Column::whole("ID", 7), Column::whole("STATUS", 1)]);
        columns.push(Column::whole("LAST SEEN", 6));
    }
    let mut table = Table::new(&columns);
    for device in devices {
        let mut row = vec![
            Cell::list(&device.ip_addresses),
            Cell::or_dash(device.mac),
            Cell::or_dash(device.hostname.as_ref()),
            Cell::or_dash(device.vendor.as_ref()),
            Cell::of(device.device_type),
            Cell::of(joined(&device.methods)),
            Cell::or_dash(device.rtt_ms.map(|rtt| format!("{rtt:.2} ms"))),
        ];
        if from_nib {
            let id = device.device_id.map(|id| id.to_string()).unwrap_or_default();
            row.splice(0..0, [Cell::of(id), Cell::of(device.status).styled(style(device.status))]);
            row.push(Cell::of(device.last_seen));
        }
        table.row(row);
    }
    table.print()
}

fn style(status: DeviceStatus) -> Style {
    let colour = match status {
        DeviceStatus::Active => AnsiColor::Green,
        DeviceStatus::Inactive => AnsiColor::BrightBlack,
        DeviceStatus::Unreachable => AnsiColor::Yellow,
        DeviceStatus::Quarantined | DeviceStatus::Degraded => AnsiColor::Red,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// Prints devices as comma-separated values (RFC 4180), a line each.
pub fn csv(devices: &[DeviceView]) -> Result<(), Ended> {
    let failed = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => Ended::from(error),
        other => Failure::Failed(anyhow!("cannot write a line: {other:?}")).into(),
    };
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    out.write_record([
        "device_id",
        "status",
        "ip_addresses",
        "mac",
        "hostname",
        "vendor",
        "device_type",
        "firmware",
        "methods",
        "rtt_ms",
        "snmp_reachable",
        "sys_descr",
        "first_seen",
        "last_seen",
    ])
    .map_err(failed)?;
    for device in devices {
        let snmp = device.snmp.as_ref();
        out.write_record([
            device.device_id.map(|id| id.to_string()).unwrap_or_default(),
            device.status.to_string(),
            joined_by(&device.ip_addresses, " "),
            device.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            device.hostname.clone().unwrap_or_default(),
            device.vendor.clone().unwrap_or_default(),
            device.device_type.to_string(),
            device.firmware.clone().unwrap_or_default(),
            joined_by(&device.methods, " "),
            device.rtt_ms.map(|rtt| rtt.to_string()).unwrap_or_default(),
            snmp.map(|snmp| snmp.reachable.to_string()).unwrap_or_default(),
            snmp.and_then(|snmp| snmp.sys_descr.clone()).unwrap_or_default(),
            device.first_seen.to_string(),
            device.last_seen.to_string(),
        ])
        .map_err(failed)?;
    }
    Ok(out.flush()?)
}

/// Everything that is known of a device, a line for each fact.
fn sheet(device: &DeviceView) -> Vec<(String, String)> {
    let mut lines = vec![
        ("id", or_dash(device.device_id)),
        ("status", device.status.to_string()),
        ("addresses", joined(&device.ip_addresses)),
        ("mac", or_dash(device.mac)),
        ("hostname", text_or_dash(&device.hostname)),
        ("vendor", text_or_dash(&device.vendor) + &because(device.vendor_evidence.as_ref())),
        ("type", device.device_type.to_string() + &because(device.type_evidence.as_ref())),
        ("firmware", text_or_dash(&device.firmware)),
        ("methods", joined(&device.methods)),
        ("rtt", device.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.2} ms"))),
        ("first seen", device.first_seen.to_string()),
        ("last seen", device.last_seen.to_string()),
        ("missed cycles", device.missed_cycles.to_string()),
        ("region", text_or_dash(&device.region)),
        ("local controller", text_or_dash(&device.local_controller)),
    ];
    if let Some(snmp) = &device.snmp {
        let reachable = if snmp.reachable { "yes" } else { "no" };
        let reachable = snmp.reason.map_or_else(|| reachable.to_owned(), |reason| format!("{reachable} ({reason})"));
        let uptime = snmp.uptime_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        lines.extend([
            ("snmp", reachable),
            ("sysDescr", text_or_dash(&snmp.sys_descr)),
            ("sysObjectID", text_or_dash(&snmp.sys_object_id)),
            ("sysName", text_or_dash(&snmp.sys_name)),
            ("sysLocation", text_or_dash(&snmp.sys_location)),
            ("uptime", uptime),
            ("read at", or_dash(snmp.read_at)),
        ]);
        let engine = snmp.engine.as_ref();
        lines.extend(engine.map(|engine| ("engine", format!("{} (started {} times)", engine.engine_id, engine.boots))));
    }
    let mut lines: Vec<_> = lines.into_iter().map(|(name, value)| (name.to_owned(), one_line(&value))).collect();
    let interfaces = device.snmp.iter().flat_map(|snmp| &snmp.interfaces);
    for InterfaceView { interface, traffic } in interfaces {
        let up = |state: Option<bool>| state.map_or("?", |up| if up { "up" } else { "down" });
        let state = format!(
            "{} (admin {}, oper {}){}",
            interface.name.as_deref().map_or_else(|| "-".to_owned(), one_line),
            up(interface.admin_up),
            up(interface.oper_up),
            interface.mac.map(|mac| format!(" {mac}")).unwrap_or_default()
        );
        lines.push((format!("interface {}", interface.index), state));
        lines.extend(traffic.iter().map(|traffic| (format!("traffic {}", interface.index), passed(traffic))));
    }
    for neighbour in device.snmp.iter().flat_map(|snmp| &snmp.neighbours) {
        let part = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), one_line);
        let who = neighbour.name.as_ref().or(neighbour.chassis.as_ref()).cloned();
        let seen = format!(
            "{} {} ({}){}",
            part(&who),
            part(&neighbour.port),
            neighbour.protocol,
            neighbour.address.map(|address| format!(" {address}")).unwrap_or_default()
        );
        lines.push((format!("neighbour {}", one_line(&neighbour.local_port)), seen));
    }
    lines.extend(device.facts.iter().map(|fact| ("fact".to_owned(), origin(fact))));
    lines
}

/// What went through an interface, and why not all of it is known.
fn passed(traffic: &TrafficView) -> String {
    let mut parts = Vec::new();
    let both = |what: &str, received: Option<String>, sent: Option<String>| {
        (received.is_some() || sent.is_some()).then(|| format!("{what}in {}, out {}", or_dash(received), or_dash(sent)))
    };
    let packets = |count: Option<u32>| count.map(|count| count.to_string());
    parts.extend(both("", traffic.in_bits_per_second.map(rate), traffic.out_bits_per_second.map(rate)));
    parts.extend(both("errors ", packets(traffic.in_errors), packets(traffic.out_errors)));
    parts.extend(both("discards ", packets(traffic.in_discards), packets(traffic.out_discards)));
    parts.extend(traffic.reason.map(|reason| format!("not known: {reason}")));
    let seconds = traffic.seconds.map(|seconds| format!("in {seconds:.2} s, ")).unwrap_or_default();
    let since = traffic.since.map(|since| format!("since {since}, ")).unwrap_or_default();
    format!("{}; {seconds}{since}read {}", parts.join("; "), traffic.read_at)
}

/// Bits a second, in units of a thousand.
fn rate(bits: u64) -> String {
    let unit = [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s")];
    let large = unit.into_iter().find(|(size, _)| bits >= *size);
    large.map_or_else(|| format!("{bits} bit/s"), |(size, name)| format!("{:.2} {name}", bits as f64 / size as f64))
}

/// Where a fact comes from.
fn origin(fact: &FactView) -> String {
    let protocol = fact.protocol.map(|protocol| format!(" by {protocol}")).unwrap_or_default();
    let observer = fact.observer.as_ref().map(|observer| format!(", seen by {observer}")).unwrap_or_default();
    let withheld = fact.withheld_octets.map(|octets| format!(", {octets} octets: not told here")).unwrap_or_default();
    let (kind, source, at) = (fact.kind, one_line(&fact.source), fact.observed_at);
    format!("{kind} from {source}{protocol}, {at}{observer}{withheld}")
}

fn because(evidence: Option<&crate::domain::fact::Evidence>) -> String {
    evidence.map(|evidence| format!(" (from {}: {})", evidence.from, one_line(&evidence.value))).unwrap_or_default()
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn text_or_dash(value: &Option<String>) -> String {
    or_dash(value.as_ref())
}

fn joined(values: &[impl ToString]) -> String {
    joined_by(values, ",")
}

fn joined_by(values: &[impl ToString], separator: &str) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}
