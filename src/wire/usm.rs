//! SNMP v3 with the User-based Security Model (RFC 3412, RFC 3414), for those who ask and for those
//! who answer. Both sides are here so that one can be tested against the other.
//!
//! ```text
//!   asker                                        agent
//!     │  Head + ScopedPdu ─ encode ─► octets ──────► Sealed::read ─► who? (engine, user)
//!     │                                              Sealed::open(keys of that user) ─► ScopedPdu
//!     ◄─ Sealed::open(keys) ◄─ Sealed::read ◄─────── encode
//!
//!   password ─ MasterKeys::derive (1 MiB of hashing, once) ─ localise (once an engine) ─► LocalKeys
//! ```

pub mod keys;
pub mod message;
pub mod privacy;
pub mod report;
pub mod security;

#[cfg(test)]
mod tests;
