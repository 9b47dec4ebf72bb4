//! Protocol data units (RFC 3416): the same in SNMP v2c and v3.

use std::net::Ipv4Addr;

use snmp_parser::asn1_rs::nom;
use snmp_parser::error::SnmpError;
use snmp_parser::{NetworkAddress, ObjectSyntax, PduType, SnmpPdu, SnmpVariable, VarBindValue, parse_snmp_v2c};

use crate::wire::ber;
use crate::wire::oid::{Oid, OidError};

/// The version field of an SNMP v2c message.
pub(super) const VERSION_2C: u32 = 1;

/// What a protocol data unit is for. Those that change something or are unasked for are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PduKind {
    /// `GetRequest-PDU`: the values of these objects.
    Get,
    /// `GetNextRequest-PDU`: the successors of these.
    GetNext,
    /// `Response-PDU`.
    Response,
    /// `GetBulkRequest-PDU`: several successors of each.
    GetBulk,
    /// `Report-PDU`: an engine of SNMP v3 about a message that it did not process.
    Report,
}

impl PduKind {
    const ALL: [Self; 5] = [Self::Get, Self::GetNext, Self::Response, Self::GetBulk, Self::Report];

    /// The number of the tag.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Get => 0,
            Self::GetNext => 1,
            Self::Response => 2,
            Self::GetBulk => 5,
            Self::Report => 8,
        }
    }

    /// Context-specific, constructed.
    const fn tag(self) -> u8 {
        0xa0 | self.number()
    }
}

/// A protocol data unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// What it is for.
    pub kind: PduKind,
    /// `request-id`: tells requests in flight apart.
    pub request_id: u32,
    /// `error-status`: 0 when there was no error (RFC 3416 section 3). Of a [`PduKind::GetBulk`],
    /// which has the same form, `non-repeaters`.
    pub error_status: u32,
    /// `error-index`: which variable the error is about, from 1; 0 when it is about none. Of a
    /// [`PduKind::GetBulk`] `max-repetitions`.
    pub error_index: u32,
    /// The variables, in order.
    pub varbinds: Vec<(Oid, Value)>,
}

/// `tooBig(1)`: the answer does not fit into a message of the size that the asker or the agent can
/// take (RFC 3416 section 4.2.1).
pub const TOO_BIG: u32 = 1;

impl Pdu {
    /// A question for the values of objects.
    pub fn get(request_id: u32, oids: &[Oid]) -> Self {
        Self::question(PduKind::Get, [request_id, 0, 0], oids)
    }

    /// A question for the successor of each of the first `non_repeaters` of `oids`, and for up to
    /// `max_repetitions` successors of each of the others (RFC 3416 section 4.2.3). The agent sends
    /// fewer when they do not fit into its message.
    pub fn get_bulk(request_id: u32, non_repeaters: u16, max_repetitions: u16, oids: &[Oid]) -> Self {
        Self::question(PduKind::GetBulk, [request_id, non_repeaters.into(), max_repetitions.into()], oids)
    }

    fn question(kind: PduKind, [request_id, error_status, error_index]: [u32; 3], oids: &[Oid]) -> Self {
        let varbinds = oids.iter().map(|oid| (oid.clone(), Value::Null)).collect();
        Self { kind, request_id, error_status, error_index, varbinds }
    }

    /// Appends it.
    pub fn append(&self, out: &mut Vec<u8>) {
        ber::value(out, self.kind.tag(), |out| {
            [self.request_id, self.error_status, self.error_index]
                .into_iter()
                .for_each(|number| ber::unsigned(out, number));
            ber::value(out, ber::SEQUENCE, |out| {
                for (name, value) in &self.varbinds {
                    ber::value(out, ber::SEQUENCE, |out| {
                        ber::object_identifier(out, name);
                        value.append(out);
                    });
                }
            });
        });
    }

    /// Reads one that begins `octets`; what follows it is passed over.
    ///
    /// # Errors
    /// [`PduError`] for what cannot be read, and for kinds that neither ask nor answer.
    pub fn read(octets: &[u8]) -> Result<Self, PduError> {
        // The parser has no way in but a message.
        let mut message = Vec::with_capacity(octets.len() + 16);
        ber::value(&mut message, ber::SEQUENCE, |out| {
            ber::unsigned(out, VERSION_2C);
            ber::octet_string(out, b"");
            out.extend_from_slice(octets);
        });
        Self::of_message(&message).map(|(_, pdu)| pdu)
    }

    /// Reads a message of SNMP v2c: its community and its protocol data unit.
    ///
    /// `snmp-parser` reads it and is strict: it refuses all of a message in which one unsigned
    /// number has its top bit set for want of a leading zero, or the community is not UTF-8. What it
    /// allocates is bounded by the datagram, of which a variable takes six octets at least, and it
    /// descends a fixed number of levels.
    pub(super) fn of_message(datagram: &[u8]) -> Result<(Vec<u8>, Self), PduError> {
        let (_, message) = parse_snmp_v2c(datagram).map_err(|error| match error {
            nom::Err::Error(error) | nom::Err::Failure(error) => PduError::Message(error),
            nom::Err::Incomplete(_) => PduError::Truncated { length: datagram.len() },
        })?;
        let number = message.pdu_type();
        let kind = PduKind::ALL
            .into_iter()
            .find(|kind| PduType(kind.number().into()) == number)
            .ok_or(PduError::Kind(number.0))?;
        let (numbers, variables) = match message.pdu {
            SnmpPdu::Generic(pdu) => ([pdu.req_id, pdu.err.0, pdu.err_index], pdu.var),
            SnmpPdu::Bulk(pdu) => ([pdu.req_id, pdu.non_repeaters, pdu.max_repetitions], pdu.var),
            SnmpPdu::TrapV1(_) => return Err(PduError::Kind(number.0)),
        };
        let [request_id, error_status, error_index] = numbers;
        let varbinds = variables
            .iter()
            .enumerate()
            .map(|(place, variable)| varbind(variable).map_err(|source| PduError::Name { index: place + 1, source }));
        let varbinds = varbinds.collect::<Result<_, _>>()?;
        Ok((message.community.into_bytes(), Self { kind, request_id, error_status, error_index, varbinds }))
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

impl Value {
    /// Appends it with its tag. [`Value::Other`], of which nothing is known, becomes a `NULL`.
    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => ber::integer(out, *number),
            Self::OctetString(octets) => ber::octet_string(out, octets),
            Self::ObjectId(oid) => ber::object_identifier(out, oid),
            Self::IpAddress(address) => ber::value(out, 0x40, |out| out.extend(address.octets())),
            Self::Counter32(number) => ber::number(out, 0x41, u64::from(*number)),
            Self::Gauge32(number) => ber::number(out, 0x42, u64::from(*number)),
            Self::TimeTicks(number) => ber::number(out, 0x43, u64::from(*number)),
            Self::Counter64(number) => ber::number(out, 0x46, *number),
            Self::NoSuchObject => ber::value(out, 0x80, |_| {}),
            Self::NoSuchInstance => ber::value(out, 0x81, |_| {}),
            Self::EndOfMibView => ber::value(out, 0x82, |_| {}),
            Self::Null | Self::Other => ber::null(out),
        }
    }
}

/// Why octets are not a usable protocol data unit.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PduError {
    /// Not SNMP v2c, or an agent that encodes against the rules.
    #[error("the octets are no message or PDU of SNMP v2c")]
    Message(#[from] SnmpError),
    /// The datagram ends within the message.
    #[error("the SNMP message does not end within its datagram of {length} octets")]
    Truncated {
        /// The octets of the datagram.
        length: usize,
    },
    /// One that is not meant here, by the number of its tag.
    #[error("a PDU with tag {0} is not expected here")]
    Kind(u32),
    /// The name of a variable is no object identifier of SMIv2.
    #[error("the name of variable {index} cannot be read")]
    Name {
        /// Which variable, from 1.
        index: usize,
        /// What is wrong with it.
        source: OidError,
    },
}

pub(super) fn varbind(variable: &SnmpVariable<'_>) -> Result<(Oid, Value), OidError> {
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
