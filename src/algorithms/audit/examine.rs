//! The examination of a log or of one event: keys, octets, tree, heads and meaning together, and what
//! may be said in the end.

mod event;

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::keys::Keyring;
use crate::algorithms::audit::meaning::Replay;
use crate::algorithms::audit::startup::Fault;
use crate::algorithms::audit::verify::{Link, Report, Standing, Stored, Trust, Verdict, Verifier};
use crate::domain::entry::Entry;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::wire::canonical;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::entry;
use crate::wire::note::VerifierKey;
use crate::wire::statement::Chain;

pub use event::{examine_event, extends};

/// Whom an examination believes.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The keys that follow from the trust root's.
    pub keyring: Keyring,
    refused: Vec<String>,
}

impl Grounds {
    /// The trust root alone.
    pub const fn new(root: PublicKey) -> Self {
        Self { keyring: Keyring::new(root), refused: Vec::new() }
    }

    /// Takes chains of certificates; one that does not hold is a finding.
    pub fn learn(&mut self, chains: &[Chain]) {
        for chain in chains {
            if let Err(error) = self.keyring.learn(chain) {
                let whose = chain.leaf().map(|leaf| leaf.unverified().controller_id.to_string());
                self.refused.push(format!("the certificates of {}: {error}", whose.unwrap_or_default()));
            }
        }
    }
}

/// What an examination may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of what was shown is what its log signed.
    Verified,
    /// Something is wrong, or not proven; this is the first bad entry, if one is to blame.
    NotVerified(Option<u64>),
}

/// The result, for people: what it does not list as checked was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The log.
    pub origin: Origin,
    /// What may be said.
    pub outcome: Outcome,
    /// What is wrong.
    pub findings: Vec<String>,
    /// What was checked.
    pub checked: Vec<String>,
    /// What was not.
    pub unchecked: Vec<String>,
}

impl Examination {
    /// Takes in what a store's own check of a log found: that the events it tells, its places and its edge
    /// are those of the entries. What comes after an entry that is wrong already proves nothing.
    pub fn take_in(&mut self, kept: Result<u64, Fault>) {
        match (kept, self.outcome) {
            (Ok(entries), _) => self.checked.push(format!(
                "{entries} events as they are told to who asks: what their entries say; the edge of the tree"
            )),
            (Err(fault), Outcome::NotVerified(Some(first))) if first <= fault.seq.number() => {}
            (Err(fault), _) => {
                self.findings.push(chain(&fault));
                self.outcome = Outcome::NotVerified(Some(fault.seq.number()));
            }
        }
    }
}

/// The keys for one log.
#[derive(Debug)]
pub struct Keys {
    log: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
}

impl Keys {
    /// Those that these grounds have.
    pub fn new(grounds: &Grounds, origin: &Origin) -> Self {
        Self { log: grounds.keyring.log_keys(origin), witnesses: grounds.keyring.witness_keys(origin) }
    }
}

/// The examination of a log or of a part of one, entry by entry.
#[derive(Debug)]
pub struct Examiner<'a> {
    grounds: &'a Grounds,
    verifier: Verifier<'a, Keyring>,
    replay: Replay,
    from: u64,
    next: u64,
    /// The first wrong entry that is not the verifier's to find.
    bad: Option<(u64, String)>,
    /// What is wrong with no entry.
    also: Vec<String>,
}

impl<'a> Examiner<'a> {
    /// Begins with the tree before the first entry, and with all heads.
    pub fn new(
        origin: Origin,
        grounds: &'a Grounds,
        keys: &'a Keys,
        before: Frontier,
        heads: &[SignedCheckpoint],
    ) -> Self {
        let trust = Trust { log: &keys.log, witnesses: &keys.witnesses, signers: &grounds.keyring };
        let from = before.size();
        let verifier = Verifier::new(origin, trust, before, heads);
        let (replay, also) = (Replay::new(from == 0), grounds.refused.clone());
        Self { grounds, verifier, replay, from, next: from, bad: None, also }
    }

    /// Checks the next entry.
    pub fn push(&mut self, stored: &Stored<'_>) {
        self.verifier.push(stored);
        self.next += 1;
        if self.bad.is_none()
            && let Ok(entry) = entry::decode(stored.body)
            && let Err(misdeed) = self.replay.take(&entry, stored.payload)
        {
            self.bad = Some((misdeed.seq, misdeed.to_string()));
        }
    }

    /// The next entry cannot even be read.
    pub fn refuse(&mut self, why: String) {
        let seq = self.next;
        if self.bad.as_ref().is_none_or(|(bad, _)| seq < *bad) {
            self.bad = Some((seq, format!("entry {seq}: {why}")));
        }
    }

    /// Something is wrong that is no entry.
    pub fn find(&mut self, what: String) {
        self.also.push(what);
    }

    /// Ends, with the proofs for heads beyond the entries.
    pub fn finish(self, links: &[Link]) -> Examination {
        let Self { grounds, verifier, replay, from, bad, also, .. } = self;
        let report = verifier.finish(links);
        let mut findings: Vec<String> = report.findings.iter().map(|finding| chain(finding)).collect();
        findings.extend(bad.iter().map(|(_, what)| what.clone()));
        findings.extend(also);
        let first = report.findings.iter().filter_map(|finding| finding.seq).chain(bad.map(|(seq, _)| seq)).min();
        let outcome = match report.verdict() {
            _ if !findings.is_empty() => Outcome::NotVerified(first),
            // Nothing is said of less than all that was shown.
            Verdict::Verified(covered) if covered.end == report.entries.end => Outcome::Verified,
            Verdict::Verified(covered) => {
                findings.push(format!("no signed head covers the entries from {} on", covered.end));
                Outcome::NotVerified(Some(covered.end))
            }
            Verdict::Nothing | Verdict::Broken(_) => {
                findings.push("no signed head covers any of the entries".to_owned());
                Outcome::NotVerified(Some(from))
            }
        };
        let (checked, unchecked) = (checked(grounds, &report, &replay), unchecked(&report, &replay, from));
        Examination { origin: report.origin, outcome, findings, checked, unchecked }
    }
}

fn checked(grounds: &Grounds, report: &Report, replay: &Replay) -> Vec<String> {
    let entries = &report.entries;
    let mut said = Vec::new();
    for (id, count) in grounds.keyring.holders() {
        said.push(format!("{count} key(s) of {id}: certified below the root key that was given"));
    }
    said.push(format!(
        "{} entries from {} on: octets, place without a gap, signature of the log's controller",
        entries.end - entries.start,
        entries.start
    ));
    if report.payloads > 0 {
        said.push(format!("{} payloads beside the log: the digest in their entry", report.payloads));
    }
    if report.leaves > 0 {
        said.push(format!("{} stored leaf hashes and {} of tiles", report.leaves, report.tiles));
    }
    for head in report.heads.iter().filter(|head| matches!(head.standing, Standing::Matched | Standing::Linked)) {
        let how = match head.standing {
            Standing::Matched => "signed by the log, with the root of the entries",
            _ => "signed by the log, and proven to extend them",
        };
        let by: Vec<String> = head.cosigned.iter().map(|(name, at)| format!("{name} at {at}")).collect();
        let by = match by.len() {
            0 => String::new(),
            1 => format!("; cosigned by {}, one known witness", by.concat()),
            count => format!("; cosigned by {}, {count} known witnesses", by.join(", ")),
        };
        said.push(format!("head of {} entries: {how}{by}", head.head.size));
    }
    said.extend(replay.says().into_iter().map(|rule| format!("in {} entries: {rule}", replay.judged)));
    said
}

fn unchecked(report: &Report, replay: &Replay, from: u64) -> Vec<String> {
    let mut said = Vec::new();
    if from > 0 {
        said.push(format!("the {from} entries before the first that was shown, and what they mean for those after"));
    }
    let beyond = report.not_shown();
    if !beyond.is_empty() {
        said.push(format!("the entries {} to {}, which were not shown", beyond.start, beyond.end - 1));
    }
    let newest = report.heads.iter().rfind(|head| head.standing != Standing::Refused);
    if let Some(head) = newest.filter(|head| head.unknown > 0) {
        said.push(format!("{} signature(s) on the newest head, with keys that nothing here tells of", head.unknown));
    }
    if newest.is_some_and(|head| head.cosigned.is_empty()) {
        said.push("whether others were shown another history: no known witness cosigned the newest head".to_owned());
    }
    if report.heads.iter().any(|head| head.standing == Standing::Unchecked) {
        said.push("heads before the first entry that was shown".to_owned());
    }
    if report.payloads_missing > 0 || replay.unread > 0 {
        said.push(format!("{} payloads kept beside the log, which were not shown", report.payloads_missing));
    }
    said.push("whether a certificate was revoked, except by the logs that were examined before this one".to_owned());
    said.push("whether what the entries tell is true of the network".to_owned());
    said
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

/// Lets a keyring hear what the entries of a verified log tell of keys.
pub fn hear(keyring: &mut Keyring, entry: &Entry, beside: Option<&[u8]>) {
    match (&entry.payload, beside) {
        (crate::domain::entry::Payload::Inside(payload), _) => keyring.take(entry, payload),
        (crate::domain::entry::Payload::Beside(_), Some(octets)) => {
            if let Ok(payload) = canonical::read_value(octets) {
                keyring.take(entry, &payload);
            }
        }
        (crate::domain::entry::Payload::Beside(_), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::audit::startup::FaultReason;
    use crate::domain::event::EventSeq;

    fn examined(outcome: Outcome) -> Examination {
        let origin = "pdsno/lab/global_cntl_1".parse().unwrap();
        Examination { origin, outcome, findings: Vec::new(), checked: Vec::new(), unchecked: Vec::new() }
    }

    fn fault(seq: u64) -> Fault {
        Fault { seq: EventSeq::from_number(seq), reason: FaultReason::Event("subject") }
    }

    #[test]
    fn a_log_whose_entries_hold_is_not_verified_when_its_events_say_something_else() {
        let mut examination = examined(Outcome::Verified);
        examination.take_in(Err(fault(7)));
        assert_eq!(examination.outcome, Outcome::NotVerified(Some(7)));
        assert_eq!(examination.findings, ["entry 7 of the event log: its event has another subject"]);
        assert!(examination.checked.is_empty());
    }

    #[test]
    fn the_first_bad_entry_is_the_first_of_both_checks() {
        for (before, found, first) in [(Some(9), 7, 7), (Some(7), 7, 7), (Some(5), 7, 5), (None, 7, 7)] {
            let mut examination = examined(Outcome::NotVerified(before));
            examination.take_in(Err(fault(found)));
            assert_eq!(examination.outcome, Outcome::NotVerified(Some(first)), "{before:?}");
        }
    }

    #[test]
    fn that_the_events_were_compared_is_said_and_excuses_nothing() {
        for outcome in [Outcome::Verified, Outcome::NotVerified(Some(3))] {
            let mut examination = examined(outcome);
            examination.take_in(Ok(12));
            assert_eq!((examination.outcome, examination.checked.len()), (outcome, 1));
            assert!(examination.checked[0].contains("12 events"), "{:?}", examination.checked);
        }
    }
}
