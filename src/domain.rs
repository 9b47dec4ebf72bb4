//! Layer 0: the vocabulary. Values and state machines, no input or output, no clock.

pub mod address;
pub mod certificate;
pub mod change;
pub mod controller;
pub mod cycle;
pub mod device;
pub mod digest;
pub mod entry;
pub mod event;
pub mod fact;
pub mod key;
pub mod link;
pub mod message;
mod names;
pub mod number;
pub mod origin;
pub mod policy;
pub mod protocol;
pub mod reason;
pub mod secret;
pub mod subnet;
pub mod time;
pub mod token;
pub mod tree;
