//! Ed25519 (RFC 8032), HMAC-SHA256 (RFC 2104) and SHA-256 (FIPS 180-4), all from ring.
//!
//! Nothing here compares a secret octet by octet: ring verifies in constant time.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ring::{digest, hmac};
use secrecy::zeroize::Zeroizing;

use crate::domain::digest::Digest;
use crate::domain::entropy::{Entropy, NoEntropy};
use crate::domain::key::{HmacTag, PublicKey, Signature};
use crate::domain::secret::HIDDEN;

/// SHA-256 of these octets.
pub fn sha256(bytes: &[u8]) -> Digest {
    of_ring(&digest::digest(&digest::SHA256, bytes))
}

/// SHA-256 of octets that come one after the other.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of no octets yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds octets.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that were added.
    pub fn finish(self) -> Digest {
        of_ring(&self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256")
    }
}

fn of_ring(digest: &digest::Digest) -> Digest {
    let mut value = [0; 32];
    // ring's value has 32 octets; `zip` needs no proof of it.
    value.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Digest::from_bytes(value)
}

/// SHA-256 of a public key: what a bootstrap token pins, and what people compare.
pub fn fingerprint(key: &PublicKey) -> Digest {
    sha256(key.as_bytes())
}

/// HMAC-SHA256 of a message.
pub fn authenticate(key: &[u8], message: &[u8]) -> HmacTag {
    let mut value = [0; 32];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    value.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    HmacTag::from_bytes(value)
}

/// Whether a tag is the message's, in a time that does not tell how much of it is right.
pub fn is_authentic(key: &[u8], message: &[u8], tag: &HmacTag) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag.as_bytes()).is_ok()
}

/// Whether a signature is this key's over the message.
pub fn is_signed_by(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(message, signature.as_bytes()).is_ok()
}

/// A private key as it lies in its file: PKCS#8 (RFC 5208, RFC 8410), wiped when dropped.
pub struct PrivateKeyFile(Zeroizing<Vec<u8>>);

impl PrivateKeyFile {
    /// What stands before the 32 octets of the seed (RFC 8410 section 7): version 0, the algorithm
    /// id-Ed25519, an octet string in an octet string. Other tools read this form; ring's own, which
    /// has the public key behind it, OpenSSL 3.0 does not.
    const HEADING: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

    /// The file of the key that these 32 random octets make.
    pub fn new(seed: &Zeroizing<[u8; 32]>) -> Self {
        let mut document = Zeroizing::new(Vec::with_capacity(Self::HEADING.len() + seed.len()));
        document.extend_from_slice(&Self::HEADING);
        document.extend_from_slice(&**seed);
        Self(document)
    }

    /// The file of a new key.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed)?;
        Ok(Self::new(&seed))
    }

    /// What is to be written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A private key and its public key.
///
/// It is hidden in every print. What ring made of it cannot be wiped from outside; it is dropped with
/// the value and never copied.
pub struct KeyPair {
    pair: Ed25519KeyPair,
    public_key: PublicKey,
}

/// A file that does not hold a private key. It never quotes the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not an Ed25519 private key in PKCS#8 form ({reason})")]
pub struct KeyError {
    reason: String,
}

impl KeyPair {
    /// The key in a file's content, with the public key behind it (RFC 5958) or without.
    ///
    /// # Errors
    /// [`KeyError`] when it is something else, or when the public key behind it is another's.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        let refused = |reason: &str| KeyError { reason: reason.to_owned() };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map_err(|error| refused(&error.to_string()))?;
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| refused("InvalidKeyLength"))?;
        Ok(Self { pair, public_key: PublicKey::from_bytes(public_key) })
    }

    /// Its public key.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Its signature over a message: always the same one (RFC 8032 section 5.1.6).
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut value = [0; 64];
        value.iter_mut().zip(self.pair.sign(message).as_ref()).for_each(|(to, from)| *to = *from);
        Signature::from_bytes(value)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN}, public key {}", self.public_key)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key that is made of this octet, for tests.
    pub(crate) fn key(octet: u8) -> KeyPair {
        KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([octet; 32])).as_bytes()).unwrap()
    }

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn pair(seed: &str) -> KeyPair {
        let seed = Zeroizing::new(octets(seed).try_into().unwrap());
        KeyPair::from_pkcs8(PrivateKeyFile::new(&seed).as_bytes()).unwrap()
    }

    /// RFC 8032 section 7.1, tests 1, 2, 3 and SHA(abc).
    #[test]
    fn the_vectors_of_rfc_8032() {
        let abc = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                   2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        for (seed, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                 18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
            (
                "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                abc,
                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
                 09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
            ),
        ] {
            let pair = pair(seed);
            assert_eq!(pair.public_key().as_bytes().as_slice(), octets(public));
            let signed = pair.sign(&octets(message));
            assert_eq!(signed.as_bytes().as_slice(), octets(signature));
            assert!(is_signed_by(&pair.public_key(), &octets(message), &signed));
        }
    }

    /// RFC 4231 sections 4.2, 4.3, 4.4 and 4.7.
    #[test]
    fn the_vectors_of_rfc_4231() {
        for (key, message, tag) in [
            (
                [0x0b; 20].to_vec(),
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            ([0xaa; 20].to_vec(), vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                [0xaa; 131].to_vec(),
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let made = authenticate(&key, &message);
            assert_eq!(made.as_bytes().as_slice(), octets(tag));
            assert!(is_authentic(&key, &message, &made));
        }
    }

    /// FIPS 180-4, the examples for one block and for the empty message.
    #[test]
    fn the_vectors_of_sha_256() {
        assert_eq!(sha256(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_noticed(message in prop::collection::vec(any::<u8>(), 1..64), at: prop::sample::Index, bit in 0..8_u8) {
            let (pair, mut changed) = (key(1), message.clone());
            changed[at.index(message.len())] ^= 1 << bit;
            let signature = pair.sign(&message);
            prop_assert!(is_signed_by(&pair.public_key(), &message, &signature));
            prop_assert!(!is_signed_by(&pair.public_key(), &changed, &signature));
            prop_assert!(!is_signed_by(&key(2).public_key(), &message, &signature));
            let mut broken = *signature.as_bytes();
            broken[at.index(64)] ^= 1 << bit;
            prop_assert!(!is_signed_by(&pair.public_key(), &message, &Signature::from_bytes(broken)));
            let tag = authenticate(b"key", &message);
            prop_assert!(!is_authentic(b"key", &changed, &tag));
            prop_assert!(!is_authentic(b"kez", &message, &tag));
        }

        #[test]
        fn no_file_makes_it_panic(document in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(KeyPair::from_pkcs8(&document).is_err());
        }
    }

    #[test]
    fn no_print_shows_a_private_key() {
        let file = PrivateKeyFile::new(&Zeroizing::new([0x5a; 32]));
        assert_eq!(format!("{file:?}"), HIDDEN);
        let pair = key(0x5a);
        let print = format!("{pair:?}");
        assert!(print.starts_with(HIDDEN) && print.contains(&pair.public_key().to_string()));
    }
}
