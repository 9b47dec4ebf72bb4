//! The users of the system.

use nix::unistd::{Uid, User};

/// What the user of this number is called, where the system knows. It may ask a directory over the
/// network, so it is not asked on an actor's thread.
pub fn user_name(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}
