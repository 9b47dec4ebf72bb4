//! The actor through which operators decide who belongs here: tokens, controllers, the blocklist.
//!
//! ```text
//!   northbound, cli ──IssueToken, RevokeToken, RevokeController, …──► RegistryActor
//!   NibActor  ◄──look, decide, one commit with the event──────────────┤
//!   PostActor ◄──Acquaint, after it: in effect from the next message on
//! ```
//!
//! It keeps nothing: what it must know of this controller stands in the NIB, so that it serves a
//! running controller and one that stands still.

use std::sync::Arc;

use actix::fut::wrap_future;
use actix::{Actor, AtomicResponse, Context, Handler, Message, Recipient, ResponseFuture};

use super::nib::Nib;
use super::post::Acquaint;
use super::{NAMELESS, Ping, hand};
use crate::algorithms::validation::operator::{Act, ActError, Acted};
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::entropy::{Entropy, NoEntropy, octets};
use crate::domain::operator::Operator;
use crate::domain::registry::{Blocked, Membership};
use crate::domain::time::{Clock, Timestamp};
use crate::domain::token::{BootstrapToken, TokenId, TokenSecret};
use crate::nib::{NibError, NibReader};

mod summary;

pub use crate::algorithms::validation::operator::TokenOrder;
pub use summary::{ControllerSummary, ControllerView, TokenStanding, TokenSummary};

/// The rows of one page of a list.
const PAGE: usize = 500;

/// Does what operators decide.
pub struct RegistryActor {
    nib: Nib,
    acquaint: Option<Recipient<Acquaint>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Makes a bootstrap token. The answer is the only place where its secret can be seen.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<BootstrapToken, RegistryError>")]
pub struct IssueToken {
    /// What it is for.
    pub order: TokenOrder,
    /// Who wants it.
    pub by: Operator,
}

/// Takes an unused token back.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct RevokeToken {
    /// Which.
    pub id: TokenId,
    /// Who wants it.
    pub by: Operator,
}

/// Asks for all tokens, ascending by id.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Vec<TokenSummary>, RegistryError>")]
pub struct ListTokens;

/// Takes a controller's certificate back. Its messages are refused from the next one on.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct RevokeController {
    /// Which.
    pub id: ControllerId,
    /// Why, for people.
    pub reason: String,
    /// Who wants it.
    pub by: Operator,
}

/// Lets a suspended controller in again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct Reinstate {
    /// Which.
    pub id: ControllerId,
    /// Who wants it.
    pub by: Operator,
}

/// Puts a key or a source on the blocklist or takes it off.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct ChangeBlocklist {
    /// Which.
    pub blocked: Blocked,
    /// Why it is refused from now on; `None` takes it off the list.
    pub reason: Option<String>,
    /// Who wants it.
    pub by: Operator,
}

/// Asks for everything that is refused unseen, with the reasons.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Vec<(Blocked, String)>, RegistryError>")]
pub struct ReadBlocklist;

/// Asks for the controllers that were validated here, ascending by name.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Vec<ControllerSummary>, RegistryError>")]
pub struct ListControllers;

/// Asks for one of them.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<ControllerSummary, RegistryError>")]
pub struct ShowController(pub ControllerId);

/// Why an operator's wish was not done. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It may not be done.
    #[error(transparent)]
    Refused(#[from] ActError),
    /// The controller has no name yet.
    #[error("{NAMELESS}")]
    Nameless,
    /// The NIB.
    #[error("it cannot be written down")]
    Nib(#[from] NibError),
    /// The system gives no randomness.
    #[error("no token can be made")]
    NoEntropy(#[from] NoEntropy),
}

impl RegistryActor {
    /// An actor over a NIB. Without a carrier there is nobody whose messages would be refused, so
    /// nobody to be told of it.
    pub fn new(
        nib: Nib,
        acquaint: Option<Recipient<Acquaint>>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { nib, acquaint, clock, entropy }
    }

    fn registry(&self) -> Registry {
        let Self { nib, acquaint, clock, entropy } = self;
        Registry {
            nib: nib.clone(),
            acquaint: acquaint.clone(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        }
    }
}

/// What one act needs.
struct Registry {
    nib: Nib,
    acquaint: Option<Recipient<Acquaint>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Registry {
    /// Looks, asks the core and commits the row with its event.
    async fn act<V: Send + 'static, T>(
        &self,
        by: &Operator,
        look: impl FnOnce(&dyn NibReader) -> Result<V, NibError> + Clone + Send + 'static,
        mut decide: impl FnMut(&Act<'_>, &Membership, V) -> Result<(Acted, T), RegistryError>,
    ) -> Result<T, RegistryError> {
        let look = move |reader: &dyn NibReader| Ok((reader.membership()?, look(reader)?));
        let decided = self.nib.decide(look, |(own, view)| {
            let Some(own) = own else { return (Vec::new(), Err(RegistryError::Nameless)) };
            let act = Act { own: &own.id, by, now: self.clock.now() };
            match decide(&act, &own, view) {
                Ok((acted, told)) => (vec![Change::Registry(acted.change), Change::Append(acted.event)], Ok(told)),
                Err(refused) => (Vec::new(), Err(refused)),
            }
        });
        decided.await?
    }

    async fn tell(&self, known: Acquaint) {
        if let Some(acquaint) = &self.acquaint {
            hand(acquaint, known, "who belongs here changed").await;
        }
    }

    async fn issue_token(self, IssueToken { order, by }: IssueToken) -> Result<BootstrapToken, RegistryError> {
        let look = |reader: &dyn NibReader| reader.regions();
        self.act(&by, look, |act, own, regions| {
            let (id, secret) = (octets(self.entropy.as_ref())?, TokenSecret::generate(self.entropy.as_ref())?);
            Ok(act.issue_token(own, &regions, order.clone(), TokenId::new(id), secret)?)
        })
        .await
    }

    async fn revoke_token(self, RevokeToken { id, by }: RevokeToken) -> Result<(), RegistryError> {
        let look = move |reader: &dyn NibReader| reader.token(id);
        self.act(&by, look, |act, _, token| Ok((act.revoke_token(id, token.as_ref())?, ()))).await
    }

    async fn revoke(self, RevokeController { id, reason, by }: RevokeController) -> Result<(), RegistryError> {
        let asked = id.clone();
        let look = move |reader: &dyn NibReader| reader.controller(&asked);
        let done = self.act(&by, look, |act, _, row| Ok((act.revoke(&id, row, &reason)?, ()))).await;
        // Also when it is revoked already: whoever asks twice may have reason to.
        if matches!(done, Ok(()) | Err(RegistryError::Refused(ActError::Done(_)))) {
            self.tell(Acquaint::Revoke(id)).await;
        }
        done
    }

    async fn reinstate(self, Reinstate { id, by }: Reinstate) -> Result<(), RegistryError> {
        let asked = id.clone();
        let look = move |reader: &dyn NibReader| reader.controller(&asked);
        self.act(&by, look, |act, _, row| Ok((act.reinstate(&id, row)?, ()))).await?;
        self.tell(Acquaint::Reinstate(id)).await;
        Ok(())
    }

    async fn change_blocklist(self, change: ChangeBlocklist) -> Result<(), RegistryError> {
        let ChangeBlocklist { blocked, reason, by } = change;
        let look = |reader: &dyn NibReader| reader.blocklist();
        let decide = |act: &Act<'_>, _: &Membership, list: Vec<(Blocked, String)>| match &reason {
            Some(reason) => Ok((act.block(blocked.clone(), reason.clone()), Acquaint::Block(blocked.clone()))),
            None => Ok((act.unblock(blocked.clone(), &list)?, Acquaint::Unblock(blocked.clone()))),
        };
        let known = self.act(&by, look, decide).await?;
        self.tell(known).await;
        Ok(())
    }
}

fn list_tokens(reader: &dyn NibReader, now: Timestamp) -> Result<Vec<TokenSummary>, NibError> {
    let mut all: Vec<TokenSummary> = Vec::new();
    loop {
        let page = reader.tokens(all.last().map(|last| last.id), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.iter().map(|row| TokenSummary::of(row, now)));
    }
}

fn list_controllers(reader: &dyn NibReader) -> Result<Vec<ControllerSummary>, NibError> {
    let mut all: Vec<ControllerSummary> = Vec::new();
    loop {
        let page = reader.controllers(all.last().map(|last| &last.id), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.iter().map(ControllerSummary::of));
    }
}

impl Actor for RegistryActor {
    type Context = Context<Self>;
}

impl Handler<Ping> for RegistryActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

macro_rules! acts {
    ($($message:ty => $act:ident -> $answer:ty),+ $(,)?) => {$(
        impl Handler<$message> for RegistryActor {
            // One act at a time: operators see what those before them did.
            type Result = AtomicResponse<Self, Result<$answer, RegistryError>>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                AtomicResponse::new(Box::pin(wrap_future(self.registry().$act(message))))
            }
        }
    )+};
}

acts! {
    IssueToken => issue_token -> BootstrapToken,
    RevokeToken => revoke_token -> (),
    RevokeController => revoke -> (),
    Reinstate => reinstate -> (),
    ChangeBlocklist => change_blocklist -> (),
}

impl Handler<ListTokens> for RegistryActor {
    type Result = ResponseFuture<Result<Vec<TokenSummary>, RegistryError>>;

    fn handle(&mut self, _: ListTokens, _: &mut Self::Context) -> Self::Result {
        let (nib, now) = (self.nib.clone(), self.clock.now());
        Box::pin(async move { Ok(nib.ask(move |reader| list_tokens(reader, now)).await?) })
    }
}

impl Handler<ReadBlocklist> for RegistryActor {
    type Result = ResponseFuture<Result<Vec<(Blocked, String)>, RegistryError>>;

    fn handle(&mut self, _: ReadBlocklist, _: &mut Self::Context) -> Self::Result {
        let nib = self.nib.clone();
        Box::pin(async move { Ok(nib.ask(|reader| reader.blocklist()).await?) })
    }
}

impl Handler<ListControllers> for RegistryActor {
    type Result = ResponseFuture<Result<Vec<ControllerSummary>, RegistryError>>;

    fn handle(&mut self, _: ListControllers, _: &mut Self::Context) -> Self::Result {
        let nib = self.nib.clone();
        Box::pin(async move { Ok(nib.ask(list_controllers).await?) })
    }
}

impl Handler<ShowController> for RegistryActor {
    type Result = ResponseFuture<Result<ControllerSummary, RegistryError>>;

    fn handle(&mut self, ShowController(id): ShowController, _: &mut Self::Context) -> Self::Result {
        let nib = self.nib.clone();
        Box::pin(async move {
            let asked = id.clone();
            let row = nib.ask(move |reader| reader.controller(&asked)).await?;
            row.as_ref().map(ControllerSummary::of).ok_or(RegistryError::Refused(ActError::NoController(id)))
        })
    }
}
