//! Bootstrap tokens: what a parent hands to the person who starts one new controller below it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::entropy::{Entropy, NoEntropy};
use crate::domain::key::PublicKey;
use crate::domain::secret::HIDDEN;
use crate::domain::time::Timestamp;

/// The public part of a token, by which the parent finds its row: 96 random bits, as 16 characters
/// of base64url (RFC 4648 section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; 12]);

impl TokenId {
    /// The id made of these random octets.
    pub const fn new(random: [u8; 12]) -> Self {
        Self(random)
    }

    /// Its octets.
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        octets(text).map(|bytes| Self(*bytes)).ok_or(TokenError::Part { what: "id", characters: 16 })
    }
}

impl TryFrom<String> for TokenId {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

/// The secret part of a token: 256 random bits, hidden in every print and wiped when dropped. It
/// never travels between controllers.
pub struct TokenSecret(SecretBox<[u8; 32]>);

impl TokenSecret {
    /// The secret made of these random octets.
    pub fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(SecretBox::init_with_mut(|secret: &mut [u8; 32]| secret.copy_from_slice(&**random)))
    }

    /// A new secret.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut random = Zeroizing::new([0; 32]);
        entropy.fill(&mut *random)?;
        Ok(Self::new(&random))
    }

    /// The octets, to be hashed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A token as its holder has it: `pdsno-bt.<id>.<secret>.<ca-pin>`.
#[derive(Debug)]
pub struct BootstrapToken {
    /// By which the parent finds it.
    pub id: TokenId,
    /// What the holder proves to know.
    pub secret: TokenSecret,
    /// SHA-256 of the public key of the trust root. The holder refuses every parent whose chain does
    /// not end there.
    pub pin: Digest,
}

/// Why a text is not a token. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have the four parts.
    #[error(
        "a bootstrap token looks like pdsno-bt.<id>.<secret>.<ca-pin>; copy all of what `pdsno token issue` printed"
    )]
    Shape,
    /// One of the parts is cut or mistyped.
    #[error("the {what} of a bootstrap token has {characters} characters of base64url; this one is cut or mistyped")]
    Part {
        /// Which part.
        what: &'static str,
        /// How long it is.
        characters: usize,
    },
}

const PREFIX: &str = "pdsno-bt";

impl BootstrapToken {
    /// The token as text. It is the only way to see the secret: print it once, to the one who asked.
    pub fn reveal(&self) -> SecretString {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_bytes()));
        let pin = URL_SAFE_NO_PAD.encode(self.pin.as_bytes());
        SecretString::from(format!("{PREFIX}.{}.{}.{pin}", self.id, *secret))
    }
}

impl FromStr for BootstrapToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(id), Some(secret), Some(pin), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Shape);
        };
        let part = |what, text| octets(text).ok_or(TokenError::Part { what, characters: 43 });
        Ok(Self {
            id: id.parse()?,
            secret: TokenSecret::new(&part("secret", secret)?),
            pin: Digest::from_bytes(*part("ca-pin", pin)?),
        })
    }
}

/// The octets of a text that has exactly as many, wiped when dropped.
fn octets<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    let mut bytes = Zeroizing::new([0; N]);
    if decoded.len() != N {
        return None;
    }
    bytes.copy_from_slice(&decoded);
    Some(bytes)
}

/// How long a token may be used: 60 seconds to 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLifetime(Duration);

/// A lifetime that no token may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bootstrap token lives for 60 seconds to 24 hours, not for {} seconds", .given.as_secs_f64())]
pub struct TokenLifetimeError {
    given: Duration,
}

impl TokenLifetime {
    /// The span.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Default for TokenLifetime {
    fn default() -> Self {
        Self(Duration::from_secs(600))
    }
}

impl TryFrom<Duration> for TokenLifetime {
    type Error = TokenLifetimeError;

    fn try_from(given: Duration) -> Result<Self, TokenLifetimeError> {
        if (Duration::from_secs(60)..=Duration::from_secs(86_400)).contains(&given) {
            Ok(Self(given))
        } else {
            Err(TokenLifetimeError { given })
        }
    }
}

/// A token as its parent keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// By which it is found.
    pub id: TokenId,
    /// SHA-256 of the secret. It is also the key of the holder's proof, so until the token is used
    /// whoever reads the row can use it, too.
    pub secret_hash: Digest,
    /// The tier of the controller that may use it.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends; it is not usable from then on.
    pub expires_at: Timestamp,
    /// Proofs that were made with another secret.
    pub wrong_attempts: u8,
    /// When an operator took it back.
    pub revoked_at: Option<Timestamp>,
    /// Who used it.
    pub used: Option<TokenUse>,
}

/// The one use of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// The key of the controller that was validated with it.
    pub public_key: PublicKey,
    /// The name that it got.
    pub controller_id: ControllerId,
    /// When.
    pub at: Timestamp,
}

/// What can be done with a token by the holder of one key at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// It can be used.
    Usable,
    /// This key used it a moment ago and may have missed the reply: it gets the same again.
    Answered(ControllerId),
    /// This key used it, too long ago to have missed the reply.
    Spent,
    /// Another key used it.
    UsedByAnother,
    /// Its time is over.
    Expired,
    /// An operator took it back.
    Revoked,
    /// Too many proofs were wrong.
    Locked,
}

impl TokenRow {
    /// Wrong proofs that lock a token.
    pub const MAX_WRONG_ATTEMPTS: u8 = 5;
    /// How long the reply to the use of a token can be asked for again.
    pub const REPEAT_WINDOW: Duration = Duration::from_secs(600);

    /// What the holder of this key can do with it now. A token that was locked or taken back does
    /// not take back what it was used for before.
    pub fn state(&self, key: &PublicKey, now: Timestamp) -> TokenState {
        match &self.used {
            Some(used) if used.public_key != *key => TokenState::UsedByAnother,
            Some(used) if now < used.at.saturating_add(Self::REPEAT_WINDOW) => {
                TokenState::Answered(used.controller_id.clone())
            }
            Some(_) => TokenState::Spent,
            None if self.revoked_at.is_some() => TokenState::Revoked,
            None if self.wrong_attempts >= Self::MAX_WRONG_ATTEMPTS => TokenState::Locked,
            None if now >= self.expires_at => TokenState::Expired,
            None => TokenState::Usable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(octet: u8) -> BootstrapToken {
        BootstrapToken {
            id: TokenId::new([octet; 12]),
            secret: TokenSecret::new(&Zeroizing::new([octet; 32])),
            pin: Digest::from_bytes([octet; 32]),
        }
    }

    fn row() -> TokenRow {
        TokenRow {
            id: TokenId::new([1; 12]),
            secret_hash: Digest::from_bytes([2; 32]),
            role: Role::Local,
            region: "zone-A".parse().unwrap(),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(600_000),
            wrong_attempts: 0,
            revoked_at: None,
            used: None,
        }
    }

    proptest! {
        #[test]
        fn what_is_revealed_is_read_back(octet: u8) {
            let read: BootstrapToken = token(octet).reveal().expose_secret().parse().unwrap();
            prop_assert_eq!(read.id, TokenId::new([octet; 12]));
            prop_assert_eq!(read.secret.as_bytes(), &[octet; 32]);
            prop_assert_eq!(read.pin, Digest::from_bytes([octet; 32]));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(pdsno-bt)?[.A-Za-z0-9_=-]{0,120}\\PC{0,3}") {
            if let Ok(token) = text.parse::<BootstrapToken>() {
                let revealed = token.reveal();
                prop_assert_eq!(revealed.expose_secret(), text.trim());
            }
        }
    }

    #[test]
    fn no_print_and_no_refusal_shows_the_secret() {
        let text = token(0x5a).reveal();
        let secret = text.expose_secret().split('.').nth(2).unwrap();
        assert_eq!(secret.len(), 43);
        assert!(!format!("{:?}", token(0x5a)).contains(secret));
        for cut in 1..text.expose_secret().len() {
            let refusal = text.expose_secret()[..cut].parse::<BootstrapToken>().unwrap_err().to_string();
            assert!(!refusal.contains(&secret[..8]), "{refusal}");
        }
    }

    #[test]
    fn a_lifetime_has_limits() {
        assert_eq!(TokenLifetime::default().duration(), Duration::from_secs(600));
        for seconds in [60, 86_400] {
            assert!(TokenLifetime::try_from(Duration::from_secs(seconds)).is_ok());
        }
        for seconds in [0, 59, 86_401] {
            let refusal = TokenLifetime::try_from(Duration::from_secs(seconds)).unwrap_err().to_string();
            assert!(refusal.contains(&format!("not for {seconds} seconds")), "{refusal}");
        }
    }

    #[test]
    fn an_unused_token_ends_by_time_by_mistakes_and_by_hand() {
        let key = PublicKey::from_bytes([3; 32]);
        let at = Timestamp::from_millis;
        assert_eq!(row().state(&key, at(599_999)), TokenState::Usable);
        assert_eq!(row().state(&key, at(600_000)), TokenState::Expired);
        assert_eq!(TokenRow { wrong_attempts: 4, ..row() }.state(&key, at(1)), TokenState::Usable);
        assert_eq!(TokenRow { wrong_attempts: 5, ..row() }.state(&key, at(1)), TokenState::Locked);
        assert_eq!(TokenRow { revoked_at: Some(at(0)), ..row() }.state(&key, at(1)), TokenState::Revoked);
    }

    #[test]
    fn a_used_token_answers_its_user_for_ten_minutes_and_nobody_else() {
        let key = PublicKey::from_bytes([3; 32]);
        let at = Timestamp::from_millis;
        let name: ControllerId = "local_cntl_zoneA_1".parse().unwrap();
        let used = TokenUse { public_key: key, controller_id: name.clone(), at: at(500_000) };
        let row = TokenRow { used: Some(used), ..row() };
        // Also after its own end: the reply was lost, not the token.
        assert_eq!(row.state(&key, at(1_099_999)), TokenState::Answered(name));
        assert_eq!(row.state(&key, at(1_100_000)), TokenState::Spent);
        assert_eq!(row.state(&PublicKey::from_bytes([4; 32]), at(500_001)), TokenState::UsedByAnother);
    }
}
