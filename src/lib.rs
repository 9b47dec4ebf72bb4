//! pdsno: a network orchestrator that runs as a Global, Regional or Local controller.
//!
//! The modules are layers; imports go downward only, and `tests/layering.rs` holds them to it.
//! `docs/ARCHITECTURE.md` has the table and the reasons.
//
// What holds for the program, but not for its tests. Nothing panics on any input, no number is cut
// in silence, no result is passed over without a name that says why, and only `cli::output` prints.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        clippy::let_underscore_must_use,
        clippy::print_stdout,
        clippy::print_stderr,
    )
)]

pub mod actors;
pub mod algorithms;
pub mod app;
pub mod cli;
pub mod domain;
pub mod eastwest;
pub mod nib;
pub mod northbound;
pub mod southbound;
pub mod wire;
