//! Messages of SNMP v3 (RFC 3412 section 6): written with their protection, read in two steps, since
//! whose keys open one is known only when its head has been read.

use std::fmt;
use std::ops::Range;

use crate::wire::ber::{self, BerError, Reader};
use crate::wire::snmp::pdu::{Pdu, PduError};
use crate::wire::usm::keys::{AuthKey, LocalKeys};
use crate::wire::usm::privacy::{Direction, PrivacyKey, SALT};
use crate::wire::usm::security::SecurityParameters;

/// The version field of an SNMP v3 message.
const VERSION_3: u32 = 3;
/// `msgSecurityModel` of the User-based Security Model (RFC 3411 section 5).
const USER_BASED: u32 = 3;

/// The bits of `msgFlags`.
const AUTHENTIC: u8 = 0x01;
const PRIVATE: u8 = 0x02;
const REPORTABLE: u8 = 0x04;

/// How a message is protected (RFC 3411 section 3.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `noAuthNoPriv`: not at all.
    Plain,
    /// `authNoPriv`: nobody changed it, and its user wrote it.
    Authentic,
    /// `authPriv`: and nobody else read it.
    Private,
}

/// With what a message is protected.
#[derive(Clone, Copy)]
pub enum Protection<'k> {
    /// Not at all.
    Plain,
    /// Authenticated.
    Authentic(&'k AuthKey),
    /// Authenticated and encrypted, with a salt that this key is never used with again under the same
    /// boots and time.
    Private(&'k AuthKey, &'k PrivacyKey, u64),
}

impl<'k> Protection<'k> {
    /// The most that the keys can do.
    pub fn best(keys: &'k LocalKeys, salt: u64) -> Self {
        match &keys.privacy {
            Some(privacy) => Self::Private(&keys.authentication, privacy, salt),
            None => Self::Authentic(&keys.authentication),
        }
    }

    /// The level that it makes.
    pub const fn level(&self) -> Level {
        match self {
            Self::Plain => Level::Plain,
            Self::Authentic(_) => Level::Authentic,
            Self::Private(..) => Level::Private,
        }
    }
}

/// What can be read of a message without keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `msgID`: 0 to 2^31 - 1; an answer has that of its question.
    pub id: u32,
    /// `msgMaxSize`: the octets of the longest message that the sender takes, at least 484.
    pub max_size: u32,
    /// Whether the sender wants a report when the message cannot be processed. Requests say so,
    /// responses and reports do not.
    pub reportable: bool,
    /// The security parameters.
    pub security: SecurityParameters,
}

/// `ScopedPDU`: what is said, and about which of the engine's contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedPdu {
    /// `contextEngineID`.
    pub context_engine: Vec<u8>,
    /// `contextName`.
    pub context_name: Vec<u8>,
    /// What is said.
    pub pdu: Pdu,
}

impl ScopedPdu {
    fn append(&self, out: &mut Vec<u8>) {
        ber::value(out, ber::SEQUENCE, |out| {
            ber::octet_string(out, &self.context_engine);
            ber::octet_string(out, &self.context_name);
            self.pdu.append(out);
        });
    }

    /// What follows it, as padding would, is passed over.
    fn read(octets: &[u8]) -> Result<Self, MessageError> {
        let mut fields = Reader::new(octets).enter(ber::SEQUENCE)?;
        Ok(Self {
            context_engine: fields.content(ber::OCTET_STRING)?.to_vec(),
            context_name: fields.content(ber::OCTET_STRING)?.to_vec(),
            pdu: Pdu::read(fields.rest())?,
        })
    }
}

/// Clears `out` and writes a message.
pub fn encode(out: &mut Vec<u8>, head: &Head, scoped: &ScopedPdu, protection: Protection<'_>) {
    let level = match protection {
        Protection::Plain => 0,
        Protection::Authentic(_) => AUTHENTIC,
        Protection::Private(..) => AUTHENTIC | PRIVATE,
    };
    let flags = level | if head.reportable { REPORTABLE } else { 0 };
    let room = match protection {
        Protection::Plain => 0,
        Protection::Authentic(key) | Protection::Private(key, ..) => key.length(),
    };
    let salt = match protection {
        Protection::Private(_, _, salt) => Some(salt.to_be_bytes()),
        Protection::Plain | Protection::Authentic(_) => None,
    };
    out.clear();
    ber::value(out, ber::SEQUENCE, |out| {
        ber::unsigned(out, VERSION_3);
        ber::value(out, ber::SEQUENCE, |out| {
            ber::unsigned(out, head.id);
            ber::unsigned(out, head.max_size);
            ber::octet_string(out, &[flags]);
            ber::unsigned(out, USER_BASED);
        });
        let salt_octets = salt.as_ref().map_or(&[][..], |salt| salt);
        head.security.append(out, ZEROES.get(..room).unwrap_or_default(), salt_octets);
        match (protection, salt) {
            (Protection::Private(_, key, _), Some(salt)) => ber::value(out, ber::OCTET_STRING, |out| {
                let start = out.len();
                scoped.append(out);
                let octets = out.get_mut(start..).unwrap_or_default();
                key.apply(Direction::Encrypt, &head.security, salt, octets);
            }),
            _ => scoped.append(out),
        }
    });
    if let Protection::Authentic(key) | Protection::Private(key, ..) = protection {
        sign(out, key);
    }
}

/// Puts the digest into its place, which is looked up as the reader of the message will.
fn sign(message: &mut [u8], key: &AuthKey) {
    let Ok(Sealed { digest, .. }) = Sealed::read(message) else { return };
    let tag = key.sign([message, &[], &[]]);
    if let Some(place) = message.get_mut(digest) {
        place.iter_mut().zip(tag.as_ref()).for_each(|(octet, right)| *octet = *right);
    }
}

/// A message whose head has been read. Nothing in it is certain before [`Sealed::open`].
#[derive(Clone)]
pub struct Sealed<'a> {
    message: &'a [u8],
    head: Head,
    level: Level,
    digest: Range<usize>,
    salt: &'a [u8],
    data: &'a [u8],
}

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("head", &self.head).field("level", &self.level).finish_non_exhaustive()
    }
}

impl<'a> Sealed<'a> {
    /// Reads the head of a message.
    ///
    /// # Errors
    /// [`MessageError::Encoding`], [`MessageError::Version`], [`MessageError::Model`] or
    /// [`MessageError::Flags`].
    pub fn read(datagram: &'a [u8]) -> Result<Self, MessageError> {
        let mut outer = Reader::new(datagram);
        let mut message = outer.enter(ber::SEQUENCE)?;
        let version = message.unsigned()?;
        if version != VERSION_3 {
            return Err(MessageError::Version(version));
        }
        let mut global = message.enter(ber::SEQUENCE)?;
        let (id, max_size) = (global.unsigned()?, global.unsigned()?);
        let flags = match global.content(ber::OCTET_STRING)? {
            [flags] => *flags,
            _ => return Err(MessageError::Flags),
        };
        let model = global.unsigned()?;
        if model != USER_BASED {
            return Err(MessageError::Model(model));
        }
        let level = match flags & (AUTHENTIC | PRIVATE) {
            0 => Level::Plain,
            AUTHENTIC => Level::Authentic,
            // RFC 3412 section 7.2 step 5: nothing is private that is not authentic.
            PRIVATE => return Err(MessageError::Flags),
            _ => Level::Private,
        };
        let (security, digest, salt) = SecurityParameters::read(&mut message)?;
        let data = match level {
            Level::Private => message.content(ber::OCTET_STRING)?,
            Level::Plain | Level::Authentic => message.rest(),
        };
        let head = Head { id, max_size, reportable: flags & REPORTABLE != 0, security };
        // What is behind the message was not signed, and is not read.
        let length = datagram.len() - outer.rest().len();
        Ok(Self { message: datagram.get(..length).unwrap_or_default(), head, level, digest, salt, data })
    }

    /// What it says about itself.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How it says that it is protected.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Verifies, decrypts and reads it. A message without protection needs no keys and opens with any:
    /// look at [`Sealed::level`] before believing it.
    ///
    /// # Errors
    /// [`MessageError::NoKey`] when it is protected and the keys are not there, [`MessageError::Digest`]
    /// when it was not written with the same key or changed on its way, [`MessageError::Salt`],
    /// [`MessageError::Encoding`] and [`MessageError::Pdu`] when what is inside cannot be read: after
    /// a wrong key for privacy it mostly cannot.
    pub fn open(&self, keys: Option<&LocalKeys>) -> Result<ScopedPdu, MessageError> {
        if self.level == Level::Plain {
            return ScopedPdu::read(self.data);
        }
        let keys = keys.ok_or(MessageError::NoKey)?;
        let found = self.message.get(self.digest.clone()).unwrap_or_default();
        let parts = [
            self.message.get(..self.digest.start).unwrap_or_default(),
            ZEROES.get(..found.len()).ok_or(MessageError::Digest)?,
            self.message.get(self.digest.end..).unwrap_or_default(),
        ];
        if !keys.authentication.verifies(parts, found) {
            return Err(MessageError::Digest);
        }
        if self.level == Level::Authentic {
            return ScopedPdu::read(self.data);
        }
        let key = keys.privacy.as_ref().ok_or(MessageError::NoKey)?;
        let salt: [u8; SALT] = self.salt.try_into().map_err(|_| MessageError::Salt)?;
        let mut octets = self.data.to_vec();
        key.apply(Direction::Decrypt, &self.head.security, salt, &mut octets);
        ScopedPdu::read(&octets)
    }
}

/// What stands in the place of the digest while that is taken (RFC 3414 section 6.3.1).
static ZEROES: [u8; AuthKey::MOST] = [0; AuthKey::MOST];

/// Why a datagram is not a usable message of SNMP v3.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum MessageError {
    /// Not a message.
    #[error("the datagram is not a message of SNMP v3")]
    Encoding(#[from] BerError),
    /// Another version of SNMP, by its number on the wire.
    #[error("the message has the version number {0}, not 3")]
    Version(u32),
    /// Another security model than the user-based one.
    #[error("the message has the security model {0}, not 3")]
    Model(u32),
    /// Flags that nobody may set.
    #[error("the message has flags that do not go together")]
    Flags,
    /// It is protected, and there is no key for it.
    #[error("the message is protected, and there is no key for it")]
    NoKey,
    /// It was changed, or written with another key.
    #[error("the digest of the message is not the one that its content has")]
    Digest,
    /// No salt, or one of another length.
    #[error("the message is encrypted and has no salt of {SALT} octets")]
    Salt,
    /// What it says cannot be read.
    #[error("the message holds no usable PDU")]
    Pdu(#[from] PduError),
}
