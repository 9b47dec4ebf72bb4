//! pdsno as a service: what is installed, how much the unit lets it do, what the manager is told, what the
//! manager does with it, and the manual.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "daemon/handle.rs"]
mod handle;
#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "lab/handle.rs"]
mod lab;
#[expect(dead_code, reason = "the other tests of the program use the rest")]
#[path = "program/run.rs"]
mod program;

#[path = "service/booted.rs"]
mod booted;
#[path = "service/bundle.rs"]
mod bundle;
#[path = "service/installed.rs"]
mod installed;
#[path = "service/notified.rs"]
mod notified;
