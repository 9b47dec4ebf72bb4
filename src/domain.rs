//! Layer 0: the vocabulary. Values and state machines, no input or output, no clock.

pub mod address;
pub mod change;
pub mod controller;
pub mod cycle;
pub mod device;
pub mod event;
pub mod fact;
pub mod link;
mod names;
pub mod policy;
pub mod protocol;
pub mod secret;
pub mod subnet;
pub mod time;
