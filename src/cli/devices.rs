//! `pdsno devices` and `pdsno device`.

use anstyle::{AnsiColor, Style};
use anyhow::anyhow;
use comfy_table::Cell;
use serde::Serialize;

use super::args::{Chosen, DeviceArgs, DevicesArgs, Format, PlainFormat};
use super::daemon::{configuration, sources};
use super::output::{self, Ended, one_line};
use crate::app::config::{Config, Flags};
use crate::app::failure::Failure;
use crate::app::inventory::{self, DeviceKey, DeviceView};
use crate::app::tiers::chosen;
use crate::domain::device::DeviceStatus;
use crate::domain::inventory::FactView;

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
        PlainFormat::Table => devices.iter().try_for_each(|device| output::text(&sheet(device))),
    }
}

/// Prints devices as a table, with what the NIB adds when they are from there.
pub fn table(devices: &[DeviceView], from_nib: bool) -> Result<(), Ended> {
    let always = ["IP", "MAC", "HOSTNAME", "VENDOR", "TYPE", "METHODS", "RTT"];
    let header: Vec<&str> = if from_nib {
        ["ID", "STATUS"].into_iter().chain(always).chain(["LAST SEEN"]).collect()
    } else {
        always.to_vec()
    };
    let mut table = output::table(&header);
    for device in devices {
        let mut row = Vec::new();
        if from_nib {
            row.push(Cell::new(device.device_id.map(|id| id.to_string()).unwrap_or_default()));
            row.push(Cell::new(device.status));
        }
        row.extend([
            Cell::new(joined(&device.ip_addresses)),
            Cell::new(or_dash(device.mac)),
            Cell::new(device.hostname.as_deref().map_or_else(|| "-".to_owned(), one_line)),
            Cell::new(device.vendor.as_deref().map_or_else(|| "-".to_owned(), one_line)),
            Cell::new(device.device_type),
            Cell::new(joined(&device.methods)),
            Cell::new(device.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.2} ms"))),
        ]);
        if from_nib {
            row.push(Cell::new(device.last_seen));
        }
        table.add_row(row);
    }
    if from_nib && output::colours() {
        output::print_table(&table, coloured)
    } else {
        output::print_table(&table, str::to_owned)
    }
}

/// A line of the table with its status coloured; that is its second word.
fn coloured(line: &str) -> String {
    let Some((status, name)) = line.split_whitespace().nth(1).and_then(|word| Some((word.parse().ok()?, word))) else {
        return line.to_owned();
    };
    let colour = match status {
        DeviceStatus::Active => AnsiColor::Green,
        DeviceStatus::Inactive => AnsiColor::BrightBlack,
        DeviceStatus::Unreachable => AnsiColor::Yellow,
        DeviceStatus::Quarantined | DeviceStatus::Degraded => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    line.replacen(name, &format!("{style}{name}{style:#}"), 1)
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
fn sheet(device: &DeviceView) -> String {
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
    let mut text: String = lines.iter().map(|(name, value)| format!("{name:<17} {}\n", one_line(value))).collect();
    let interfaces = device.snmp.iter().flat_map(|snmp| &snmp.interfaces);
    for interface in interfaces {
        let up = |state: Option<bool>| state.map_or("?", |up| if up { "up" } else { "down" });
        text.push_str(&format!(
            "interface {:<7} {} (admin {}, oper {}){}\n",
            interface.index,
            interface.name.as_deref().map_or_else(|| "-".to_owned(), one_line),
            up(interface.admin_up),
            up(interface.oper_up),
            interface.mac.map(|mac| format!(" {mac}")).unwrap_or_default()
        ));
    }
    for neighbour in device.snmp.iter().flat_map(|snmp| &snmp.neighbours) {
        let part = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), one_line);
        let who = neighbour.name.as_ref().or(neighbour.chassis.as_ref()).cloned();
        text.push_str(&format!(
            "neighbour {:<7} {} {} ({}){}\n",
            one_line(&neighbour.local_port),
            part(&who),
            part(&neighbour.port),
            neighbour.protocol,
            neighbour.address.map(|address| format!(" {address}")).unwrap_or_default()
        ));
    }
    device.facts.iter().for_each(|fact| text.push_str(&origin(fact)));
    text.push('\n');
    text
}

/// Where a fact comes from, as a line.
fn origin(fact: &FactView) -> String {
    let protocol = fact.protocol.map(|protocol| format!(" by {protocol}")).unwrap_or_default();
    let observer = fact.observer.as_ref().map(|observer| format!(", seen by {observer}")).unwrap_or_default();
    let withheld = fact.withheld_octets.map(|octets| format!(", {octets} octets: not told here")).unwrap_or_default();
    let (kind, source, at) = (fact.kind, one_line(&fact.source), fact.observed_at);
    format!("{:<17} {kind} from {source}{protocol}, {at}{observer}{withheld}\n", "fact")
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
