//! Layer 2: what touches the network below: interfaces, raw frames, ordinary sockets, what the kernel knows
//! and tells.

pub mod announcements;
pub mod carrier;
pub mod echo_socket;
pub mod error_queue;
pub mod filter;
pub mod interfaces;
pub mod neighbours;
pub mod packet_socket;
pub mod route_socket;
pub mod routes;
