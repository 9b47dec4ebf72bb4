//! pdsno: a network orchestrator that runs as a Global, Regional or Local controller.
//!
//! The modules are layers; imports go downward only, and `tests/layering.rs` holds them to it.
//! `docs/ARCHITECTURE.md` has the table and the reasons.

pub mod actors;
pub mod algorithms;
pub mod app;
pub mod cli;
pub mod domain;
pub mod nib;
pub mod northbound;
pub mod southbound;
pub mod wire;
