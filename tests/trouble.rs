//! Trouble in discovery: links, replies, agents, disks, signals and terminals that go wrong, with what is
//! found, said and stored. `docs/trouble.md` tells which test shows what; those that need no program
//! that runs are beside the code.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[expect(dead_code, reason = "the handle also serves the tests of the daemon")]
#[path = "daemon/handle.rs"]
mod handle;
#[expect(dead_code, reason = "the handle also serves the tests of the lab")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;
#[path = "discovery/site.rs"]
mod site;

#[path = "trouble/agents.rs"]
mod agents;
#[path = "trouble/begun.rs"]
mod begun;
#[path = "trouble/ends.rs"]
mod ends;
#[path = "trouble/fleet.rs"]
mod fleet;
#[path = "trouble/kills.rs"]
mod kills;
#[path = "trouble/links.rs"]
mod links;
#[path = "trouble/replies.rs"]
mod replies;
#[path = "trouble/storage.rs"]
mod storage;
#[path = "trouble/storm.rs"]
mod storm;
#[path = "trouble/tables.rs"]
mod tables;
#[path = "trouble/users.rs"]
mod users;
