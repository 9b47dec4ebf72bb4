//! How controllers come to trust each other, through their actors and over the bus.

#[path = "trust/attacks.rs"]
mod attacks;
#[path = "trust/disk.rs"]
mod disk;
#[path = "trust/intruder.rs"]
mod intruder;
#[path = "trust/join.rs"]
mod join;
#[path = "machine/intruder.rs"]
mod machine;
#[path = "trust/stage.rs"]
mod stage;
#[path = "trust/tiers.rs"]
mod tiers;
#[path = "trust/told.rs"]
mod told;
