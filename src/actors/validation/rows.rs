//! Between the decisions of a parent and the rows of its NIB: the one place that knows both.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::algorithms::trust::authority::Issued;
use crate::algorithms::validation::decision::{Admission, Change as Decided, Decision};
use crate::domain::certificate::{Certificate, Delegation};
use crate::domain::change::Change;
use crate::domain::controller::{Cluster, ControllerId, Region, RegionSlug};
use crate::domain::device::Version;
use crate::domain::event::NewEvent;
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::registry::{ControllerRow, NextCertificate, RegistryChange, SignedDocument, Standing};
use crate::domain::token::TokenRow;
use crate::nib::{NibError, NibReader};
use crate::wire::canonical;
use crate::wire::statement::{Claim, Statement};
use crate::wire::validation::{Grant, ValidationRequest};

/// A signed document as it is stored.
///
/// # Errors
/// serde's; nothing that was signed has cause for one.
pub(in crate::actors) fn document<T: Serialize>(signed: &T) -> Result<SignedDocument, serde_json::Error> {
    serde_json::to_string(signed).map(SignedDocument::from_text)
}

/// A stored document as the statement that it is.
///
/// # Errors
/// [`NibError::Corrupt`] when it is none.
pub(in crate::actors) fn read<T: DeserializeOwned>(
    document: &SignedDocument,
    what: &'static str,
) -> Result<T, NibError> {
    canonical::read(document.as_str().as_bytes(), what)
        .map_err(|error| NibError::Corrupt { detail: format!("{what} cannot be read: {error}") })
}

fn statement<T: Claim>(document: &SignedDocument) -> Result<Statement<T>, NibError> {
    read(document, T::NAME)
}

/// What a controller has, and what it was given for its next key.
pub(in crate::actors) struct Papers {
    pub present: Issued,
    pub next: Option<Issued>,
}

impl Papers {
    pub(in crate::actors) fn of(row: &ControllerRow) -> Result<Self, NibError> {
        let issued = |certificate, delegation: Option<&SignedDocument>| -> Result<Issued, NibError> {
            Ok((statement::<Certificate>(certificate)?, delegation.map(statement::<Delegation>).transpose()?))
        };
        Ok(Self {
            present: issued(&row.certificate, row.delegation.as_ref())?,
            next: row.next.as_ref().map(|next| issued(&next.certificate, next.delegation.as_ref())).transpose()?,
        })
    }
}

/// What the NIB has about one joiner.
#[derive(Debug)]
pub(super) struct AdmissionRows {
    pub token: Option<TokenRow>,
    pub granted: Option<Grant>,
    pub regions: BTreeMap<RegionSlug, Region>,
    pub controllers: u32,
    pub next_number: u32,
    pub next_serial: Serial,
}

impl AdmissionRows {
    pub(super) fn look(
        reader: &dyn NibReader,
        request: &ValidationRequest,
        cluster: &Cluster,
    ) -> Result<Self, NibError> {
        let token = reader.token(request.token_id)?;
        let user = token.as_ref().and_then(|token| token.used.as_ref()).map(|used| &used.controller_id);
        let row = match user {
            Some(id) => reader.controller(id)?,
            None => reader.controller_by_key(&request.public_key)?,
        };
        let granted = row.filter(|row| row.standing == Standing::Active && row.public_key == request.public_key);
        Ok(Self {
            token,
            granted: granted.map(|row| grant(&row, cluster)).transpose()?,
            regions: reader.regions()?,
            controllers: reader.count_controllers(request.role, &request.region)?,
            next_number: reader.next_name(request.role, &request.region.slug())?,
            next_serial: reader.next_serial()?,
        })
    }
}

fn grant(row: &ControllerRow, cluster: &Cluster) -> Result<Grant, NibError> {
    let (certificate, delegation) = Papers::of(row)?.present;
    Ok(Grant {
        cluster: cluster.clone(),
        assigned_id: row.id.clone(),
        role: row.role,
        region: row.region.clone(),
        certificate,
        delegation,
    })
}

/// What the NIB has about a controller that asks for a certificate.
#[derive(Debug)]
pub(super) struct RenewalRows {
    pub row: Option<ControllerRow>,
    pub next_serial: Serial,
}

impl RenewalRows {
    /// With the certificate of the key that asked as the present one: its first use may not have
    /// been written yet.
    pub(super) fn look(reader: &dyn NibReader, id: &ControllerId, key: &PublicKey) -> Result<Self, NibError> {
        let row = reader.controller(id)?.map(|row| promoted(row, key));
        Ok(Self { row, next_serial: reader.next_serial()? })
    }
}

fn promoted(mut row: ControllerRow, key: &PublicKey) -> ControllerRow {
    if let Some(next) = row.next.take_if(|next| next.public_key == *key)
        && let Ok(certificate) = statement::<Certificate>(&next.certificate)
    {
        row.expires_at = certificate.unverified().expires_at;
        row.public_key = next.public_key;
        row.serial = next.serial;
        row.certificate = next.certificate;
        row.delegation = next.delegation;
    }
    row
}

/// The row with a certificate for its next key.
pub(super) fn with_next(mut row: ControllerRow, issued: &Issued) -> Result<RegistryChange, serde_json::Error> {
    let claim = issued.0.unverified();
    row.next = Some(NextCertificate {
        serial: claim.serial,
        public_key: claim.public_key,
        certificate: document(&issued.0)?,
        delegation: issued.1.as_ref().map(document).transpose()?,
    });
    Ok(RegistryChange::UpdateController(Box::new(row)))
}

/// Everything that a decision writes, in one commit.
///
/// # Errors
/// As [`document`].
pub(super) fn changes(decision: &Decision) -> Result<Vec<Change>, serde_json::Error> {
    let row = decision.change.as_ref().map(registry_change).transpose()?;
    Ok(row.into_iter().map(Change::Registry).chain(appended(&decision.events)).collect())
}

/// These events, to be appended.
pub(in crate::actors) fn appended(events: &[NewEvent]) -> impl Iterator<Item = Change> {
    events.iter().cloned().map(Change::Append)
}

fn registry_change(decided: &Decided) -> Result<RegistryChange, serde_json::Error> {
    Ok(match decided {
        Decided::WrongProof { token, from } => RegistryChange::WrongProof { token: *token, from: *from },
        Decided::Admit(admission) => RegistryChange::Admit {
            used: admission.used.clone(),
            number: admission.number,
            controller: Box::new(controller(admission)?),
        },
    })
}

fn controller(admission: &Admission) -> Result<ControllerRow, serde_json::Error> {
    let claim = admission.certificate.unverified();
    Ok(ControllerRow {
        id: claim.controller_id.clone(),
        role: claim.role,
        region: admission.region.clone(),
        public_key: claim.public_key,
        serial: claim.serial,
        certificate: document(&admission.certificate)?,
        delegation: admission.delegation.as_ref().map(document).transpose()?,
        expires_at: claim.expires_at,
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: admission.parent.clone(),
        validated_at: admission.used.at,
        token: admission.token,
        metadata: admission.metadata.entries().clone(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    })
}
