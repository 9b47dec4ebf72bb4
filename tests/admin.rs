//! What people tell a controller, over its admin socket or while none runs.

#[path = "lab/handle.rs"]
#[expect(dead_code, reason = "no lab is needed; what waits for the end of a process is")]
mod lab;
#[path = "nib_contract/members.rs"]
#[expect(dead_code, reason = "the tests of the NIB use the rest")]
mod members;
#[path = "admin/offline.rs"]
mod offline;
#[path = "admin/place.rs"]
mod place;
#[path = "admin/policies.rs"]
mod policies;
#[path = "program/run.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod program;
#[path = "admin/registry.rs"]
mod registry;
#[path = "nib_contract/samples.rs"]
#[expect(dead_code, reason = "the tests of the NIB use the rest")]
mod samples;
#[path = "admin/served.rs"]
mod served;
#[path = "admin/socket.rs"]
mod socket;
