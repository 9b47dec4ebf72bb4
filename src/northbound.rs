//! Layer 5: what operators and tools see over HTTP.
//!
//! Each file holds the resources of one subject, and a `configure` that is given the recipients that
//! they ask: a controller has the resources that it has actors for.

pub mod audit;
mod caller;
mod controllers;
mod discovery;
pub mod http;
mod inventory;
mod problem;
mod status;
mod tokens;
