//! Signing the entries of a transaction while its rows are written.
//!
//! ```text
//!   writer ── put ──▶ drafts ──▶ a second thread, from the first
//!      └─ when all rows are written, from the last ─┘
//! ```
//!
//! A signature costs several times as much as the rows of its event, so a transaction with many events
//! borrows a thread for as long as it takes.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::domain::log::{Draft, Signed, Signer};

/// So many signatures take longer than starting a thread for half of them.
const WORTH_A_THREAD: usize = 8;

/// The number of a draft within its transaction: no two have had the same.
pub(super) type Ticket = u64;

/// Signatures by their tickets, also those of drafts that were withdrawn meanwhile.
pub(super) type Signatures = BTreeMap<Ticket, Signed>;

/// Where the drafts of one transaction wait to be signed.
pub(super) struct Desk {
    /// `None` while the log is not open.
    signer: Option<Arc<dyn Signer>>,
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    drafts: VecDeque<(Ticket, Arc<Draft>)>,
    next: Ticket,
    is_closed: bool,
}

impl Desk {
    pub(super) fn new(signer: Option<Arc<dyn Signer>>) -> Self {
        Self { signer, waiting: Mutex::default(), news: Condvar::new() }
    }

    /// A draft to be signed.
    pub(super) fn put(&self, draft: &Arc<Draft>) -> Ticket {
        let mut waiting = self.waiting();
        let ticket = waiting.next;
        waiting.next += 1;
        waiting.drafts.push_back((ticket, Arc::clone(draft)));
        drop(waiting);
        self.news.notify_one();
        ticket
    }

    /// Drafts that need no signature any more: this one and those after it.
    pub(super) fn withdraw(&self, from: Ticket) {
        self.waiting().drafts.retain(|(ticket, _)| *ticket < from);
    }

    /// Signs what `work` puts here, which is about so much; beside it, if that is worth a thread. It
    /// may be called again for more of the same transaction.
    pub(super) fn sign_beside<T>(&self, drafts: usize, work: impl FnOnce() -> T) -> (T, Signatures) {
        let Some(signer) = self.signer.as_deref() else { return (work(), Signatures::new()) };
        self.waiting().is_closed = false;
        thread::scope(|scope| {
            let closing = Closing(self);
            let help = || self.sign(signer, Self::first);
            let helper = (drafts >= WORTH_A_THREAD)
                // Without a thread everything is signed here.
                .then(|| thread::Builder::new().name("nib-signer".to_owned()).spawn_scoped(scope, help).ok())
                .flatten();
            let done = work();
            drop(closing);
            let mut signed = self.sign(signer, Self::last);
            match helper.map(thread::ScopedJoinHandle::join) {
                None => {}
                Some(Ok(others)) => signed.extend(others),
                Some(Err(panic)) => resume_unwind(panic),
            }
            (done, signed)
        })
    }

    fn sign(&self, signer: &dyn Signer, take: impl Fn(&Self) -> Option<(Ticket, Arc<Draft>)>) -> Signatures {
        std::iter::from_fn(|| take(self)).map(|(ticket, draft)| (ticket, signer.sign(&draft.body))).collect()
    }

    /// The draft that waits longest; waits for one until there will be none.
    fn first(&self) -> Option<(Ticket, Arc<Draft>)> {
        let idle = |waiting: &mut Waiting| waiting.drafts.is_empty() && !waiting.is_closed;
        let mut waiting = self.news.wait_while(self.waiting(), idle).unwrap_or_else(PoisonError::into_inner);
        waiting.drafts.pop_front()
    }

    fn last(&self) -> Option<(Ticket, Arc<Draft>)> {
        self.waiting().drafts.pop_back()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the second thread that nothing more comes, also when the work panics.
struct Closing<'d>(&'d Desk);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.waiting().is_closed = true;
        self.0.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::entry::EventId;
    use crate::domain::key::Signature;
    use crate::domain::time::Timestamp;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// The first two octets of a body are its leaf's.
    #[derive(Debug)]
    struct Stamp;

    impl Signer for Stamp {
        fn sign(&self, body: &[u8]) -> Signed {
            Signed { signature: Signature::from_bytes([0; 64]), leaf: leaf(body) }
        }
    }

    fn leaf(body: &[u8]) -> Digest {
        let mut octets = [0; 32];
        octets[..2].copy_from_slice(body);
        Digest::from_bytes(octets)
    }

    fn draft(number: u16) -> Arc<Draft> {
        let event_id = EventId::new(Timestamp::from_millis(0), [0; 10]);
        Arc::new(Draft { event_id, body: number.to_be_bytes().to_vec(), payload: None })
    }

    #[test]
    fn every_draft_is_signed_whoever_does_it_and_none_is_mistaken_for_one_that_was_withdrawn() {
        for expected in [0, 10_000] {
            let desk = Desk::new(Some(Arc::new(Stamp)));
            let (kept, signed) = desk.sign_beside(expected, || {
                let mut kept: Vec<_> = (0..500).map(draft).map(|draft| (desk.put(&draft), draft)).collect();
                for _ in 0..10 {
                    let gone: Vec<_> = (1_000..1_100).map(draft).map(|draft| desk.put(&draft)).collect();
                    desk.withdraw(gone[0]);
                    kept.extend((500..600).map(draft).map(|draft| (desk.put(&draft), draft)));
                }
                kept
            });
            assert_eq!(kept.len(), 1_500);
            assert!(kept.iter().all(|(ticket, draft)| signed[ticket].leaf == leaf(&draft.body)));
        }
    }

    #[test]
    fn a_panic_while_rows_are_written_leaves_no_thread_waiting() {
        let desk = Desk::new(Some(Arc::new(Stamp)));
        let panicked = catch_unwind(AssertUnwindSafe(|| desk.sign_beside(10_000, || panic!("as scripted"))));
        assert!(panicked.is_err());
        assert_eq!(desk.sign_beside(10_000, || desk.put(&draft(7))).1.len(), 1);
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        assert_eq!(Desk::new(None).sign_beside(10_000, || 7), (7, Signatures::new()));
    }
}
