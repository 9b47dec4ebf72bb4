//! What a controller is, as its NIB and its key files have it.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::keys::{self, KeyStore};
use super::{MembershipSettings, record};
use crate::actors::causes;
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::actors::validation::rows::read;
use crate::algorithms::trust::authority::Authority;
use crate::algorithms::trust::chain::{ChainError, Trust, verify};
use crate::algorithms::validation::joiner::Joiner;
use crate::domain::certificate::Certificate;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::digest::Digest;
use crate::domain::entropy::{Entropy, octets};
use crate::domain::number::Epoch;
use crate::domain::registry::Membership;
use crate::domain::time::Timestamp;
use crate::domain::token::BootstrapToken;
use crate::wire::signature::{KeyPair, fingerprint};
use crate::wire::statement::Chain;

/// How long the trust root's own certificate lives: everything below it has to be validated anew
/// when it ends.
const ROOT_LIFETIME: Duration = Duration::from_secs(3_652 * 86_400);

/// What to look at.
pub(super) struct Begin {
    pub settings: MembershipSettings,
    pub token: Option<BootstrapToken>,
    pub nib: Nib,
    pub keys: Arc<dyn KeyStore>,
    pub now: Timestamp,
    pub entropy: Arc<dyn Entropy>,
}

/// What was found.
pub(super) enum Begun {
    /// It has a name.
    Member(Box<Standing>),
    /// It has none, and may ask for one.
    Newcomer { joiner: Box<Joiner>, key: Arc<KeyPair>, parent: ControllerId },
    /// It has none, or none that is worth anything, and cannot ask for one.
    Stop { reason: String, remedy: String },
    /// It could not be seen; the token is still good.
    Troubled { detail: String, token: Option<BootstrapToken> },
}

/// A member.
pub(super) struct Standing {
    pub own: Arc<Own>,
    pub certificate: Certificate,
    /// The parent's certificate, as the chain has it.
    pub parent: Option<Certificate>,
    /// Whether its certificate has yet to be used for the first time.
    pub unproven: bool,
}

impl Begin {
    pub(super) async fn run(mut self) -> Begun {
        match self.look().await {
            Ok(Some(row)) => self.member(row).await,
            Ok(None) => self.newcomer().await,
            Err(detail) => Begun::Troubled { detail, token: self.token.take() },
        }
    }

    /// The membership; a Global Controller that has none makes itself the trust root.
    async fn look(&self) -> Result<Option<Membership>, String> {
        let row = self.nib.ask(|reader| reader.membership()).await.map_err(|error| causes(&error))?;
        if row.is_some() || self.settings.role != Role::Global {
            return Ok(row);
        }
        let key = self.key(keys::first()).await?;
        let epoch = Epoch::from_number(1);
        let root = Authority::root(Arc::new(key), epoch, self.now, ROOT_LIFETIME).map_err(|error| causes(&error))?;
        let write = record::root(&root, self.settings.cluster.clone(), self.now)?;
        record::commit(&self.nib, record::Write::Join(write), self.now).await.map_err(|error| causes(&error))?;
        self.nib.ask(|reader| reader.membership()).await.map_err(|error| causes(&error))
    }

    async fn key(&self, name: String) -> Result<KeyPair, String> {
        let obtained = keys::ask(&self.keys, move |keys| keys::obtain(keys, &name)).await;
        obtained.map_err(|error| causes(&error))
    }

    async fn newcomer(mut self) -> Begun {
        let (Some(region), Some(parent)) = (self.settings.region.clone(), self.settings.parent.clone()) else {
            return stop(
                "a controller without a region or a parent cannot be validated",
                "name both: `--region` and `--parent`, or controller.region and controller.parent in the configuration",
            );
        };
        let Some(token) = self.token.take() else {
            return stop(
                "there is no certificate and no bootstrap token",
                &format!(
                    "issue a token on {parent} (`pdsno token issue --role {} --region {region}`) and start this \
                     controller with it: in the file that security.bootstrap_token_file names, or in \
                     PDSNO_BOOTSTRAP_TOKEN",
                    self.settings.role
                ),
            );
        };
        let found = match octets(self.entropy.as_ref()) {
            Ok(random) => self.key(keys::first()).await.map(|key| (random, key)),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok((random, key)) => {
                let joiner = Joiner::new(ControllerId::newcomer(random), self.settings.role, region, token);
                Begun::Newcomer { joiner: Box::new(joiner), key: Arc::new(key), parent }
            }
            Err(detail) => Begun::Troubled { detail, token: Some(token) },
        }
    }

    async fn member(mut self, row: Membership) -> Begun {
        let unproven = row.next_chain.is_some() && row.next_key_file.is_some();
        let (document, file) = match (&row.next_chain, &row.next_key_file) {
            (Some(chain), Some(file)) => (chain, file.clone()),
            _ => (&row.chain, row.key_file.clone()),
        };
        let chain: Chain = match read(document, "the controller's chain of certificates") {
            Ok(chain) => chain,
            Err(error) => return Begun::Troubled { detail: causes(&error), token: self.token.take() },
        };
        let name = file.clone();
        let key = match keys::ask(&self.keys, move |keys| keys.load(&name)).await {
            Ok(key) => key,
            Err(error) => return Begun::Troubled { detail: causes(&error), token: self.token.take() },
        };
        let trust = Trust { pin: row.pin, now: self.now, epoch: None, is_revoked: &|_| false };
        let certificate = match verify(&chain, &trust) {
            Ok(certificate) => certificate.clone(),
            Err(error) => return unusable(&chain, &error),
        };
        if let Some(stop) = self.mismatch(&row) {
            return stop;
        }
        let Some(key) = key.filter(|key| key.public_key() == certificate.public_key) else {
            return stop(
                &format!("the key {file} of {} is lost, or is another one than its certificate's", row.id),
                "put the key file back from a backup; without it, revoke this controller on its parent, move its \
                 data folder away, and start it with a new token",
            );
        };
        if !unproven {
            tidy(&self.nib, &self.keys).await;
        }
        let parent = chain.certificates.get(1).map(|parent| parent.unverified().clone());
        let own = Own {
            cluster: row.cluster,
            id: row.id,
            role: row.role,
            region: row.region,
            parent: row.parent,
            pin: row.pin,
            chain,
            key: Arc::new(key),
            epoch: row.epoch,
        };
        Begun::Member(Box::new(Standing { own: Arc::new(own), certificate, parent, unproven }))
    }

    /// A data folder that is another controller's.
    fn mismatch(&self, row: &Membership) -> Option<Begun> {
        let wanted = &self.settings;
        let fits = row.role == wanted.role && (wanted.region.is_none() || row.region == wanted.region);
        (!fits).then(|| {
            stop(
                &format!("the data folder is that of {}, a {} controller", row.id, row.role),
                "start it with the role and region that it has, or give this controller a data folder of its own",
            )
        })
    }
}

fn stop(reason: &str, remedy: &str) -> Begun {
    Begun::Stop { reason: reason.to_owned(), remedy: remedy.to_owned() }
}

/// A chain that does not hold (any more).
fn unusable(chain: &Chain, error: &ChainError) -> Begun {
    match (error, chain.leaf()) {
        (ChainError::Time { .. }, Some(leaf)) => {
            let (reason, remedy) = expired(leaf.unverified());
            Begun::Stop { reason: format!("{reason}: {error}"), remedy }
        }
        _ => stop(
            &format!("the controller's own certificate does not hold: {error}"),
            "look at the NIB (`pdsno nib check`), restore a backup, or validate the controller anew",
        ),
    }
}

/// Why a controller with this certificate cannot go on, and what to do. A name is given once and a
/// log is one controller's, so it comes back as another one.
pub(super) fn expired(certificate: &Certificate) -> (String, String) {
    let reason = format!("the certificate of {} ended at {}", certificate.controller_id, certificate.expires_at);
    let remedy = format!(
        "check this machine's clock; if it is right, move the data folder away, and validate the controller anew with \
         a fresh token of {} (`pdsno token issue`)",
        certificate.issuer
    );
    (reason, remedy)
}

/// Forgets the keys that the membership does not name: those of certificates that were replaced.
pub(super) async fn tidy(nib: &Nib, keys: &Arc<dyn KeyStore>) {
    let row = match nib.ask(|reader| reader.membership()).await {
        Ok(Some(row)) => row,
        Ok(None) => return,
        Err(error) => return warn!(error = causes(&error), "old keys are not removed"),
    };
    let kept: Vec<String> = std::iter::once(row.key_file).chain(row.next_key_file).collect();
    let removed = keys::ask(keys, move |keys| {
        for name in keys.names()?.into_iter().filter(|name| !kept.contains(name)) {
            keys.remove(&name)?;
        }
        Ok(())
    });
    if let Err(error) = removed.await {
        warn!(error = causes(&error), "old keys are not removed");
    }
}

/// The fingerprint of the root of a chain that its owner made.
pub(super) fn root_pin(root: &Authority) -> Digest {
    fingerprint(&root.key.public_key())
}
