//! Domain values as SQL parameters; `rows` is the way back.

use std::time::Duration;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::Serialize;

use crate::domain::address::MacAddr;
use crate::domain::device::{Device, Version};
use crate::domain::fact::Fact;
use crate::nib::NibError;

/// Where values become text; reused from row to row.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) mac: Vec<u8>,
    pub(super) addresses: Vec<u8>,
    pub(super) methods: Vec<u8>,
    pub(super) json: Vec<u8>,
}

/// A device's row as SQL sees it.
pub(super) struct DeviceRow<'a> {
    device: &'a Device,
    mac: Option<Text<'a>>,
    addresses: Text<'a>,
    methods: Text<'a>,
    device_type: &'static str,
    status: &'static str,
    region: Option<&'a str>,
    local_controller: Option<&'a str>,
    first_seen: i64,
    last_seen: i64,
    rtt: Option<i64>,
    version: u32,
    now: i64,
    number: u32,
}

impl<'a> DeviceRow<'a> {
    pub(super) fn new(
        buffers: &'a mut Buffers,
        device: &'a Device,
        version: Version,
        now: i64,
    ) -> Result<Self, NibError> {
        Ok(Self {
            device,
            mac: device.mac.map(|mac| colons(&mut buffers.mac, mac)),
            addresses: json(&mut buffers.addresses, &device.addresses)?,
            methods: json(&mut buffers.methods, &device.methods)?,
            device_type: device.device_type.as_str(),
            status: device.status.as_str(),
            region: device.region.as_ref().map(|region| region.as_str()),
            local_controller: device.local_controller.as_ref().map(|controller| controller.as_str()),
            first_seen: device.first_seen.as_millis(),
            last_seen: device.last_seen.as_millis(),
            rtt: nanos(device.rtt),
            version: version.number(),
            now,
            number: device.id.number(),
        })
    }

    /// In the order of the statements that insert and update.
    pub(super) fn params(&self) -> [&dyn ToSql; 17] {
        [
            &self.mac,
            &self.addresses,
            &self.device.hostname,
            &self.device.vendor,
            &self.device_type,
            &self.device.firmware,
            &self.region,
            &self.local_controller,
            &self.status,
            &self.first_seen,
            &self.last_seen,
            &self.device.missed_cycles,
            &self.methods,
            &self.rtt,
            &self.version,
            &self.now,
            &self.number,
        ]
    }
}

/// UTF-8 that need not be checked once more.
pub(super) struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// A value as JSON.
pub(super) fn json<'a>(buffer: &'a mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<Text<'a>, NibError> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, value).map_err(|error| unwritable(&error))?;
    Ok(Text(buffer))
}

/// A value as JSON, in a text of its own.
pub(super) fn text_json(value: &(impl Serialize + ?Sized)) -> Result<String, NibError> {
    serde_json::to_string(value).map_err(|error| unwritable(&error))
}

/// A number of 64 bits as SQL counts, which has one bit less: `Change::validate` has seen to it that
/// what is stored fits, and what is asked for and does not fit is not there.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What [`MacAddr`] prints, without the cost of formatting: it is written with every device.
fn colons(buffer: &mut Vec<u8>, mac: MacAddr) -> Text<'_> {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    buffer.clear();
    for octet in mac.octets() {
        buffer.extend([digit(octet >> 4), digit(octet & 0x0f), b':']);
    }
    buffer.pop();
    Text(buffer)
}

/// The content of a fact; its kind is a column of its own.
pub(super) fn fact_json<'a>(buffer: &'a mut Vec<u8>, fact: &Fact) -> Result<Text<'a>, NibError> {
    match fact {
        Fact::SnmpReachability(value) => json(buffer, value),
        Fact::SnmpSystem(value) => json(buffer, value),
        Fact::SnmpUptime(value) => json(buffer, value),
        Fact::SnmpInterfaces(value) => json(buffer, value),
        Fact::SnmpEngine(value) => json(buffer, value),
        Fact::Neighbours(value) => json(buffer, value),
        Fact::TypeEvidence(value) | Fact::VendorEvidence(value) => json(buffer, value),
        Fact::SilentAddresses(value) => json(buffer, value),
        Fact::Withheld(value) => json(buffer, &(value.octets, value.digest)),
    }
}

/// Nanoseconds; `Change::validate` has seen to it that they fit.
pub(super) fn nanos(rtt: Option<Duration>) -> Option<i64> {
    rtt.and_then(|rtt| i64::try_from(rtt.as_nanos()).ok())
}

fn unwritable(error: &dyn std::error::Error) -> NibError {
    NibError::Invalid { detail: format!("a value cannot be written as text: {error}") }
}
