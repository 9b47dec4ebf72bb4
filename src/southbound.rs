//! Layer 2: what touches the network below: interfaces, raw frames, the SNMP socket.

pub mod carrier;
pub mod filter;
pub mod interfaces;
pub mod packet_socket;
