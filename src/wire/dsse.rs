//! Signed bytes with their type: the envelope of DSSE 1.0 (secure-systems-lab/dsse, protocol.md),
//! with the field names of this protocol and exactly one signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::key::{PublicKey, Signature};
use crate::wire::signature::{KeyPair, is_signed_by};

/// Bytes, what they are, and who signed both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dsse {
    payload_type: String,
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    payload: Vec<u8>,
    signatures: [Signed; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    // The key is its own id: what a newcomer signed is verified before it is read.
    keyid: PublicKey,
    sig: Signature,
}

impl Dsse {
    /// Signs bytes as being of this type.
    pub fn sign(payload_type: String, payload: Vec<u8>, key: &KeyPair) -> Self {
        let sig = key.sign(&pre_authentication_encoding(&payload_type, &payload));
        Self { payload_type, payload, signatures: [Signed { keyid: key.public_key(), sig }] }
    }

    /// What the bytes are said to be.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The bytes, signed by somebody or nobody.
    pub fn unverified(&self) -> &[u8] {
        &self.payload
    }

    /// The key that is said to have signed.
    pub const fn keyid(&self) -> &PublicKey {
        let [signed] = &self.signatures;
        &signed.keyid
    }

    /// The bytes, when this key signed them and their type.
    pub fn verified(&self, key: &PublicKey) -> Option<&[u8]> {
        let [signed] = &self.signatures;
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        (signed.keyid == *key && is_signed_by(key, &message, &signed.sig)).then_some(&self.payload)
    }
}

/// What is signed in place of bytes and their type: both with their lengths, so that neither can run
/// into the other (PAE, DSSE 1.0).
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

fn write_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|_| serde::de::Error::custom("the payload is not padded base64 (RFC 4648 section 4)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::canonical::read;
    use crate::wire::signature::tests::key;
    use proptest::prelude::*;

    /// DSSE 1.0, protocol.md: the example of the encoding, and the reason for the lengths.
    #[test]
    fn the_vector_of_the_specification() {
        assert_eq!(
            pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pre_authentication_encoding("", b""), b"DSSEv1 0  0 ");
        assert_ne!(pre_authentication_encoding("a 1 b", b"c"), pre_authentication_encoding("a", b"b 1 c"));
    }

    #[test]
    fn the_form_is_that_of_the_protocol() {
        let signed = Dsse::sign("t".to_owned(), b"{}".to_vec(), &key(1));
        let json = serde_json::to_value(&signed).unwrap();
        assert_eq!(json["payload_type"], "t");
        assert_eq!(json["payload"], "e30=");
        assert_eq!(json["signatures"][0]["keyid"], key(1).public_key().to_string());
        assert_eq!(json["signatures"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn there_is_one_signature_and_nothing_else() {
        let good = serde_json::to_value(Dsse::sign("t".to_owned(), b"{}".to_vec(), &key(1))).unwrap();
        let one = good["signatures"][0].clone();
        let with = |field: &str, value: serde_json::Value| {
            let mut changed = good.clone();
            changed[field] = value;
            read::<Dsse>(changed.to_string().as_bytes(), "an envelope")
        };
        assert!(with("payload", "e30=".into()).is_ok());
        assert!(with("signatures", serde_json::json!([])).is_err());
        assert!(with("signatures", serde_json::json!([one, one])).is_err());
        assert!(with("payload", "e30".into()).is_err());
        assert!(with("more", 1.into()).is_err());
    }

    proptest! {
        #[test]
        fn type_bytes_and_key_are_signed(bytes in prop::collection::vec(any::<u8>(), 0..50), kind in "[a-z/+.]{0,10}") {
            let signed = Dsse::sign(kind.clone(), bytes.clone(), &key(1));
            let read: Dsse = read(&serde_json::to_vec(&signed).unwrap(), "an envelope").unwrap();
            prop_assert_eq!(&read, &signed);
            prop_assert_eq!(read.verified(&key(1).public_key()), Some(bytes.as_slice()));
            prop_assert_eq!(read.verified(&key(2).public_key()), None);
            let other = Dsse { payload_type: format!("{kind}x"), ..signed.clone() };
            prop_assert_eq!(other.verified(&key(1).public_key()), None);
            let other = Dsse { payload: [bytes, vec![0]].concat(), ..signed };
            prop_assert_eq!(other.verified(&key(1).public_key()), None);
        }
    }
}
