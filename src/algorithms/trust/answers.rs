//! What the sender of a refused message is told, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::algorithms::trust::gate::Refused;
use crate::algorithms::trust::refusal::Refusal;
use crate::domain::controller::ControllerId;
use crate::domain::message::MessageType;
use crate::wire::refused::MessageRefused;

/// How long one sender waits for its next answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How many senders can be answered within a pause.
const MOST: usize = 1_024;

/// Who was answered lately.
#[derive(Debug, Default)]
pub struct Answers {
    last: BTreeMap<ControllerId, Duration>,
}

impl Answers {
    /// Whether this sender may be answered now; if so, it counts as answered.
    pub fn may_answer(&mut self, to: &ControllerId, now: Duration) -> bool {
        let is_recent = |at: &Duration| now.saturating_sub(*at) < PAUSE;
        if self.last.get(to).is_some_and(is_recent) {
            return false;
        }
        if self.last.len() >= MOST && !self.last.contains_key(to) {
            self.last.retain(|_, at| is_recent(at));
            if self.last.len() >= MOST {
                return false;
            }
        }
        self.last.insert(to.clone(), now);
        true
    }
}

/// The answer to a refused message, and for whom it is.
///
/// Only whose signature was right is answered, or anybody could have us write to others. A refusal is
/// not answered, or two controllers would go on for ever; nor a replay: its sender would be told that
/// what was taken was not.
pub fn answer(refused: &Refused) -> Option<(ControllerId, MessageRefused)> {
    let header = refused.header.as_deref()?;
    if header.message_type == MessageType::MessageRefused {
        return None;
    }
    let to = match &refused.refusal {
        Refusal::Replayed => return None,
        // The one who signed, not the one whom it named.
        Refusal::SenderMismatch { owner, .. } => owner.clone(),
        _ => header.sender_id.clone(),
    };
    let reason = refused.refusal.reason();
    let told = reason.outward();
    let detail = if told == reason { refused.refusal.to_string() } else { told.to_string() };
    Some((to, MessageRefused { message_id: header.message_id, reason: told, detail }))
}
