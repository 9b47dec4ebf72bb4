//! What the sender of a refused message is told, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::algorithms::trust::gate::Refused;
use crate::algorithms::trust::refusal::Refusal;
use crate::domain::controller::ControllerId;
use crate::domain::message::MessageType;
use crate::wire::envelope::Header;
use crate::wire::refused::MessageRefused;

/// How long one sender waits for its next answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How many senders can be answered within a pause.
const MOST: usize = 1_024;

/// Who was answered lately.
#[derive(Debug)]
pub struct Answers<K = ControllerId> {
    last: BTreeMap<K, Duration>,
}

impl<K> Default for Answers<K> {
    fn default() -> Self {
        Self { last: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Answers<K> {
    /// Whether this sender may be answered now; if so, it counts as answered.
    pub fn may_answer(&mut self, to: &K, now: Duration) -> bool {
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
/// what was taken was not. Who is refused unread is answered by the header that his key signed, if
/// that was looked at.
pub fn answer(refused: &Refused, signed: Option<&Header>) -> Option<(ControllerId, MessageRefused)> {
    let header = refused.header.as_deref().or(signed)?;
    if header.message_type == MessageType::MessageRefused {
        return None;
    }
    let to = match &refused.refusal {
        Refusal::Replayed => return None,
        // The one who signed, not the one whom it named.
        Refusal::SenderMismatch { owner, .. } => owner.clone(),
        refusal => match refusal.barred() {
            Some(controller) if !header.sender_id.is_newcomer() => controller.clone(),
            _ => header.sender_id.clone(),
        },
    };
    let reason = refused.refusal.reason();
    let told = reason.outward();
    let detail = if told == reason { refused.refusal.to_string() } else { told.to_string() };
    let (message_id, keyid) = (header.message_id, refused.key?);
    Some((to, MessageRefused { message_id, keyid, reason: told, detail, parent: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::PublicKey;
    use crate::domain::message::{BootId, MessageId};
    use crate::domain::number::{Epoch, MessageSeq};
    use crate::domain::reason::Reason;
    use crate::domain::time::Timestamp;
    use crate::wire::envelope::Destination;

    fn name(number: u32) -> ControllerId {
        format!("local_cntl_zoneA_{number}").parse().unwrap()
    }

    fn refused(refusal: Refusal, message_type: MessageType) -> Refused {
        let header = Header {
            message_id: MessageId::new(Timestamp::from_millis(1), [1; 10]),
            message_type,
            sender_id: name(1),
            destination: Destination::Controller(name(9)),
            boot_id: BootId::new([1; 16]),
            seq: MessageSeq::from_number(1),
            timestamp: Timestamp::from_millis(1),
            epoch: Epoch::from_number(1),
            schema_version: 1,
        };
        Refused { refusal, key: Some(PublicKey::from_bytes([1; 32])), header: Some(Box::new(header)) }
    }

    #[test]
    fn one_sender_is_answered_once_a_second_and_others_beside_it() {
        let (mut answers, at) = (Answers::default(), Duration::from_millis);
        assert!(answers.may_answer(&name(1), at(0)));
        assert!(!answers.may_answer(&name(1), at(999)));
        assert!(answers.may_answer(&name(2), at(999)));
        assert!(answers.may_answer(&name(1), at(1_000)));
    }

    #[test]
    fn not_more_are_answered_than_can_be_remembered() {
        let (mut answers, at) = (Answers::default(), Duration::from_millis);
        let answered = (0..5_000).filter(|number| answers.may_answer(&name(*number), at(0))).count();
        assert_eq!((answered, answers.last.len()), (MOST, MOST));
        assert!(answers.may_answer(&name(6_000), at(1_000)));
        assert_eq!(answers.last.len(), 1);
    }

    #[test]
    fn the_answer_has_the_reason_and_goes_to_the_one_who_signed() {
        let refused_as = |refusal| answer(&refused(refusal, MessageType::Heartbeat), None);
        let (to, told) = refused_as(Refusal::WrongRecipient).unwrap();
        assert_eq!((to, told.reason), (name(1), Reason::WrongRecipient));
        assert_eq!(told.detail, "the message is not for this controller");
        let (to, _) = refused_as(Refusal::SenderMismatch { claimed: name(1), owner: name(2) }).unwrap();
        assert_eq!(to, name(2));
    }

    #[test]
    fn who_is_refused_unread_is_told_under_the_name_that_his_key_has() {
        let revoked =
            || Refused { header: None, ..refused(Refusal::Revoked { controller: name(2) }, MessageType::Heartbeat) };
        let mut header = *refused(Refusal::WrongRecipient, MessageType::Heartbeat).header.unwrap();
        assert_eq!(answer(&revoked(), None), None);
        let (to, told) = answer(&revoked(), Some(&header)).unwrap();
        assert_eq!((to, told.reason, told.keyid), (name(2), Reason::ControllerRevoked, PublicKey::from_bytes([1; 32])));
        header.sender_id = ControllerId::newcomer([7; 16]);
        assert_eq!(answer(&revoked(), Some(&header)).unwrap().0, header.sender_id);
    }

    #[test]
    fn who_signed_nothing_a_replay_and_a_refusal_are_not_answered() {
        let unsigned = Refused { header: None, ..refused(Refusal::UnknownSender, MessageType::Heartbeat) };
        assert_eq!(answer(&unsigned, None), None);
        assert_eq!(answer(&refused(Refusal::Replayed, MessageType::Heartbeat), None), None);
        assert_eq!(answer(&refused(Refusal::WrongRecipient, MessageType::MessageRefused), None), None);
    }
}
