//! Devices are shared among items that fit into messages.

use super::items::Item;
use crate::domain::device::DeviceId;
use crate::wire::canonical::{self, CanonicalError};
use crate::wire::report::{LARGEST_BODY, ReportedDevice};

/// Octets that are kept free for the number and the names around an item.
const FRAME: usize = 256;

/// Shares devices among as many items as are needed, each small enough. The frame's own devices are
/// passed over. There is always one item, if only to say that nothing changed.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn split<I: Item>(
    frame: &I,
    devices: Vec<ReportedDevice>,
    removed: Vec<DeviceId>,
) -> Result<Vec<I>, CanonicalError> {
    let mut items = Vec::new();
    let mut sharing = Sharing::new(frame.clone())?;
    for device in devices {
        sharing.tell(device, &mut items)?;
    }
    for id in removed {
        sharing.forget(id, &mut items)?;
    }
    items.push(sharing.finish(frame));
    Ok(items)
}

/// Shares devices among items as they come: an item leaves when it is full, so that one is all that is
/// held.
#[derive(Debug)]
pub struct Sharing<I> {
    frame: I,
    /// The octets that an item has for devices.
    whole: usize,
    /// Those that are left in this one.
    room: usize,
    told: Vec<ReportedDevice>,
    gone: Vec<DeviceId>,
}

impl<I: Item> Sharing<I> {
    /// Items like this one, which is as long as the last one will be, or longer.
    ///
    /// # Errors
    /// [`CanonicalError`] for a frame that has no canonical form.
    pub fn new(frame: I) -> Result<Self, CanonicalError> {
        let frame = frame.around(Vec::new(), Vec::new());
        let whole = LARGEST_BODY.saturating_sub(canonical::to_bytes(&frame)?.len() + FRAME);
        Ok(Self { frame: frame.unfinished(), whole, room: whole, told: Vec::new(), gone: Vec::new() })
    }

    /// Tells a device; items that are full go to `full`.
    ///
    /// # Errors
    /// [`CanonicalError`] for a device that has no canonical form.
    pub fn tell(&mut self, device: ReportedDevice, full: &mut Vec<I>) -> Result<(), CanonicalError> {
        for (device, length) in cut(device, self.whole)? {
            full.extend(self.make_room(length));
            self.told.push(device);
        }
        Ok(())
    }

    /// Tells that a device is no more.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for an id.
    pub fn forget(&mut self, id: DeviceId, full: &mut Vec<I>) -> Result<(), CanonicalError> {
        full.extend(self.make_room(canonical::to_bytes(&id)?.len()));
        self.gone.push(id);
        Ok(())
    }

    /// The last item: with what only that one says.
    #[must_use]
    pub fn finish(self, frame: &I) -> I {
        frame.around(self.told, self.gone)
    }

    /// Makes room for something of this length: the item that had too little of it.
    fn make_room(&mut self, length: usize) -> Option<I> {
        // And a comma.
        let length = length + 1;
        let mut full = None;
        if length > self.room && !(self.told.is_empty() && self.gone.is_empty()) {
            let (told, gone) = (std::mem::take(&mut self.told), std::mem::take(&mut self.gone));
            full = Some(self.frame.around(told, gone));
            self.room = self.whole;
        }
        self.room = self.room.saturating_sub(length);
        full
    }
}

/// A device whose facts do not fit into one item, as several, each with some of them; and the length of
/// each.
fn cut(device: ReportedDevice, whole: usize) -> Result<Vec<(ReportedDevice, usize)>, CanonicalError> {
    let length = canonical::to_bytes(&device)?.len();
    if length <= whole || device.facts.is_empty() {
        return Ok(vec![(device, length)]);
    }
    let bare = ReportedDevice { facts: Vec::new(), ..device.clone() };
    let empty = canonical::to_bytes(&bare)?.len() + FRAME;
    let mut copies: Vec<(ReportedDevice, usize)> = vec![(bare.clone(), empty)];
    for fact in device.facts {
        // And a comma.
        let length = canonical::to_bytes(&fact)?.len() + 1;
        if copies.last().is_some_and(|(copy, sum)| !copy.facts.is_empty() && sum + length > whole) {
            copies.push((bare.clone(), empty));
        }
        if let Some((copy, sum)) = copies.last_mut() {
            copy.facts.push(fact);
            *sum += length;
        }
    }
    Ok(copies)
}
