//! The thread that sweeps: the one place where sockets, a clock and the sweep's decisions meet.
//!
//! ```text
//!   DiscoveryActor ──Order──► sweeper thread ──Swept──► DiscoveryActor
//!                                 │  ▲
//!                                 ▼  │ frames
//!                         links, and the kernel's own stack
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::observation::Asked;
use crate::algorithms::discovery::plan::{PlanError, Plans, plan};
use crate::algorithms::discovery::sweep::{
    DeliveryError, LinkOutcome, LinkSweep, SNMP_PORT, Step, SweepProgress, SweepSettings,
};
use crate::domain::link::Link;
use crate::domain::policy::Probing;
use crate::domain::protocol::Protocol;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::domain::time::Clock;
use crate::southbound::carrier::{Addressee, Carrier, CarrierError, Handed};

/// What is to be swept, and how.
#[derive(Debug, Clone)]
pub struct SweepOrder {
    /// The subnets.
    pub subnets: Vec<Subnet>,
    /// The one interface that may be used, when one is named.
    pub interface: Option<String>,
    /// What to ask.
    pub protocols: Vec<Protocol>,
    /// How to send it.
    pub probing: Probing,
    /// With what SNMP agents are asked, the preferred first.
    pub credentials: Arc<[PreparedCredential]>,
    /// Whether agents are asked for their neighbours.
    pub neighbours: bool,
    /// Whether agents are asked what their interfaces counted.
    pub counters: bool,
    /// Where the order of targets and the identifiers come from.
    pub seed: u64,
}

/// What a sweep saw.
#[derive(Debug)]
pub struct Swept {
    /// Link by link, then what went through the kernel.
    pub outcomes: Vec<LinkOutcome>,
    /// The addresses that were asked on ways that worked: their silence means something.
    pub asked: Vec<Asked>,
    /// Whether the sweep was ended before its time; then silence means nothing.
    pub cancelled: bool,
}

/// Why no sweep took place.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A subnet has no link.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A sweep is going on.
    #[error("a sweep is going on")]
    Busy,
    /// The thread has ended.
    #[error("the sweeper has ended")]
    Ended,
}

/// How far the present sweep is, for whoever looks.
#[derive(Debug, Default)]
pub struct Progress {
    settled: AtomicUsize,
    targets: AtomicUsize,
    hosts: AtomicUsize,
}

impl Progress {
    /// The numbers as they are now. They are written one by one; nobody decides by them.
    pub fn now(&self) -> SweepProgress {
        SweepProgress {
            settled: self.settled.load(Ordering::Relaxed),
            targets: self.targets.load(Ordering::Relaxed),
            hosts: self.hosts.load(Ordering::Relaxed),
        }
    }

    fn show(&self, lanes: &[Lane]) {
        let sum = |part: fn(SweepProgress) -> usize| lanes.iter().map(|lane| part(lane.sweep.progress())).sum();
        self.settled.store(sum(|progress| progress.settled), Ordering::Relaxed);
        self.targets.store(sum(|progress| progress.targets), Ordering::Relaxed);
        self.hosts.store(sum(|progress| progress.hosts), Ordering::Relaxed);
    }
}

struct Job {
    order: SweepOrder,
    reply: oneshot::Sender<Result<Swept, SweepError>>,
}

/// Who sweeps for a Local Controller: the thread, or in a simulation a network that is made up.
pub trait Sweep {
    /// Orders a sweep; the answer comes when it has ended.
    ///
    /// # Errors
    /// [`SweepError::Busy`] while one is going on, [`SweepError::Ended`] after the end.
    fn order(&self, order: SweepOrder) -> Result<oneshot::Receiver<Result<Swept, SweepError>>, SweepError>;

    /// Ends the present sweep at its next packet.
    fn cancel(&self);
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Sweeper {
    jobs: Option<SyncSender<Job>>,
    cancel: Arc<AtomicBool>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("order", &self.order).finish_non_exhaustive()
    }
}

impl Sweeper {
    /// Starts the thread; `find_links` tells the interfaces of this host as they are now.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        mut carrier: impl Carrier + Send + 'static,
        find_links: impl Fn() -> Vec<Link> + Send + 'static,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        // Room for the one order that comes while the thread is on its way back to wait for it.
        let (jobs, waiting) = sync_channel::<Job>(1);
        let cancel = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Progress::default());
        let (watched, shown) = (Arc::clone(&cancel), Arc::clone(&progress));
        let thread = std::thread::Builder::new().name("sweeper".to_owned()).spawn(move || {
            work(&waiting, &mut carrier, &find_links, clock.as_ref(), &watched, &shown);
        })?;
        Ok(Self { jobs: Some(jobs), cancel, progress, thread: Some(thread) })
    }

    /// How far the present sweep is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl Sweep for Sweeper {
    fn order(&self, order: SweepOrder) -> Result<oneshot::Receiver<Result<Swept, SweepError>>, SweepError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(SweepError::Ended)?;
        self.cancel.store(false, Ordering::Relaxed);
        jobs.try_send(Job { order, reply }).map_err(|refused| match refused {
            TrySendError::Full(_) => SweepError::Busy,
            TrySendError::Disconnected(_) => SweepError::Ended,
        })?;
        Ok(answer)
    }

    fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.cancel();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by the panic hook.
            let _ended = thread.join();
        }
    }
}

fn work(
    jobs: &Receiver<Job>,
    carrier: &mut impl Carrier,
    find_links: &dyn Fn() -> Vec<Link>,
    clock: &dyn Clock,
    cancel: &AtomicBool,
    progress: &Progress,
) {
    while let Ok(Job { order, reply }) = jobs.recv() {
        let plans = plan(&order.subnets, order.interface.as_deref(), &find_links());
        let plans = plans.map(|plans| match carrier.without_frames() {
            Some(reason) => plans.without_frames(reason),
            None => plans,
        });
        let swept = plans.map(|plans| sweep(plans, &order, carrier, find_links, clock, cancel, progress));
        // Whoever asked may be gone; then nobody wants to know.
        let _told = reply.send(swept.map_err(SweepError::from));
    }
}

/// The longest time without a look at the cancel flag.
const ATTENTION: Duration = Duration::from_millis(50);
/// How long a full queue of an interface gets to empty itself before it is tried again.
const QUEUE_FULL: Duration = Duration::from_micros(500);
/// How long it may stay full before the link counts as unusable.
const QUEUE_STUCK: Duration = Duration::from_secs(5);
/// Frames read from a link, or datagrams, before it is looked at what is to be sent and whether to
/// end: a link that is flooded must not hold the sweep up.
const AT_ONCE: usize = 1_024;
/// Frames that leave before it is looked at what came: a quarter of what is read then, for a receive
/// buffer holds but some hundred frames, and what overflows it has to be asked for again.
const SENT_AT_ONCE: usize = 256;
/// Longer than any frame of an Ethernet with ordinary MTU; what is cut would not have been an answer.
const FRAME: usize = 2_048;
/// The longest UDP datagram.
const DATAGRAM: usize = 65_535;

/// How long after an answer its host is looked for in the neighbour table, at the latest.
const NEIGHBOURS_EVERY: Duration = Duration::from_secs(1);

/// Sweeps all links and what goes through the kernel at once: sends what is due, reads what came,
/// waits, until all are done.
///
/// Frames leave without an error on a link that has no carrier, so it is asked of the interfaces
/// themselves, before and after, whether silence means anything.
pub fn sweep(
    plans: Plans,
    order: &SweepOrder,
    carrier: &mut impl Carrier,
    find_links: &dyn Fn() -> Vec<Link>,
    clock: &dyn Clock,
    cancel: &AtomicBool,
    progress: &Progress,
) -> Swept {
    let start = clock.elapsed();
    let settings = SweepSettings {
        protocols: order.protocols.clone(),
        probing: order.probing.clone(),
        credentials: Arc::clone(&order.credentials),
        neighbours: order.neighbours,
        counters: order.counters,
        snmp_port: carrier.snmp_port(),
    };
    let links: Vec<Link> = plans.links.iter().map(|plan| plan.link.clone()).collect();
    let by_link = plans.links.iter().map(|plan| (plan.targets.clone(), true));
    let sets: Vec<(AddressSet, bool)> =
        by_link.chain(plans.kernel.iter().map(|plan| (plan.targets.clone(), false))).collect();
    let begun = carrier.begin(&links, plans.kernel.is_some());
    let seed = |number: u64| order.seed.wrapping_add(number);
    let by_frames = (0..).zip(plans.links).map(|(number, plan)| {
        let link = plan.link.clone();
        Lane::new(Some(link), LinkSweep::new(plan, settings.clone(), seed(number)))
    });
    // Others on this host need entries of the neighbour table, too.
    let neighbours = carrier.neighbour_limit() / 2;
    let through_kernel = plans.kernel.map(|plan| {
        Lane::new(None, LinkSweep::through_kernel(plan, neighbours, settings.clone(), seed(links.len() as u64)))
    });
    let lanes = by_frames.chain(through_kernel).collect();
    let mut run = Run { lanes, buffer: vec![0; DATAGRAM], neighbours_at: NEIGHBOURS_EVERY };
    for (lane, begun) in run.lanes.iter_mut().zip(begun) {
        if let Err(error) = begun {
            lane.fail(text(&error));
        }
    }
    run.leave_dead_links(&links);
    let mut cancelled = false;
    loop {
        let now = clock.elapsed().saturating_sub(start);
        run.receive(now, carrier);
        let Some(wait) = run.send(now, carrier) else { break };
        progress.show(&run.lanes);
        cancelled = cancel.load(Ordering::Relaxed);
        if cancelled {
            break;
        }
        carrier.wait(wait.saturating_sub(clock.elapsed().saturating_sub(start)).min(ATTENTION));
    }
    progress.show(&run.lanes);
    run.look_for_neighbours(carrier);
    carrier.end();
    run.leave_dead_links(&find_links());
    let outcomes: Vec<LinkOutcome> = run.lanes.into_iter().map(|lane| lane.sweep.finish()).collect();
    let asked = sets.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.failed.is_none() && !cancelled);
    let asked = asked.map(|((addresses, by_arp), outcome)| {
        let unreached = outcome.unreached.clone();
        Asked { addresses, unreached, by_arp }
    });
    Swept { asked: asked.collect(), outcomes, cancelled }
}

struct Run {
    lanes: Vec<Lane>,
    buffer: Vec<u8>,
    /// When the neighbour table is looked at next.
    neighbours_at: Duration,
}

/// One way, and what is under way on it.
struct Lane {
    /// The link; none through the kernel.
    link: Option<Link>,
    sweep: LinkSweep,
    frame: Vec<u8>,
    /// The step that has not been taken yet because a queue is full, and since when.
    held: Option<(Step, Duration)>,
}

impl Lane {
    fn new(link: Option<Link>, sweep: LinkSweep) -> Self {
        Self { link, sweep, frame: Vec::new(), held: None }
    }

    fn fail(&mut self, reason: String) {
        self.held = None;
        self.sweep.fail(reason);
    }

    /// Sends all that may leave now; tells until when nothing is to be sent, `None` at the end.
    fn send(&mut self, place: usize, now: Duration, carrier: &mut impl Carrier) -> Option<Duration> {
        for _ in 0..SENT_AT_ONCE {
            let (step, since) = match self.held {
                Some((step, since)) => (step, Some(since)),
                None => (self.sweep.next(now, &mut self.frame), None),
            };
            let handed = match step {
                Step::Wait(until) => return Some(until),
                Step::Prepared => return Some(now),
                Step::Done => return None,
                Step::Send => {
                    carrier.send(place, &self.frame).map(|taken| if taken { Handed::Taken } else { Handed::Full })
                }
                Step::SendEcho(to) => carrier.send_through_kernel(Addressee::Host(to), &self.frame),
                Step::SendSnmp(to) => carrier.send_through_kernel(Addressee::Agent(to, SNMP_PORT), &self.frame),
            };
            match handed {
                Ok(Handed::Taken) => self.held = None,
                Ok(Handed::NoRoute) => {
                    self.held = None;
                    self.sweep.on_no_route(step);
                }
                Ok(Handed::Full) if now.saturating_sub(since.unwrap_or(now)) < QUEUE_STUCK => {
                    self.held = Some((step, since.unwrap_or(now)));
                    return Some(now + QUEUE_FULL);
                }
                Ok(Handed::Full) => {
                    let stuck = self.link.as_ref().map_or("the kernel's IP stack", |link| &link.name);
                    self.fail(format!("the queue of {stuck} stays full"));
                }
                Err(error) => self.fail(text(&error)),
            }
        }
        Some(now)
    }
}

impl Run {
    /// Gives up the links that, by what the interfaces are now, carry nothing.
    fn leave_dead_links(&mut self, now: &[Link]) {
        for lane in &mut self.lanes {
            let Some(dead) = &lane.link else { continue };
            if !now.iter().any(|link| link.index == dead.index && link.running) {
                let reason = format!("{} is down or has no carrier", dead.name);
                lane.fail(reason);
            }
        }
    }

    fn receive(&mut self, now: Duration, carrier: &mut impl Carrier) {
        let by_frames = self.lanes.iter_mut().enumerate().filter(|(_, lane)| lane.link.is_some());
        for (place, lane) in by_frames {
            for _ in 0..AT_ONCE {
                match carrier.receive(place, self.buffer.get_mut(..FRAME).unwrap_or_default()) {
                    Ok(Some(frame)) => lane.sweep.on_frame(now, frame),
                    Ok(None) => break,
                    Err(error) => {
                        lane.fail(text(&error));
                        break;
                    }
                }
            }
        }
        for _ in 0..AT_ONCE {
            let Some((from, datagram)) = carrier.receive_datagram(&mut self.buffer) else { break };
            self.lanes.iter_mut().for_each(|lane| lane.sweep.on_datagram(now, from, datagram));
        }
        self.receive_through_kernel(now, carrier);
    }

    fn receive_through_kernel(&mut self, now: Duration, carrier: &mut impl Carrier) {
        let Some(lane) = self.lanes.last_mut().filter(|lane| lane.link.is_none()) else { return };
        for _ in 0..AT_ONCE {
            let Some((from, message)) = carrier.receive_echo(&mut self.buffer) else { break };
            lane.sweep.on_echo_reply(now, from, message);
        }
        for _ in 0..AT_ONCE {
            let Some((error, is_snmp)) = carrier.receive_error() else { break };
            let (target, from, kind, code) = (error.target, error.from, error.kind, error.code);
            lane.sweep.on_delivery_error(now, &DeliveryError { target, from, kind, code, is_snmp });
        }
        if now >= self.neighbours_at {
            self.neighbours_at = now + NEIGHBOURS_EVERY;
            self.look_for_neighbours(carrier);
        }
    }

    /// Entries of the neighbour table are taken away for others, so it is looked at now and then.
    fn look_for_neighbours(&mut self, carrier: &mut impl Carrier) {
        let near = self.lanes.last_mut().filter(|lane| lane.link.is_none() && lane.sweep.has_neighbours());
        if let Some(lane) = near {
            lane.sweep.on_neighbours(&carrier.neighbours());
        }
    }

    /// Sends on all ways; tells until when nothing is to be sent on any, `None` at the end of all.
    fn send(&mut self, now: Duration, carrier: &mut impl Carrier) -> Option<Duration> {
        self.lanes.iter_mut().enumerate().filter_map(|(place, lane)| lane.send(place, now, carrier)).min()
    }
}

/// The error with what the kernel said.
fn text(error: &CarrierError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
