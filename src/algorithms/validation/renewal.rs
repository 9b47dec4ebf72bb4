//! A certificate for the next key, given by the parent that gave the present one.

use serde_json::json;

use crate::algorithms::trust::authority::{Issued, Order};
use crate::algorithms::trust::chain::verify_parent;
use crate::algorithms::validation::decision::refusal;
use crate::algorithms::validation::parent::Office;
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerName;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::message::MessageType;
use crate::domain::number::Serial;
use crate::domain::reason::Reason;
use crate::wire::envelope::Message;
use crate::wire::transcript::RenewalTranscript;
use crate::wire::validation::{Grant, RenewalRequest, RenewalResult, Verdict};

/// What a parent does about a request for renewal: one commit, then the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewal {
    /// What was signed, to be kept beside the present certificate until it is used.
    pub issued: Option<Issued>,
    /// The events, of the same commit.
    pub events: Vec<NewEvent>,
    /// The answer.
    pub reply: RenewalResult,
}

/// Decides on a request that passed the gate under the child's present certificate.
pub fn renew(
    message: &Message<RenewalRequest>,
    child: &Certificate,
    next_serial: Serial,
    max_local_controllers: u32,
    office: &Office<'_>,
) -> Renewal {
    let request = &message.body;
    let event = |event_type, payload| NewEvent {
        event_type,
        actor: office.id.to_string(),
        subject: child.controller_id.to_string(),
        timestamp: office.trust.now,
        payload,
    };
    let reply = |verdict| RenewalResult { nonce: request.nonce, parent: office.authority.chain.clone(), verdict };
    match decide(request, child, next_serial, max_local_controllers, office) {
        Ok((grant, issued)) => {
            let claim = issued.0.unverified();
            let payload = json!({
                "serial": claim.serial,
                "replaces": child.serial,
                "public_key": claim.public_key,
                "expires_at": claim.expires_at,
                "certificate": issued.0.digest(),
            });
            let events = vec![event(EventType::CertificateRenewed, payload)];
            Renewal { issued: Some(issued), events, reply: reply(Verdict::Validated(Box::new(grant))) }
        }
        Err((reason, detail)) => {
            let payload = json!({ "reason": reason, "detail": detail, "serial": child.serial });
            let kind =
                if reason.is_error() { EventType::ControllerValidationFailed } else { EventType::ControllerRejected };
            let mut events = vec![event(kind, payload.clone())];
            if reason.is_alarming() {
                events.push(event(EventType::SecurityAlert, payload));
            }
            Renewal { issued: None, events, reply: reply(refusal(reason, &detail)) }
        }
    }
}

fn decide(
    request: &RenewalRequest,
    child: &Certificate,
    next_serial: Serial,
    max_local_controllers: u32,
    office: &Office<'_>,
) -> Result<(Grant, Issued), (Reason, String)> {
    let failed = |detail: String| (Reason::IdentityAssignmentFailed, detail);
    let transcript = RenewalTranscript {
        message_type: MessageType::RenewalRequest,
        controller_id: child.controller_id.clone(),
        current_serial: request.current_serial,
        public_key: request.public_key,
        nonce: request.nonce,
    };
    let is_current = request.current_serial == child.serial;
    if !is_current || request.public_key == child.public_key || !transcript.is_signed(&request.signature) {
        let detail = "the next key did not sign the request, or is not a next one of this certificate";
        return Err((Reason::InvalidSignature, detail.to_owned()));
    }
    let name: ControllerName = child.controller_id.as_str().parse().map_err(|error| failed(format!("{error}")))?;
    let region = child.region.clone().ok_or_else(|| failed("the child has no region".to_owned()))?;
    verify_parent(&office.authority.chain, child.role, &region, &office.trust)
        .map_err(|error| (Reason::DelegationInvalid, error.to_string()))?;
    let order = Order {
        name,
        region: region.clone(),
        public_key: request.public_key,
        serial: next_serial,
        max_local_controllers,
    };
    let issued =
        office.authority.issue(order, office.epoch, office.trust.now).map_err(|error| failed(error.to_string()))?;
    let grant = Grant {
        assigned_id: child.controller_id.clone(),
        role: child.role,
        region,
        certificate: issued.0.clone(),
        delegation: issued.1.clone(),
    };
    Ok((grant, issued))
}
