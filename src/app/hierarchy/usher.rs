//! Leads a controller into the hierarchy of its own process.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message};
use tracing::error;

use crate::actors::REQUEST_DEADLINE;
use crate::actors::identity::Became;
use crate::actors::registry::{IssueToken, RegistryActor, TokenOrder};
use crate::app::node::{Entrance, Invitation};
use crate::domain::controller::ControllerId;
use crate::domain::operator::Operator;

/// How long after a token could not be made it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Waits until the parent of a newcomer has a name, has a token made there, as an operator would, and
/// hands it to the newcomer. The token exists in memory only.
pub(super) struct Usher {
    /// Where tokens are made.
    pub registry: Addr<RegistryActor>,
    /// For whom.
    pub order: TokenOrder,
    /// Who runs this process.
    pub by: Operator,
    /// Where the newcomer waits; nobody, once it was let go.
    pub entrance: Option<Entrance>,
}

/// The parent can be asked for a token.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Ask(ControllerId);

impl Actor for Usher {
    type Context = Context<Self>;
}

impl Handler<Became> for Usher {
    type Result = ();

    fn handle(&mut self, Became(parent): Became, ctx: &mut Self::Context) {
        ctx.notify(Ask(parent.id.clone()));
    }
}

impl Handler<Ask> for Usher {
    type Result = ();

    fn handle(&mut self, Ask(parent): Ask, ctx: &mut Self::Context) {
        let asked = self.registry.send(IssueToken { order: self.order.clone(), by: self.by.clone() });
        let asked = wrap_future::<_, Self>(tokio::time::timeout(REQUEST_DEADLINE, asked));
        ctx.wait(asked.map(|answer, this, ctx| {
            let refusal = match answer {
                Ok(Ok(Ok(token))) => return this.lead(Invitation { parent, token }),
                Ok(Ok(Err(refused))) => format!("{:#}", anyhow::Error::from(refused)),
                Ok(Err(ended)) => ended.to_string(),
                Err(late) => late.to_string(),
            };
            error!(%parent, refusal, "no token for the controller below; it is asked for again");
            ctx.notify_later(Ask(parent), AGAIN);
        }));
    }
}

impl Usher {
    fn lead(&mut self, invitation: Invitation) {
        if let Some(entrance) = self.entrance.take() {
            entrance.follow(invitation);
        }
    }
}
