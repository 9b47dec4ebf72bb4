//! Layer 1: what goes over the wire, as values. Codecs only: no socket, no clock.
//!
//! Encoders clear a buffer that the caller keeps and write one frame or message into it; decoders
//! borrow from the bytes that were received. So a sweep allocates nothing per probe, except for the
//! variables of an SNMP reply.

pub mod arp;
mod ber;
pub mod canonical;
pub mod dsse;
pub mod envelope;
pub mod frame;
pub mod icmp;
pub mod ipv4;
pub mod mib;
pub mod oid;
pub mod refusal;
pub mod signature;
pub mod snmp;
pub mod statement;
pub mod transcript;
pub mod udp;
pub mod validation;
