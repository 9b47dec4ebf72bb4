//! Everything that a NIB has, to say what a refused attack left as it was.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pdsno::domain::address::MacAddr;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::device::{DeviceId, DeviceStatus};
use pdsno::domain::event::{Event, EventSeq, EventType};
use pdsno::domain::number::{PolicyVersion, StreamSeq};
use pdsno::domain::stream::Stream;
use pdsno::nib::{EventQuery, NibReader};

/// More rows than any table of these tests has.
const ALL: usize = 100_000;

/// The tables of a NIB, by name, and its events. The log's hashes and heads are not among them: they
/// are made of the events.
pub struct Tables {
    tables: BTreeMap<&'static str, String>,
    events: Vec<Event>,
}

/// What there is to see of the devices that are there.
pub type View = BTreeMap<MacAddr, Vec<Ipv4Addr>>;

/// The devices that a NIB has as active.
pub fn view(reader: &dyn NibReader) -> View {
    let devices = reader.devices(Some(DeviceStatus::Active), None, ALL).unwrap();
    devices.into_iter().map(|device| (device.mac.unwrap(), device.addresses.into_iter().collect())).collect()
}

impl Tables {
    /// All of it. `suspects` are those whose streams are read though no row tells of them. When others
    /// were last heard changes all the time and is left out.
    pub fn read(reader: &dyn NibReader, suspects: &[ControllerId]) -> Self {
        let mut rows = reader.controllers(None, ALL).unwrap();
        let names: Vec<ControllerId> = rows.iter().map(|row| row.id.clone()).chain(suspects.iter().cloned()).collect();
        for row in rows.iter_mut().filter(|row| !suspects.contains(&row.id)) {
            row.last_contact = None;
            row.version = pdsno::domain::device::Version::FIRST;
        }
        let received: Vec<_> =
            names.iter().map(|name| Stream::ALL.map(|stream| reader.received(name, stream).unwrap())).collect();
        let sightings: Vec<_> = names.iter().map(|name| reader.sightings_by(name, None, ALL).unwrap()).collect();
        let outboxes = Stream::ALL.map(|stream| reader.outbox(stream, StreamSeq::default(), ALL).unwrap());
        let positions = Stream::ALL.map(|stream| reader.position(stream).unwrap());
        let last = reader.next_device().unwrap();
        let tables = BTreeMap::from([
            ("devices", format!("{:?}", reader.devices(None, None, ALL).unwrap())),
            ("facts", format!("{:?}", reader.facts(DeviceId::from_number(0), last).unwrap())),
            ("next device", format!("{last:?}")),
            ("membership", format!("{:?}", reader.membership().unwrap())),
            ("controllers", format!("{rows:?}")),
            ("tokens", format!("{:?}", reader.tokens(None, ALL).unwrap())),
            ("blocklist", format!("{:?}", reader.blocklist().unwrap())),
            ("policies", format!("{:?}", reader.policies(PolicyVersion::default(), ALL).unwrap())),
            ("received", format!("{received:?}")),
            ("sightings", format!("{sightings:?}")),
            ("outbox", format!("{outboxes:?}")),
            ("streams", format!("{positions:?}")),
            ("evidence", format!("{:?}", reader.evidence().unwrap())),
        ]);
        Self { tables, events: events_since(reader, EventSeq::FIRST) }
    }

    /// The names of the tables that are not as before.
    pub fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        self.tables.iter().filter(|(name, rows)| before.tables[*name] != **rows).map(|(name, _)| *name).collect()
    }

    /// What was written to the log since: each event with its subject and the reason that it tells.
    ///
    /// # Panics
    /// When the log does not begin as before.
    pub fn told_since(&self, before: &Self) -> Vec<(EventType, String, String)> {
        let (past, told) = self.events.split_at(before.events.len());
        assert_eq!(past, before.events);
        let tell = |event: &Event| {
            let reason = event.payload["reason"].as_str().unwrap_or_default().to_owned();
            (event.event_type, event.subject.clone(), reason)
        };
        told.iter().map(tell).collect()
    }
}

/// The events from this position on.
pub fn events_since(reader: &dyn NibReader, from: EventSeq) -> Vec<Event> {
    reader.events(&EventQuery { from, limit: ALL, ..EventQuery::default() }).unwrap()
}
