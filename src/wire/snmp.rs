//! SNMP v2c messages (RFC 1901, RFC 3416), for those who ask and for those who answer.

pub mod pdu;

use std::fmt;

use crate::domain::secret::{Community, HIDDEN};
use crate::wire::ber;
use crate::wire::oid::Oid;
use crate::wire::snmp::pdu::{Pdu, PduError, PduKind, VERSION_2C};

pub use crate::wire::snmp::pdu::Value;

/// Tells the requests in flight apart: 1 to 2^31 - 1, so that no agent can take it for negative and
/// none is confused by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// The least.
    pub const MIN: Self = Self(1);
    /// The greatest.
    pub const MAX: Self = Self(0x7fff_ffff);

    /// The id for any number, for example a random one: its lower 31 bits, or 1 when they are zero.
    pub const fn from_seed(seed: u32) -> Self {
        match seed & Self::MAX.0 {
            0 => Self::MIN,
            number => Self(number),
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id of the next request; after the greatest comes the least.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::from_seed(self.0 + 1)
    }
}

/// Clears `out` and writes a message that asks for the values of `oids`.
pub fn encode_get(out: &mut Vec<u8>, community: &Community, id: RequestId, oids: &[Oid]) {
    encode(out, community.as_bytes(), &Pdu::get(id.get(), oids));
}

/// Clears `out` and writes a message that asks for successors, as [`Pdu::get_bulk`] has it.
pub fn encode_get_bulk(
    out: &mut Vec<u8>,
    community: &Community,
    id: RequestId,
    non_repeaters: u16,
    max_repetitions: u16,
    oids: &[Oid],
) {
    encode(out, community.as_bytes(), &Pdu::get_bulk(id.get(), non_repeaters, max_repetitions, oids));
}

/// Clears `out` and writes a message.
pub fn encode(out: &mut Vec<u8>, community: &[u8], pdu: &Pdu) {
    out.clear();
    ber::value(out, ber::SEQUENCE, |out| {
        ber::unsigned(out, VERSION_2C);
        ber::octet_string(out, community);
        pdu.append(out);
    });
}

/// A message. Whether it answers a request of ours is for the table of those in flight.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The community; hidden in debug output.
    pub community: Vec<u8>,
    /// What it says.
    pub pdu: Pdu,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("community", &HIDDEN).field("pdu", &self.pdu).finish()
    }
}

/// Reads a message of SNMP v2c, a request or a response.
///
/// # Errors
/// [`PduError`] for another version, another PDU, or what cannot be read. The versions v1 and v3 are
/// refused as [`PduError::Message`].
pub fn decode(datagram: &[u8]) -> Result<Message, PduError> {
    let (community, pdu) = Pdu::of_message(datagram)?;
    Ok(Message { community, pdu })
}

/// Reads a response of SNMP v2c.
///
/// # Errors
/// As [`decode`]; a message that answers nothing is [`PduError::Kind`].
pub fn decode_response(datagram: &[u8]) -> Result<Message, PduError> {
    let message = decode(datagram)?;
    match message.pdu.kind {
        PduKind::Response => Ok(message),
        other => Err(PduError::Kind(other.number().into())),
    }
}

#[cfg(test)]
mod tests;
