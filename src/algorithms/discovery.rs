//! Discovery: from subnets to devices.

pub mod advice;
//CLASSIFY
//DELTA
pub mod merge;
pub mod observation;
pub mod pacing;
pub mod plan;
pub mod report;
pub mod sweep;
//VENDOR
