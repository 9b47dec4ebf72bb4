//! Giving up what is not needed any more (capabilities(7)).

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// Why privileges could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("cannot give up capabilities")]
pub struct PrivilegeError {
    #[source]
    source: std::io::Error,
}

/// Gives up every capability, and the right to gain new ones by running another program.
///
/// Capabilities belong to a thread and are inherited by those that it starts: this must be called
/// while there is only one. Descriptors that are open stay open.
///
/// # Errors
/// [`PrivilegeError`] when the kernel refuses.
pub fn drop_all() -> Result<(), PrivilegeError> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_no_new_privs(true)
        .and_then(|()| set_capabilities(None, sets))
        .map_err(|error| PrivilegeError { source: error.into() })
}
