//! The actor that notices when something happens on the network, and has a cycle begin for it.
//!
//! ```text
//!   kernel ──notices──► RouteSocket ────────┐ Noticed
//!   links ──ARP───────► AnnouncementSocket ─┤ Overheard
//!                                           ▼
//!   DiscoveryActor ──CycleEnded──►      LinkWatch ──StartCycle──► DiscoveryActor, or its Conductor
//!   app (SIGHUP)   ──Cover───────►          └─── which pairs are known ──► NibActor
//! ```
//!
//! Both sockets are read by the actor's own futures, so many messages at a time, and no more before
//! those are worked on.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use tokio::io::unix::AsyncFd;
use tracing::{error, info, warn};

use super::discovery::{CycleEnded, Refused, StartCycle, succeeded};
use super::nib::Nib;
use super::{Ping, REQUEST_DEADLINE};
use crate::algorithms::discovery::watch::{Look, Pair, Reason, Watch};
use crate::domain::cycle::Trigger;
use crate::domain::device::{Device, DeviceStatus};
use crate::domain::link::Link;
use crate::domain::subnet::Subnet;
use crate::domain::time::Clock;
use crate::nib::{NibError, NibReader};
use crate::southbound::announcements::AnnouncementSocket;
use crate::southbound::route_socket::{Read, RouteSocket};
use crate::wire::frame::{Incoming, decode};
use crate::wire::rtnetlink::{self, Notice};

/// What the watch hears by. To be opened while the process has CAP_NET_RAW.
#[derive(Debug)]
pub struct Ears {
    routes: RouteSocket,
    /// None without CAP_NET_RAW: then only the kernel is heard.
    announcements: Option<AnnouncementSocket>,
}

impl Ears {
    /// Opens both sockets; without CAP_NET_RAW the one that may be had.
    ///
    /// # Errors
    /// When the kernel refuses one for another reason.
    pub fn open() -> std::io::Result<Self> {
        let announcements = match AnnouncementSocket::open() {
            Ok(socket) => Some(socket),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
            Err(error) => return Err(error),
        };
        Ok(Self { routes: RouteSocket::open()?, announcements })
    }
}

/// What is to be watched, and who is told.
pub struct WatchLinks {
    /// The subnets, until [`Cover`] names others.
    pub subnets: Vec<Subnet>,
    /// The one interface that may be used, when one is named.
    pub interface: Option<String>,
    /// The interfaces of this host as they are now.
    pub find_links: Box<dyn Fn() -> Vec<Link>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where it is looked up who is known.
    pub nib: Nib,
    /// Who has a cycle begin.
    pub start: Recipient<StartCycle>,
}

/// Notices what happens on the network.
pub struct LinkWatch {
    watch: Watch,
    around: WatchLinks,
    ears: Option<Ears>,
    announcements: Option<Arc<AsyncFd<AnnouncementSocket>>>,
    deaf: bool,
    timer: Option<SpawnHandle>,
    /// Whether somebody is being asked what [`Look`] said.
    asking: bool,
}

/// The kernel tells what happened.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Noticed(pub Vec<Notice>);

/// So many announcements were read, of which these are well formed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Overheard {
    /// Frames.
    pub frames: usize,
    /// Who announces himself.
    pub pairs: Vec<Pair>,
}

/// Other subnets are discovered from the next cycle on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cover(pub Vec<Subnet>);

/// It may be time for a cycle.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct LookNow;

/// Notices nothing more.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StopWatching;

impl LinkWatch {
    /// A watch that hears by these; without them, what it is told.
    pub fn new(around: WatchLinks, ears: Option<Ears>) -> Self {
        let watch = Watch::new(around.subnets.clone(), around.interface.clone(), &(around.find_links)());
        Self { watch, around, ears, announcements: None, deaf: false, timer: None, asking: false }
    }

    fn now(&self) -> Duration {
        self.around.clock.elapsed()
    }

    /// Sets the timer for when there is something to do.
    fn wind_up(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(next) = self.watch.next_look().filter(|_| !self.asking) {
            self.timer = Some(ctx.notify_later(LookNow, next.saturating_sub(self.now())));
        }
    }

    fn look_up(&mut self, pairs: Vec<Pair>, ctx: &mut Context<Self>) {
        self.asking = true;
        let nib = self.around.nib.clone();
        let work = async move {
            let asked = pairs.clone();
            let unknown = nib.ask(move |reader| unknown(reader, &asked)).await;
            (pairs, unknown)
        };
        ctx.spawn(wrap_future::<_, Self>(work).map(|(pairs, unknown), this, ctx| {
            this.asking = false;
            let reason = match unknown {
                Ok(unknown) => this.watch.looked_up(&pairs, &unknown),
                Err(error) => {
                    warn!(%error, "who was noticed on the network could not be looked up; the next cycle will tell");
                    this.watch.looked_up(&pairs, &[])
                }
            };
            match reason {
                Some(reason) => this.begin(reason, ctx),
                None => this.wind_up(ctx),
            }
        }));
    }

    fn begin(&mut self, reason: Reason, ctx: &mut Context<Self>) {
        self.asking = true;
        let asked = self.around.start.send(StartCycle(Trigger::EventDriven));
        let work = async move { tokio::time::timeout(REQUEST_DEADLINE, asked).await };
        ctx.spawn(wrap_future::<_, Self>(work).map(move |answer, this, ctx| {
            this.asking = false;
            let now = this.now();
            match answer {
                Ok(Ok(Ok(_))) => {
                    info!(%reason, "discovery cycle begun for what happened on the network");
                    this.watch.began(now);
                }
                Ok(Ok(Err(Refused::Running))) => this.watch.refused(now),
                // The first cycle of a controller that is let in sees what there is.
                Ok(Ok(Err(Refused::NotValidated))) => this.watch.began(now),
                Ok(Ok(Err(Refused::Stopping)) | Err(_)) => return ctx.stop(),
                Err(_) => {
                    error!("discovery does not answer");
                    this.watch.refused(now);
                }
            }
            this.wind_up(ctx);
        }));
    }

    fn set_deaf(&mut self, deaf: bool) {
        let Some(socket) = self.announcements.as_ref().filter(|_| self.deaf != deaf) else { return };
        let set = if deaf { socket.get_ref().deafen() } else { socket.get_ref().listen() };
        match set {
            Ok(()) => self.deaf = deaf,
            Err(error) => warn!(%error, "the filter of ARP announcements cannot be changed"),
        }
    }
}

/// Those of the pairs whom the NIB does not have as devices that are there.
fn unknown(reader: &dyn NibReader, pairs: &[Pair]) -> Result<Vec<Pair>, NibError> {
    let mut unknown = Vec::new();
    for pair in pairs {
        let device = reader.device_by_mac(pair.mac)?;
        if !device.is_some_and(|device| is_there(&device) && device.addresses.contains(&pair.address)) {
            unknown.push(*pair);
        }
    }
    Ok(unknown)
}

fn is_there(device: &Device) -> bool {
    !matches!(device.status, DeviceStatus::Inactive | DeviceStatus::Unreachable)
}

/// The most messages that are read before they are worked on.
const AT_ONCE: usize = 256;
/// Room for the longest message of the kernel about a link (rtnetlink(7), netlink(3)).
const DATAGRAM: usize = 32 << 10;
/// Longer than any ARP packet.
const FRAME: usize = 128;

/// The socket as one that can be waited for.
#[expect(
    deprecated,
    reason = "what replaces it is unsafe, for types that may close or exchange their descriptor: both sockets own \
              theirs as long as they live"
)]
fn registered<S: AsRawFd>(socket: S) -> std::io::Result<AsyncFd<S>> {
    AsyncFd::new(socket)
}

/// Reads what the kernel tells until the watch has ended.
async fn hear_routes(socket: AsyncFd<RouteSocket>, watch: Recipient<Noticed>) {
    let mut buffer = vec![0; DATAGRAM];
    while let Ok(mut ready) = socket.readable().await {
        let mut notices = Vec::new();
        for _ in 0..AT_ONCE {
            match socket.get_ref().read(&mut buffer) {
                Ok(Read::Datagram(length)) => {
                    notices.extend(rtnetlink::decode(buffer.get(..length).unwrap_or_default()));
                }
                Ok(Read::Overrun) => notices.push(Notice::Lost),
                Ok(Read::Nothing) => {
                    ready.clear_ready();
                    break;
                }
                Err(error) => return error!(%error, "the kernel does not tell of links any more"),
            }
        }
        if !notices.is_empty() && watch.send(Noticed(notices)).await.is_err() {
            return;
        }
    }
}

/// Reads who announces himself until the watch has ended.
async fn hear_announcements(socket: Arc<AsyncFd<AnnouncementSocket>>, watch: Recipient<Overheard>) {
    let mut buffer = [0; FRAME];
    while let Ok(mut ready) = socket.readable().await {
        let mut overheard = Overheard { frames: 0, pairs: Vec::new() };
        for _ in 0..AT_ONCE {
            match socket.get_ref().read(&mut buffer) {
                Ok(Some(frame)) => {
                    overheard.frames += 1;
                    overheard.pairs.extend(announced(frame));
                }
                Ok(None) => {
                    ready.clear_ready();
                    break;
                }
                Err(error) => return error!(%error, "ARP announcements are not heard any more"),
            }
        }
        if overheard.frames > 0 && watch.send(overheard).await.is_err() {
            return;
        }
    }
}

/// Who announces himself in a frame, and not somebody else.
fn announced(frame: &[u8]) -> Option<Pair> {
    match decode(frame) {
        Ok(Incoming::Arp(packet)) if packet.is_gratuitous() && packet.speaks_for_itself() => {
            Some(Pair { address: packet.sender, mac: packet.sender_mac })
        }
        _ => None,
    }
}

impl Actor for LinkWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(Ears { routes, announcements }) = self.ears.take() else { return };
        match (registered(routes), announcements.map(registered).transpose()) {
            (Ok(routes), Ok(announcements)) => {
                self.announcements = announcements.map(Arc::new);
                ctx.spawn(wrap_future(hear_routes(routes, ctx.address().recipient())));
                if let Some(socket) = &self.announcements {
                    ctx.spawn(wrap_future(hear_announcements(Arc::clone(socket), ctx.address().recipient())));
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                error!(%error, "what happens on the network is not noticed: cycles begin by the clock and on demand");
            }
        }
    }
}

impl Handler<Ping> for LinkWatch {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Noticed> for LinkWatch {
    type Result = ();

    fn handle(&mut self, Noticed(notices): Noticed, ctx: &mut Self::Context) {
        self.watch.on_notices(self.around.clock.elapsed(), &notices, &self.around.find_links);
        self.wind_up(ctx);
    }
}

impl Handler<Overheard> for LinkWatch {
    type Result = ();

    fn handle(&mut self, Overheard { frames, pairs }: Overheard, ctx: &mut Self::Context) {
        let now = self.now();
        pairs.into_iter().for_each(|pair| self.watch.on_pair(now, pair));
        if !self.watch.on_heard(now, frames) && !self.deaf {
            warn!("a flood of ARP announcements: they are not listened to until the next cycle");
            self.set_deaf(true);
        }
        self.wind_up(ctx);
    }
}

impl Handler<CycleEnded> for LinkWatch {
    type Result = ();

    fn handle(&mut self, CycleEnded(result): CycleEnded, ctx: &mut Self::Context) {
        match result {
            Ok(report) if succeeded(&report) => {
                let took = Duration::try_from_secs_f64(report.duration_ms / 1_000.0).unwrap_or_default();
                let began = self.now().saturating_sub(took);
                let event_driven = report.trigger == Trigger::EventDriven;
                self.watch.on_cycle(began, event_driven);
            }
            Ok(_) | Err(_) => self.watch.on_failure(),
        }
        self.set_deaf(false);
        self.wind_up(ctx);
    }
}

impl Handler<Cover> for LinkWatch {
    type Result = ();

    fn handle(&mut self, Cover(subnets): Cover, ctx: &mut Self::Context) {
        self.watch.cover(subnets, &(self.around.find_links)());
        self.wind_up(ctx);
    }
}

impl Handler<LookNow> for LinkWatch {
    type Result = ();

    fn handle(&mut self, _: LookNow, ctx: &mut Self::Context) {
        if self.asking {
            return;
        }
        match self.watch.look(self.now()) {
            Look::Nothing => self.wind_up(ctx),
            Look::LookUp(pairs) => self.look_up(pairs, ctx),
            Look::Begin(reason) => self.begin(reason, ctx),
        }
    }
}

impl Handler<StopWatching> for LinkWatch {
    type Result = ();

    fn handle(&mut self, _: StopWatching, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
