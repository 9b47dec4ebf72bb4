//! What must hold after every commit of every controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use pdsno::domain::change::Change;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::event::EventType;
use pdsno::domain::key::PublicKey;
use pdsno::domain::log::LogChange;
use pdsno::domain::number::{PolicyVersion, StreamSeq};
use pdsno::domain::registry::RegistryChange;
use pdsno::domain::stream::{Stream, StreamChange};
use pdsno::domain::token::TokenId;
use pdsno::wire::checkpoint::SignedCheckpoint;

/// Sees every commit, and keeps what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Who was given which name, with which key.
    names: BTreeMap<ControllerId, PublicKey>,
    used: BTreeSet<TokenId>,
    policies: BTreeMap<usize, PolicyVersion>,
    applied: BTreeMap<(usize, ControllerId, Stream), StreamSeq>,
    /// Every head that was ever stored by anybody: log, size, root.
    heads: BTreeSet<(String, u64, String)>,
    wrong: Vec<String>,
}

impl Monitor {
    /// Looks at a commit that took place.
    pub fn committed(&self, node: usize, changes: &[Change]) {
        let mut seen = self.0.lock().unwrap();
        let events: Vec<EventType> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Append(event) => Some(event.event_type),
                _ => None,
            })
            .collect();
        for change in changes {
            seen.look(node, change, &events);
        }
    }

    /// What is wrong so far.
    pub fn wrong(&self) -> Vec<String> {
        self.0.lock().unwrap().wrong.clone()
    }

    /// Every head that was ever stored: log, size, root.
    pub fn heads(&self) -> BTreeSet<(String, u64, String)> {
        self.0.lock().unwrap().heads.clone()
    }
}

impl Seen {
    fn look(&mut self, node: usize, change: &Change, events: &[EventType]) {
        match change {
            Change::Registry(RegistryChange::Admit { used, controller, .. }) => {
                self.told(node, "an admission", events, &[EventType::ControllerValidated]);
                if !self.used.insert(controller.token) {
                    self.wrong.push(format!("node {node}: token {} was used twice", controller.token));
                }
                if self.names.insert(controller.id.clone(), used.public_key).is_some() {
                    self.wrong.push(format!("node {node}: {} was given twice", controller.id));
                }
            }
            Change::Registry(RegistryChange::IssueToken(_)) => {
                self.told(node, "a new token", events, &[EventType::BootstrapTokenIssued]);
            }
            Change::Registry(RegistryChange::SetMembership(own)) => {
                let told = [EventType::MembershipGranted, EventType::MembershipRenewed, EventType::CertificateSwitched];
                if own.next_key_file.is_none() {
                    self.told(node, "a membership", events, &told);
                }
            }
            Change::PutPolicy(policy) => {
                self.told(node, "a policy", events, &[EventType::PolicySet, EventType::PolicyTaken]);
                let before = self.policies.insert(node, policy.version);
                if before.is_some_and(|before| before >= policy.version) {
                    self.wrong.push(format!("node {node}: policy {} came after {before:?}", policy.version));
                }
            }
            Change::InsertDevice(_) => {
                self.told(node, "a new device", events, &[EventType::DeviceDiscovered]);
            }
            Change::Stream(StreamChange::Receive { from, stream, after, seq }) => {
                let last = self.applied.insert((node, from.clone(), *stream), *seq).unwrap_or_default();
                if last != *after || *seq <= last {
                    self.wrong.push(format!("node {node}: {stream} {seq} of {from} came after {last}"));
                }
            }
            Change::Log(LogChange::PutHead { head, .. }) => {
                let Ok(signed) = SignedCheckpoint::parse(head.note.as_bytes()) else {
                    self.wrong.push(format!("node {node}: a head of {} is no checkpoint", head.origin));
                    return;
                };
                let root = signed.head().root.to_string();
                let (origin, size) = (head.origin.to_string(), signed.head().size);
                let other = self.heads.iter().find(|(log, of, with)| *log == origin && *of == size && *with != root);
                if other.is_some() {
                    self.wrong.push(format!("node {node}: two heads of {origin} have size {size}"));
                }
                self.heads.insert((origin, size, root));
            }
            _ => {}
        }
    }

    /// A decision is in the log of the same commit.
    fn told(&mut self, node: usize, what: &str, events: &[EventType], wanted: &[EventType]) {
        if !events.iter().any(|event| wanted.contains(event)) {
            self.wrong.push(format!("node {node}: {what} without an event; the commit has {events:?}"));
        }
    }
}

mod tests {
    use super::*;
    use pdsno::domain::digest::Digest;
    use pdsno::domain::log::{HeadKind, StoredHead};
    use pdsno::domain::policy::PolicyRow;
    use pdsno::domain::registry::SignedDocument;
    use pdsno::domain::time::Timestamp;
    use pdsno::domain::tree::TreeHead;
    use pdsno::wire::checkpoint::Checkpoint;
    use pdsno::wire::note::{NoteSigner, SignatureType};
    use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
    use secrecy::zeroize::Zeroizing;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn policy(version: u64) -> Change {
        Change::PutPolicy(PolicyRow {
            version: PolicyVersion::from_number(version),
            document: SignedDocument::from_text(String::new()),
            issued_at: NOW,
            expires_at: NOW,
            taken_at: NOW,
        })
    }

    fn event(event_type: EventType) -> Change {
        let (actor, subject) = ("a".to_owned(), "b".to_owned());
        let payload = serde_json::json!({});
        Change::Append(pdsno::domain::event::NewEvent { event_type, actor, subject, timestamp: NOW, payload })
    }

    fn head(root: u8) -> Change {
        let origin: pdsno::domain::origin::Origin = "pdsno/pdsno/global_cntl_1".parse().unwrap();
        let key = KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([1; 32])).as_bytes()).unwrap();
        let signer = NoteSigner::new(origin.as_str().parse().unwrap(), SignatureType::Ed25519, &key);
        let size = 5;
        let checkpoint = Checkpoint::new(origin.clone(), TreeHead { size, root: Digest::from_bytes([root; 32]) });
        let note = SignedCheckpoint::sign(&checkpoint, &signer, NOW).unwrap().to_string();
        let head = StoredHead { origin, kind: HeadKind::Own, size, note, at: NOW };
        Change::Log(LogChange::PutHead { head, after: None })
    }

    fn receive(after: u64, seq: u64) -> Change {
        Change::Stream(StreamChange::Receive {
            from: "local_cntl_zoneA_1".parse().unwrap(),
            stream: Stream::Reports,
            after: StreamSeq::from_number(after),
            seq: StreamSeq::from_number(seq),
        })
    }

    /// What a monitor says of these commits of one node.
    fn said(commits: &[&[Change]]) -> usize {
        let monitor = Monitor::default();
        commits.iter().for_each(|changes| monitor.committed(1, changes));
        monitor.wrong().len()
    }

    #[test]
    fn what_is_right_is_not_blamed() {
        let told = event(EventType::PolicyTaken);
        assert_eq!(said(&[&[policy(1), told.clone()], &[policy(3), told], &[head(1)], &[head(1)]]), 0);
        assert_eq!(said(&[&[receive(0, 1)], &[receive(1, 2)], &[receive(2, 7)]]), 0);
    }

    #[test]
    fn what_is_wrong_is_seen() {
        let told = event(EventType::PolicyTaken);
        assert_eq!(said(&[&[policy(1)]]), 1, "a decision that is not in the log");
        assert_eq!(said(&[&[policy(2), told.clone()], &[policy(2), told]]), 1, "a policy that goes back");
        assert_eq!(said(&[&[head(1)], &[head(2)]]), 1, "two histories");
        assert_eq!(said(&[&[receive(0, 1)], &[receive(0, 1)]]), 1, "a report twice");
        assert_eq!(said(&[&[receive(0, 2)], &[receive(2, 1)]]), 1, "a report out of order");
    }
}
