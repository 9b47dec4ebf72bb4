//! Layer 6: one process made of the layers below.

pub mod config;
