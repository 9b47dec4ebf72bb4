//! Layer 5: how messages travel between controllers.
//!
//! A carrier takes `Dispatch` and brings `Arrived`, exact octets, and promises nothing: what it took
//! may be lost, late, doubled or out of order.

pub mod bus;
pub mod faults;
