//! The admin socket of a data folder: where a running controller is told what to do.
//!
//! Its mode is 0600 before anybody can connect, so only root and the owner of the folder's
//! controller can. Over HTTP it has the API of `northbound`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, chmodat, fchmod, statat, unlinkat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

use crate::app::folder::DataFolder;

/// The name in the data folder.
pub const NAME: &str = "admin.sock";

/// Connections that wait to be accepted: a person and some scripts.
const BACKLOG: i32 = 16;

/// The socket as a file, which is removed when this is dropped. Until then the folder stays locked,
/// so that it is this socket and not a successor's that is removed.
#[derive(Debug)]
pub struct AdminSocket {
    folder: File,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something else has the name.
    #[error("{} is no socket; move it away", .path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// The system does not allow it.
    #[error("cannot make the admin socket {}", .path.display())]
    Unusable {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl AdminSocket {
    /// Makes the socket and listens on it. One that is there already was left behind by a controller
    /// that is dead, for the folder is locked by this one.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn bind(folder: &DataFolder) -> Result<(Self, UnixListener), SocketError> {
        let path = folder.path().join(NAME);
        let unusable = |source| SocketError::Unusable { path: path.clone(), source };
        let handle = folder.handle().map_err(unusable)?;
        match statat(&handle, NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if FileType::from_raw_mode(there.st_mode) != FileType::Socket => {
                return Err(SocketError::Occupied { path });
            }
            Ok(_) => unlinkat(&handle, NAME, AtFlags::empty()).map_err(|error| unusable(error.into()))?,
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(unusable(error.into())),
        }
        let socket = made(&handle, folder.path()).map_err(|error| unusable(error.into()))?;
        // From here on the file is there, and goes when this is dropped.
        let made = Self { folder: handle };
        // A umask can only have taken rights away; the owner needs his.
        chmodat(&made.folder, NAME, Mode::RUSR | Mode::WUSR, AtFlags::empty())
            .map_err(|error| unusable(error.into()))?;
        listen(&socket, BACKLOG).map_err(|error| unusable(error.into()))?;
        Ok((made, UnixListener::from(socket)))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = unlinkat(&self.folder, NAME, AtFlags::empty()) {
            tracing::warn!(%error, "the admin socket could not be removed");
        }
    }
}

/// A bound socket. Until it listens nobody can connect (unix(7)), and the mode of its file is that of
/// the descriptor, less the umask.
fn made(handle: &File, folder: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(address(handle, folder))?)?;
    Ok(socket)
}

/// By which path the socket of this folder is bound and connected to. An address has room for 107
/// octets (unix(7)); a longer path is gone through the folder's descriptor, which must stay open
/// meanwhile (proc(5)).
pub fn address(handle: &impl AsFd, folder: &Path) -> PathBuf {
    const ROOM: usize = 107;
    let path = folder.join(NAME);
    if path.as_os_str().len() <= ROOM {
        return path;
    }
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", handle.as_fd().as_raw_fd()))
}
