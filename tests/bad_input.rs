//! Bad input: the text names it and says what to do, the exit code is 2, and nothing is written.
//!
//! Everything runs inside a lab: should something be taken that ought to be refused, it reaches
//! nobody's network.

#[expect(dead_code, reason = "the handle also serves the tests of the lab and of discovery")]
#[path = "lab/handle.rs"]
mod lab;
#[expect(dead_code, reason = "what is refused prints nothing to be read")]
#[path = "program/run.rs"]
mod program;

#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/flags.rs"]
mod flags;
#[path = "bad_input/nib.rs"]
mod nib;
#[path = "bad_input/refusal.rs"]
mod refusal;
#[path = "bad_input/system.rs"]
mod system;
