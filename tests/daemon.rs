//! The daemon as an operator meets it: its start, its answers, its signals and its end.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;

#[path = "daemon/beside.rs"]
mod beside;
#[path = "daemon/end.rs"]
mod end;
#[path = "daemon/footprint.rs"]
mod footprint;
#[path = "daemon/handle.rs"]
mod handle;
#[path = "daemon/kill.rs"]
mod kill;
#[path = "daemon/noticed.rs"]
mod noticed;
#[path = "daemon/reload.rs"]
mod reload;
#[path = "daemon/served.rs"]
mod served;
#[path = "daemon/user.rs"]
mod user;
