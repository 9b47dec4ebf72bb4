//! `msgSecurityParameters` of the User-based Security Model (RFC 3414 section 2.4).

use crate::domain::engine::EngineId;
use crate::wire::ber::{self, BerError, Reader};

/// Who speaks to whom, and by which clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityParameters {
    /// `msgAuthoritativeEngineID`: the agent's; nothing when it is not known yet.
    pub engine: Vec<u8>,
    /// `msgAuthoritativeEngineBoots`: how often that engine has started.
    pub boots: u32,
    /// `msgAuthoritativeEngineTime`: seconds since it started last.
    pub time: u32,
    /// `msgUserName`.
    pub user: Vec<u8>,
}

impl SecurityParameters {
    /// Boots and time have 31 bits.
    pub const MOST: u32 = 0x7fff_ffff;

    /// The engine's name, if it is one.
    pub fn engine_id(&self) -> Option<EngineId> {
        EngineId::try_from(self.engine.as_slice()).ok()
    }

    pub(super) fn append(&self, out: &mut Vec<u8>, digest: &[u8], salt: &[u8]) {
        ber::value(out, ber::OCTET_STRING, |out| {
            ber::value(out, ber::SEQUENCE, |out| {
                ber::octet_string(out, &self.engine);
                ber::unsigned(out, self.boots);
                ber::unsigned(out, self.time);
                ber::octet_string(out, &self.user);
                ber::octet_string(out, digest);
                ber::octet_string(out, salt);
            });
        });
    }

    /// Reads them, with the place of the digest among all octets, and the salt.
    pub(super) fn read<'a>(message: &mut Reader<'a>) -> Result<(Self, std::ops::Range<usize>, &'a [u8]), BerError> {
        let mut octets = message.enter(ber::OCTET_STRING)?;
        let mut fields = octets.enter(ber::SEQUENCE)?;
        let engine = fields.content(ber::OCTET_STRING)?.to_vec();
        let (boots, time) = (fields.unsigned()?, fields.unsigned()?);
        let user = fields.content(ber::OCTET_STRING)?.to_vec();
        let digest = fields.range(ber::OCTET_STRING)?;
        Ok((Self { engine, boots, time, user }, digest, fields.content(ber::OCTET_STRING)?))
    }
}
