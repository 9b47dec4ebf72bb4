//! Layer 4: actors, thin shells over the layers below.
//!
//! ```text
//!              StartCycle, Tick            Order (channel)
//!   app, timer ──────────────► DiscoveryActor ───────────► sweeper thread ──► links
//!                                │   ▲  ▲                       │
//!                   LoadDevices, │   │  └────── Swept ──────────┘
//!                   Commit       ▼   │
//!                             NibActor ──► writer thread, readers
//!                                ▲
//!   northbound ──► HealthActor ──┴─ Ping to each; CycleEnded from DiscoveryActor
//! ```
//!
//! Every mailbox is bounded. Requests use `send` with a deadline, telemetry uses `try_send`.

pub mod audit;
pub mod discovery;
pub mod health;
pub mod identity;
pub mod nib;
pub mod post;
pub mod presence;
pub mod sweeper;

use std::time::Duration;

use actix::Message;

/// Asks an actor whether it still answers.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Ping;

/// How long a request to an actor may wait in its mailbox and be worked on, unless its sender knows
/// better.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
