//! What is done to whole controllers, and what comes of it: the refusal, its event, and nothing else.
//!
//! The numbers are those of `docs/attacks.md`.

#[path = "attacks/copied.rs"]
mod copied;
#[path = "attacks/reported.rs"]
mod reported;
#[expect(dead_code, reason = "the scene also serves other tests of whole controllers")]
#[path = "attacks/scene.rs"]
mod scene;
#[path = "attacks/tables.rs"]
mod tables;
#[path = "attacks/together.rs"]
mod together;
