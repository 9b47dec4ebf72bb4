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
pub mod link_watch;
pub mod log_check;
pub mod membership;
pub mod nib;
pub mod policy;
pub mod post;
pub mod presence;
pub mod registry;
pub mod report;
pub mod sweeper;
pub mod validation;
pub mod view;

use std::time::Duration;

use actix::{Message, Recipient};

/// Asks an actor whether it still answers.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Ping;

/// What operators are told who want something of a controller that has no name yet.
const NAMELESS: &str = "this controller has no name yet, and so no say: start it once and leave it running until \
    `pdsno status` shows it as VALIDATED; a Global Controller makes its own name at its first start";

/// How long a request to an actor may wait in its mailbox and be worked on, unless its sender knows
/// better.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Hands a message over and waits for the answer, within [`REQUEST_DEADLINE`]. There is none when the
/// other actor has ended or is stuck; what it stands for is told in the log then.
async fn hand<M>(to: &Recipient<M>, message: M, what: &'static str) -> Option<M::Result>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    match tokio::time::timeout(REQUEST_DEADLINE, to.send(message)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "an actor was not told");
            None
        }
        Err(late) => {
            tracing::warn!(what, error = %late, "an actor was not told");
            None
        }
    }
}

/// An error with all of its causes, as one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
