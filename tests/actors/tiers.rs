//! Three tiers on a wire of the test's own: every message is sealed and opened, none is checked
//! against a registry but by the view itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Recipient};
use pdsno::actors::discovery::{CycleResult, Refused, StartCycle};
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::nib::{Commit, Nib, NibActor};
use pdsno::actors::post::{Delivered, Send, SendError};
use pdsno::actors::report::{Demand, Outlet, ReportActor, Wake};
use pdsno::actors::view::{ViewActor, ViewOutlets, ViewSettings};
use pdsno::algorithms::discovery::delta::KnownDevice;
use pdsno::algorithms::report::cycle::of_cycle;
use pdsno::domain::address::MacAddr;
use pdsno::domain::change::Change;
use pdsno::domain::controller::{Cluster, ControllerId, ControllerName, Region, Role};
use pdsno::domain::cycle::{Completeness, CycleReport, DeltaCounts, Trigger};
use pdsno::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Version};
use pdsno::domain::digest::Digest;
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::fact::{Fact, FactRow};
use pdsno::domain::message::{BootId, MessageId, MessageType};
use pdsno::domain::number::{Epoch, Serial};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::registry::{ControllerRow, RegistryChange, SignedDocument, Standing};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::envelope::{self, Author, Body};
use pdsno::wire::report::{DiscoveryReport, DiscoveryRequest, DiscoverySummary, StreamAck, StreamRequest};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use pdsno::wire::statement::Chain;
use secrecy::zeroize::Zeroizing;
use tokio::sync::oneshot;

use crate::stage::RuntimeClock;

pub const GC: &str = "global_cntl_1";
pub const RC: &str = "regional_cntl_zoneA_1";
pub const RC_B: &str = "regional_cntl_zoneB_1";
pub const LC: &str = "local_cntl_zoneA_1";
pub const LC_2: &str = "local_cntl_zoneA_2";

pub fn id(text: &str) -> ControllerId {
    text.parse().unwrap()
}

fn key() -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([9; 32])).as_bytes()).unwrap()
}

/// Who takes what at one controller.
#[derive(Default, Clone)]
struct Mailboxes {
    reports: Option<Recipient<Delivered<DiscoveryReport>>>,
    summaries: Option<Recipient<Delivered<DiscoverySummary>>>,
    acks: Option<Recipient<Delivered<StreamAck>>>,
    requests: Option<Recipient<Delivered<StreamRequest>>>,
    demands: Option<Recipient<Delivered<DiscoveryRequest>>>,
}

/// What the test does to messages, and sees of them.
#[derive(Default)]
pub struct Net {
    mailboxes: BTreeMap<ControllerId, Mailboxes>,
    /// Everything that was sent: from whom, to whom, what.
    pub sent: Vec<(String, String, MessageType)>,
    /// The messages of a sender and type that are lost, by their place among them from 1.
    pub lost: BTreeSet<(String, MessageType, usize)>,
    /// All of whose messages are lost.
    pub cut: BTreeSet<String>,
    /// Reports that are brought twice.
    pub twice: bool,
}

pub type Wires = Arc<Mutex<Net>>;

impl Net {
    pub fn count(&self, from: &str, message: MessageType) -> usize {
        self.sent.iter().filter(|(sender, _, sent)| sender == from && *sent == message).count()
    }
}

/// What stands for a controller's post.
struct Line {
    author: Author,
    key: KeyPair,
    wires: Wires,
    clock: Arc<dyn Clock>,
}

impl Actor for Line {
    type Context = Context<Self>;
}

impl Line {
    fn carry<B: Body + Clone + std::marker::Send + 'static>(
        &mut self,
        Send { to, body }: Send<B>,
        mailbox: impl Fn(&Mailboxes) -> Option<Recipient<Delivered<B>>>,
    ) -> Result<MessageId, SendError> {
        let envelope::Destination::Controller(recipient) = to.clone() else { panic!("{to:?}") };
        let header = self.author.header::<B>(to, Epoch::from_number(1), self.clock.now(), [1; 10]);
        let message_id = header.message_id;
        let bytes = envelope::seal(header, &body, &self.key)?;
        let message = envelope::read(&bytes).unwrap().open::<B>().unwrap();
        let mut net = self.wires.lock().unwrap();
        let from = self.author.id.to_string();
        net.sent.push((from.clone(), recipient.to_string(), B::MESSAGE_TYPE));
        let place = net.count(&from, B::MESSAGE_TYPE);
        if net.cut.contains(&from) || net.lost.contains(&(from, B::MESSAGE_TYPE, place)) {
            return Ok(message_id);
        }
        let delivered = Delivered {
            header: message.header,
            body: message.body,
            key: message.key,
            sender: None,
            source: "wire".to_owned(),
        };
        let copies = if net.twice { 2 } else { 1 };
        if let Some(to) = net.mailboxes.get(&recipient).and_then(mailbox) {
            for _ in 0..copies {
                // A full mailbox is a loss.
                let _ = to.try_send(delivered.clone());
            }
        }
        Ok(message_id)
    }
}

macro_rules! carries {
    ($($body:ident => $mailbox:ident),+ $(,)?) => {$(
        impl Handler<Send<$body>> for Line {
            type Result = Result<MessageId, SendError>;

            fn handle(&mut self, message: Send<$body>, _: &mut Self::Context) -> Self::Result {
                self.carry(message, |mailboxes| mailboxes.$mailbox.clone())
            }
        }
    )+};
}

carries!(
    DiscoveryReport => reports,
    DiscoverySummary => summaries,
    StreamAck => acks,
    StreamRequest => requests,
    DiscoveryRequest => demands,
);

/// Counts the cycles that are asked for.
#[derive(Default, Clone)]
pub struct Cycles(pub Arc<Mutex<Vec<Trigger>>>);

impl Actor for Cycles {
    type Context = Context<Self>;
}

impl Handler<StartCycle> for Cycles {
    type Result = Result<oneshot::Receiver<CycleResult>, Refused>;

    fn handle(&mut self, StartCycle(trigger): StartCycle, _: &mut Self::Context) -> Self::Result {
        self.0.lock().unwrap().push(trigger);
        Ok(oneshot::channel().1)
    }
}

pub struct Node {
    pub name: &'static str,
    pub nib: Addr<NibActor>,
    pub reader: Box<dyn NibReader>,
    pub report: Option<Addr<ReportActor>>,
    pub view: Option<Addr<ViewActor>>,
    pub cycles: Cycles,
    pub clock: Arc<RuntimeClock>,
}

impl Node {
    /// A controller with what its tier has, below this parent.
    pub async fn start(wires: &Wires, clock: &Arc<RuntimeClock>, name: &'static str, parent: Option<&str>) -> Self {
        Self::over(wires, clock, name, parent, Box::new(MemoryNib::new())).await
    }

    pub async fn over(
        wires: &Wires,
        clock: &Arc<RuntimeClock>,
        name: &'static str,
        parent: Option<&str>,
        store: Box<dyn NibStore>,
    ) -> Self {
        let reader = store.reader().unwrap();
        let nib = NibActor::in_memory(store).unwrap().start();
        let way = || Nib::new(nib.clone().recipient(), nib.clone().recipient(), 1);
        let shared: Arc<dyn Clock> = Arc::<RuntimeClock>::clone(clock);
        let author = Author::new(id(name), BootId::new([1; 16]));
        let line = Line { author, key: key(), wires: Arc::clone(wires), clock: Arc::clone(&shared) }.start();
        let controller: ControllerName = name.parse().unwrap();
        let role = controller.role();
        let cycles = Cycles::default();
        let mut node = Self {
            name,
            nib: nib.clone(),
            reader,
            report: None,
            view: None,
            cycles: cycles.clone(),
            clock: Arc::clone(clock),
        };
        let mut mailboxes = Mailboxes::default();
        if role == Role::Local {
            let demand = Demand::RunCycle(cycles.start().recipient());
            let outlet = Outlet::Reports(line.clone().recipient());
            node.report = Some(ReportActor::new(outlet, demand, way(), Arc::clone(&shared), 1).start());
        } else {
            let (summaries, view) = Self::view(&line, way, &shared, role);
            mailboxes.reports = Some(view.clone().recipient());
            mailboxes.summaries = Some(view.clone().recipient());
            (node.report, node.view) = (summaries, Some(view));
        }
        if let Some(report) = &node.report {
            mailboxes.acks = Some(report.clone().recipient());
            mailboxes.requests = Some(report.clone().recipient());
            mailboxes.demands = Some(report.clone().recipient());
        }
        wires.lock().unwrap().mailboxes.insert(id(name), mailboxes);
        let became = Became(Arc::new(own(&controller, parent)));
        if let Some(report) = &node.report {
            report.send(became.clone()).await.unwrap();
        }
        if let Some(view) = &node.view {
            view.send(became).await.unwrap();
        }
        node
    }

    /// The view's actor, and that of its summaries; each needs the other.
    fn view(
        line: &Addr<Line>,
        way: impl Fn() -> Nib,
        clock: &Arc<dyn Clock>,
        role: Role,
    ) -> (Option<Addr<ReportActor>>, Addr<ViewActor>) {
        let outlets = |summaries| ViewOutlets {
            acks: line.clone().recipient(),
            requests: line.clone().recipient(),
            demands: line.clone().recipient(),
            summaries,
        };
        let build = |outlets| ViewActor::new(ViewSettings::default(), way(), Arc::clone(clock), outlets);
        if role == Role::Global {
            return (None, build(outlets(None)).start());
        }
        let ctx = Context::new();
        let view = actix::AsyncContext::address(&ctx);
        let demand = Demand::PassOn(view.clone().recipient());
        let outlet = Outlet::Summaries(line.clone().recipient());
        let report = ReportActor::new(outlet, demand, way(), Arc::clone(clock), 2).start();
        ctx.run(build(outlets(Some(report.clone().recipient()))));
        (Some(report), view)
    }

    pub async fn commit(&self, changes: Vec<Change>) {
        self.nib.send(Commit(changes)).await.unwrap().unwrap();
    }

    /// Takes in the controllers below, in the order of their certificates.
    pub async fn admit(&self, children: &[&str]) {
        for (number, child) in (1_u8..).zip(children) {
            let name = child.rsplit('_').next().unwrap().parse().unwrap();
            self.admit_as(row(child, number), number, name).await;
        }
    }

    /// Takes in one controller, by the token of this number, under the name of that one.
    pub async fn admit_as(&self, row: ControllerRow, token: u8, name: u32) {
        let token = TokenRow {
            id: row.token,
            secret_hash: Digest::from_bytes([token; 32]),
            role: row.role,
            region: row.region.clone(),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1_000_000_000),
            wrong_attempts: 0,
            revoked_at: None,
            used: None,
        };
        let used = TokenUse { public_key: row.public_key, controller_id: row.id.clone(), at: self.clock.now() };
        let admitted = RegistryChange::Admit { used, number: name, controller: Box::new(row) };
        self.commit(vec![Change::Registry(RegistryChange::IssueToken(token)), Change::Registry(admitted)]).await;
    }

    /// What a cycle of a Local Controller writes that sees these devices and no others.
    pub async fn cycle(&self, seen: impl IntoIterator<Item = u32>) {
        self.cycle_with(seen, &[]).await;
    }

    /// The same, whose agents say this.
    pub async fn cycle_with(&self, seen: impl IntoIterator<Item = u32>, said: &[(u32, Fact)]) {
        let seen: BTreeSet<u32> = seen.into_iter().collect();
        let now = self.clock.now();
        let known = self.devices();
        let number = |device: &Device| u32::from(device.addresses[0]) - u32::from(Ipv4Addr::new(10, 0, 0, 0));
        let mut changes = Vec::new();
        for device in &known {
            let is_seen = seen.contains(&number(device));
            let status = if is_seen { DeviceStatus::Active } else { DeviceStatus::Inactive };
            let last_seen = if is_seen { now } else { device.last_seen };
            changes.push(Change::UpdateDevice(Device { status, last_seen, ..device.clone() }));
        }
        let have: BTreeSet<u32> = known.iter().map(number).collect();
        let next = self.reader.next_device().unwrap().number();
        let new = (next..).zip(seen.difference(&have));
        changes.extend(new.map(|(id, number)| Change::InsertDevice(device(id, *number, now))));
        for (number, fact) in said {
            let of = |change: &Change| match change {
                Change::InsertDevice(one) | Change::UpdateDevice(one) => {
                    (one.mac == Some(mac(*number))).then_some(one.id)
                }
                _ => None,
            };
            let device = changes.iter().find_map(of).unwrap();
            let (source, protocol) = (format!("10.0.0.{number}"), Some(Protocol::Snmp));
            let (fact, observed_at, observer) = (fact.clone(), now, None);
            changes.push(Change::PutFact(FactRow { device, fact, source, protocol, observed_at, observer }));
        }
        let facts = |device: &Device| self.reader.facts(device.id, device.id).unwrap();
        let known = known.iter().map(|device| KnownDevice { device: device.clone(), facts: facts(device) });
        let known: Vec<KnownDevice> = known.collect();
        let inserted = seen.difference(&have).count() as u64;
        let told = of_cycle(&cycle_report(inserted, now), None, &known, &changes, now).unwrap();
        changes.extend(told);
        self.commit(changes).await;
        self.report.as_ref().unwrap().send(Wake).await.unwrap();
        settle().await;
    }

    pub fn devices(&self) -> Vec<Device> {
        self.reader.devices(None, None, 100_000).unwrap()
    }

    /// What is there, by hardware address.
    pub fn there(&self) -> BTreeMap<MacAddr, DeviceStatus> {
        self.devices().into_iter().map(|device| (device.mac.unwrap(), device.status)).collect()
    }

    /// What is known of the devices here: of whom, what, by whom.
    pub fn facts(&self) -> BTreeMap<(MacAddr, String), (Fact, Option<ControllerId>)> {
        let facts = self.devices().into_iter().flat_map(|device| {
            let rows = self.reader.facts(device.id, device.id).unwrap();
            rows.into_iter().map(move |row| {
                let FactRow { fact, source, observer, .. } = row;
                ((device.mac.unwrap(), format!("{} {source}", fact.kind())), (fact, observer))
            })
        });
        facts.collect()
    }

    pub fn events(&self, event_type: EventType) -> Vec<Event> {
        let query = EventQuery { types: vec![event_type], limit: 100_000, ..EventQuery::default() };
        self.reader.events(&query).unwrap()
    }
}

/// Lets everything that is due happen.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

pub async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn zone(controller: &ControllerName) -> Option<Region> {
    controller.slug().map(|slug| slug.as_str().replace("zone", "zone-").parse().unwrap())
}

fn own(controller: &ControllerName, parent: Option<&str>) -> Own {
    Own {
        cluster: Cluster::default(),
        id: controller.id(),
        role: controller.role(),
        region: zone(controller),
        parent: parent.map(id),
        pin: Digest::from_bytes([1; 32]),
        chain: Chain { certificates: Vec::new(), delegation: None },
        key: Arc::new(key()),
        epoch: Epoch::from_number(1),
    }
}

pub fn row(name: &str, number: u8) -> ControllerRow {
    let controller: ControllerName = name.parse().unwrap();
    ControllerRow {
        id: controller.id(),
        role: controller.role(),
        region: zone(&controller).unwrap(),
        public_key: pdsno::domain::key::PublicKey::from_bytes([number; 32]),
        serial: Serial::from_number(u64::from(number) + 1),
        certificate: SignedDocument::from_text(String::new()),
        delegation: None,
        expires_at: Timestamp::from_millis(1_000_000_000),
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: id(RC),
        validated_at: Timestamp::from_millis(0),
        token: TokenId::new([number; 12]),
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

pub fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr::new([2, 0, a, b, c, d])
}

fn device(id: u32, number: u32, now: Timestamp) -> Device {
    Device {
        id: DeviceId::from_number(id),
        mac: Some(mac(number)),
        addresses: vec![Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number)],
        hostname: Some(format!("host-{number}")),
        vendor: Some("Example Networks".to_owned()),
        device_type: DeviceType::Switch,
        firmware: None,
        region: None,
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: now,
        last_seen: now,
        missed_cycles: 0,
        methods: Vec::new(),
        rtt: None,
        version: Version::FIRST,
    }
}

fn cycle_report(new: u64, now: Timestamp) -> CycleReport {
    CycleReport {
        trigger: Trigger::Scheduled,
        completeness: Completeness::Complete,
        started_at: now,
        duration_ms: 1.0,
        subnets: Vec::new(),
        targets: 1,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: 1,
        delta: DeltaCounts { new, ..DeltaCounts::default() },
        nib_commit_ms: None,
        too_long: None,
    }
}
