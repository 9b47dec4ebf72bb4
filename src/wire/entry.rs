//! Entries of the event log as octets: the body in canonical JSON, its signature, and the leaf.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::digest::Digest;
use crate::domain::entry::{Decision, Entry, EventId, PAYLOAD_LIMIT, Payload, TEXT_LIMIT};
use crate::domain::event::{EventSeq, EventType, NewEvent};
use crate::domain::key::{PublicKey, Signature};
use crate::domain::number::Epoch;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::wire::canonical::{self, CanonicalError, Malformed};
use crate::wire::dsse::pre_authentication_encoding;
use crate::wire::line::decimal;
use crate::wire::signature::{KeyPair, is_signed_by, sha256};

/// The version of the form of a body.
const VERSION: u64 = 1;

/// The longest leaf, in octets: what an entry bundle of C2SP tlog-tiles has room for.
pub const MAX_LEAF: usize = 65_535;

/// How deep a payload may be nested: the body around it is one level more.
const PAYLOAD_DEPTH: usize = canonical::DEEPEST - 1;

/// What a body is, for its signature.
const TYPE: &str = "application/vnd.pdsno.log-entry.v1+json";

/// Why an entry has no octets, or octets are no entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The octets are not JSON as it is taken, or it has other fields than a body.
    #[error("the body of the entry cannot be read")]
    Malformed(#[from] Malformed),
    /// Written by a program that knows more.
    #[error("the body of the entry has version {0}; this program knows version {VERSION}")]
    Version(Value),
    /// The same body has other octets.
    #[error("the body of the entry is not in canonical form")]
    NotCanonical,
    /// What the entry says has no canonical form.
    #[error("the entry cannot be written")]
    Unwritable(#[from] CanonicalError),
    /// A text that is too long.
    #[error("the {field} of the entry has {length} octets, more than {TEXT_LIMIT}")]
    TextTooLong {
        /// Which.
        field: &'static str,
        /// Its length.
        length: usize,
    },
    /// Neither the particulars nor their digest, or both, or not an object.
    #[error("the entry must have either an object as payload or the digest of one")]
    Payload,
    /// Particulars that no reader follows.
    #[error("the payload of the entry is nested deeper than {PAYLOAD_DEPTH} levels")]
    PayloadTooDeep,
    /// Particulars that belong beside the log.
    #[error("the payload of the entry has {0} octets, more than {PAYLOAD_LIMIT}, so it belongs beside the log")]
    PayloadTooLong(usize),
    /// A leaf that does not fit.
    #[error("the leaf of the entry has {0} octets, more than {MAX_LEAF}")]
    LeafTooLong(usize),
}

/// The body's JSON. Numbers of 64 bits are texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "v")]
    _version: u64,
    origin: Origin,
    seq: String,
    event_id: EventId,
    event_type: EventType,
    actor: String,
    subject: String,
    action: Option<String>,
    decision: Option<Decision>,
    policy_version: Option<String>,
    epoch: Epoch,
    timestamp: Timestamp,
    payload: Option<Value>,
    payload_sha256: Option<Digest>,
}

/// What an entry says beside its event.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The log.
    pub origin: &'a Origin,
    /// The place in it.
    pub seq: EventSeq,
    /// The identity of the event.
    pub event_id: EventId,
    /// The version of the policy in effect.
    pub policy_version: Option<u64>,
    /// The term in effect.
    pub epoch: Epoch,
}

/// Octets that an entry has the digest of, and that digest.
pub type Beside = (Digest, Vec<u8>);

/// The body of an event's entry, and the canonical payload where that is kept beside it.
///
/// # Errors
/// [`EntryError`] when the event or its entry breaks a rule.
pub fn of_event(setting: Setting<'_>, event: &NewEvent) -> Result<(Vec<u8>, Option<Beside>), EntryError> {
    let NewEvent { event_type, actor, subject, timestamp, payload } = event;
    let octets = particulars(payload)?;
    let beside = (octets.len() > PAYLOAD_LIMIT).then(|| sha256(&octets));
    let body = write(&Fields {
        setting,
        event_type: *event_type,
        actor,
        subject,
        action: event_type.action(),
        decision: event_type.decision(),
        timestamp: *timestamp,
        payload: beside.map_or(Written::Inside(&octets), Written::Beside),
    })?;
    Ok((body, beside.map(|digest| (digest, octets))))
}

/// The particulars as an entry has them, and the octets to keep beside the log where that is its
/// digest only.
///
/// # Errors
/// [`EntryError::Payload`] when they are not an object, [`EntryError::PayloadTooDeep`] when they are
/// nested too deep to be read again, [`EntryError::Unwritable`] when they have no canonical form.
pub fn payload(particulars: Value) -> Result<(Payload, Option<Vec<u8>>), EntryError> {
    let octets = self::particulars(&particulars)?;
    if octets.len() <= PAYLOAD_LIMIT {
        Ok((Payload::Inside(particulars), None))
    } else {
        Ok((Payload::Beside(sha256(&octets)), Some(octets)))
    }
}

/// The body of an entry: the octets that are kept, signed and hashed.
///
/// # Errors
/// [`EntryError`] when the entry breaks a rule.
pub fn encode(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let octets = match &entry.payload {
        Payload::Inside(payload) => particulars(payload)?,
        Payload::Beside(_) => Vec::new(),
    };
    if octets.len() > PAYLOAD_LIMIT {
        return Err(EntryError::PayloadTooLong(octets.len()));
    }
    write(&Fields {
        setting: Setting {
            origin: &entry.origin,
            seq: entry.seq,
            event_id: entry.event_id,
            policy_version: entry.policy_version,
            epoch: entry.epoch,
        },
        event_type: entry.event_type,
        actor: &entry.actor,
        subject: &entry.subject,
        action: entry.action.as_deref(),
        decision: entry.decision,
        timestamp: entry.timestamp,
        payload: match entry.payload {
            Payload::Inside(_) => Written::Inside(&octets),
            Payload::Beside(digest) => Written::Beside(digest),
        },
    })
}

/// The canonical form of the particulars of an event.
fn particulars(payload: &Value) -> Result<Vec<u8>, EntryError> {
    if !payload.is_object() {
        return Err(EntryError::Payload);
    }
    if !is_nested_within(payload, PAYLOAD_DEPTH) {
        return Err(EntryError::PayloadTooDeep);
    }
    Ok(canonical::value_to_bytes(payload)?)
}

/// What a body is written from.
struct Fields<'a> {
    setting: Setting<'a>,
    event_type: EventType,
    actor: &'a str,
    subject: &'a str,
    action: Option<&'a str>,
    decision: Option<Decision>,
    timestamp: Timestamp,
    payload: Written<'a>,
}

/// Particulars in canonical form, or their digest.
enum Written<'a> {
    Inside(&'a [u8]),
    Beside(Digest),
}

/// Writes a body at once in its canonical form: the members come in the order of their names.
fn write(fields: &Fields<'_>) -> Result<Vec<u8>, EntryError> {
    let Fields { setting, event_type, actor, subject, action, decision, timestamp, payload } = fields;
    for (field, text) in [("actor", *actor), ("subject", *subject), ("action", action.unwrap_or_default())] {
        if text.len() > TEXT_LIMIT {
            return Err(EntryError::TextTooLong { field, length: text.len() });
        }
    }
    let mut body = Vec::with_capacity(1024);
    member(&mut body, "action", action)?;
    member(&mut body, "actor", actor)?;
    member(&mut body, "decision", decision)?;
    member(&mut body, "epoch", &setting.epoch)?;
    member(&mut body, "event_id", &setting.event_id)?;
    member(&mut body, "event_type", event_type)?;
    member(&mut body, "origin", setting.origin)?;
    match payload {
        Written::Inside(octets) => {
            name(&mut body, "payload");
            body.extend_from_slice(octets);
        }
        Written::Beside(digest) => member(&mut body, "payload_sha256", digest)?,
    }
    member(&mut body, "policy_version", &setting.policy_version.map(|version| version.to_string()))?;
    member(&mut body, "seq", &setting.seq.to_string())?;
    member(&mut body, "subject", subject)?;
    member(&mut body, "timestamp", timestamp)?;
    member(&mut body, "v", &VERSION)?;
    body.push(b'}');
    let leaf = body.len() + 64;
    if leaf > MAX_LEAF { Err(EntryError::LeafTooLong(leaf)) } else { Ok(body) }
}

/// Writes a member whose value is a text, nothing, or a small number: for those JSON's usual form is
/// the canonical one (RFC 8785 section 3.2.2).
fn member(body: &mut Vec<u8>, named: &str, value: &(impl Serialize + ?Sized)) -> Result<(), CanonicalError> {
    name(body, named);
    serde_json::to_writer(body, value).map_err(CanonicalError::NotJson)
}

fn name(body: &mut Vec<u8>, name: &str) {
    body.extend_from_slice(if body.is_empty() { b"{\"" } else { b",\"" });
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
}

/// Reads a body. No other octets say the same.
///
/// # Errors
/// [`EntryError`] for what breaks a rule.
pub fn decode(body: &[u8]) -> Result<Entry, EntryError> {
    let leaf = body.len().saturating_add(64);
    if leaf > MAX_LEAF {
        return Err(EntryError::LeafTooLong(leaf));
    }
    let json = canonical::read_value(body)?;
    // Before the fields: another version has others.
    match json.get("v") {
        Some(v) if v.as_u64() != Some(VERSION) => return Err(EntryError::Version(v.clone())),
        _ => {}
    }
    let read = serde_json::from_value::<Body>(json);
    let read = read.map_err(|source| Malformed::Shape { what: "the body of an entry", source })?;
    let payload = match (read.payload, read.payload_sha256) {
        (Some(particulars), None) => Payload::Inside(particulars),
        (None, Some(digest)) => Payload::Beside(digest),
        _ => return Err(EntryError::Payload),
    };
    let policy_version = read.policy_version.as_deref().map(decimal);
    let entry = Entry {
        origin: read.origin,
        seq: EventSeq::from_number(decimal(&read.seq).ok_or(EntryError::NotCanonical)?),
        event_id: read.event_id,
        event_type: read.event_type,
        actor: read.actor,
        subject: read.subject,
        action: read.action,
        decision: read.decision,
        policy_version: policy_version.map(|version| version.ok_or(EntryError::NotCanonical)).transpose()?,
        epoch: read.epoch,
        timestamp: read.timestamp,
        payload,
    };
    if encode(&entry)? == body { Ok(entry) } else { Err(EntryError::NotCanonical) }
}

fn is_nested_within(value: &Value, levels: usize) -> bool {
    let within = |value: &Value| levels.checked_sub(1).is_some_and(|below| is_nested_within(value, below));
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(within),
        Value::Object(members) => levels > 0 && members.values().all(within),
        _ => true,
    }
}

/// The signature of an entry's actor.
pub fn sign(body: &[u8], pair: &KeyPair) -> Signature {
    pair.sign(&signed(body))
}

/// Whether an entry's signature is this key's.
pub fn is_signed(body: &[u8], signature: &Signature, key: &PublicKey) -> bool {
    is_signed_by(key, &signed(body), signature)
}

/// What is signed: the body with its type, so that it can be taken for nothing else that the same
/// key signs.
fn signed(body: &[u8]) -> Vec<u8> {
    pre_authentication_encoding(TYPE, body)
}

/// The leaf of the log's tree: the body and, as its last 64 octets, the signature.
pub fn leaf(body: &[u8], signature: &Signature) -> Vec<u8> {
    [body, signature.as_bytes()].concat()
}

#[cfg(test)]
pub(crate) mod tests;
