//! The questions to a NIB beside those about devices and events, by what they are about.

use std::collections::BTreeMap;

use crate::domain::controller::{ControllerId, Region, RegionSlug, Role};
use crate::domain::device::DeviceId;
use crate::domain::digest::Digest;
use crate::domain::entry::EventId;
use crate::domain::event::EventSeq;
use crate::domain::key::PublicKey;
use crate::domain::log::{Edge, Evidence, StoredEntry, StoredHead};
use crate::domain::number::{PolicyVersion, Serial, StreamSeq};
use crate::domain::origin::Origin;
use crate::domain::policy::PolicyRow;
use crate::domain::registry::{Blocked, ControllerRow, Membership};
use crate::domain::stream::{OutboxItem, Sighting, Stream, StreamPosition};
use crate::domain::token::{TokenId, TokenRow};
use crate::nib::NibError;

/// Who belongs here.
pub trait RegistryReader {
    /// Who this controller is; `None` before it was given a name.
    ///
    /// # Errors
    /// [`NibError::Unavailable`], [`NibError::Corrupt`]; the same for every question below.
    fn membership(&self) -> Result<Option<Membership>, NibError>;

    /// One token.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn token(&self, id: TokenId) -> Result<Option<TokenRow>, NibError>;

    /// At most `limit` tokens, ascending by id, those after `after`.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, NibError>;

    /// One controller.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn controller(&self, id: &ControllerId) -> Result<Option<ControllerRow>, NibError>;

    /// The controller that has this key, as its present or its next one.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn controller_by_key(&self, key: &PublicKey) -> Result<Option<ControllerRow>, NibError>;

    /// At most `limit` controllers, ascending by id, those after `after`.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn controllers(&self, after: Option<&ControllerId>, limit: usize) -> Result<Vec<ControllerRow>, NibError>;

    /// How many controllers of this tier and region are not revoked.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn count_controllers(&self, role: Role, region: &Region) -> Result<u32, NibError>;

    /// The regions of all controllers, also of revoked ones, by what stands for them in names.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn regions(&self) -> Result<BTreeMap<RegionSlug, Region>, NibError>;

    /// The number that the next name of this tier and region has.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn next_name(&self, role: Role, slug: &RegionSlug) -> Result<u32, NibError>;

    /// The number that the next certificate has. A trust root's own is 1, so the first is 2.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn next_serial(&self) -> Result<Serial, NibError>;

    /// Everything that is refused unseen, with the reasons, ascending.
    ///
    /// # Errors
    /// As [`RegistryReader::membership`].
    fn blocklist(&self) -> Result<Vec<(Blocked, String)>, NibError>;
}

/// What goes up, and what came from below.
pub trait StreamReader {
    /// At most `limit` waiting items, ascending, those after `after`.
    ///
    /// # Errors
    /// [`NibError::Unavailable`], [`NibError::Corrupt`]; the same for every question below.
    fn outbox(&self, stream: Stream, after: StreamSeq, limit: usize) -> Result<Vec<OutboxItem>, NibError>;

    /// How far a stream of this controller is.
    ///
    /// # Errors
    /// As [`StreamReader::outbox`].
    fn position(&self, stream: Stream) -> Result<StreamPosition, NibError>;

    /// The last item of another's stream that was applied; 0 for none.
    ///
    /// # Errors
    /// As [`StreamReader::outbox`].
    fn received(&self, from: &ControllerId, stream: Stream) -> Result<StreamSeq, NibError>;

    /// What one controller told about one of its devices.
    ///
    /// # Errors
    /// As [`StreamReader::outbox`].
    fn sighting(&self, reporter: &ControllerId, reported: DeviceId) -> Result<Option<Sighting>, NibError>;

    /// Who told of a device of this NIB, ascending by reporter and id there.
    ///
    /// # Errors
    /// As [`StreamReader::outbox`].
    fn sightings_of(&self, device: DeviceId) -> Result<Vec<Sighting>, NibError>;

    /// At most `limit` devices that one controller told of, ascending by id there, those after `after`.
    ///
    /// # Errors
    /// As [`StreamReader::outbox`].
    fn sightings_by(
        &self,
        reporter: &ControllerId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Sighting>, NibError>;
}

/// Policies.
pub trait PolicyReader {
    /// The one in effect: that with the highest version.
    ///
    /// # Errors
    /// [`NibError::Unavailable`], [`NibError::Corrupt`]; the same for the question below.
    fn policy(&self) -> Result<Option<PolicyRow>, NibError>;

    /// At most `limit` policies, ascending by version, those after `after`.
    ///
    /// # Errors
    /// As [`PolicyReader::policy`].
    fn policies(&self, after: PolicyVersion, limit: usize) -> Result<Vec<PolicyRow>, NibError>;
}

/// The event log and what is known of others'.
pub trait LogReader {
    /// The log's tree as it is: size 0 as long as it is not open.
    ///
    /// # Errors
    /// [`NibError::Unavailable`], [`NibError::Corrupt`]; the same for every question below.
    fn edge(&self) -> Result<Edge, NibError>;

    /// At most `limit` entries from this position on.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn entries(&self, from: EventSeq, limit: usize) -> Result<Vec<StoredEntry>, NibError>;

    /// The entry of an event.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn entry(&self, id: EventId) -> Result<Option<StoredEntry>, NibError>;

    /// The hashes `first..first + count` of a tile level, or fewer where there are no more: leaf
    /// hashes at level 0.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn tile_hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, NibError>;

    /// The newest head of a log.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn head(&self, origin: &Origin) -> Result<Option<StoredHead>, NibError>;

    /// At most `limit` heads of a log, ascending by size, those larger than `after`.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn heads(&self, origin: &Origin, after: u64, limit: usize) -> Result<Vec<StoredHead>, NibError>;

    /// The logs that heads are known of, ascending.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn origins(&self) -> Result<Vec<Origin>, NibError>;

    /// The evidence against logs, oldest first.
    ///
    /// # Errors
    /// As [`LogReader::edge`].
    fn evidence(&self) -> Result<Vec<Evidence>, NibError>;
}
