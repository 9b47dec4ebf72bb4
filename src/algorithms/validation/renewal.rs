//! A certificate for the next key, given by the parent that gave the present one.

use serde_json::json;

use crate::algorithms::trust::authority::{Issued, Order};
use crate::algorithms::trust::chain::verify_parent;
use crate::algorithms::validation::decision::{UNWRITTEN, refusal};
use crate::algorithms::validation::parent::Office;
use crate::domain::controller::ControllerName;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::message::MessageType;
use crate::domain::number::Serial;
use crate::domain::reason::Reason;
use crate::domain::registry::Standing;
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

/// What the NIB knows about a child that asks, read anew for each attempt to answer it.
#[derive(Debug, Clone, Copy)]
pub struct RenewalView<'a> {
    /// How it stands.
    pub standing: Standing,
    /// What it has.
    pub present: &'a Issued,
    /// What it was given for its next key, if it has not used that yet.
    pub next: Option<&'a Issued>,
    /// The next certificate's number.
    pub next_serial: Serial,
    /// How many Local Controllers a Regional one may validate.
    pub max_local_controllers: u32,
}

/// Decides on a request that passed the gate under the child's present certificate.
///
/// Who asks again for a key that it was given a certificate for is given the same again: the answer
/// may have been lost. Who asks for the key that it has is so told that its certificate is taken, and
/// by which chain its parent is to be believed now.
pub fn renew(message: &Message<RenewalRequest>, view: &RenewalView<'_>, office: &Office<'_>) -> Renewal {
    let request = &message.body;
    let child = view.present.0.unverified();
    let event = |event_type, payload| NewEvent {
        event_type,
        actor: office.id.to_string(),
        subject: child.controller_id.to_string(),
        timestamp: office.trust.now,
        payload,
    };
    let reply = |verdict| RenewalResult { nonce: request.nonce, parent: office.authority.chain.clone(), verdict };
    match decide(message, view, office) {
        Ok((grant, None)) => {
            Renewal { issued: None, events: Vec::new(), reply: reply(Verdict::Validated(Box::new(grant))) }
        }
        Ok((grant, Some(issued))) => {
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

impl Renewal {
    /// The answer when nothing could be written: the child asks again later.
    pub fn failed(message: &Message<RenewalRequest>, office: &Office<'_>) -> RenewalResult {
        let verdict = refusal(Reason::IdentityAssignmentFailed, UNWRITTEN);
        RenewalResult { nonce: message.body.nonce, parent: office.authority.chain.clone(), verdict }
    }
}

/// What the child is given, and whether it is new.
type Given = (Grant, Option<Issued>);

fn decide(
    message: &Message<RenewalRequest>,
    view: &RenewalView<'_>,
    office: &Office<'_>,
) -> Result<Given, (Reason, String)> {
    let failed = |detail: String| (Reason::IdentityAssignmentFailed, detail);
    let (request, child, now) = (&message.body, view.present.0.unverified(), office.trust.now);
    let standing = match view.standing {
        Standing::Active => None,
        Standing::Locked => Some(Reason::IdentityLocked),
        Standing::Suspended => Some(Reason::ControllerSuspended),
        Standing::Revoked => Some(Reason::ControllerRevoked),
    };
    if let Some(reason) = standing {
        return Err((reason, format!("the controller is {}", view.standing)));
    }
    let transcript = RenewalTranscript {
        message_type: MessageType::RenewalRequest,
        controller_id: child.controller_id.clone(),
        current_serial: request.current_serial,
        public_key: request.public_key,
        nonce: request.nonce,
    };
    let is_current = request.current_serial == child.serial && message.key == child.public_key;
    if !is_current || !transcript.is_signed(&request.signature) {
        let detail = "the next key did not sign the request, or is not a next one of this certificate";
        return Err((Reason::InvalidSignature, detail.to_owned()));
    }
    let name: ControllerName = child.controller_id.as_str().parse().map_err(|error| failed(format!("{error}")))?;
    let region = child.region.clone().ok_or_else(|| failed("the child has no region".to_owned()))?;
    let grant = |issued: &Issued| Grant {
        cluster: office.cluster.clone(),
        assigned_id: child.controller_id.clone(),
        role: child.role,
        region: region.clone(),
        certificate: issued.0.clone(),
        delegation: issued.1.clone(),
    };
    let given = std::iter::once(view.present).chain(view.next).find(|(certificate, _)| {
        let claim = certificate.unverified();
        claim.public_key == request.public_key && claim.is_valid_at(now)
    });
    if let Some(given) = given {
        return Ok((grant(given), None));
    }
    verify_parent(&office.authority.chain, child.role, &region, &office.trust)
        .map_err(|error| (Reason::DelegationInvalid, error.to_string()))?;
    let order = Order {
        name,
        region: region.clone(),
        public_key: request.public_key,
        serial: view.next_serial,
        max_local_controllers: view.max_local_controllers,
    };
    let issued = office.authority.issue(order, office.epoch, now).map_err(|error| failed(error.to_string()))?;
    Ok((grant(&issued), Some(issued)))
}
