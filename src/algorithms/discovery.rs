//! Discovery.

pub mod classify;
pub mod vendor;
