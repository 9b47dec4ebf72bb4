//! When a controller signs a head of its own log, and what it must never sign.

use std::time::Duration;

use crate::algorithms::audit::proof::{self, ProofRefused};
use crate::domain::digest::Digest;
use crate::domain::event::EventType;
use crate::domain::tree::TreeHead;

/// How often it is looked whether the log has grown.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// How often a head is shown to the witnesses even if nothing is new.
pub const REMINDER: Duration = Duration::from_secs(600);

/// After how long without an answer the newest head is sent again.
pub const RESEND: Duration = Duration::from_secs(60);

/// Why it is asked for a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Some seconds have passed.
    Interval,
    /// Some minutes have passed: the witnesses are to see that the log is alive.
    Reminder,
    /// Something happened that is not to wait, or somebody asks for it.
    Asked,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Rest,
    /// The last head is to be shown again.
    Repeat,
    /// A new head: store it, then show it.
    Sign(TreeHead),
}

/// Why no head may be signed any more: what is here does not go on from what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Entries are gone.
    #[error("the log has {here} entries, and a head of {signed} was signed")]
    Shorter {
        /// The entries that are here.
        here: u64,
        /// The entries of the last signed head.
        signed: u64,
    },
    /// Entries are others.
    #[error("the log does not extend the signed head of {signed} entries")]
    Rewritten {
        /// The entries of the last signed head.
        signed: u64,
        /// Why.
        #[source]
        source: ProofRefused,
    },
}

/// Whether an event is only about heads. Such events alone are no reason for a new head before the next
/// reminder: two controllers would feed each other for ever.
pub const fn is_echo(event_type: EventType) -> bool {
    matches!(event_type, EventType::ChildCheckpoint | EventType::AboveCheckpoint | EventType::AnchorLag)
}

/// Decides from the tree as it is, the last head that was signed with the proof from there, and whether
/// anything but echoes was appended since.
///
/// # Errors
/// [`Broken`]; then nothing is signed.
pub fn next(
    here: TreeHead,
    last: Option<TreeHead>,
    proof: &[Digest],
    has_news: bool,
    occasion: Occasion,
) -> Result<Next, Broken> {
    let Some(last) = last else {
        return Ok(if here.size == 0 { Next::Rest } else { Next::Sign(here) });
    };
    if here.size < last.size {
        return Err(Broken::Shorter { here: here.size, signed: last.size });
    }
    proof::consistency(&last, &here, proof).map_err(|source| Broken::Rewritten { signed: last.size, source })?;
    Ok(match occasion {
        Occasion::Interval if here.size == last.size || !has_news => Next::Rest,
        Occasion::Reminder | Occasion::Asked if here.size == last.size => Next::Repeat,
        _ => Next::Sign(here),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::audit::build;
    use crate::algorithms::audit::frontier::Frontier;
    use crate::algorithms::audit::hash;
    use crate::algorithms::audit::tests::{Stored, leaves};
    use proptest::prelude::*;

    fn head(log: &Stored, size: u64) -> TreeHead {
        Frontier::read(log, size).unwrap().head()
    }

    #[test]
    fn a_head_is_signed_when_there_is_news_and_shown_again_when_there_is_none() {
        let log = Stored::of(&leaves(40));
        let at = |last, here, news, occasion| {
            let proof = build::consistency(&log, last, here).unwrap();
            next(head(&log, here), Some(head(&log, last)), &proof, news, occasion).unwrap()
        };
        for (last, here, news, occasion, expected) in [
            (17, 20, true, Occasion::Interval, Next::Sign(head(&log, 20))),
            (17, 20, false, Occasion::Interval, Next::Rest),
            (17, 20, false, Occasion::Reminder, Next::Sign(head(&log, 20))),
            (17, 20, false, Occasion::Asked, Next::Sign(head(&log, 20))),
            (20, 20, false, Occasion::Interval, Next::Rest),
            (20, 20, false, Occasion::Reminder, Next::Repeat),
            (20, 20, false, Occasion::Asked, Next::Repeat),
        ] {
            assert_eq!(at(last, here, news, occasion), expected, "{last} to {here}, {occasion:?}");
        }
        assert_eq!(next(head(&log, 0), None, &[], false, Occasion::Asked), Ok(Next::Rest));
        assert_eq!(next(head(&log, 1), None, &[], false, Occasion::Interval), Ok(Next::Sign(head(&log, 1))));
    }

    proptest! {
        #[test]
        fn what_does_not_extend_the_last_head_is_never_signed(
            old in 1_u64..40, new in 1_u64..=40, changed in 0_usize..39, news: bool,
        ) {
            let honest = Stored::of(&leaves(40));
            let mut others = leaves(40);
            others[changed] = hash::node(&others[changed], &others[changed]);
            let rewritten = Stored::of(&others);
            let proof = build::consistency(&rewritten, old.min(new), new).unwrap();
            for occasion in [Occasion::Interval, Occasion::Reminder, Occasion::Asked] {
                let next = next(head(&rewritten, new), Some(head(&honest, old)), &proof, news, occasion);
                let intact = new >= old && changed as u64 >= old;
                prop_assert_eq!(next.is_ok(), intact);
            }
        }
    }
}
