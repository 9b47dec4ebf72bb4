//! What the sources must look like: who may import whom, what is deliberately absent, how long a
//! file may be and what it may be called, and what must be documented. `docs/ARCHITECTURE.md` has the
//! reasons.
//!
//! Each part is a function over a text, so that each rule is shown to fire on a text made for it; and
//! then it is held against the sources themselves.

#[path = "layering/absences.rs"]
mod absences;
#[path = "layering/architecture.rs"]
mod architecture;
#[path = "layering/documents.rs"]
mod documents;
#[path = "layering/files.rs"]
mod files;
#[path = "layering/imports.rs"]
mod imports;
#[path = "layering/source.rs"]
mod source;
#[path = "layering/tokens.rs"]
mod tokens;
