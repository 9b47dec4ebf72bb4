//! Layer 3: what controllers decide, as pure functions and state machines. No clock, socket, store
//! or actor.

pub mod discovery;
