//! Layer 3: decisions. Pure functions and state machines that are handed `now` and views, and
//! return what to write and what to send.

pub mod audit;
pub mod discovery;
pub mod policy;
pub mod presence;
pub mod report;
pub mod trust;
pub mod validation;
pub mod view;
