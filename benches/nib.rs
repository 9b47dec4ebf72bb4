//! One commit of 10,000 devices and 10,000 events, beside SQLite alone.

mod report;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use pdsno::app::clock::SystemClock;
use pdsno::domain::address::MacAddr;
use pdsno::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Version};
use pdsno::domain::event::{EventType, NewEvent};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{Change, NibStore};
use report::{Figure, NIB, Section, Spread, rounded};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter};
use serde_json::json;

/// Devices in the commit, and as many events.
const DEVICES: u32 = 10_000;
/// The same for people.
const COUNT: &str = "10,000";

/// How often both are measured.
const PAIRS: usize = 15;

/// Any instant will do.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The columns that are written; `device_id` is generated.
const DEVICE: &str = "mac, addresses, hostname, vendor, device_type, firmware, region, local_controller, status, \
     first_seen, last_seen, missed_cycles, methods, rtt_ns, version, updated_at, number";
const EVENT: &str = "seq, event_type, actor, subject, timestamp, payload";

fn main() -> anyhow::Result<()> {
    if !report::is_wanted() {
        return Ok(());
    }
    let changes: Vec<Change> = (1..=DEVICES).flat_map(discovered).collect();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let rows = Rows::of(&changes, &folder.path().join("model"))?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let path = |who: &str| folder.path().join(format!("{who}{pair}"));
        let (one, other) = (path("pdsno"), path("bare"));
        // Each goes first in its turn.
        if pair % 2 == 0 {
            ours.push(commit(&changes, &one)?);
            bare.push(rows.write(&other)?);
        } else {
            bare.push(rows.write(&other)?);
            ours.push(commit(&changes, &one)?);
        }
        ensure_same(&one, &other)?;
    }
    publish(&ours, &bare)
}

/// The changes that a device makes that is seen for the first time, as discovery writes them.
fn discovered(number: u32) -> [Change; 2] {
    let [_, high, middle, low] = number.to_be_bytes();
    let mac = MacAddr::new([0x00, 0x1b, 0x54, high, middle, low]);
    let device = Device {
        id: DeviceId::from_number(number),
        mac: Some(mac),
        addresses: vec![Ipv4Addr::new(10, high, middle, low)],
        hostname: Some(format!("switch-{number}")),
        vendor: Some("Cisco Systems, Inc".to_owned()),
        device_type: DeviceType::Switch,
        firmware: None,
        region: None,
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: NOW,
        last_seen: NOW,
        missed_cycles: 0,
        methods: vec![Protocol::Arp, Protocol::Icmp, Protocol::Snmp],
        rtt: Some(Duration::from_micros(400 + u64::from(number % 100))),
        version: Version::FIRST,
    };
    let event = NewEvent {
        event_type: EventType::DeviceDiscovered,
        actor: "local_cntl_1".to_owned(),
        subject: device.id.to_string(),
        timestamp: NOW,
        payload: json!({
            "mac": mac,
            "ip_addresses": device.addresses,
            "hostname": device.hostname,
            "vendor": device.vendor,
            "device_type": device.device_type,
            "methods": device.methods,
        }),
    };
    [Change::InsertDevice(device), Change::Append(event)]
}

/// A NIB as pdsno makes it, empty but for its own first event.
fn fresh(path: &Path) -> anyhow::Result<SqliteNib> {
    Ok(SqliteNib::open(path, OpenMode::Migrate { actor: "local_cntl_1", at: NOW })?)
}

/// The time that pdsno takes for the commit.
fn commit(changes: &[Change], path: &Path) -> anyhow::Result<Duration> {
    let mut nib = fresh(path)?;
    let clock = SystemClock::start();
    nib.commit(changes)?;
    Ok(clock.elapsed())
}

/// The rows that the commit writes, ready to be bound.
struct Rows {
    devices: Vec<Vec<Value>>,
    events: Vec<Vec<Value>>,
}

impl Rows {
    /// Read from a file that pdsno has written, so that the bytes are the same.
    fn of(changes: &[Change], path: &Path) -> anyhow::Result<Self> {
        commit(changes, path)?;
        let connection = Connection::open(path)?;
        Ok(Self {
            devices: read(&connection, &format!("SELECT {DEVICE} FROM devices ORDER BY number"))?,
            events: read(&connection, &format!("SELECT {EVENT} FROM events WHERE seq > 0 ORDER BY seq"))?,
        })
    }

    /// The time that SQLite alone takes for them: one transaction, prepared statements, the same
    /// schema and the same settings, and the same order, a device and its event in turns.
    fn write(&self, path: &Path) -> anyhow::Result<Duration> {
        drop(fresh(path)?);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let clock = SystemClock::start();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let holders = |columns: &str| vec!["?"; columns.split(',').count()].join(", ");
            let insert = |table: &str, columns: &str| {
                transaction.prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({})", holders(columns)))
            };
            let mut device = insert("devices", DEVICE)?;
            let mut event = insert("events", EVENT)?;
            for (device_row, event_row) in self.devices.iter().zip(&self.events) {
                device.execute(params_from_iter(device_row))?;
                event.execute(params_from_iter(event_row))?;
            }
            transaction.execute("UPDATE counters SET next_device = ?1", [DEVICES + 1])?;
        }
        transaction.commit()?;
        Ok(clock.elapsed())
    }
}

fn read(connection: &Connection, sql: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Refuses a comparison of unequal work: all rows are the same but for the time of writing.
fn ensure_same(one: &Path, other: &Path) -> anyhow::Result<()> {
    let connection = Connection::open(one)?;
    connection.execute("ATTACH ?1 AS other", [other.to_str().context("the path is not UTF-8")?])?;
    let devices = DEVICE.replace("updated_at, ", "");
    for (table, columns) in [("devices", devices.as_str()), ("events", EVENT), ("counters", "next_device")] {
        let of = |schema: &str| format!("SELECT {columns} FROM {schema}.{table} WHERE rowid > 0");
        for (these, those) in [("main", "other"), ("other", "main")] {
            let sql = format!("SELECT count(*) FROM ({} EXCEPT {})", of(these), of(those));
            let unlike: u32 = connection.query_row(&sql, [], |row| row.get(0))?;
            ensure!(unlike == 0, "{unlike} rows of {table} are not the same on both sides");
        }
    }
    let written: u32 = connection.query_row("SELECT count(*) FROM events WHERE seq > 0", [], |row| row.get(0))?;
    ensure!(written == DEVICES, "{written} of {DEVICES} events were written");
    Ok(())
}

fn publish(ours: &[Duration], bare: &[Duration]) -> anyhow::Result<()> {
    let spread = |times: &[Duration]| Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e3));
    let (pdsno, sqlite) = (spread(ours), spread(bare));
    let ratios = Spread::of(ours.iter().zip(bare).map(|(ours, bare)| bare.as_secs_f64() / ours.as_secs_f64()));
    let ratio = sqlite.median / pdsno.median;
    Section {
        title: NIB,
        bench: "nib",
        about: format!(
            "One `NibStore::commit` of {COUNT} new devices with an event each, through `SqliteNib`, beside a program \
             that has the finished rows in memory and does nothing but bind and insert them with rusqlite: the same \
             bytes (they were read from a file that pdsno wrote, and the files are compared after each pair), the same \
             schema with its triggers, one transaction, prepared statements, `journal_mode=WAL`, `synchronous=FULL`. \
             {PAIRS} pairs, each on two fresh files on a disk, pdsno first and the other first in turns. What pdsno does \
             besides: it validates each change, makes text of addresses, protocols and payloads, and refuses numbers \
             that were used."
        ),
        figures: vec![Figure {
            name: format!("commit of {COUNT} devices and {COUNT} events"),
            goal: "≥ 0.6 of the speed of SQLite alone".to_owned(),
            measured: pdsno.text("ms"),
            beside: format!("rusqlite alone: {}", sqlite.text("ms")),
            ratio: rounded(ratio),
            reached: ratio >= 0.6,
        }],
        tables: vec![vec![
            ["further", "measured"].map(str::to_owned).to_vec(),
            vec!["ratio, pair by pair".to_owned(), ratios.text("of the speed")],
            vec!["rows a second, pdsno".to_owned(), format!("{} thousand", rounded(f64::from(2 * DEVICES) / pdsno.median))],
        ]],
        commands: Vec::new(),
        versions: vec![format!("pdsno {}", env!("CARGO_PKG_VERSION")), format!("SQLite {}", rusqlite::version())],
    }
    .publish()?;
    Ok(())
}
