//! What an operator may do about tokens, controllers and the blocklist: checked, and with its event.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::controller::{ControllerId, Region, RegionSlug, Role};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::operator::Operator;
use crate::domain::registry::{Blocked, ControllerRow, Membership, RegistryChange, Standing};
use crate::domain::time::Timestamp;
use crate::domain::token::{BootstrapToken, TokenId, TokenLifetime, TokenRow, TokenSecret};
use crate::wire::transcript::token_key;

/// Who acts, through which controller, when.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// The controller.
    pub own: &'a ControllerId,
    /// The user.
    pub by: &'a Operator,
    /// Now.
    pub now: Timestamp,
}

/// What is to be written: one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// The row.
    pub change: RegistryChange,
    /// The event.
    pub event: NewEvent,
}

/// Why an operator's act is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// A controller of this tier has no such children.
    #[error("{own} is a {role} controller, it does not validate {child} ones; {advice}")]
    Tier {
        /// The controller.
        own: ControllerId,
        /// Its tier.
        role: Role,
        /// The tier that was asked for.
        child: Role,
        /// What to do.
        advice: &'static str,
    },
    /// A Regional Controller serves its own region.
    #[error("{own} serves region {served}, not {asked}; issue the token on the Regional Controller of {asked}")]
    Region {
        /// The controller.
        own: ControllerId,
        /// Its region.
        served: Region,
        /// The region that was asked for.
        asked: Region,
    },
    /// Two regions would have one name.
    #[error("region {asked} cannot exist beside {other}: both are {slug} in the names of controllers")]
    Slug {
        /// The region that was asked for.
        asked: Region,
        /// The one that there is.
        other: Region,
        /// What both are in names.
        slug: RegionSlug,
    },
    /// There is no such token.
    #[error("there is no bootstrap token {0}")]
    NoToken(TokenId),
    /// It was used, so that there is nothing to take back.
    #[error("the bootstrap token {token} was used by {controller}; revoke that controller instead")]
    Used {
        /// The token.
        token: TokenId,
        /// Who used it.
        controller: ControllerId,
    },
    /// There is no such controller.
    #[error("{0} is not a controller that was validated here")]
    NoController(ControllerId),
    /// Its standing does not allow it.
    #[error("{controller} is {standing}; {advice}")]
    Standing {
        /// The controller.
        controller: ControllerId,
        /// How it stands.
        standing: Standing,
        /// What to do.
        advice: &'static str,
    },
    /// It is done already.
    #[error("{0} already")]
    Done(String),
}

impl ActError {
    /// The code for programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Tier { .. } => "CONTROLLER_TYPE_NOT_PERMITTED",
            Self::Region { .. } => "REGION_NOT_SERVED_BY_THIS_RC",
            Self::Slug { .. } => "INVALID_REGION",
            Self::NoToken(_) => "UNKNOWN_TOKEN",
            Self::Used { .. } => "BOOTSTRAP_TOKEN_ALREADY_CONSUMED",
            Self::NoController(_) => "UNKNOWN_CONTROLLER",
            Self::Standing { .. } => "WRONG_STANDING",
            Self::Done(_) => "DONE_ALREADY",
        }
    }

    /// Whether what it is about is not there.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::NoToken(_) | Self::NoController(_))
    }
}

impl Act<'_> {
    fn event(&self, event_type: EventType, subject: &impl ToString, mut payload: Value) -> NewEvent {
        if let Value::Object(members) = &mut payload {
            members.insert("by".to_owned(), json!(self.by));
        }
        let (actor, subject) = (self.own.to_string(), subject.to_string());
        NewEvent { event_type, actor, subject, timestamp: self.now, payload }
    }

    /// Makes a token for one controller below. Its secret is in the value that is returned, and
    /// nowhere else.
    ///
    /// # Errors
    /// [`ActError::Tier`], [`ActError::Region`], [`ActError::Slug`].
    pub fn issue_token(
        &self,
        issuer: &Membership,
        regions: &BTreeMap<RegionSlug, Region>,
        order: TokenOrder,
        id: TokenId,
        secret: TokenSecret,
    ) -> Result<(Acted, BootstrapToken), ActError> {
        let TokenOrder { role, region, lifetime } = order;
        check_child(issuer, role, &region)?;
        let slug = region.slug();
        if let Some(other) = regions.get(&slug).filter(|known| **known != region) {
            return Err(ActError::Slug { asked: region, other: other.clone(), slug });
        }
        let expires_at = self.now.saturating_add(lifetime.duration());
        let payload = json!({ "role": role, "region": region, "expires_at": expires_at });
        let event = self.event(EventType::BootstrapTokenIssued, &id, payload);
        let row = TokenRow {
            id,
            secret_hash: token_key(&secret),
            role,
            region,
            issued_at: self.now,
            expires_at,
            wrong_attempts: 0,
            revoked_at: None,
            used: None,
        };
        let acted = Acted { change: RegistryChange::IssueToken(row), event };
        Ok((acted, BootstrapToken { id, secret, pin: issuer.pin }))
    }

    /// Takes an unused token back.
    ///
    /// # Errors
    /// [`ActError::NoToken`], [`ActError::Used`], [`ActError::Done`].
    pub fn revoke_token(&self, id: TokenId, token: Option<&TokenRow>) -> Result<Acted, ActError> {
        let token = token.ok_or(ActError::NoToken(id))?;
        if let Some(used) = &token.used {
            return Err(ActError::Used { token: id, controller: used.controller_id.clone() });
        }
        if token.revoked_at.is_some() {
            return Err(ActError::Done(format!("the bootstrap token {id} was taken back")));
        }
        let payload = json!({ "role": token.role, "region": token.region });
        let event = self.event(EventType::BootstrapTokenRevoked, &id, payload);
        Ok(Acted { change: RegistryChange::RevokeToken { token: id, at: self.now }, event })
    }

    /// Takes a controller's certificate back, for good: its name is not given again.
    ///
    /// # Errors
    /// [`ActError::NoController`], [`ActError::Done`].
    pub fn revoke(&self, id: &ControllerId, row: Option<ControllerRow>, reason: &str) -> Result<Acted, ActError> {
        let row = row.ok_or_else(|| ActError::NoController(id.clone()))?;
        if row.standing == Standing::Revoked {
            return Err(ActError::Done(format!("{id} was revoked")));
        }
        let payload = json!({
            "reason": reason,
            "was": row.standing,
            "serial": row.serial,
            "next_serial": row.next.as_ref().map(|next| next.serial),
            "public_key": row.public_key,
        });
        let event = self.event(EventType::ControllerRevoked, id, payload);
        let row = ControllerRow { standing: Standing::Revoked, standing_reason: Some(reason.to_owned()), ..row };
        Ok(Acted { change: RegistryChange::UpdateController(Box::new(row)), event })
    }

    /// Lets a suspended controller in again.
    ///
    /// # Errors
    /// [`ActError::NoController`], [`ActError::Standing`], [`ActError::Done`].
    pub fn reinstate(&self, id: &ControllerId, row: Option<ControllerRow>) -> Result<Acted, ActError> {
        let row = row.ok_or_else(|| ActError::NoController(id.clone()))?;
        match row.standing {
            Standing::Suspended => {}
            Standing::Active => return Err(ActError::Done(format!("{id} is active"))),
            standing => {
                let advice = "it must be validated anew, with a new key and a new token";
                return Err(ActError::Standing { controller: id.clone(), standing, advice });
            }
        }
        let payload = json!({ "was_suspended_for": row.standing_reason });
        let event = self.event(EventType::ControllerReinstated, id, payload);
        let row = ControllerRow { standing: Standing::Active, standing_reason: None, ..row };
        Ok(Acted { change: RegistryChange::UpdateController(Box::new(row)), event })
    }

    /// Refuses a key or a source from now on, or changes why.
    pub fn block(&self, blocked: Blocked, reason: String) -> Acted {
        let payload = json!({ "blocked": blocked, "action": "block", "reason": reason });
        let event = self.event(EventType::BlocklistChanged, &subject(&blocked), payload);
        Acted { change: RegistryChange::Block { blocked, reason, at: self.now }, event }
    }

    /// Refuses it no longer.
    ///
    /// # Errors
    /// [`ActError::Done`] when it is not on the list.
    pub fn unblock(&self, blocked: Blocked, list: &[(Blocked, String)]) -> Result<Acted, ActError> {
        if !list.iter().any(|(listed, _)| *listed == blocked) {
            return Err(ActError::Done(format!("{} is not on the blocklist", subject(&blocked))));
        }
        let payload = json!({ "blocked": blocked, "action": "unblock" });
        let event = self.event(EventType::BlocklistChanged, &subject(&blocked), payload);
        Ok(Acted { change: RegistryChange::Unblock(blocked), event })
    }
}

/// A token that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOrder {
    /// The tier of the controller that may use it.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// How long.
    pub lifetime: TokenLifetime,
}

fn check_child(issuer: &Membership, child: Role, asked: &Region) -> Result<(), ActError> {
    let refuse = |advice| Err(ActError::Tier { own: issuer.id.clone(), role: issuer.role, child, advice });
    match (issuer.role, child) {
        (Role::Global, Role::Regional) => Ok(()),
        (Role::Global, _) => refuse("issue a regional token here, and local ones on the Regional Controller"),
        (Role::Regional, Role::Local) => match &issuer.region {
            Some(served) if served != asked => {
                Err(ActError::Region { own: issuer.id.clone(), served: served.clone(), asked: asked.clone() })
            }
            _ => Ok(()),
        },
        (Role::Regional, _) => refuse("issue a local token here, and regional ones on the Global Controller"),
        _ => refuse("it validates nobody"),
    }
}

fn subject(blocked: &Blocked) -> String {
    match blocked {
        Blocked::Key(key) => key.to_string(),
        Blocked::Source(source) => source.clone(),
    }
}

#[cfg(test)]
mod tests;
