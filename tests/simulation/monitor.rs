//! What must hold after every commit of every controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use pdsno::domain::change::Change;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::event::EventType;
use pdsno::domain::key::PublicKey;
use pdsno::domain::log::LogChange;
use pdsno::domain::number::{PolicyVersion, Serial, StreamSeq};
use pdsno::domain::registry::{ControllerRow, Membership, RegistryChange};
use pdsno::domain::stream::{Stream, StreamChange};
use pdsno::domain::token::TokenId;
use pdsno::wire::checkpoint::SignedCheckpoint;

/// The number and key of a controller's certificate, and of the one for its next key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    present: (Serial, PublicKey),
    next: Option<(Serial, PublicKey)>,
}

impl From<&ControllerRow> for Held {
    fn from(row: &ControllerRow) -> Self {
        let next = row.next.as_ref().map(|next| (next.serial, next.public_key));
        Self { present: (row.serial, row.public_key), next }
    }
}

/// Sees every commit, and keeps what is wrong.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Who was given which name, with which key.
    names: BTreeMap<ControllerId, PublicKey>,
    used: BTreeSet<TokenId>,
    /// The certificates of a node's children, and every number that it ever gave one.
    children: BTreeMap<(usize, ControllerId), Held>,
    given: BTreeSet<(usize, Serial)>,
    /// The certificate with which each node sends, and the next one.
    own: BTreeMap<usize, (Serial, bool)>,
    policies: BTreeMap<usize, PolicyVersion>,
    applied: BTreeMap<(usize, ControllerId, Stream), StreamSeq>,
    /// Every head that was ever stored by anybody: log, size, root.
    heads: BTreeSet<(String, u64, String)>,
    /// How often a controller went from one key to the next.
    switches: usize,
    /// The most batches that one commit was handed over in.
    most_batches: usize,
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

    /// Looks at how a commit was handed over.
    pub fn handed_over(&self, batches: usize) {
        let most = &mut self.0.lock().unwrap().most_batches;
        *most = batches.max(*most);
    }

    /// The most batches that one commit was handed over in.
    pub fn most_batches(&self) -> usize {
        self.0.lock().unwrap().most_batches
    }

    /// What is wrong so far.
    pub fn wrong(&self) -> Vec<String> {
        self.0.lock().unwrap().wrong.clone()
    }

    /// How often a controller went from one key to the next.
    pub fn switches(&self) -> usize {
        self.0.lock().unwrap().switches
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
                self.gave(node, controller.serial);
                self.children.insert((node, controller.id.clone()), Held::from(&**controller));
            }
            Change::Registry(RegistryChange::UpdateController(row)) => self.child(node, row, events),
            Change::Registry(RegistryChange::IssueToken(_)) => {
                self.told(node, "a new token", events, &[EventType::BootstrapTokenIssued]);
            }
            Change::Registry(RegistryChange::SetMembership(own)) => self.member(node, own, events),
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

    fn gave(&mut self, node: usize, serial: Serial) {
        if !self.given.insert((node, serial)) {
            self.wrong.push(format!("node {node}: certificate {serial} was given twice"));
        }
    }

    /// A controller has one key, or two until it uses the next one: from there on the old one never again.
    fn child(&mut self, node: usize, row: &ControllerRow, events: &[EventType]) {
        let held = Held::from(row);
        let Some(before) = self.children.insert((node, row.id.clone()), held) else {
            self.wrong.push(format!("node {node}: {} was changed and never let in", row.id));
            return;
        };
        if held.present != before.present {
            self.switches += 1;
            self.told(node, "a switch of certificates", events, &[EventType::CertificateSwitched]);
            if before.next != Some(held.present) || held.next.is_some() {
                self.wrong.push(format!("node {node}: {} went from {before:?} to {held:?}", row.id));
            }
        } else if held.next != before.next {
            self.told(node, "a renewal", events, &[EventType::CertificateRenewed]);
            match held.next {
                Some((serial, key)) if serial > held.present.0 && key != held.present.1 => self.gave(node, serial),
                _ => self.wrong.push(format!("node {node}: {} went from {before:?} to {held:?}", row.id)),
            }
        }
    }

    /// A membership is granted once; then there is a next certificate, which becomes the present one.
    fn member(&mut self, node: usize, own: &Membership, events: &[EventType]) {
        let now = (own.serial, own.next_chain.is_some());
        match (self.own.insert(node, now), now) {
            (None, (_, false)) => self.told(node, "a membership", events, &[EventType::MembershipGranted]),
            (Some((before, false)), (serial, true)) if before == serial => {
                self.told(node, "a next certificate", events, &[EventType::MembershipRenewed]);
            }
            (Some((before, true)), (serial, false)) if before < serial => {}
            (before, now) => self.wrong.push(format!("node {node}: its membership went from {before:?} to {now:?}")),
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
    use pdsno::domain::controller::Role;
    use pdsno::domain::device::Version;
    use pdsno::domain::digest::Digest;
    use pdsno::domain::log::{HeadKind, StoredHead};
    use pdsno::domain::policy::PolicyRow;
    use pdsno::domain::registry::{NextCertificate, SignedDocument, Standing};
    use pdsno::domain::time::Timestamp;
    use pdsno::domain::token::TokenUse;
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

    /// A child's row with these certificates: number and key are one figure.
    fn row(present: u8, next: Option<u8>) -> Change {
        let document = || SignedDocument::from_text(String::new());
        let next = next.map(|next| NextCertificate {
            serial: Serial::from_number(next.into()),
            public_key: PublicKey::from_bytes([next; 32]),
            certificate: document(),
            delegation: None,
        });
        let row = ControllerRow {
            id: "local_cntl_zoneA_1".parse().unwrap(),
            role: Role::Local,
            region: "zone-A".parse().unwrap(),
            public_key: PublicKey::from_bytes([present; 32]),
            serial: Serial::from_number(present.into()),
            certificate: document(),
            delegation: None,
            expires_at: NOW,
            next,
            standing: Standing::Active,
            standing_reason: None,
            validated_by: "regional_cntl_zoneA_1".parse().unwrap(),
            validated_at: NOW,
            token: TokenId::new([7; 12]),
            metadata: BTreeMap::new(),
            policy_version: None,
            last_contact: None,
            version: Version::FIRST,
        };
        Change::Registry(RegistryChange::UpdateController(Box::new(row)))
    }

    /// A child is let in with key 1; then these rows of it are written, each with this event.
    fn said_of_child(rows: &[(Change, EventType)]) -> usize {
        let Change::Registry(RegistryChange::UpdateController(controller)) = row(1, None) else { panic!("a row") };
        let used = TokenUse { public_key: controller.public_key, controller_id: controller.id.clone(), at: NOW };
        let admit = Change::Registry(RegistryChange::Admit { used, number: 1, controller });
        let admitted = [vec![admit, event(EventType::ControllerValidated)]];
        let rows = rows.iter().map(|(row, told)| vec![row.clone(), event(*told)]);
        let commits: Vec<Vec<Change>> = admitted.into_iter().chain(rows).collect();
        said(&commits.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn a_child_goes_from_one_key_to_the_next_and_never_back() {
        let (given, used) = (EventType::CertificateRenewed, EventType::CertificateSwitched);
        let once = [(row(1, Some(2)), given), (row(2, None), used)];
        assert_eq!(said_of_child(&once), 0);
        let twice = [(row(2, Some(3)), given), (row(3, None), used)];
        assert_eq!(said_of_child(&[&once[..], &twice].concat()), 0);
        assert_eq!(said_of_child(&[&once[..], &[(row(1, None), used)]].concat()), 1, "back");
        assert_eq!(said_of_child(&[(row(2, None), used)]), 1, "a key that it was not given");
        assert_eq!(said_of_child(&[(row(1, Some(2)), given), (row(2, Some(3)), used)]), 1, "three keys");
        assert_eq!(said_of_child(&[(row(1, Some(2)), given), (row(2, None), given)]), 1, "no word of the switch");
        assert_eq!(said_of_child(&[(row(1, Some(1)), given)]), 1, "the same key");
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
