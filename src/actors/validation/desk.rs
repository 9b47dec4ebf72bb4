//! Where it is decided by what the NIB has, written, and only then answered: the way from a proven request
//! to a committed row.

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use tracing::{debug, error, info};

use super::rows::{self, AdmissionRows, Papers, RenewalRows};
use super::{Quotas, ValidationLinks};
use crate::actors::audit::Nudge;
use crate::actors::identity::Own;
use crate::actors::post::{Acquaint, Send};
use crate::actors::{causes, hand, presence};
use crate::algorithms::trust::authority::Authority;
use crate::algorithms::trust::chain::Trust;
use crate::algorithms::validation::decision::{Change as Decided, Decision, Reply};
use crate::algorithms::validation::parent::{
    AdmissionView, Census, Entropy as ChallengeEntropy, Office, Parent, Proven,
};
use crate::algorithms::validation::renewal::{Renewal, RenewalView, renew};
use crate::domain::certificate::Certificate;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::entropy::{Entropy, NoEntropy, octets};
use crate::domain::event::NewEvent;
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::{Clock, Timestamp};
use crate::nib::{NibError, NibReader};
use crate::wire::envelope::{Body, Destination, Message as Opened};
use crate::wire::validation::{ParentRenewed, RenewalRequest};

/// How seldom the last contact of a controller is written down.
const CONTACT: Duration = Duration::from_secs(60);

/// What every decision needs.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) quotas: Quotas,
    pub(super) links: ValidationLinks,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

/// The parent as it is now.
pub(super) struct Seat {
    pub(super) own: Arc<Own>,
    pub(super) authority: Authority,
    /// Whether those above took the certificate back.
    pub(super) withdrawn: bool,
}

impl Seat {
    pub(super) fn new(own: Arc<Own>) -> Self {
        let authority = Authority { chain: own.chain.clone(), key: Arc::clone(&own.key) };
        Self { own, authority, withdrawn: false }
    }

    /// Asks the core, with everything that it must know of this parent.
    pub(super) fn at<T>(&self, now: Timestamp, ask: impl FnOnce(&Office<'_>) -> T) -> T {
        let own = &self.own;
        let is_revoked = |certificate: &Certificate| self.withdrawn && certificate.controller_id == own.id;
        let trust = Trust { pin: own.pin, now, epoch: Some(own.epoch), is_revoked: &is_revoked };
        let office = Office { cluster: &own.cluster, id: &own.id, authority: &self.authority, trust, epoch: own.epoch };
        ask(&office)
    }
}

impl Desk {
    pub(super) fn challenge_entropy(&self) -> Result<ChallengeEntropy, NoEntropy> {
        let source = self.entropy.as_ref();
        Ok(ChallengeEntropy { challenge_id: octets(source)?, server_nonce: octets(source)? })
    }

    /// Writes what was decided, and only then answers.
    pub(super) async fn settle(self, decision: Decision, to: ControllerId) {
        let written = match rows::changes(&decision) {
            Ok(changes) => self.write(changes).await.map_err(|error| causes(&error)),
            Err(error) => Err(error.to_string()),
        };
        match written {
            Ok(()) => self.answer(decision.reply, to).await,
            Err(detail) => {
                error!(joiner = %to, error = detail, "a refusal could not be written; it is not told");
                self.answer(decision.reply.unwritten(), to).await;
            }
        }
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), NibError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.links.nib.commit(changes).await.map(|_| ())
    }

    pub(super) async fn tell(&self, events: Vec<NewEvent>) {
        if let Err(error) = self.write(rows::appended(&events).collect()).await {
            error!(error = causes(&error), events = ?events, "events could not be written");
        }
    }

    async fn answer(&self, reply: Reply, to: ControllerId) {
        match reply {
            Reply::Challenge(challenge) => send(&self.links.challenges, to, *challenge).await,
            Reply::Result(result) => send(&self.links.results, to, *result).await,
            Reply::Silence => {}
        }
    }

    /// Steps 5 and 6: decided by what the NIB has, and again if somebody else was faster.
    pub(super) async fn admit(self, seat: Arc<Seat>, proven: Proven, to: ControllerId) {
        let (request, cluster) = (proven.request().clone(), seat.own.cluster.clone());
        let look = move |reader: &dyn NibReader| AdmissionRows::look(reader, &request, &cluster);
        let decided = self.links.nib.decide(look, |rows| {
            let decision = self.decide(&seat, &proven, &rows);
            match rows::changes(&decision) {
                Ok(changes) => (changes, Ok(decision)),
                Err(error) => (Vec::new(), Err(error.to_string())),
            }
        });
        match decided.await.map_err(|error| causes(&error)).and_then(|decision| decision) {
            Ok(decision) => self.admitted(decision, to).await,
            Err(detail) => {
                error!(joiner = %to, error = detail, "a controller that was right could not be validated");
                let failed = seat.at(self.clock.now(), |office| Parent::failed(&proven, &detail, office));
                self.tell(failed.events).await;
                self.answer(failed.reply, to).await;
            }
        }
    }

    fn decide(&self, seat: &Seat, proven: &Proven, rows: &AdmissionRows) -> Decision {
        let quota = match seat.own.role {
            Role::Global => self.quotas.regional,
            _ => self.quotas.local,
        };
        let census = Census {
            regions: &rows.regions,
            controllers: rows.controllers,
            quota,
            next_number: rows.next_number,
            max_local_controllers: self.quotas.local,
        };
        let (token, granted) = (rows.token.as_ref(), rows.granted.as_ref());
        let view = AdmissionView { token, granted, census, next_serial: rows.next_serial };
        seat.at(self.clock.now(), |office| Parent::admit(proven, &view, office))
    }

    /// What was committed is told: first to those who must know the newcomer when it speaks.
    async fn admitted(&self, decision: Decision, to: ControllerId) {
        let joined = match decision.change {
            Some(Decided::Admit(admission)) => Some(admission.certificate.unverified().clone()),
            _ => None,
        };
        if let Some(certificate) = &joined {
            info!(controller = %certificate.controller_id, serial = %certificate.serial, "a controller was validated");
            hand(&self.links.acquaint, Acquaint::Insert(certificate.clone()), "a controller joined").await;
        }
        self.answer(decision.reply, to).await;
        if joined.is_some() && self.links.audit.try_send(Nudge).is_err() {
            debug!("the head of the log is shown when its time comes");
        }
    }

    pub(super) async fn renew(self, seat: Arc<Seat>, message: Opened<RenewalRequest>) {
        let (id, key) = (message.header.sender_id.clone(), message.key);
        let asked = id.clone();
        let look = move |reader: &dyn NibReader| RenewalRows::look(reader, &asked, &key);
        let decided = self.links.nib.decide(look, |rows| match self.renewal(&seat, &message, rows) {
            Ok(Some((changes, renewal))) => (changes, Ok(Some(renewal))),
            Ok(None) => (Vec::new(), Ok(None)),
            Err(error) => (Vec::new(), Err(error)),
        });
        match decided.await.map_err(|error| causes(&error)).and_then(|renewal| renewal) {
            Ok(Some(Renewal { issued, reply, .. })) => {
                if let Some((certificate, _)) = issued {
                    let known = Acquaint::Renew(certificate.unverified().clone());
                    hand(&self.links.acquaint, known, "a certificate was renewed").await;
                }
                send(&self.links.renewals, id, reply).await;
            }
            Ok(None) => debug!(controller = %id, "a renewal was asked for by a controller that has no row"),
            Err(detail) => {
                error!(controller = %id, error = detail, "a certificate could not be renewed");
                let reply = seat.at(self.clock.now(), |office| Renewal::failed(&message, office));
                send(&self.links.renewals, id, reply).await;
            }
        }
    }

    /// The decision on a renewal with what it writes; none when there is no such controller.
    fn renewal(
        &self,
        seat: &Seat,
        message: &Opened<RenewalRequest>,
        rows: RenewalRows,
    ) -> Result<Option<(Vec<Change>, Renewal)>, String> {
        let Some(row) = rows.row else { return Ok(None) };
        let papers = Papers::of(&row).map_err(|error| causes(&error))?;
        let view = RenewalView {
            standing: row.standing,
            present: &papers.present,
            next: papers.next.as_ref(),
            next_serial: rows.next_serial,
            max_local_controllers: self.quotas.local,
        };
        let renewal = seat.at(self.clock.now(), |office| renew(message, &view, office));
        let row = renewal.issued.as_ref().map(|issued| rows::with_next(row, issued));
        let row = row.transpose().map_err(|error| error.to_string())?;
        let changes = row.into_iter().map(Change::Registry).chain(rows::appended(&renewal.events)).collect();
        Ok(Some((changes, renewal)))
    }

    /// Shows the next certificate to those below, who would not believe its key. Who does not hear it
    /// asks when it misses this controller.
    pub(super) async fn introduce(self, own: Arc<Own>) {
        let children = match self.links.nib.ask(presence::rows).await {
            Ok(rows) => rows,
            Err(error) => return debug!(error = causes(&error), "those below learn of the new key by themselves"),
        };
        for child in children.into_iter().filter(|row| row.standing == Standing::Active) {
            send(&self.links.renewed, child.id, ParentRenewed { chain: own.chain.clone() }).await;
        }
    }

    /// Notes that a controller was heard, unless that was written a moment ago.
    pub(super) async fn heard(self, id: ControllerId) {
        let now = self.clock.now();
        let asked = id.clone();
        let noted = self.links.nib.decide(
            move |reader| reader.controller(&asked),
            |row| {
                let changed = row.filter(|row| row.last_contact.is_none_or(|last| now.since(last) >= CONTACT));
                let row = changed.map(|row| ControllerRow { last_contact: Some(now), ..row });
                let update = |row| Change::Registry(RegistryChange::UpdateController(Box::new(row)));
                (row.map(update).into_iter().collect(), ())
            },
        );
        if let Err(error) = noted.await {
            debug!(controller = %id, error = causes(&error), "its last contact is not written");
        }
    }
}

/// Sends to a joiner or a child. What is lost is asked for again.
async fn send<B: Body + std::marker::Send + 'static>(by: &Recipient<Send<B>>, to: ControllerId, body: B) {
    let message = Send { to: Destination::Controller(to.clone()), body };
    if let Some(Err(error)) = hand(by, message, "an answer").await {
        debug!(%to, %error, "an answer was not sent");
    }
}
