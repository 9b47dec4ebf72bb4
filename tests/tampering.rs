//! What comes of a controller whose files somebody edits, cuts off, writes anew or puts back, and of a
//! process that dies: whole controllers over the files of SQLite.
#![expect(clippy::disallowed_methods, reason = "a process that runs is waited for by the machine's clock")]

#[path = "daemon/handle.rs"]
#[expect(dead_code, reason = "the handle also serves the tests of the daemon that stands alone")]
mod handle;
#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "lab/handle.rs"]
mod lab;
#[path = "program/run.rs"]
mod program;
#[expect(dead_code, reason = "the scene also serves the tests of other attacks")]
#[path = "attacks/scene.rs"]
mod scene;
#[expect(dead_code, reason = "the site also serves the tests of a hierarchy that nobody harms")]
#[path = "hierarchy/site.rs"]
mod site;

#[path = "tampering/admission.rs"]
mod admission;
#[path = "tampering/edited.rs"]
mod edited;
#[path = "tampering/hierarchy.rs"]
mod hierarchy;
#[path = "tampering/history.rs"]
mod history;
#[path = "tampering/restored.rs"]
mod restored;
#[path = "tampering/vandal.rs"]
mod vandal;
