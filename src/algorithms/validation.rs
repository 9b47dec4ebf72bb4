//! How a controller gets its name: the handshake of joiner and parent, and the renewal of what it got.
//!
//! ```text
//! Joiner                                         Parent
//!   request ── VALIDATION_REQUEST ──────────────► attempt, request
//!   challenge ◄──────────── CHALLENGE ──────────
//!           ── CHALLENGE_RESPONSE ──────────────► respond, admit ─► one commit
//!   result ◄─────────── VALIDATION_RESULT ──────
//!           ── VALIDATION_ACK ──────────────────►
//! ```
//!
//! The proof of the token goes into the response, not into the request: only there does the joiner
//! know, from the chain in the challenge, that it talks to a parent below the pinned root, and only
//! there can the proof cover that parent and both nonces.

pub mod attempts;
pub mod decision;
pub mod joiner;
pub mod operator;
pub mod parent;
pub mod refusals;
pub mod renewal;
pub mod renewer;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod scene;
