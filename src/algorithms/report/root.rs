//! Whether parent and child have the same devices, told by one value.

use super::facts;
use crate::domain::address::MacAddr;
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::digest::Digest;
use crate::domain::fact::FactVersions;
use crate::wire::canonical::{ArrayDigest, CanonicalError};

/// What of a device both sides know at any time: its id at the reporter, its hardware address, whether
/// it is there, and which facts are known of it. Names and addresses are not in it, for a parent keeps
/// those of the controller that saw the device last; nor is when it was seen, which changes without a
/// report.
pub type Trace = (DeviceId, Option<MacAddr>, bool, Option<Digest>);

/// Whether a device is there: not silent for as long as policy allows. A device that is quarantined or
/// degraded is there.
pub fn is_there(status: DeviceStatus) -> bool {
    status != DeviceStatus::Inactive
}

/// What of a device goes into the root.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn trace(device: &Device, facts: &FactVersions) -> Result<Trace, CanonicalError> {
    Ok((device.id, device.mac, is_there(device.status), facts::digest(facts)?))
}

/// The root of a reporter's devices, ascending by id: SHA-256 over the canonical JSON of their traces.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn state_root(traces: &[Trace]) -> Result<Digest, CanonicalError> {
    let mut root = StateRoot::default();
    traces.iter().try_for_each(|trace| root.add(trace))?;
    Ok(root.finish())
}

/// A [`state_root`] that grows with each device, so that nobody needs to hold the traces of all.
#[derive(Debug, Clone, Default)]
pub struct StateRoot(ArrayDigest);

impl StateRoot {
    /// Adds the next device, whose id is higher than those of all before.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for these values.
    pub fn add(&mut self, trace: &Trace) -> Result<(), CanonicalError> {
        self.0.add(trace)
    }

    /// The root of all devices that were added.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}
