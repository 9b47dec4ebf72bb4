//! Layer 5: what operators and tools see over HTTP.

pub mod http;
