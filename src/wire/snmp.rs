//! SNMP v2c messages (RFC 1901, RFC 3416): requests are written, responses are read.

use std::fmt;
use std::net::Ipv4Addr;

use snmp_parser::asn1_rs::nom;
use snmp_parser::error::SnmpError;
use snmp_parser::{NetworkAddress, ObjectSyntax, PduType, SnmpPdu, SnmpVariable, VarBindValue, parse_snmp_v2c};

use crate::domain::secret::{Community, HIDDEN};
use crate::wire::ber;
use crate::wire::oid::{Oid, OidError};

/// The version field of an SNMP v2c message.
const VERSION_2C: u32 = 1;
/// The tag of a `GetRequest-PDU`: context-specific, constructed, 0.
const GET_REQUEST: u8 = 0xa0;
/// The tag of a `GetBulkRequest-PDU`.
const GET_BULK_REQUEST: u8 = 0xa5;

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
    encode(out, community, GET_REQUEST, [id.get(), 0, 0], oids);
}

/// Clears `out` and writes a message that asks for the successor of each of the first
/// `non_repeaters` of `oids`, and for up to `max_repetitions` successors of each of the others
/// (RFC 3416 section 4.2.3). The agent sends fewer when they do not fit into its message.
pub fn encode_get_bulk(
    out: &mut Vec<u8>,
    community: &Community,
    id: RequestId,
    non_repeaters: u16,
    max_repetitions: u16,
    oids: &[Oid],
) {
    encode(out, community, GET_BULK_REQUEST, [id.get(), non_repeaters.into(), max_repetitions.into()], oids);
}

fn encode(out: &mut Vec<u8>, community: &Community, pdu: u8, header: [u32; 3], oids: &[Oid]) {
    out.clear();
    ber::value(out, ber::SEQUENCE, |out| {
        ber::unsigned(out, VERSION_2C);
        ber::octet_string(out, community.as_bytes());
        ber::value(out, pdu, |out| {
            header.iter().for_each(|number| ber::unsigned(out, *number));
            ber::value(out, ber::SEQUENCE, |out| {
                for oid in oids {
                    ber::value(out, ber::SEQUENCE, |out| {
                        ber::object_identifier(out, oid);
                        ber::null(out);
                    });
                }
            });
        });
    });
}

/// An agent's answer. Whether it answers a request of ours is for the table of those in flight.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The community of the request; hidden in debug output.
    pub community: Vec<u8>,
    /// The id of the request.
    pub request_id: u32,
    /// `error-status`: 0 when there was no error (RFC 3416 section 3).
    pub error_status: u32,
    /// `error-index`: which variable the error is about, from 1; 0 when it is about none.
    pub error_index: u32,
    /// The variables, in the order of the answer.
    pub varbinds: Vec<(Oid, Value)>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("community", &HIDDEN)
            .field("request_id", &self.request_id)
            .field("error_status", &self.error_status)
            .field("error_index", &self.error_index)
            .field("varbinds", &self.varbinds)
            .finish()
    }
}

/// The value of a variable (RFC 3416 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `INTEGER` or `Integer32`.
    Integer(i32),
    /// `OCTET STRING`: any octets, not always text. Also stands for an empty value of another type,
    /// which only a faulty agent sends.
    OctetString(Vec<u8>),
    /// `OBJECT IDENTIFIER`.
    ObjectId(Oid),
    /// `IpAddress`.
    IpAddress(Ipv4Addr),
    /// `Counter32`: wraps.
    Counter32(u32),
    /// `Gauge32` or `Unsigned32`: sticks to its greatest value.
    Gauge32(u32),
    /// `TimeTicks`: hundredths of a second.
    TimeTicks(u32),
    /// `Counter64`: wraps.
    Counter64(u64),
    /// `NULL`: no value, as in a request.
    Null,
    /// The agent does not know the object.
    NoSuchObject,
    /// The agent knows the object and has no such instance of it.
    NoSuchInstance,
    /// There is nothing after the name that was asked for.
    EndOfMibView,
    /// `Opaque` or a type that RFC 3416 does not know.
    Other,
}

/// Why a datagram is not a usable SNMP response.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ResponseError {
    /// Not SNMP v2c, or an agent that encodes against the rules.
    #[error("the datagram is not an SNMP v2c message")]
    Message(#[from] SnmpError),
    /// The datagram ends within the message.
    #[error("the SNMP message does not end within its datagram of {length} octets")]
    Truncated {
        /// The octets of the datagram.
        length: usize,
    },
    /// A message of SNMP v2c that does not answer anything, by the number of its PDU's tag.
    #[error("the SNMP message is not a response but a PDU with tag {0}")]
    NotAResponse(u32),
    /// The name of a variable is no object identifier of SMIv2.
    #[error("the name of variable {index} cannot be read")]
    Name {
        /// Which variable, from 1.
        index: usize,
        /// What is wrong with it.
        source: OidError,
    },
}

/// Reads a response of SNMP v2c.
///
/// `snmp-parser` reads the message and is strict: it refuses all of a message in which one unsigned
/// number has its top bit set for want of a leading zero, or the community is not UTF-8. What it
/// allocates is bounded by the datagram, of which a variable takes six octets at least, and it
/// descends a fixed number of levels.
///
/// # Errors
/// [`ResponseError`] for another version, another PDU, or what cannot be read. The version and the
/// PDU of SNMP v1 and v3 are refused as [`ResponseError::Message`].
pub fn decode_response(datagram: &[u8]) -> Result<Response, ResponseError> {
    let (_, message) = parse_snmp_v2c(datagram).map_err(|error| match error {
        nom::Err::Error(error) | nom::Err::Failure(error) => ResponseError::Message(error),
        nom::Err::Incomplete(_) => ResponseError::Truncated { length: datagram.len() },
    })?;
    let pdu_type = message.pdu_type();
    let SnmpPdu::Generic(pdu) = message.pdu else {
        return Err(ResponseError::NotAResponse(pdu_type.0));
    };
    if pdu_type != PduType::Response {
        return Err(ResponseError::NotAResponse(pdu_type.0));
    }
    let varbinds =
        pdu.var.iter().enumerate().map(|(place, variable)| {
            varbind(variable).map_err(|source| ResponseError::Name { index: place + 1, source })
        });
    Ok(Response {
        request_id: pdu.req_id,
        error_status: pdu.err.0,
        error_index: pdu.err_index,
        varbinds: varbinds.collect::<Result<_, _>>()?,
        community: message.community.into_bytes(),
    })
}

fn varbind(variable: &SnmpVariable<'_>) -> Result<(Oid, Value), OidError> {
    let value = match &variable.val {
        VarBindValue::Value(value) => Value::from(value),
        VarBindValue::Unspecified => Value::Null,
        VarBindValue::NoSuchObject => Value::NoSuchObject,
        VarBindValue::NoSuchInstance => Value::NoSuchInstance,
        VarBindValue::EndOfMibView => Value::EndOfMibView,
    };
    Ok((Oid::from_content(variable.oid.as_bytes())?, value))
}

impl From<&ObjectSyntax<'_>> for Value {
    fn from(value: &ObjectSyntax<'_>) -> Self {
        match value {
            ObjectSyntax::Number(number) => Self::Integer(*number),
            ObjectSyntax::String(octets) => Self::OctetString(octets.to_vec()),
            // The parser drops the type of an empty value. An empty string is common (`sysLocation`
            // as it leaves the factory), every other empty value breaks the rules.
            ObjectSyntax::Empty => Self::OctetString(Vec::new()),
            ObjectSyntax::Object(oid) => Oid::from_content(oid.as_bytes()).map_or(Self::Other, Self::ObjectId),
            ObjectSyntax::IpAddress(NetworkAddress::IPv4(address)) => Self::IpAddress(*address),
            ObjectSyntax::Counter32(number) => Self::Counter32(*number),
            ObjectSyntax::Gauge32(number) | ObjectSyntax::UInteger32(number) => Self::Gauge32(*number),
            ObjectSyntax::TimeTicks(number) => Self::TimeTicks(*number),
            ObjectSyntax::Counter64(number) => Self::Counter64(*number),
            ObjectSyntax::BitString(_)
            | ObjectSyntax::UnknownSimple(_)
            | ObjectSyntax::Opaque(_)
            | ObjectSyntax::NsapAddress(_)
            | ObjectSyntax::UnknownApplication(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
