//! What a joiner proves: not a number that somebody chose, but the whole conversation.

use serde::Serialize;

use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::key::{HmacTag, Nonce, PublicKey, Signature};
use crate::domain::message::{ChallengeId, MessageType};
use crate::domain::number::Serial;
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenSecret};
use crate::wire::canonical::{self, CanonicalError};
use crate::wire::dsse::pre_authentication_encoding;
use crate::wire::signature::{KeyPair, authenticate, is_authentic, is_signed_by, sha256};

/// Everything that both sides said in a validation, as each of them saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transcript {
    /// The message that carries the proofs.
    pub message_type: MessageType,
    /// What the joiner calls itself.
    pub temp_id: ControllerId,
    /// Its token.
    pub token_id: TokenId,
    /// The tier that it wants.
    pub role: Role,
    /// The region that it wants.
    pub region: Region,
    /// Its key.
    pub public_key: PublicKey,
    /// Its nonce.
    pub client_nonce: Nonce,
    /// The parent's nonce.
    pub server_nonce: Nonce,
    /// The parent's challenge.
    pub challenge_id: ChallengeId,
    /// The parent's name.
    pub parent_id: ControllerId,
    /// SHA-256 of what is signed in the parent's certificate.
    pub parent_certificate: Digest,
    /// When the challenge was made.
    pub issued_at: Timestamp,
}

/// What the two proofs are over, each with a type of its own, so that neither passes for the other
/// or for anything else that is signed here.
fn encoded<T: Serialize>(kind: &str, transcript: &T) -> Result<Vec<u8>, CanonicalError> {
    let payload_type = format!("application/vnd.pdsno.{kind}.v1+json");
    Ok(pre_authentication_encoding(&payload_type, &canonical::to_bytes(transcript)?))
}

const POSSESSION: &str = "validation_transcript.possession";
const TOKEN: &str = "validation_transcript.token";

/// The key of a token's proofs: SHA-256 of its secret, which is all that the parent keeps of it.
pub fn token_key(secret: &TokenSecret) -> Digest {
    sha256(secret.as_bytes())
}

impl Transcript {
    /// The joiner's proof that it has its private key.
    ///
    /// # Errors
    /// [`CanonicalError`]; no transcript has cause for one.
    pub fn sign(&self, key: &KeyPair) -> Result<Signature, CanonicalError> {
        encoded(POSSESSION, self).map(|bytes| key.sign(&bytes))
    }

    /// Whether the holder of the transcript's key signed it.
    pub fn is_signed(&self, signature: &Signature) -> bool {
        encoded(POSSESSION, self).is_ok_and(|bytes| is_signed_by(&self.public_key, &bytes, signature))
    }

    /// The joiner's proof that it knows the token's secret.
    ///
    /// # Errors
    /// As [`Transcript::sign`].
    pub fn authenticate(&self, secret: &TokenSecret) -> Result<HmacTag, CanonicalError> {
        encoded(TOKEN, self).map(|bytes| authenticate(token_key(secret).as_bytes(), &bytes))
    }

    /// Whether somebody who knows the secret with this hash made the proof.
    pub fn is_authentic(&self, secret_hash: &Digest, tag: &HmacTag) -> bool {
        encoded(TOKEN, self).is_ok_and(|bytes| is_authentic(secret_hash.as_bytes(), &bytes, tag))
    }
}

/// What a controller proves with the next key that it wants a certificate for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenewalTranscript {
    /// The message that carries the proof.
    pub message_type: MessageType,
    /// Who wants it.
    pub controller_id: ControllerId,
    /// Its certificate so far.
    pub current_serial: Serial,
    /// The key that it wants one for.
    pub public_key: PublicKey,
    /// Its nonce.
    pub nonce: Nonce,
}

const RENEWAL: &str = "renewal_transcript.possession";

impl RenewalTranscript {
    /// The proof that one has the next private key.
    ///
    /// # Errors
    /// As [`Transcript::sign`].
    pub fn sign(&self, key: &KeyPair) -> Result<Signature, CanonicalError> {
        encoded(RENEWAL, self).map(|bytes| key.sign(&bytes))
    }

    /// Whether the holder of the next key signed it.
    pub fn is_signed(&self, signature: &Signature) -> bool {
        encoded(RENEWAL, self).is_ok_and(|bytes| is_signed_by(&self.public_key, &bytes, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signature::tests::key;
    use secrecy::zeroize::Zeroizing;

    fn transcript() -> Transcript {
        Transcript {
            message_type: MessageType::ChallengeResponse,
            temp_id: ControllerId::newcomer([1; 16]),
            token_id: TokenId::new([2; 12]),
            role: Role::Local,
            region: "zone-A".parse().unwrap(),
            public_key: key(1).public_key(),
            client_nonce: Nonce::from_bytes([3; 32]),
            server_nonce: Nonce::from_bytes([4; 32]),
            challenge_id: ChallengeId::new([5; 16]),
            parent_id: "regional_cntl_zoneA_1".parse().unwrap(),
            parent_certificate: Digest::from_bytes([6; 32]),
            issued_at: Timestamp::from_millis(7),
        }
    }

    #[test]
    fn every_part_of_the_conversation_is_bound() {
        let secret = TokenSecret::new(&Zeroizing::new([9; 32]));
        let said = transcript();
        let (signature, tag) = (said.sign(&key(1)).unwrap(), said.authenticate(&secret).unwrap());
        assert!(said.is_signed(&signature) && said.is_authentic(&token_key(&secret), &tag));
        let others = [
            Transcript { message_type: MessageType::ValidationRequest, ..transcript() },
            Transcript { temp_id: ControllerId::newcomer([0; 16]), ..transcript() },
            Transcript { token_id: TokenId::new([0; 12]), ..transcript() },
            Transcript { role: Role::Regional, ..transcript() },
            Transcript { region: "zone-B".parse().unwrap(), ..transcript() },
            Transcript { public_key: key(2).public_key(), ..transcript() },
            Transcript { client_nonce: Nonce::from_bytes([0; 32]), ..transcript() },
            Transcript { server_nonce: Nonce::from_bytes([0; 32]), ..transcript() },
            Transcript { challenge_id: ChallengeId::new([0; 16]), ..transcript() },
            Transcript { parent_id: "regional_cntl_zoneA_2".parse().unwrap(), ..transcript() },
            Transcript { parent_certificate: Digest::from_bytes([0; 32]), ..transcript() },
            Transcript { issued_at: Timestamp::from_millis(8), ..transcript() },
        ];
        for other in others {
            assert!(!other.is_signed(&signature), "{other:?}");
            assert!(!other.is_authentic(&token_key(&secret), &tag), "{other:?}");
        }
        assert!(!said.is_authentic(&Digest::from_bytes([9; 32]), &tag));
    }
}
