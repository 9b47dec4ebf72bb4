//! Who may be believed: chains of certificates, and what each received message must pass.

pub mod above;
pub mod answers;
pub mod authority;
pub mod backoff;
pub mod chain;
pub mod complaints;
pub mod directory;
pub mod gate;
pub mod refusal;
mod replay;
mod sequence;
pub mod standing;
