//! Taking the folders of the controllers of a process.

use std::os::unix::net::UnixListener;

use tracing::error;

use crate::actors::nib::Freeze;
use crate::app::config::{Config, NibSettings};
use crate::app::controller::{OpenNib, actor};
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::app::maintenance::open_in;
use crate::app::socket::AdminSocket;
use crate::domain::controller::Role;
use crate::domain::registry::Membership;
use crate::domain::time::Timestamp;

/// The folder of one controller, taken, with what is in it.
pub(super) struct Opened {
    pub role: Role,
    pub nib: OpenNib,
    /// What the controller became before.
    pub membership: Option<Membership>,
    /// Why nothing may be written to its NIB.
    pub frozen: Option<Freeze>,
    /// Where it is told what to do; taken by whoever listens.
    pub admin: Option<UnixListener>,
    /// The socket's file goes before the lock on its folder does.
    pub socket: AdminSocket,
    pub folder: DataFolder,
}

/// Takes all folders before anything is made in one, so that a start that is refused has changed nothing
/// in any.
pub(super) fn open(places: Vec<(Role, NibSettings)>, config: &Config, now: Timestamp) -> Result<Vec<Opened>, Failure> {
    let taken = places.into_iter().map(|(role, settings)| {
        let folder = DataFolder::take(settings.data_dir()).map_err(Failure::usage)?;
        Ok((role, settings, folder))
    });
    let taken: Vec<_> = taken.collect::<Result<_, Failure>>()?;
    taken.into_iter().map(|(role, settings, folder)| open_one(role, &settings, folder, config, now)).collect()
}

fn open_one(
    role: Role,
    settings: &NibSettings,
    folder: DataFolder,
    config: &Config,
    now: Timestamp,
) -> Result<Opened, Failure> {
    let store = open_in(settings, &actor(config), now)?;
    let nib = OpenNib::new(Box::new(store)).map_err(Failure::Failed)?;
    let membership = nib.reader().map_err(Failure::Failed)?.membership().map_err(Failure::failed)?;
    let frozen = nib.frozen().map_err(Failure::Failed)?;
    if let Some(Freeze { reason }) = &frozen {
        let controller = membership.as_ref().map(|own| own.id.to_string());
        error!(
            %role,
            controller,
            reason,
            remedy = REMEDY,
            "LOG_CORRUPT: the event log is not what was sealed; this controller only answers questions"
        );
    }
    let (socket, admin) = AdminSocket::bind(&folder).map_err(Failure::usage)?;
    Ok(Opened { role, nib, membership, frozen, admin: Some(admin), socket, folder })
}

/// What is to be done about a log that is not what was sealed.
pub(super) const REMEDY: &str = "keep a copy of the folder as evidence, see `pdsno audit verify`, and restore a backup";
