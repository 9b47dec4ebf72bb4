//! What the gate decides and the registry keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use pdsno::actors::nib::{Close, Commit, Nib, NibActor};
use pdsno::actors::post::{Assume, Identity, directory_of};
use pdsno::algorithms::trust::directory::Directory;
use pdsno::domain::certificate::Certificate;
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::event::EventType;
use pdsno::domain::number::Serial;
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::{
    Blocked, ControllerRow, Membership, NextCertificate, RegistryChange, SignedDocument, Standing,
};
use pdsno::domain::time::Timestamp;
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::eastwest::bus::Bus;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{Committed, NibError, NibReader, NibStore};
use pdsno::wire::signature::KeyPair;
use pdsno::wire::statement::{Chain, Statement};
use tokio::time::{advance, pause};

use crate::node::{CHILD, EPOCH, Node, OTHER, PARENT, START, VirtualClock, certificate, key, key_of, name, settle};

const GLOBAL: &str = "global_cntl_1";

fn document(text: String) -> SignedDocument {
    SignedDocument::from_text(text)
}

fn stated(certificate: Certificate) -> SignedDocument {
    document(serde_json::to_string(&Statement::sign(certificate, &key_of(PARENT)).unwrap()).unwrap())
}

fn row(id: &str, key: &KeyPair, serial: u64) -> ControllerRow {
    let certificate = certificate(id, key, serial);
    ControllerRow {
        id: name(id),
        role: Role::Local,
        region: "zone-A".parse().unwrap(),
        public_key: key.public_key(),
        serial: Serial::from_number(serial),
        expires_at: certificate.expires_at,
        certificate: stated(certificate),
        delegation: None,
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: name(PARENT),
        validated_at: Timestamp::from_millis(START),
        token: TokenId::new([serial as u8; 12]),
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

fn admission(id: &str, key: &KeyPair, serial: u64) -> [Change; 2] {
    let row = row(id, key, serial);
    let at = row.validated_at;
    let token = TokenRow {
        id: row.token,
        secret_hash: Digest::from_bytes([1; 32]),
        role: Role::Local,
        region: row.region.clone(),
        issued_at: at,
        expires_at: at.saturating_add(Duration::from_secs(600)),
        wrong_attempts: 0,
        revoked_at: None,
        used: None,
    };
    let used = TokenUse { public_key: row.public_key, controller_id: row.id.clone(), at };
    // Their names end in their numbers, none of which is longer.
    let number = id[id.len() - 1..].parse().unwrap();
    let admit = RegistryChange::Admit { used, number, controller: Box::new(row) };
    [Change::Registry(RegistryChange::IssueToken(token)), Change::Registry(admit)]
}

/// A NIB that has the child and the other.
async fn registry() -> (Addr<NibActor>, Box<dyn NibReader>) {
    let store = MemoryNib::new();
    let reader = store.reader().unwrap();
    let nib = NibActor::in_memory(Box::new(store)).unwrap().start();
    let admissions = [admission(CHILD, &key_of(CHILD), 2), admission(OTHER, &key_of(OTHER), 3)].concat();
    nib.send(Commit(admissions)).await.unwrap().unwrap();
    (nib, reader)
}

async fn update(nib: &Addr<NibActor>, reader: &dyn NibReader, id: &str, change: impl FnOnce(&mut ControllerRow)) {
    let mut row = reader.controller(&name(id)).unwrap().unwrap();
    change(&mut row);
    let change = Change::Registry(RegistryChange::UpdateController(Box::new(row)));
    nib.send(Commit(vec![change])).await.unwrap().unwrap();
}

fn identity(id: &str) -> Identity {
    Identity { id: name(id), key: key_of(id), epoch: EPOCH }
}

/// A parent that knows what its NIB does.
async fn parent(bus: &Bus, clock: &Arc<VirtualClock>) -> Node {
    let (nib, reader) = registry().await;
    let directory = directory_of(reader.as_ref()).unwrap();
    Node::over(bus, identity(PARENT), directory, clock, 1, (nib, reader)).await
}

async fn child(bus: &Bus, clock: &Arc<VirtualClock>, boot: u8) -> Node {
    let mut directory = Directory::default();
    directory.insert(certificate(PARENT, &key_of(PARENT), 1));
    Node::start_as(bus, identity(CHILD), directory, clock, boot).await
}

async fn say(node: &Node, number: u64) {
    advance(Duration::from_millis(100)).await;
    node.say(PARENT, number).await.unwrap();
    settle().await;
}

#[actix::test]
async fn two_processes_with_one_key_are_locked_and_reported_and_stay_so() {
    pause();
    let (bus, clock) = (Bus::new(), VirtualClock::start());
    let parent = parent(&bus, &clock).await;
    let original = child(&bus, &clock, 11).await;
    say(&original, 1).await;
    let copy = child(&bus, &clock, 12).await;
    say(&copy, 2).await;
    assert_eq!((parent.heard(), parent.events().len()), (vec![1, 2], 0), "it could be a restart");
    say(&original, 3).await;
    let row = parent.reader.controller(&name(CHILD)).unwrap().unwrap();
    assert_eq!(row.standing, Standing::Locked);
    assert!(row.standing_reason.unwrap().contains("its data folder was copied"));
    let types = [EventType::ControllerLocked, EventType::SecurityAlert, EventType::MessageRefused];
    assert_eq!(parent.event_types(), types);
    assert!(parent.events().iter().all(|event| event.subject == CHILD));
    // Whoever has the name on the bus now is told.
    assert_eq!(copy.told(), [Reason::IdentityCloned]);
    say(&original, 4).await;
    say(&copy, 5).await;
    assert_eq!(parent.heard(), [1, 2]);
    assert_eq!(parent.events().last().unwrap().payload["reason"], Reason::IdentityLocked.as_str());
    // Others are not concerned, and a restart forgets nothing.
    let other = Node::start(&bus, OTHER, &clock).await;
    say(&other, 6).await;
    assert_eq!(parent.heard(), [1, 2, 6]);
    let directory = directory_of(parent.reader.as_ref()).unwrap();
    let again = Node::over(&bus, identity(PARENT), directory, &clock, 2, (parent.nib, parent.reader)).await;
    say(&copy, 7).await;
    say(&other, 8).await;
    assert_eq!(again.heard(), [8]);
}

/// The child has a certificate for its next key.
async fn renewed(bus: &Bus, clock: &Arc<VirtualClock>) -> Node {
    let (nib, reader) = registry().await;
    let next = certificate(CHILD, &key(60), 4);
    update(&nib, reader.as_ref(), CHILD, |row| {
        row.next = Some(NextCertificate {
            serial: next.serial,
            public_key: next.public_key,
            certificate: stated(next),
            delegation: None,
        });
    })
    .await;
    let directory = directory_of(reader.as_ref()).unwrap();
    Node::over(bus, identity(PARENT), directory, clock, 1, (nib, reader)).await
}

#[actix::test]
async fn the_first_use_of_a_next_certificate_is_written_before_the_message_goes_on() {
    pause();
    let (bus, clock) = (Bus::new(), VirtualClock::start());
    let (parent, child) = (renewed(&bus, &clock).await, child(&bus, &clock, 11).await);
    say(&child, 1).await;
    assert_eq!(parent.events().len(), 0);
    child.post.send(Assume(Identity { key: key(60), ..identity(CHILD) })).await.unwrap();
    say(&child, 2).await;
    assert_eq!(parent.heard(), [1, 2]);
    assert_eq!(parent.event_types(), [EventType::CertificateSwitched]);
    let event = parent.events().remove(0);
    assert_eq!((&event.payload["retired"], &event.payload["current"]), (&"2".into(), &"4".into()));
    let row = parent.reader.controller(&name(CHILD)).unwrap().unwrap();
    assert_eq!((row.serial.number(), row.public_key, row.next), (4, key(60).public_key(), None));
    child.post.send(Assume(identity(CHILD))).await.unwrap();
    say(&child, 3).await;
    assert_eq!(parent.events().last().unwrap().payload["reason"], Reason::CertificateRetired.as_str());
    child.post.send(Assume(Identity { key: key(60), ..identity(CHILD) })).await.unwrap();
    say(&child, 4).await;
    assert_eq!(parent.heard(), [1, 2, 4]);
}

#[actix::test]
async fn a_message_whose_change_cannot_be_written_goes_no_further_and_those_of_others_do() {
    pause();
    let (bus, clock) = (Bus::new(), VirtualClock::start());
    let (parent, child) = (renewed(&bus, &clock).await, child(&bus, &clock, 11).await);
    let other = Node::start(&bus, OTHER, &clock).await;
    parent.nib.send(Close).await.unwrap().unwrap();
    child.post.send(Assume(Identity { key: key(60), ..identity(CHILD) })).await.unwrap();
    say(&child, 1).await;
    say(&other, 2).await;
    say(&child, 3).await;
    assert_eq!(parent.heard(), [2]);
}

/// A NIB that takes no commits until it is let.
struct Stubborn {
    nib: Addr<NibActor>,
    lets: Arc<AtomicBool>,
}

impl Actor for Stubborn {
    type Context = Context<Self>;
}

impl Handler<Commit> for Stubborn {
    type Result = ResponseFuture<Result<Committed, NibError>>;

    fn handle(&mut self, commit: Commit, _: &mut Self::Context) -> Self::Result {
        if !self.lets.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(NibError::Full { attempted: "to commit" })));
        }
        let answer = self.nib.send(commit);
        Box::pin(async move { answer.await.unwrap() })
    }
}

#[actix::test]
async fn a_lock_that_could_not_be_written_holds_and_is_written_later() {
    pause();
    let (bus, clock) = (Bus::new(), VirtualClock::start());
    let (nib, reader) = registry().await;
    let lets = Arc::new(AtomicBool::new(false));
    let commits = Stubborn { nib: nib.clone(), lets: Arc::clone(&lets) }.start();
    let way = Nib::new(commits.recipient(), nib.clone().recipient(), 1);
    let directory = directory_of(reader.as_ref()).unwrap();
    let parent = Node::with(&bus, identity(PARENT), directory, &clock, 1, way, (nib, reader)).await;
    let (original, copy) = (child(&bus, &clock, 11).await, child(&bus, &clock, 12).await);
    for (number, node) in [&original, &copy, &original, &copy].into_iter().enumerate() {
        say(node, number as u64).await;
    }
    let standing = || parent.reader.controller(&name(CHILD)).unwrap().unwrap().standing;
    assert_eq!((parent.heard(), standing(), parent.events().len()), (vec![0, 1], Standing::Active, 0));
    lets.store(true, Ordering::Relaxed);
    advance(Duration::from_secs(61)).await;
    settle().await;
    assert_eq!(standing(), Standing::Locked);
    assert!(parent.event_types().starts_with(&[EventType::ControllerLocked, EventType::SecurityAlert]));
}

#[actix::test]
async fn a_directory_has_the_parent_the_children_as_they_stand_and_the_blocklist() {
    pause();
    let (nib, reader) = registry().await;
    let own = Statement::sign(certificate(PARENT, &key_of(PARENT), 5), &key(90)).unwrap();
    let above = Certificate { region: None, ..certificate(GLOBAL, &key(90), 1) };
    let above = Statement::sign(above, &key(90)).unwrap();
    let chain = Chain { certificates: vec![own, above], delegation: None };
    let membership = Membership {
        cluster: "pdsno".parse().unwrap(),
        id: name(PARENT),
        role: Role::Regional,
        region: Some("zone-A".parse().unwrap()),
        parent: Some(name(GLOBAL)),
        pin: Digest::from_bytes([7; 32]),
        chain: document(serde_json::to_string(&chain).unwrap()),
        serial: Serial::from_number(5),
        key_file: "5.key".to_owned(),
        next_key_file: None,
        next_chain: None,
        epoch: EPOCH,
        since: Timestamp::from_millis(START),
        version: Version::FIRST,
    };
    let block = |blocked| RegistryChange::Block { blocked, reason: "x".to_owned(), at: Timestamp::from_millis(START) };
    let changes = [
        RegistryChange::SetMembership(Box::new(membership)),
        block(Blocked::Key(key(66).public_key())),
        block(Blocked::Source("10.0.0.66".to_owned())),
    ];
    nib.send(Commit(changes.map(Change::Registry).into())).await.unwrap().unwrap();
    let now = Timestamp::from_millis(START);
    let known = |octet: u8| -> Result<_, Reason> {
        let directory = directory_of(reader.as_ref()).unwrap();
        let found = directory.look_up(&key(octet).public_key(), now).map_err(|refusal| refusal.reason())?;
        Ok(found.controller_id.to_string())
    };
    assert_eq!(known(90), Ok(GLOBAL.to_owned()));
    assert_eq!(known(1), Err(Reason::UnknownSender), "it does not talk to itself");
    assert_eq!((known(2), known(3)), (Ok(CHILD.to_owned()), Ok(OTHER.to_owned())));
    let directory = directory_of(reader.as_ref()).unwrap();
    assert!(directory.is_blocked(&key(66).public_key(), "10.0.0.1"));
    assert!(directory.is_blocked(&key(2).public_key(), "10.0.0.66"));
    assert!(!directory.is_blocked(&key(2).public_key(), "10.0.0.1"));
    for (standing, reason) in [
        (Standing::Suspended, Reason::ControllerSuspended),
        (Standing::Locked, Reason::IdentityLocked),
        (Standing::Revoked, Reason::ControllerRevoked),
    ] {
        update(&nib, reader.as_ref(), CHILD, |row| {
            row.standing = standing;
            row.standing_reason = Some("x".to_owned());
        })
        .await;
        assert_eq!((known(2), known(3)), (Err(reason), Ok(OTHER.to_owned())));
    }
}

#[actix::test]
async fn a_certificate_in_the_nib_that_cannot_be_read_is_said_so() {
    pause();
    let (nib, reader) = registry().await;
    update(&nib, reader.as_ref(), CHILD, |row| row.certificate = document("{}".to_owned())).await;
    let refusal = directory_of(reader.as_ref()).unwrap_err().to_string();
    assert!(refusal.contains("corrupt") && refusal.contains("certificate"), "{refusal}");
}
