//! How other actors use the NIB.

use std::time::Duration;

use actix::Recipient;
use tokio::sync::oneshot;

use super::{Ask, Commit};
use crate::actors::REQUEST_DEADLINE;
use crate::domain::change::Change;
use crate::nib::{Committed, NibError, NibReader};

/// How often something is decided anew when others wrote the same rows meanwhile.
const ATTEMPTS: u32 = 4;

/// The wait after the first conflict; it doubles.
const BACKOFF: Duration = Duration::from_millis(50);

/// The way to a NIB: a copy for each actor that uses it.
#[derive(Debug, Clone)]
pub struct Nib {
    commits: Recipient<Commit>,
    questions: Recipient<Ask>,
    /// For the jitter of waits.
    seed: u64,
}

impl Nib {
    /// The way to the NIB of this actor.
    pub const fn new(commits: Recipient<Commit>, questions: Recipient<Ask>, seed: u64) -> Self {
        Self { commits, questions, seed }
    }

    /// Writes all changes or none. No changes are no commit.
    ///
    /// # Errors
    /// [`NibError`]; [`NibError::MaybeCommitted`] when the answer does not come in time.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<Committed, NibError> {
        match tokio::time::timeout(REQUEST_DEADLINE, self.commits.send(Commit(changes))).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(NibError::MaybeCommitted { source: Some(Box::new(error)) }),
            Err(late) => Err(NibError::MaybeCommitted { source: Some(Box::new(late)) }),
        }
    }

    /// Asks a question: one reader, one thread, no wait for it on this one.
    ///
    /// # Errors
    /// Those of the question; [`NibError::Unavailable`] when the answer does not come in time.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn NibReader) -> Result<T, NibError> + Send + 'static,
    ) -> Result<T, NibError> {
        let unavailable = |source| NibError::Unavailable { attempted: "to read", source };
        let (tell, answer) = oneshot::channel();
        let ask = Ask(Box::new(move |reader| {
            // Who asked may be gone.
            let _told = tell.send(question(reader));
        }));
        match tokio::time::timeout(REQUEST_DEADLINE, self.questions.send(ask)).await {
            Ok(Ok(asked)) => asked?,
            Ok(Err(error)) => return Err(unavailable(Some(Box::new(error)))),
            Err(late) => return Err(unavailable(Some(Box::new(late)))),
        }
        answer.await.unwrap_or_else(|error| Err(unavailable(Some(Box::new(error)))))
    }

    /// Looks, decides and commits; when others wrote meanwhile, or it is not known whether the commit
    /// took place, looks and decides again, up to three times, 50, 100, 200 ms apart and up to half
    /// longer. What is decided is told only after its commit.
    ///
    /// # Errors
    /// [`NibError`] of the look, or of the last commit.
    pub async fn decide<V: Send + 'static, T>(
        &self,
        look: impl FnOnce(&dyn NibReader) -> Result<V, NibError> + Clone + Send + 'static,
        mut decide: impl FnMut(V) -> (Vec<Change>, T),
    ) -> Result<T, NibError> {
        let mut jitter = fastrand::Rng::with_seed(self.seed);
        let mut attempt = 1;
        loop {
            let (changes, told) = decide(self.ask(look.clone()).await?);
            if changes.is_empty() {
                return Ok(told);
            }
            match self.commit(changes).await {
                Ok(_) => return Ok(told),
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    let wait = BACKOFF * (1 << (attempt - 1));
                    tokio::time::sleep(wait.mul_f64(1.0 + jitter.f64() / 2.0)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
