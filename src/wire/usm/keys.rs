//! From passwords to keys (RFC 3414 section 2.6 and appendix A.2, RFC 7860 section 9.3).

use std::fmt;

use ring::{digest, hmac};
use secrecy::{ExposeSecret, SecretSlice};

use crate::domain::credential::{AuthProtocol, Passphrase, PrivacyProtocol, User};
use crate::domain::engine::EngineId;
use crate::domain::secret::HIDDEN;
use crate::wire::usm::privacy::PrivacyKey;

/// How much of a repeated password is hashed (RFC 3414 appendix A.2.1).
const EXPANDED: usize = 1 << 20;

const fn hash(protocol: AuthProtocol) -> &'static digest::Algorithm {
    match protocol {
        AuthProtocol::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        AuthProtocol::Sha256 => &digest::SHA256,
        AuthProtocol::Sha384 => &digest::SHA384,
        AuthProtocol::Sha512 => &digest::SHA512,
    }
}

const fn mac(protocol: AuthProtocol) -> hmac::Algorithm {
    match protocol {
        AuthProtocol::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        AuthProtocol::Sha256 => hmac::HMAC_SHA256,
        AuthProtocol::Sha384 => hmac::HMAC_SHA384,
        AuthProtocol::Sha512 => hmac::HMAC_SHA512,
    }
}

/// A secret that is as long as a hash.
struct Secret(SecretSlice<u8>);

impl Secret {
    fn of(digest: &digest::Digest) -> Self {
        Self(SecretSlice::from(digest.as_ref().to_vec()))
    }

    fn octets(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// `Ku`: the digest of 1 MiB of the password, repeated. It is what makes guessing slow, so it
    /// takes some milliseconds.
    fn from_password(protocol: AuthProtocol, password: &[u8]) -> Self {
        let repeated = SecretSlice::from(password.repeat(4_096_usize.div_ceil(password.len().max(1))));
        let mut context = digest::Context::new(hash(protocol));
        let mut left = EXPANDED;
        while left > 0 && !password.is_empty() {
            let octets = repeated.expose_secret();
            let part = octets.get(..left.min(octets.len())).unwrap_or(octets);
            context.update(part);
            left -= part.len();
        }
        Self::of(&context.finish())
    }

    /// `Kul`: a user's key at one engine, which tells nothing about the one at another.
    fn localised(&self, protocol: AuthProtocol, engine: &EngineId) -> Self {
        let mut context = digest::Context::new(hash(protocol));
        [self.octets(), engine.as_bytes(), self.octets()].into_iter().for_each(|part| context.update(part));
        Self::of(&context.finish())
    }

    /// A localised key made as long as a cipher needs it.
    fn extended(self, protocol: AuthProtocol, privacy: PrivacyProtocol, engine: &EngineId) -> Self {
        let mut key = self.octets().to_vec();
        let mut last = self;
        while key.len() < PrivacyKey::length(privacy) {
            last = match privacy {
                // draft-reeder-snmpv3-usm-3desede-00 section 2.1: the key so far is the next password.
                PrivacyProtocol::Aes256Cisco => {
                    Self::from_password(protocol, last.octets()).localised(protocol, engine)
                }
                // draft-blumenthal-aes-usm-04 section 3.1.2.1: the digest of all that there is so far.
                PrivacyProtocol::Aes128 | PrivacyProtocol::Aes256 => Self::of(&digest::digest(hash(protocol), &key)),
            };
            key.extend_from_slice(last.octets());
        }
        Self(SecretSlice::from(key))
    }
}

/// The keys of a user that no engine has part in yet: made once from the passwords, and kept in
/// their place.
pub struct MasterKeys {
    authentication: (AuthProtocol, Secret),
    privacy: Option<(PrivacyProtocol, Secret)>,
}

impl MasterKeys {
    /// Hashes the passwords: 1 MiB for each.
    pub fn derive(user: &User) -> Self {
        let (protocol, passphrase) = &user.authentication;
        let key = |passphrase: &Passphrase| Secret::from_password(*protocol, passphrase.as_bytes());
        Self {
            authentication: (*protocol, key(passphrase)),
            // RFC 3826 section 1.2: the hash is that of the authentication protocol here, too.
            privacy: user.privacy.as_ref().map(|(cipher, passphrase)| (*cipher, key(passphrase))),
        }
    }

    /// Whether [`MasterKeys::localise`] hashes a MiB for each engine, some milliseconds of work: where
    /// [`PrivacyProtocol::Aes256Cisco`] has to extend a key that is too short, that of SHA-1.
    pub fn are_slow_to_localise(&self) -> bool {
        self.privacy.as_ref().is_some_and(|(cipher, key)| {
            *cipher == PrivacyProtocol::Aes256Cisco && key.octets().len() < PrivacyKey::length(*cipher)
        })
    }

    /// The keys at one engine. Two short digests for each; another MiB where
    /// [`MasterKeys::are_slow_to_localise`].
    pub fn localise(&self, engine: &EngineId) -> LocalKeys {
        let (protocol, key) = &self.authentication;
        let privacy = self.privacy.as_ref().and_then(|(cipher, key)| {
            let key = key.localised(*protocol, engine).extended(*protocol, *cipher, engine);
            PrivacyKey::new(*cipher, key.octets())
        });
        LocalKeys { authentication: AuthKey::new(*protocol, key.localised(*protocol, engine).octets()), privacy }
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The keys of a user at one engine.
pub struct LocalKeys {
    /// For the authentication of messages.
    pub authentication: AuthKey,
    /// For their encryption, if the user has any.
    pub privacy: Option<PrivacyKey>,
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A key that authenticates messages.
pub struct AuthKey {
    length: usize,
    key: hmac::Key,
}

impl AuthKey {
    /// The longest digest of a message.
    pub const MOST: usize = 48;

    fn new(protocol: AuthProtocol, key: &[u8]) -> Self {
        // RFC 3414 section 6.1, RFC 7860 section 4.
        let length = match protocol {
            AuthProtocol::Sha1 => 12,
            AuthProtocol::Sha256 => 24,
            AuthProtocol::Sha384 => 32,
            AuthProtocol::Sha512 => Self::MOST,
        };
        Self { length, key: hmac::Key::new(mac(protocol), key) }
    }

    /// The octets of a message's digest.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The digest over parts of a message, one after the other: the first [`AuthKey::length`] octets
    /// of a code.
    pub(super) fn sign(&self, parts: [&[u8]; 3]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        parts.into_iter().for_each(|part| context.update(part));
        context.sign()
    }

    /// Whether this is the digest over the parts, in a time that does not tell where it differs.
    pub(super) fn verifies(&self, parts: [&[u8]; 3], digest: &[u8]) -> bool {
        let tag = self.sign(parts);
        let differing =
            tag.as_ref().iter().zip(digest).fold(0, |differing, (right, found)| differing | (right ^ found));
        digest.len() == self.length && differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::{ContextName, UserName};

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// `00000000 00000000 00000002`, the engine of RFC 3414 appendix A.3.
    fn engine() -> EngineId {
        "000000000000000000000002".parse().unwrap()
    }

    #[test]
    fn the_keys_of_rfc_3414_come_out() {
        let master = Secret::from_password(AuthProtocol::Sha1, b"maplesyrup");
        assert_eq!(hex(master.octets()), "9fb5cc0381497b3793528939ff788d5d79145211");
        let local = master.localised(AuthProtocol::Sha1, &engine());
        assert_eq!(hex(local.octets()), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    /// What a few lines of Python with its hashlib make of the same password and engine.
    #[test]
    fn long_keys_are_extended_as_each_draft_has_it() {
        let key = |protocol, privacy| {
            let local = Secret::from_password(protocol, b"maplesyrup").localised(protocol, &engine());
            hex(local.extended(protocol, privacy, &engine()).octets().get(..PrivacyKey::length(privacy)).unwrap())
        };
        let sha1 = "6695febc9288e36282235fc7151f128497b38f3f";
        assert_eq!(key(AuthProtocol::Sha1, PrivacyProtocol::Aes128), sha1[..32]);
        assert_eq!(key(AuthProtocol::Sha1, PrivacyProtocol::Aes256), format!("{sha1}505e07eb9af25568fa1f5dbe"));
        assert_eq!(key(AuthProtocol::Sha1, PrivacyProtocol::Aes256Cisco), format!("{sha1}9b8b6d78936ba6e7d19dfd9c"));
        let sha256 = "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b";
        assert_eq!(key(AuthProtocol::Sha256, PrivacyProtocol::Aes256), sha256);
        assert_eq!(key(AuthProtocol::Sha256, PrivacyProtocol::Aes256Cisco), sha256);
        let sha512 = "22a5a36cedfcc085807a128d7bc6c2382167ad6c0dbc5fdff856740f3d84c099";
        assert_eq!(key(AuthProtocol::Sha512, PrivacyProtocol::Aes256), sha512);
    }

    #[test]
    fn no_print_shows_a_key() {
        let passphrase = Passphrase::new("maplesyrup").unwrap();
        let user = User {
            name: UserName::new("u").unwrap(),
            authentication: (AuthProtocol::Sha1, passphrase.clone()),
            privacy: Some((PrivacyProtocol::Aes128, passphrase)),
            context: ContextName::default(),
        };
        let master = MasterKeys::derive(&user);
        assert_eq!(format!("{master:?} {:?}", master.localise(&engine())), format!("{HIDDEN} {HIDDEN}"));
    }
}
