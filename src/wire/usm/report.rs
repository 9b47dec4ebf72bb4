//! Reports: why an engine did not process a message (RFC 3414 section 3.2, RFC 3412 section 7).

use crate::wire::oid::Oid;
use crate::wire::snmp::pdu::{Pdu, PduKind, Value};

/// Why a message was not processed. A report names it by the counter that it has increased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportCause {
    /// `usmStatsUnsupportedSecLevels`: the user has no such protection, or the engine none at all.
    UnsupportedLevel,
    /// `usmStatsNotInTimeWindows`: boots and time are not the engine's.
    NotInTimeWindow,
    /// `usmStatsUnknownUserNames`.
    UnknownUser,
    /// `usmStatsUnknownEngineIDs`: the engine has another name, which the report tells.
    UnknownEngine,
    /// `usmStatsWrongDigests`: another password or another protocol.
    WrongDigest,
    /// `usmStatsDecryptionErrors`.
    DecryptionError,
    /// `snmpUnavailableContexts`.
    UnavailableContext,
    /// `snmpUnknownContexts`.
    UnknownContext,
}

static COUNTERS: [(ReportCause, Oid); 8] = [
    (ReportCause::UnsupportedLevel, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0])),
    (ReportCause::NotInTimeWindow, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0])),
    (ReportCause::UnknownUser, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0])),
    (ReportCause::UnknownEngine, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0])),
    (ReportCause::WrongDigest, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0])),
    (ReportCause::DecryptionError, Oid::known(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0])),
    (ReportCause::UnavailableContext, Oid::known(&[1, 3, 6, 1, 6, 3, 12, 1, 4, 0])),
    (ReportCause::UnknownContext, Oid::known(&[1, 3, 6, 1, 6, 3, 12, 1, 5, 0])),
];

impl ReportCause {
    /// The cause that a report names; `None` for what is no report, and for one that names none of these.
    pub fn of(pdu: &Pdu) -> Option<Self> {
        let (name, _) = pdu.varbinds.first().filter(|_| pdu.kind == PduKind::Report)?;
        COUNTERS.iter().find(|(_, counter)| counter == name).map(|(cause, _)| *cause)
    }

    /// The report that names this cause, with the counter's value.
    pub fn report(self, request_id: u32, count: u32) -> Pdu {
        let counter = COUNTERS.iter().find(|(cause, _)| *cause == self);
        let varbinds = counter.map(|(_, name)| (name.clone(), Value::Counter32(count))).into_iter().collect();
        Pdu { kind: PduKind::Report, request_id, error_status: 0, error_index: 0, varbinds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_its_cause() {
        for (cause, counter) in &COUNTERS {
            let report = cause.report(7, 3);
            assert_eq!(report.varbinds, [(counter.clone(), Value::Counter32(3))]);
            assert_eq!(ReportCause::of(&report), Some(*cause));
            assert_eq!(ReportCause::of(&Pdu { kind: PduKind::Response, ..report }), None);
        }
    }
}
