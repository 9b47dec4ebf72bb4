//! A fact of a device, as it is told.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::controller::ControllerId;
use crate::domain::digest::Digest;
use crate::domain::fact::{Fact, FactKind, Withheld};
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;

/// A fact of a device: what one source said, by which protocol, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlainFact", into = "PlainFact")]
pub struct ReportedFact {
    /// What is known, or that it was too long.
    pub fact: Fact,
    /// Who said it, to its observer.
    pub source: String,
    /// By which protocol.
    pub protocol: Option<Protocol>,
    /// When this value was observed.
    pub observed_at: Timestamp,
    /// The Local Controller that observed it; summaries tell it.
    pub observer: Option<ControllerId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainFact {
    kind: FactKind,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    observed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observer: Option<ControllerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withheld: Option<PlainWithheld>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainWithheld {
    octets: u32,
    digest: Digest,
}

/// A fact that says nothing, or two things, or not what its kind says.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// Not exactly one of `value` and `withheld`.
    #[error("the fact {0} has not exactly one of value and withheld")]
    Content(FactKind),
    /// A value that its kind does not have.
    #[error("the value of {kind} cannot be read")]
    Value {
        /// The kind.
        kind: FactKind,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl TryFrom<PlainFact> for ReportedFact {
    type Error = FactError;

    fn try_from(plain: PlainFact) -> Result<Self, FactError> {
        let PlainFact { kind, source, protocol, observed_at, observer, value, withheld } = plain;
        let fact = match (value, withheld) {
            (Some(value), None) => serde_json::from_value(json!({ "kind": kind, "value": value }))
                .map_err(|source| FactError::Value { kind, source })?,
            (None, Some(PlainWithheld { octets, digest })) => Fact::Withheld(Withheld { kind, octets, digest }),
            _ => return Err(FactError::Content(kind)),
        };
        Ok(Self { fact, source, protocol, observed_at, observer })
    }
}

impl From<ReportedFact> for PlainFact {
    fn from(ReportedFact { fact, source, protocol, observed_at, observer }: ReportedFact) -> Self {
        let withheld = match fact {
            Fact::Withheld(Withheld { octets, digest, .. }) => Some(PlainWithheld { octets, digest }),
            _ => None,
        };
        let value = value_of(&fact);
        Self { kind: fact.kind(), source, protocol, observed_at, observer, value, withheld }
    }
}

/// The value of a fact as it is told: members that say nothing are left out. A value that was withheld
/// has none.
pub fn value_of(fact: &Fact) -> Option<Value> {
    let told = match fact {
        Fact::SnmpReachability(value) => serde_json::to_value(value),
        Fact::SnmpSystem(value) => serde_json::to_value(value),
        Fact::SnmpUptime(value) => serde_json::to_value(value),
        Fact::SnmpInterfaces(value) => serde_json::to_value(value),
        Fact::SnmpEngine(value) => serde_json::to_value(value),
        Fact::Neighbours(value) => serde_json::to_value(value),
        Fact::TypeEvidence(value) | Fact::VendorEvidence(value) => serde_json::to_value(value),
        Fact::SilentAddresses(value) => serde_json::to_value(value),
        Fact::Withheld(_) => return None,
    };
    // These always have a JSON form.
    told.ok().map(without_nulls)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(said.map(|(name, member)| (name, without_nulls(member))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Interface, SnmpSystem};

    fn fact(fact: Fact) -> ReportedFact {
        ReportedFact {
            fact,
            source: "10.0.1.2".to_owned(),
            protocol: Some(Protocol::Snmp),
            observed_at: Timestamp::from_millis(1_000),
            observer: None,
        }
    }

    #[test]
    fn a_fact_is_read_as_it_was_written_and_says_nothing_of_what_is_not_known() {
        let interface = Interface { index: 2, oper_up: Some(false), ..Interface::default() };
        let told = fact(Fact::SnmpInterfaces(vec![interface]));
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(
            json,
            json!({
                "kind": "snmp_interfaces", "source": "10.0.1.2", "protocol": "snmp",
                "observed_at": "1970-01-01T00:00:01.000Z", "value": [{ "index": 2, "oper_up": false }]
            })
        );
        assert_eq!(serde_json::from_value::<ReportedFact>(json).unwrap(), told);
        let digest = Digest::from_bytes([1; 32]);
        let withheld = Fact::Withheld(Withheld { kind: FactKind::SnmpInterfaces, octets: 70_000, digest });
        let told = ReportedFact { observer: Some("local_cntl_zoneA_1".parse().unwrap()), ..fact(withheld) };
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["withheld"], json!({ "octets": 70_000, "digest": digest }));
        assert!(json.get("value").is_none());
        assert_eq!(serde_json::from_value::<ReportedFact>(json).unwrap(), told);
    }

    #[test]
    fn what_is_no_fact_is_refused() {
        let right = serde_json::to_value(fact(Fact::SnmpSystem(SnmpSystem::default()))).unwrap();
        serde_json::from_value::<ReportedFact>(right.clone()).unwrap();
        let withheld = json!({ "octets": 1, "digest": Digest::from_bytes([1; 32]) });
        for (field, wrong) in [
            ("kind", json!("silence")),
            ("kind", json!("withheld")),
            ("kind", json!("snmp_uptime")),
            ("value", json!({ "sys_descr": 7 })),
            ("value", json!({ "unknown": "x" })),
            ("value", json!(null)),
            ("withheld", withheld),
            ("source", json!(null)),
            ("observed_at", json!(1)),
            ("more", json!(1)),
        ] {
            let mut changed = right.clone();
            changed[field] = wrong;
            assert!(serde_json::from_value::<ReportedFact>(changed.clone()).is_err(), "{changed}");
        }
    }
}
