//! Encryption by AES in cipher feedback mode (RFC 3826; with 256 bits draft-blumenthal-aes-usm-04).

use aes::{Aes128, Aes256};
use cfb_mode::cipher::KeyIvInit;
use cfb_mode::{Decryptor, Encryptor};
use secrecy::{ExposeSecret, SecretBox};

use crate::domain::credential::PrivacyProtocol;
use crate::wire::usm::security::SecurityParameters;

/// The octets of `msgPrivacyParameters` (RFC 3826 section 3.1.2.1).
pub const SALT: usize = 8;

/// A key that encrypts messages.
pub struct PrivacyKey(Cipher);

enum Cipher {
    Aes128(SecretBox<[u8; 16]>),
    Aes256(SecretBox<[u8; 32]>),
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

impl PrivacyKey {
    /// The octets that a key takes.
    pub(super) const fn length(protocol: PrivacyProtocol) -> usize {
        match protocol {
            PrivacyProtocol::Aes128 => 16,
            PrivacyProtocol::Aes256 | PrivacyProtocol::Aes256Cisco => 32,
        }
    }

    /// The key that begins a localised key; `None` when that is too short.
    pub(super) fn new(protocol: PrivacyProtocol, key: &[u8]) -> Option<Self> {
        Some(Self(match protocol {
            PrivacyProtocol::Aes128 => Cipher::Aes128(SecretBox::new(Box::new(*key.first_chunk()?))),
            PrivacyProtocol::Aes256 | PrivacyProtocol::Aes256Cisco => {
                Cipher::Aes256(SecretBox::new(Box::new(*key.first_chunk()?)))
            }
        }))
    }

    /// Encrypts or decrypts in place. The initialisation vector is boots and time of the message's
    /// engine, and the salt (RFC 3826 section 3.1.2.1).
    pub(super) fn apply(
        &self,
        direction: Direction,
        security: &SecurityParameters,
        salt: [u8; SALT],
        octets: &mut [u8],
    ) {
        let vector = (u128::from(security.boots) << 96) | (u128::from(security.time) << 64);
        let vector = (vector | u128::from(u64::from_be_bytes(salt))).to_be_bytes();
        let vector = (&vector).into();
        match (&self.0, direction) {
            (Cipher::Aes128(key), Direction::Encrypt) => {
                Encryptor::<Aes128>::new(key.expose_secret().into(), vector).encrypt(octets);
            }
            (Cipher::Aes128(key), Direction::Decrypt) => {
                Decryptor::<Aes128>::new(key.expose_secret().into(), vector).decrypt(octets);
            }
            (Cipher::Aes256(key), Direction::Encrypt) => {
                Encryptor::<Aes256>::new(key.expose_secret().into(), vector).encrypt(octets);
            }
            (Cipher::Aes256(key), Direction::Decrypt) => {
                Decryptor::<Aes256>::new(key.expose_secret().into(), vector).decrypt(octets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CFB128 examples of NIST SP 800-38A, sections F.3.13 and F.3.17: their vector is 00 to 0f.
    #[test]
    fn the_vectors_of_nist_come_out() {
        let security = SecurityParameters { boots: 0x0001_0203, time: 0x0405_0607, ..SecurityParameters::default() };
        let salt = [8, 9, 10, 11, 12, 13, 14, 15];
        let plain: u128 = 0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a;
        let short = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes();
        let long = [
            0x603d_eb10_15ca_71be_2b73_aef0_857d_7781_u128.to_be_bytes(),
            0x1f35_2c07_3b61_08d7_2d98_10a3_0914_dff4_u128.to_be_bytes(),
        ]
        .concat();
        for (protocol, key, expected) in [
            (PrivacyProtocol::Aes128, &short[..], 0x3b3f_d92e_b72d_ad20_3334_49f8_e83c_fb4a_u128),
            (PrivacyProtocol::Aes256, &long[..], 0xdc7e_84bf_da79_164b_7ecd_8486_985d_3860_u128),
        ] {
            let key = PrivacyKey::new(protocol, key).unwrap();
            let mut octets = plain.to_be_bytes();
            key.apply(Direction::Encrypt, &security, salt, &mut octets);
            assert_eq!(u128::from_be_bytes(octets), expected, "{protocol}");
            key.apply(Direction::Decrypt, &security, salt, &mut octets);
            assert_eq!(u128::from_be_bytes(octets), plain, "{protocol}");
        }
        assert!(PrivacyKey::new(PrivacyProtocol::Aes256, &short).is_none());
    }
}
