//! Three controllers in one process, as an operator meets them.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[path = "daemon/handle.rs"]
#[expect(dead_code, reason = "the handle also serves the tests of the daemon that stands alone")]
mod handle;
#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;

#[expect(dead_code, reason = "the fleet also serves the tests of trouble")]
#[path = "trouble/fleet.rs"]
mod fleet_before;

#[path = "hierarchy/again.rs"]
mod again;
#[path = "hierarchy/corrupt.rs"]
mod corrupt;
#[path = "hierarchy/fleet.rs"]
mod fleet;
#[path = "hierarchy/signals.rs"]
mod signals;
#[path = "hierarchy/site.rs"]
mod site;
#[path = "hierarchy/together.rs"]
mod together;
#[path = "hierarchy/usage.rs"]
mod usage;
