//! Layer 5: what operators and tools see over HTTP.
//!
//! Each file holds the resources of one subject, and a `configure` that is given the recipients that
//! they ask: a controller has the resources that it has actors for.

mod anomalies;
pub mod audit;
mod blocklist;
mod caller;
mod controllers;
mod discovery;
pub mod http;
mod inventory;
mod policy;
mod presence;
mod problem;
mod status;
mod tokens;
