//! The actors as they work together: on scripted links, on a NIB in memory, on virtual time.

#[path = "actors/batches.rs"]
mod batches;
#[path = "actors/carrier.rs"]
mod carrier;
#[path = "actors/cycles.rs"]
mod cycles;
#[path = "actors/health.rs"]
mod health;
#[path = "actors/link_watch.rs"]
mod link_watch;
#[path = "actors/nib.rs"]
mod nib;
#[path = "actors/offices.rs"]
mod offices;
#[path = "actors/policy.rs"]
mod policy;
#[path = "actors/presence.rs"]
mod presence;
#[path = "actors/reports.rs"]
mod reports;
#[path = "actors/schedule.rs"]
mod schedule;
#[path = "actors/stage.rs"]
mod stage;
#[path = "actors/sweeps.rs"]
mod sweeps;
#[path = "actors/tiers.rs"]
mod tiers;
