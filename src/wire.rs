//! Layer 1: what goes over the wire, as values. Codecs only: no socket, no clock.
//!
//! Encoders clear a buffer that the caller keeps and write one frame or message into it; decoders
//! borrow from the bytes that were received. So a sweep allocates nothing per probe, except for the
//! variables of SNMP. What is signed or hashed is a text of its own form: an entry of the
//! event log, a note, a checkpoint, a proof.

pub mod anchor;
pub mod arp;
mod ber;
pub mod canonical;
pub mod checkpoint;
pub mod dsse;
pub mod entry;
pub mod envelope;
pub mod evidence;
pub mod frame;
pub mod icmp;
pub mod ipv4;
pub mod line;
pub mod mib;
pub mod note;
pub mod oid;
pub mod policy;
pub mod presence;
pub mod refusal;
pub mod refused;
pub mod report;
pub mod rtnetlink;
pub mod signature;
pub mod snmp;
pub mod statement;
pub mod tlog_proof;
pub mod transcript;
pub mod udp;
pub mod usm;
pub mod validation;
pub mod witness;
