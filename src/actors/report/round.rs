//! One round of sending: what was acknowledged goes, what is missed comes again, what may be sent is.

use std::sync::Arc;

use actix::Recipient;
use serde::de::DeserializeOwned;
use tracing::{error, warn};

use super::{Orders, Outlet, SEND_DEADLINE};
use crate::actors::identity::Own;
use crate::actors::nib::{Nib, load_devices};
use crate::actors::post::Send;
use crate::algorithms::discovery::delta::KnownDevice;
use crate::algorithms::report::items::{enqueue, root_of, snapshot};
use crate::algorithms::report::pace::{MOST_WAITING, Pace};
use crate::algorithms::view::summary;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::stream::{OutboxItem, Stream, StreamChange, StreamPosition};
use crate::domain::time::{Clock, Timestamp};
use crate::nib::{NibError, NibReader};
use crate::wire::canonical::CanonicalError;
use crate::wire::envelope::{Body, Destination};
use crate::wire::report::{DiscoveryReport, DiscoverySummary, Report};

pub(super) struct Round {
    pub outlet: Outlet,
    pub nib: Nib,
    pub clock: Arc<dyn Clock>,
    pub own: Arc<Own>,
    pub may_send: bool,
    pub orders: Orders,
    pub pace: Pace,
}

/// How the outbox stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outbox {
    pub position: StreamPosition,
    /// The first item that waits; where none does, the one that will be next.
    first: StreamSeq,
}

impl Outbox {
    pub const fn waiting(&self) -> u64 {
        self.position.last.next().number().saturating_sub(self.first.number())
    }
}

impl Round {
    pub async fn run(mut self) -> (Pace, Result<Outbox, NibError>) {
        let result = self.work().await;
        (self.pace, result)
    }

    async fn work(&mut self) -> Result<Outbox, NibError> {
        let stream = self.outlet.stream();
        if let Some(up_to) = self.orders.acknowledge {
            self.nib.commit(vec![Change::Stream(StreamChange::Acknowledge { stream, up_to })]).await?;
        }
        if self.orders.resume {
            self.pace.resume();
        }
        let mut outbox = self.nib.ask(move |reader| look_at_outbox(reader, stream)).await?;
        if let Some(from) = self.orders.missed_from {
            self.pace.rewind(StreamSeq::from_number(from.number().saturating_sub(1)));
        }
        // What is missed is no more, or is more than it is worth to send one by one.
        let is_gone = self.orders.missed_from.is_some_and(|from| from < outbox.first && from <= outbox.position.last);
        if self.orders.snapshot || is_gone || outbox.waiting() > MOST_WAITING {
            outbox = self.replace().await?;
        }
        if self.may_send {
            self.send(outbox.position).await?;
        }
        Ok(outbox)
    }

    /// Writes a snapshot in the place of all that waits.
    async fn replace(&mut self) -> Result<Outbox, NibError> {
        let stream = self.outlet.stream();
        let (own, now) = (Arc::clone(&self.own), self.clock.now());
        let look = move |reader: &dyn NibReader| {
            let policy_version = reader.policy()?.map(|policy| policy.version);
            Ok((reader.position(stream)?.last, policy_version, all_devices(reader)?))
        };
        let replaced = self.nib.decide(look, |(last, policy_version, devices)| {
            match retold(stream, own.region.as_ref(), &devices, policy_version, now) {
                Ok(items) => {
                    let mut changes = vec![Change::Stream(StreamChange::Discard { stream, last })];
                    changes.extend(items);
                    (changes, Some(last))
                }
                Err(error) => {
                    error!(%stream, %error, "no snapshot can be written");
                    (Vec::new(), None)
                }
            }
        });
        if let Some(last) = replaced.await? {
            self.pace.skip(last);
        }
        self.nib.ask(move |reader| look_at_outbox(reader, stream)).await
    }

    async fn send(&mut self, position: StreamPosition) -> Result<(), NibError> {
        let Some(parent) = self.own.parent.clone() else { return Ok(()) };
        let (after, room) = self.pace.next(position, self.clock.elapsed());
        if room == 0 {
            return Ok(());
        }
        let stream = self.outlet.stream();
        let items = self.nib.ask(move |reader| reader.outbox(stream, after, room)).await?;
        for item in items {
            let seq = item.seq;
            let is_sent = match &self.outlet {
                Outlet::Reports(to) => {
                    let number = |seq, report| DiscoveryReport { seq, report };
                    post(to, &parent, item, number).await
                }
                Outlet::Summaries(to) => {
                    let number = |seq, summary| DiscoverySummary { seq, summary };
                    post(to, &parent, item, number).await
                }
            };
            // What was not taken is waited for like what is lost.
            self.pace.sent(seq, self.clock.elapsed());
            if !is_sent {
                break;
            }
        }
        Ok(())
    }
}

/// Sends one item; whether somebody took it.
async fn post<T: DeserializeOwned, B: Body + std::marker::Send + 'static>(
    to: &Recipient<Send<B>>,
    parent: &ControllerId,
    item: OutboxItem,
    number: impl FnOnce(StreamSeq, T) -> B,
) -> bool {
    let body = match serde_json::from_str(&item.body) {
        Ok(content) => number(item.seq, content),
        Err(error) => {
            error!(seq = %item.seq, %error, "an item of the outbox cannot be read");
            return false;
        }
    };
    let message = Send { to: Destination::Controller(parent.clone()), body };
    match tokio::time::timeout(SEND_DEADLINE, to.send(message)).await {
        Ok(Ok(Ok(_))) => true,
        Ok(Ok(Err(error))) => {
            warn!(seq = %item.seq, %error, "an item of the outbox was not sent");
            false
        }
        Ok(Err(_)) | Err(_) => {
            warn!(seq = %item.seq, "an item of the outbox was not sent in time");
            false
        }
    }
}

fn look_at_outbox(reader: &dyn NibReader, stream: Stream) -> Result<Outbox, NibError> {
    let position = reader.position(stream)?;
    let waiting = reader.outbox(stream, StreamSeq::from_number(0), 1)?;
    Ok(Outbox { position, first: waiting.first().map_or(position.last.next(), |item| item.seq) })
}

fn all_devices(reader: &dyn NibReader) -> Result<Vec<KnownDevice>, NibError> {
    let table = load_devices(reader)?;
    Ok(table.devices.into_iter().map(|(device, facts)| KnownDevice { device, facts }).collect())
}

/// All devices, as items of a stream.
fn retold(
    stream: Stream,
    region: Option<&Region>,
    devices: &[KnownDevice],
    policy_version: Option<PolicyVersion>,
    now: Timestamp,
) -> Result<Vec<Change>, CanonicalError> {
    match (stream, region) {
        (Stream::Summaries, Some(region)) => {
            enqueue(&snapshot(&summary::of_view(region, devices, policy_version)?, devices)?, now)
        }
        _ => {
            let frame = Report { policy_version, state_root: Some(root_of(devices)?), ..Report::default() };
            enqueue(&snapshot(&frame, devices)?, now)
        }
    }
}
