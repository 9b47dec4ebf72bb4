//! What goes up and what came from below, in memory.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::domain::controller::ControllerId;
use crate::domain::device::DeviceId;
use crate::domain::number::StreamSeq;
use crate::domain::stream::{OutboxItem, Sighting, Stream, StreamChange, StreamPosition};
use crate::nib::change::registry::taken;
use crate::nib::memory::MemoryReader;
use crate::nib::memory::journal::{Journal, Table};
use crate::nib::{NibError, Row, StreamReader};

const NO_DEVICE: DeviceId = DeviceId::from_number(0);
const LAST_DEVICE: DeviceId = DeviceId::from_number(u32::MAX);
const LAST_SEQ: StreamSeq = StreamSeq::from_number(u64::MAX);

#[derive(Debug, Default)]
pub(super) struct Streams {
    positions: Table<Stream, StreamPosition>,
    outbox: Table<(Stream, StreamSeq), OutboxItem>,
    received: Table<(ControllerId, Stream), StreamSeq>,
    sightings: Table<(ControllerId, DeviceId), Sighting>,
    by_device: Table<DeviceId, BTreeSet<(ControllerId, DeviceId)>>,
}

impl Journal for Streams {
    fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    fn take_back(&mut self) {
        self.journals().into_iter().for_each(Journal::take_back);
    }
}

impl Streams {
    fn journals(&mut self) -> [&mut dyn Journal; 5] {
        [&mut self.positions, &mut self.outbox, &mut self.received, &mut self.sightings, &mut self.by_device]
    }

    pub(super) fn apply(&mut self, change: &StreamChange) -> Result<(), NibError> {
        match change {
            StreamChange::Enqueue { stream, body, at } => {
                let position = self.position(*stream);
                let seq = position.last.next();
                self.positions.put(*stream, StreamPosition { last: seq, ..position });
                self.outbox.put((*stream, seq), OutboxItem { seq, body: body.clone(), at: *at });
            }
            StreamChange::Acknowledge { stream, up_to } => {
                let position = self.position(*stream);
                if position.acknowledged < *up_to && *up_to <= position.last {
                    self.positions.put(*stream, StreamPosition { acknowledged: *up_to, ..position });
                    self.drop_up_to(*stream, *up_to);
                }
            }
            StreamChange::Discard { stream, last } => {
                if self.position(*stream).last != *last {
                    return Err(taken(Row::Outbox(*stream), None));
                }
                self.drop_up_to(*stream, LAST_SEQ);
            }
            StreamChange::Receive { from, stream, after, seq } => {
                let key = (from.clone(), *stream);
                if self.received.get(&key).copied().unwrap_or_default() != *after {
                    return Err(taken(Row::Stream(from.clone(), *stream, *seq), None));
                }
                self.received.put(key, *seq);
            }
        }
        Ok(())
    }

    fn position(&self, stream: Stream) -> StreamPosition {
        self.positions.get(&stream).copied().unwrap_or_default()
    }

    fn drop_up_to(&mut self, stream: Stream, up_to: StreamSeq) {
        let range = (stream, StreamSeq::default())..=(stream, up_to);
        let dropped: Vec<(Stream, StreamSeq)> = self.outbox.range(range).map(|(key, _)| *key).collect();
        dropped.iter().for_each(|key| self.outbox.remove(key));
    }

    /// Its device is known to exist.
    pub(super) fn put_sighting(&mut self, sighting: &Sighting) {
        let key = (sighting.reporter.clone(), sighting.reported);
        self.drop_sighting(&key);
        let mut tellers = self.by_device.get(&sighting.device).cloned().unwrap_or_default();
        tellers.insert(key.clone());
        self.by_device.put(sighting.device, tellers);
        self.sightings.put(key, sighting.clone());
    }

    /// Whether a controller below told of the device.
    pub(super) fn tells_of(&self, device: DeviceId) -> bool {
        self.by_device.get(&device).is_some_and(|tellers| !tellers.is_empty())
    }

    pub(super) fn drop_sighting(&mut self, key: &(ControllerId, DeviceId)) {
        if let Some(device) = self.sightings.get(key).map(|sighting| sighting.device) {
            let mut tellers = self.by_device.get(&device).cloned().unwrap_or_default();
            tellers.remove(key);
            self.by_device.put(device, tellers);
            self.sightings.remove(key);
        }
    }
}

impl StreamReader for MemoryReader {
    fn outbox(&self, stream: Stream, after: StreamSeq, limit: usize) -> Result<Vec<OutboxItem>, NibError> {
        let state = self.state();
        let waiting = (Bound::Excluded((stream, after)), Bound::Included((stream, LAST_SEQ)));
        Ok(state.streams.outbox.range(waiting).map(|(_, item)| item).take(limit).cloned().collect())
    }

    fn position(&self, stream: Stream) -> Result<StreamPosition, NibError> {
        Ok(self.state().streams.position(stream))
    }

    fn received(&self, from: &ControllerId, stream: Stream) -> Result<StreamSeq, NibError> {
        Ok(self.state().streams.received.get(&(from.clone(), stream)).copied().unwrap_or_default())
    }

    fn sighting(&self, reporter: &ControllerId, reported: DeviceId) -> Result<Option<Sighting>, NibError> {
        Ok(self.state().streams.sightings.get(&(reporter.clone(), reported)).cloned())
    }

    fn sightings_of(&self, device: DeviceId) -> Result<Vec<Sighting>, NibError> {
        let Streams { by_device, sightings, .. } = &self.state().streams;
        let tellers = by_device.get(&device).into_iter().flatten();
        Ok(tellers.filter_map(|key| sightings.get(key)).cloned().collect())
    }

    fn sightings_by(
        &self,
        reporter: &ControllerId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Sighting>, NibError> {
        let state = self.state();
        let key = |device| (reporter.clone(), device);
        let first = after.map_or(Bound::Included(key(NO_DEVICE)), |after| Bound::Excluded(key(after)));
        let page = state.streams.sightings.range((first, Bound::Included(key(LAST_DEVICE))));
        Ok(page.map(|(_, sighting)| sighting).take(limit).cloned().collect())
    }
}
