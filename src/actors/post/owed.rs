//! What the gate decided and the NIB must keep.

use tracing::error;

use crate::actors::causes;
use crate::actors::nib::Nib;
use crate::algorithms::trust::directory::Switched;
use crate::algorithms::trust::standing::{lock, switch};
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::time::Timestamp;
use crate::nib::NibError;

/// A decision that is to be written before anything comes of it.
#[derive(Debug)]
pub(super) enum Owed {
    /// A controller used its next certificate, this one.
    Switched((Switched, Certificate)),
    /// Two processes sent under this name.
    Locked {
        /// The name.
        sender: ControllerId,
        /// What was seen, for people.
        detail: String,
        /// Where the message came from that showed it.
        source: String,
    },
}

impl Owed {
    /// Whom it is about.
    pub const fn controller(&self) -> &ControllerId {
        match self {
            Self::Switched((switched, _)) => &switched.controller,
            Self::Locked { sender, .. } => sender,
        }
    }

    async fn write(&self, nib: &Nib, own: &ControllerId, now: Timestamp) -> Result<(), NibError> {
        let id = self.controller().clone();
        nib.decide(
            move |reader| reader.controller(&id),
            |row| match self {
                Self::Switched((switched, certificate)) => (switch(row, switched, certificate, own, now), ()),
                Self::Locked { sender, detail, source } => (lock(row, sender, detail, source, own, now), ()),
            },
        )
        .await
    }
}

/// Writes what is owed, and returns what could not be written.
pub(super) async fn settle(owed: Vec<Owed>, nib: Nib, own: ControllerId, now: Timestamp) -> Vec<Owed> {
    let mut left = Vec::new();
    for owed in owed {
        if let Err(error) = owed.write(&nib, &own, now).await {
            error!(controller = %owed.controller(), error = %causes(&error), "a decision of the gate was not written");
            left.push(owed);
        }
    }
    left
}
