//! What a cycle finds: the program scans a made network and the NIB tells of it.
//!
//! `make test-discovery SUBNET=10.0.1.0/24` asks the same of a real network, as far as that can be
//! judged without knowing what is there.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[expect(dead_code, reason = "the handle also serves the tests of the lab and of the daemon")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;

#[path = "discovery/agreement.rs"]
mod agreement;
#[path = "discovery/change.rs"]
mod change;
#[path = "discovery/counters.rs"]
mod counters;
#[path = "discovery/found.rs"]
mod found;
#[path = "discovery/interrupted.rs"]
mod interrupted;
#[path = "discovery/named_subnet.rs"]
mod named_subnet;
#[path = "discovery/neighbours.rs"]
mod neighbours;
#[path = "discovery/output.rs"]
mod output;
#[path = "discovery/plan.rs"]
mod plan;
#[path = "discovery/routed.rs"]
mod routed;
#[path = "discovery/selection.rs"]
mod selection;
#[path = "discovery/site.rs"]
mod site;
