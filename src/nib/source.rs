//! A commit that is handed over piece by piece, so that nobody holds all of it.

use std::fmt;
use std::ops::ControlFlow;

use crate::domain::change::Change;
use crate::nib::NibError;

/// Takes the next changes of a commit. After [`ControlFlow::Break`] the commit is refused, whatever
/// follows.
pub type Sink<'s> = dyn FnMut(&[Change]) -> ControlFlow<()> + 's;

type Work = dyn FnOnce(&mut Sink<'_>) -> ControlFlow<()> + Send;

/// Who makes the changes of one commit while they are written, on the thread that writes them.
///
/// It must not ask the store that it writes to: a store may let nobody read meanwhile.
pub struct Source(Box<Work>);

impl Source {
    /// Changes that this work hands over in the order in which they are made. When it ends with
    /// [`ControlFlow::Break`], nothing of it is kept.
    pub fn new(work: impl FnOnce(&mut Sink<'_>) -> ControlFlow<()> + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    /// Changes that are there already.
    pub fn of(changes: Vec<Change>) -> Self {
        Self::new(move |sink| sink(&changes))
    }

    /// Makes all changes.
    ///
    /// # Errors
    /// The first that the sink answered; [`NibError::Invalid`] when the work was given up by itself.
    pub fn run(self, sink: &mut dyn FnMut(&[Change]) -> Result<(), NibError>) -> Result<(), NibError> {
        let mut refused = None;
        let ended = (self.0)(&mut |changes| {
            if refused.is_some() {
                return ControlFlow::Break(());
            }
            match sink(changes) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    refused = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match (refused, ended) {
            (Some(error), _) => Err(error),
            (None, ControlFlow::Break(())) => Err(given_up()),
            (None, ControlFlow::Continue(())) => Ok(()),
        }
    }

    /// All changes at once.
    ///
    /// # Errors
    /// [`NibError::Invalid`] when the work was given up.
    pub fn collect(self) -> Result<Vec<Change>, NibError> {
        let mut all = Vec::new();
        self.run(&mut |changes| {
            all.extend_from_slice(changes);
            Ok(())
        })?;
        Ok(all)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

fn given_up() -> NibError {
    NibError::Invalid { detail: "the changes of a commit were not handed over to the end".to_owned() }
}
