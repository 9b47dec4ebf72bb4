//! What a member makes of its parent's word that it was not acted on.

use crate::domain::controller::ControllerId;
use crate::domain::key::PublicKey;
use crate::domain::reason::Reason;
use crate::wire::envelope::Message;
use crate::wire::refused::MessageRefused;

/// What a refusal comes to for a controller that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is about that message only.
    Passing,
    /// The parent takes nothing of this controller now, and may again: an operator must do this.
    Barred(&'static str),
    /// The parent will take nothing of this certificate any more: an operator must do this.
    Over(&'static str),
}

/// What a message that passed the gate under `sender`'s certificate means to the member with this
/// parent and key. A refusal by somebody else, or of what another key signed, means nothing: who sends
/// under another's name must not be able to have him refused.
pub fn effect(
    message: &Message<MessageRefused>,
    sender: Option<&ControllerId>,
    parent: Option<&ControllerId>,
    own: &PublicKey,
) -> Effect {
    let is_ours = sender.is_some() && sender == parent && message.body.keyid == *own;
    if is_ours { effect_of(message.body.reason) } else { Effect::Passing }
}

/// What it means to a member that its parent refuses it for this reason.
pub fn effect_of(reason: Reason) -> Effect {
    let Some(remedy) = reason.remedy() else { return Effect::Passing };
    match reason {
        Reason::ControllerRevoked | Reason::IdentityLocked | Reason::IdentityCloned | Reason::CertificateRetired => {
            Effect::Over(remedy)
        }
        Reason::ControllerSuspended | Reason::CertificateExpired | Reason::Blocklisted => Effect::Barred(remedy),
        _ => Effect::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{BootId, MessageId, MessageType};
    use crate::domain::number::{Epoch, MessageSeq};
    use crate::domain::time::Timestamp;
    use crate::wire::envelope::{Destination, Header};

    fn refused(reason: Reason, key: u8) -> Message<MessageRefused> {
        let message_id = MessageId::new(Timestamp::from_millis(1), [1; 10]);
        let header = Header {
            message_id,
            message_type: MessageType::MessageRefused,
            sender_id: parent(),
            destination: Destination::Controller("local_cntl_zoneA_1".parse().unwrap()),
            boot_id: BootId::new([1; 16]),
            seq: MessageSeq::from_number(1),
            timestamp: Timestamp::from_millis(1),
            epoch: Epoch::from_number(1),
            schema_version: 1,
        };
        let keyid = PublicKey::from_bytes([key; 32]);
        let body = MessageRefused { message_id, keyid, reason, detail: String::new(), parent: None };
        Message { header, body, key: PublicKey::from_bytes([9; 32]) }
    }

    fn parent() -> ControllerId {
        "regional_cntl_zoneA_1".parse().unwrap()
    }

    #[test]
    fn only_the_parents_word_about_the_own_key_counts() {
        let (parent, other) = (parent(), "regional_cntl_zoneB_1".parse().unwrap());
        let (own, reason) = (PublicKey::from_bytes([1; 32]), Reason::ControllerRevoked);
        let told = |key, sender| effect(&refused(reason, key), sender, Some(&parent), &own);
        assert!(matches!(told(1, Some(&parent)), Effect::Over(_)));
        assert_eq!(told(2, Some(&parent)), Effect::Passing);
        assert_eq!(told(1, Some(&other)), Effect::Passing);
        assert_eq!(told(1, None), Effect::Passing);
        assert_eq!(effect(&refused(reason, 1), None, None, &own), Effect::Passing);
    }

    #[test]
    fn what_an_operator_can_take_back_is_not_the_end() {
        for reason in Reason::ALL {
            let is_over = matches!(effect_of(reason), Effect::Over(_));
            let wanted =
                [Reason::ControllerRevoked, Reason::IdentityLocked, Reason::IdentityCloned, Reason::CertificateRetired];
            assert_eq!(is_over, wanted.contains(&reason), "{reason}");
        }
        assert!(matches!(effect_of(Reason::ControllerSuspended), Effect::Barred(_)));
        assert_eq!(effect_of(Reason::OutOfSequence), Effect::Passing);
        assert_eq!(effect_of(Reason::TokenScopeMismatch), Effect::Passing);
    }
}
