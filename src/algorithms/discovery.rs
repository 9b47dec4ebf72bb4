//! Discovery: from subnets to devices.

pub mod advice;
pub mod classify;
pub mod counters;
pub mod credentials;
pub mod delta;
pub mod forecast;
pub mod identity;
pub mod merge;
pub mod observation;
pub mod pacing;
pub mod plan;
pub mod report;
pub mod sweep;
pub mod vendor;
pub mod watch;
