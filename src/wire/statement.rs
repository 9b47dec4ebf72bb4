//! Signed statements: certificates, delegations, and the chains that they form.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::certificate::{Certificate, Delegation};
use crate::domain::digest::Digest;
use crate::domain::key::PublicKey;
use crate::wire::canonical::{self, CanonicalError, Malformed};
use crate::wire::dsse::Dsse;
use crate::wire::signature::{KeyPair, sha256};

/// Something that can be stated.
pub trait Claim: Serialize + DeserializeOwned + Clone {
    /// Its type, which is signed with it: a certificate cannot pass for a message.
    const PAYLOAD_TYPE: &'static str;
    /// What it is, for refusals.
    const NAME: &'static str;
}

impl Claim for Certificate {
    const PAYLOAD_TYPE: &'static str = "application/vnd.pdsno.certificate.v1+json";
    const NAME: &'static str = "a certificate";
}

impl Claim for Delegation {
    const PAYLOAD_TYPE: &'static str = "application/vnd.pdsno.delegation.v1+json";
    const NAME: &'static str = "a delegation";
}

/// A claim with the exact bytes that were signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Dsse", into = "Dsse", bound = "T: Claim")]
pub struct Statement<T: Claim> {
    dsse: Dsse,
    claim: T,
}

/// Why a signed document is not the statement that is expected.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Something else was signed.
    #[error("{payload_type:?} is not {expected}")]
    Type {
        /// What was signed.
        payload_type: String,
        /// What is expected.
        expected: &'static str,
    },
    /// The bytes are not what their type says.
    #[error("{expected} cannot be read: {detail}")]
    Malformed {
        /// What is expected.
        expected: &'static str,
        /// What is wrong; serde, which carries this error on, keeps no source.
        detail: Malformed,
    },
}

impl<T: Claim> Statement<T> {
    /// States something.
    ///
    /// # Errors
    /// [`CanonicalError`] for a claim that has no canonical form.
    pub fn sign(claim: T, key: &KeyPair) -> Result<Self, CanonicalError> {
        let payload = canonical::to_bytes(&claim)?;
        Ok(Self { dsse: Dsse::sign(T::PAYLOAD_TYPE.to_owned(), payload, key), claim })
    }

    /// What is claimed, by somebody or nobody.
    pub const fn unverified(&self) -> &T {
        &self.claim
    }

    /// What is claimed, when this key signed it.
    pub fn verified(&self, key: &PublicKey) -> Option<&T> {
        self.dsse.verified(key).map(|_| &self.claim)
    }

    /// SHA-256 of the bytes that were signed.
    pub fn digest(&self) -> Digest {
        sha256(self.dsse.unverified())
    }
}

impl<T: Claim> TryFrom<Dsse> for Statement<T> {
    type Error = StatementError;

    fn try_from(dsse: Dsse) -> Result<Self, StatementError> {
        if dsse.payload_type() != T::PAYLOAD_TYPE {
            let payload_type = dsse.payload_type().chars().take(100).collect();
            return Err(StatementError::Type { payload_type, expected: T::NAME });
        }
        let claim = canonical::read(dsse.unverified(), T::NAME)
            .map_err(|detail| StatementError::Malformed { expected: T::NAME, detail })?;
        Ok(Self { dsse, claim })
    }
}

impl<T: Claim> From<Statement<T>> for Dsse {
    fn from(statement: Statement<T>) -> Self {
        statement.dsse
    }
}

/// Who somebody is and why he may be believed: his certificate, that of his issuer, and so on up to
/// the trust root. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// His own first, the root's last; one to three.
    pub certificates: Vec<Statement<Certificate>>,
    /// The right of the chain's Regional Controller to validate.
    pub delegation: Option<Statement<Delegation>>,
}

impl Chain {
    /// The chain of one whom the owner of this chain gave a certificate. A Regional Controller's
    /// delegation comes with its own certificate, a Local Controller's chain keeps its parent's.
    #[must_use]
    pub fn extended(&self, certificate: Statement<Certificate>, delegation: Option<Statement<Delegation>>) -> Self {
        let certificates = std::iter::once(certificate).chain(self.certificates.iter().cloned()).collect();
        Self { certificates, delegation: delegation.or_else(|| self.delegation.clone()) }
    }

    /// Its owner's certificate.
    pub fn leaf(&self) -> Option<&Statement<Certificate>> {
        self.certificates.first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::number::{Epoch, Serial};
    use crate::domain::time::Timestamp;
    use crate::wire::signature::tests::key;

    fn certificate() -> Certificate {
        Certificate {
            controller_id: "global_cntl_1".parse().unwrap(),
            role: crate::domain::controller::Role::Global,
            region: None,
            public_key: key(1).public_key(),
            issuer: "global_cntl_1".parse().unwrap(),
            epoch: Epoch::from_number(1),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1_000),
            serial: Serial::from_number(u64::MAX),
        }
    }

    #[test]
    fn a_statement_is_read_back_with_its_exact_bytes() {
        let signed = Statement::sign(certificate(), &key(1)).unwrap();
        let json = serde_json::to_vec(&signed).unwrap();
        let read: Statement<Certificate> = canonical::read(&json, "a certificate").unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.digest(), signed.digest());
        assert_eq!(read.verified(&key(1).public_key()), Some(&certificate()));
        assert_eq!(read.verified(&key(2).public_key()), None);
    }

    #[test]
    fn a_certificate_is_no_delegation() {
        let signed = serde_json::to_vec(&Statement::sign(certificate(), &key(1)).unwrap()).unwrap();
        let refusal = serde_json::from_slice::<Statement<Delegation>>(&signed).unwrap_err().to_string();
        assert!(refusal.contains("certificate.v1") && refusal.contains("a delegation"), "{refusal}");
    }

    #[test]
    fn what_is_signed_is_read_strictly() {
        for payload in [r#"{"a":1,"a":1}"#, "{}", "[[[[", r#"{"serial":1}"#] {
            let dsse = Dsse::sign(Certificate::PAYLOAD_TYPE.to_owned(), payload.as_bytes().to_vec(), &key(1));
            assert!(matches!(Statement::<Certificate>::try_from(dsse), Err(StatementError::Malformed { .. })));
        }
    }
}
