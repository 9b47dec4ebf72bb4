//! A parent with a model of its NIB, and joiners, for the tests.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::zeroize::Zeroizing;

use crate::algorithms::trust::authority::Authority;
use crate::algorithms::trust::authority::tests::{EPOCH, at, regional, root};
use crate::algorithms::trust::chain::Trust;
use crate::algorithms::validation::decision::{Change, Decision, Reply};
use crate::algorithms::validation::joiner::Joiner;
use crate::algorithms::validation::parent::{AdmissionView, Census, Entropy, Office, Parent, Proven};
use crate::domain::controller::{ControllerId, Region, RegionSlug, Role};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::key::Nonce;
use crate::domain::message::BootId;
use crate::domain::number::{Epoch, Serial};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::domain::token::{BootstrapToken, TokenId, TokenRow, TokenSecret};
use crate::wire::envelope::{Author, Body, Destination, Message, read, seal};
use crate::wire::signature::tests::key;
use crate::wire::signature::{KeyPair, fingerprint};
use crate::wire::transcript::token_key;
use crate::wire::validation::{
    Challenge, ChallengeResponse, Grant, Metadata, ValidationRequest, ValidationResult, Verdict,
};

/// Sends a message over the wire and reads it there.
pub fn carry<B: Body>(author: &mut Author, to: &ControllerId, body: &B, key: &KeyPair, now: Timestamp) -> Message<B> {
    let header = author.header::<B>(Destination::Controller(to.clone()), Epoch::default(), now, [0; 10]);
    read(&seal(header, body, key).unwrap()).unwrap().open().unwrap()
}

/// A parent, what its NIB has, and what it did.
pub struct Desk {
    pub parent: Parent,
    pub authority: Authority,
    pub id: ControllerId,
    pub author: Author,
    pub now: Timestamp,
    pub quota: u32,
    pub revoked: BTreeSet<Serial>,
    pub tokens: BTreeMap<TokenId, TokenRow>,
    pub granted: BTreeMap<ControllerId, Grant>,
    pub regions: BTreeMap<RegionSlug, Region>,
    pub events: Vec<NewEvent>,
    // For whatever must be another one each time.
    pub count: u8,
}

impl Desk {
    pub fn new(authority: Authority) -> Self {
        let id = authority.certificate().unwrap().controller_id.clone();
        let author = Author::new(id.clone(), BootId::new([0xee; 16]));
        Self {
            parent: Parent::default(),
            authority,
            id,
            author,
            now: at(0),
            quota: 100,
            revoked: BTreeSet::new(),
            tokens: BTreeMap::new(),
            granted: BTreeMap::new(),
            regions: BTreeMap::new(),
            events: Vec::new(),
            count: 0,
        }
    }

    pub fn global() -> Self {
        Self::new(root())
    }

    pub fn regional() -> Self {
        Self::new(regional())
    }

    pub fn token(&mut self, role: Role, region: &str) -> BootstrapToken {
        self.count += 1;
        let token = BootstrapToken {
            id: TokenId::new([self.count; 12]),
            secret: TokenSecret::new(&Zeroizing::new([self.count; 32])),
            pin: fingerprint(&key(1).public_key()),
        };
        let row = TokenRow {
            id: token.id,
            secret_hash: token_key(&token.secret),
            role,
            region: region.parse().unwrap(),
            issued_at: self.now,
            expires_at: self.now.saturating_add(std::time::Duration::from_secs(600)),
            wrong_attempts: 0,
            revoked_at: None,
            used: None,
        };
        self.tokens.insert(token.id, row);
        token
    }

    /// The parent, its office and what is written down: three borrows that go together.
    pub fn with<T>(&mut self, act: impl FnOnce(&mut Parent, &Office<'_>) -> T) -> T {
        let is_revoked =
            |certificate: &crate::domain::certificate::Certificate| self.revoked.contains(&certificate.serial);
        let pin = fingerprint(&key(1).public_key());
        let trust = Trust { pin, now: self.now, epoch: Some(EPOCH), is_revoked: &is_revoked };
        let cluster = "lab".parse().unwrap();
        let office = Office { cluster: &cluster, id: &self.id, authority: &self.authority, trust, epoch: EPOCH };
        act(&mut self.parent, &office)
    }

    pub fn request(&mut self, source: &str, message: &Message<ValidationRequest>) -> Option<Reply> {
        let token = self.tokens.get(&message.body.token_id).cloned();
        self.count = self.count.wrapping_add(1);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.count_of(message).to_be_bytes());
        let entropy = Entropy { challenge_id: id, server_nonce: [self.count; 32] };
        let answer = self.with(|parent, office| {
            let permit = parent.attempt(source, office)?;
            Ok::<_, Vec<NewEvent>>(parent.request(&permit, message, token.as_ref(), office, entropy))
        });
        match answer {
            Ok(decision) => Some(self.commit(decision).unwrap()),
            Err(events) => {
                self.events.extend(events);
                None
            }
        }
    }

    // Another number for each key and nonce.
    fn count_of(&self, message: &Message<ValidationRequest>) -> u64 {
        let [a, b, c, d, ..] = *message.key.as_bytes();
        u64::from_be_bytes([a, b, c, d, 0, 0, self.count, message.body.client_nonce.as_bytes()[0]])
    }

    pub fn prove(&mut self, source: &str, message: &Message<ChallengeResponse>) -> Result<Proven, Decision> {
        self.with(|parent, office| parent.respond(source, message, office)).map_err(|decision| *decision)
    }

    pub fn admit(&mut self, proven: &Proven, token: Option<&TokenRow>) -> Decision {
        let own = |grant: &&Grant| grant.certificate.unverified().public_key == proven.request().public_key;
        let granted = match token.and_then(|row| row.used.as_ref()) {
            Some(used) => self.granted.get(&used.controller_id).cloned(),
            None => self.granted.values().find(own).cloned(),
        };
        let regions = self.regions.clone();
        let taken = u32::try_from(self.granted.len()).unwrap();
        let census = Census {
            regions: &regions,
            controllers: taken,
            quota: self.quota,
            next_number: taken + 1,
            max_local_controllers: 64,
        };
        let next_serial = Serial::from_number(u64::from(taken) + 100);
        let view = AdmissionView { token, granted: granted.as_ref(), census, next_serial };
        self.with(|_, office| Parent::admit(proven, &view, office))
    }

    /// All of step 4 to 6, with the commit.
    pub fn respond(&mut self, source: &str, token: TokenId, message: &Message<ChallengeResponse>) -> Reply {
        let decision = match self.prove(source, message) {
            Ok(proven) => {
                let row = self.tokens.get(&token).cloned();
                self.admit(&proven, row.as_ref())
            }
            Err(decision) => decision,
        };
        self.commit(decision).unwrap()
    }

    /// Writes all or nothing; a conflict is an error, as in the NIB.
    pub fn commit(&mut self, decision: Decision) -> Result<Reply, &'static str> {
        match decision.change {
            None => {}
            Some(Change::WrongProof { token, from }) => {
                let row = self.tokens.get_mut(&token).unwrap();
                if row.wrong_attempts != from {
                    return Err("conflict");
                }
                row.wrong_attempts += 1;
            }
            Some(Change::Admit(admission)) => {
                let row = self.tokens.get_mut(&admission.token).unwrap();
                let claim = admission.certificate.unverified();
                if row.used.is_some() || self.granted.contains_key(&claim.controller_id) {
                    return Err("conflict");
                }
                row.used = Some(admission.used);
                let region = claim.region.clone().unwrap();
                self.regions.insert(region.slug(), region.clone());
                let grant = Grant {
                    cluster: "lab".parse().unwrap(),
                    assigned_id: claim.controller_id.clone(),
                    role: claim.role,
                    region,
                    certificate: admission.certificate.clone(),
                    delegation: admission.delegation,
                };
                self.granted.insert(grant.assigned_id.clone(), grant);
            }
        }
        self.events.extend(decision.events);
        Ok(decision.reply)
    }

    /// The reasons in the log, in order.
    pub fn reasons(&self) -> Vec<Reason> {
        let refused = [EventType::ControllerRejected, EventType::ControllerValidationFailed];
        let told = self.events.iter().filter(|event| refused.contains(&event.event_type));
        told.map(|event| event.payload["reason"].as_str().unwrap().parse().unwrap()).collect()
    }

    pub fn count_events(&self, event_type: EventType) -> usize {
        self.events.iter().filter(|event| event.event_type == event_type).count()
    }

    pub fn sent<B: Body>(&mut self, to: &ControllerId, body: &B) -> Message<B> {
        carry(&mut self.author, to, body, &self.authority.key, self.now)
    }
}

/// A controller that wants in.
pub struct Candidate {
    pub joiner: Joiner,
    pub key: KeyPair,
    pub author: Author,
    pub token: TokenId,
    nonces: u8,
}

impl Candidate {
    pub fn new(octet: u8, role: Role, region: &str, token: BootstrapToken) -> Self {
        let temp_id = ControllerId::newcomer([octet; 16]);
        Self {
            token: token.id,
            author: Author::new(temp_id.clone(), BootId::new([octet; 16])),
            joiner: Joiner::new(temp_id, role, region.parse().unwrap(), token),
            key: key(octet),
            nonces: 0,
        }
    }

    pub fn ask(&mut self, desk: &Desk) -> Message<ValidationRequest> {
        self.nonces += 1;
        let request = self.joiner.request(&self.key, Nonce::from_bytes([self.nonces; 32]), Metadata::default());
        carry(&mut self.author, &desk.id, &request, &self.key, desk.now)
    }

    pub fn answer(&mut self, desk: &mut Desk, challenge: &Challenge) -> Message<ChallengeResponse> {
        let message = desk.sent(self.joiner.temp_id(), challenge);
        let response = self.joiner.challenge(&message, &self.key, desk.now).unwrap();
        carry(&mut self.author, &desk.id, &response, &self.key, desk.now)
    }

    /// Steps 1 to 4: to the proofs.
    pub fn proofs(&mut self, desk: &mut Desk) -> Message<ChallengeResponse> {
        let request = self.ask(desk);
        let source = request.key.to_string();
        let challenge = challenge(desk.request(&source, &request).unwrap());
        self.answer(desk, &challenge)
    }

    /// The whole conversation.
    pub fn join(&mut self, desk: &mut Desk) -> Verdict {
        let request = self.ask(desk);
        let source = request.key.to_string();
        match desk.request(&source, &request).unwrap() {
            Reply::Challenge(challenge) => {
                let response = self.answer(desk, &challenge);
                verdict(desk.respond(&source, self.token, &response))
            }
            reply => verdict(reply),
        }
    }
}

pub fn challenge(reply: Reply) -> Challenge {
    match reply {
        Reply::Challenge(challenge) => *challenge,
        other => panic!("{other:?}"),
    }
}

pub fn result(reply: Reply) -> ValidationResult {
    match reply {
        Reply::Result(result) => *result,
        other => panic!("{other:?}"),
    }
}

pub fn verdict(reply: Reply) -> Verdict {
    result(reply).verdict
}

pub fn granted(verdict: Verdict) -> Grant {
    match verdict {
        Verdict::Validated(grant) => *grant,
        other => panic!("{other:?}"),
    }
}

pub fn refused(verdict: Verdict) -> Reason {
    match verdict {
        Verdict::Rejected(refused) | Verdict::Error(refused) => refused.reason,
        Verdict::Validated(grant) => panic!("{grant:?}"),
    }
}
