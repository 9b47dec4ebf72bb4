//! The decisions of a witness.
