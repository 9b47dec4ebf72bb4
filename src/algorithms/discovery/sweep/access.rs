//! As whom an agent is asked: one credential after the other, the preferred first.
//!
//! Nothing weaker is said before what is preferred to it has failed: a community is not sent to an
//! agent that answers a user who stands before it. Communities that stand one after the other are
//! tried at once, for an agent is silent to those that it does not know. Before the first user the
//! agent is asked for the name of its engine (RFC 3414 section 4).
//!
//! ```text
//!   communities ──silence──► engine? ──report──► user ──report──► user ──► …
//!        │                     │ silence                │
//!     answer                   └──► the next community  └─ answer
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::engine::EngineClock;
use crate::algorithms::discovery::credentials::{PreparedAccess, PreparedCredential, PreparedUser};
use crate::domain::engine::EngineId;
use crate::domain::fact::{SnmpEngine, SnmpFailure};
use crate::wire::snmp;
use crate::wire::snmp::pdu::{Pdu, PduKind};
use crate::wire::usm::keys::LocalKeys;
use crate::wire::usm::message::{Head, Level, MessageError, Protection, ScopedPdu, Sealed, encode};
use crate::wire::usm::report::ReportCause;
use crate::wire::usm::security::SecurityParameters;

/// Communities that are tried at once: their request ids differ in their low bits.
pub(super) const MOST_AT_ONCE: u32 = 16;

/// The longest message of SNMP v3 that an agent shall send: what fits into one Ethernet frame. It is
/// told with each request, and an agent answers with fewer rows or with `tooBig`.
const LONGEST_ANSWER: u32 = 1_472;

/// How often an agent may tell that our notion of its clock or of its name is wrong.
pub(super) const MOST_CORRECTIONS: u8 = 3;

/// What all conversations of a sweep use together.
pub(super) struct Desk {
    pub credentials: Arc<[PreparedCredential]>,
    /// Keys by credential and engine: a router's many addresses are one engine.
    keys: BTreeMap<(u16, EngineId), Arc<LocalKeys>>,
    /// Of the next encrypted message: each is used once (RFC 3826 section 3.1.2.1).
    salt: u64,
}

impl Desk {
    /// Engines whose keys are kept; those beyond are localised again when they are met again.
    const MOST_KEYS: usize = 4_096;

    pub fn new(credentials: Arc<[PreparedCredential]>, first_salt: u64) -> Self {
        Self { credentials, keys: BTreeMap::new(), salt: first_salt }
    }

    /// The numbers of the credentials for an address, the preferred first.
    pub fn tries(&self, address: Ipv4Addr) -> Vec<u16> {
        (0_u16..)
            .zip(self.credentials.iter())
            .filter(|(_, one)| one.covers(address))
            .map(|(number, _)| number)
            .collect()
    }

    fn access(&self, number: u16) -> Option<&PreparedAccess> {
        self.credentials.get(usize::from(number)).map(|credential| &credential.access)
    }

    fn user(&self, number: u16) -> Option<&PreparedUser> {
        match self.access(number)? {
            PreparedAccess::User(user) => Some(user),
            PreparedAccess::Community(_) => None,
        }
    }

    fn keys(&mut self, number: u16, engine: &EngineId) -> Option<Arc<LocalKeys>> {
        if let Some(keys) = self.keys.get(&(number, engine.clone())) {
            return Some(Arc::clone(keys));
        }
        let keys = Arc::new(self.user(number)?.keys.localise(engine));
        if self.keys.len() < Self::MOST_KEYS {
            self.keys.insert((number, engine.clone()), Arc::clone(&keys));
        }
        Some(keys)
    }

    fn salt(&mut self) -> u64 {
        self.salt = self.salt.wrapping_add(1);
        self.salt
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("credentials", &self.credentials).field("keys", &self.keys.len()).finish()
    }
}

/// What is being tried.
#[derive(Debug)]
enum Stage {
    /// Communities that stand one after the other, by their places among the tries.
    Communities { from: usize, to: usize },
    /// The name of the engine, for the user at this place.
    Discovery { at: usize },
    /// A user.
    User(Session),
    /// There was nothing to try.
    Nobody,
}

/// A user and an engine.
#[derive(Debug)]
struct Session {
    at: usize,
    engine: EngineId,
    keys: Arc<LocalKeys>,
}

/// What a datagram was.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The answer to the present question.
    Answer(Pdu),
    /// The reason to ask the present question again, otherwise.
    Again,
    /// The agent's last word: nothing is left to try.
    Refused,
    /// It answers nothing that is being asked.
    Stray,
    /// It is no message of SNMP.
    Unreadable,
}

/// As whom one agent is asked.
#[derive(Debug)]
pub(super) struct Access {
    tries: Vec<u16>,
    stage: Stage,
    /// An answer came: this is the right one.
    settled: bool,
    engine: Option<(EngineId, EngineClock)>,
    /// Nobody answered the question for the engine: users need not be tried.
    engineless: bool,
    corrections: u8,
    /// Why no user got a better answer: what tells most.
    refusal: Option<SnmpFailure>,
    /// Why the agent answers no more, who had answered before.
    last_word: Option<SnmpFailure>,
}

impl Access {
    pub fn new(tries: Vec<u16>, desk: &mut Desk) -> Self {
        let mut access = Self {
            tries,
            stage: Stage::Nobody,
            settled: false,
            engine: None,
            engineless: false,
            corrections: 0,
            refusal: None,
            last_word: None,
        };
        access.advance(0, desk);
        access
    }

    /// Why it came to nothing, as far as an agent said so.
    pub fn refusal(&self) -> Option<SnmpFailure> {
        self.refusal
    }

    /// Why an agent that had answered refused to go on.
    pub fn last_word(&self) -> Option<SnmpFailure> {
        self.last_word
    }

    /// The engine, once an authenticated answer came from it.
    pub fn engine(&self) -> Option<SnmpEngine> {
        let (engine, clock) = self.engine.as_ref().filter(|_| self.settled && matches!(self.stage, Stage::User(_)))?;
        Some(SnmpEngine { engine_id: engine.clone(), boots: clock.boots() })
    }

    /// The packets of one attempt.
    pub fn packets(&self) -> u32 {
        match self.stage {
            Stage::Communities { from, to } => u32::try_from(to - from).unwrap_or(MOST_AT_ONCE),
            Stage::Discovery { .. } | Stage::User(_) | Stage::Nobody => 1,
        }
    }

    /// Writes one of the packets of an attempt, counted from 0, at a question with the ids from `base` on.
    pub fn write(&self, packet: u32, base: u32, pdu: Pdu, desk: &mut Desk, now: Duration, out: &mut Vec<u8>) {
        match &self.stage {
            Stage::Communities { from, .. } => {
                let number = self.tries.get(from + packet as usize);
                if let Some(PreparedAccess::Community(community)) = number.and_then(|number| desk.access(*number)) {
                    snmp::encode(out, community.as_bytes(), &Pdu { request_id: base + packet, ..pdu });
                }
            }
            Stage::Discovery { .. } => {
                let head = head(base, SecurityParameters::default());
                let scoped =
                    ScopedPdu { context_engine: Vec::new(), context_name: Vec::new(), pdu: Pdu::get(base, &[]) };
                encode(out, &head, &scoped, Protection::Plain);
            }
            Stage::User(session) => {
                let salt = desk.salt();
                let user = self.tries.get(session.at).and_then(|number| desk.user(*number));
                let (Some(user), Some((_, clock))) = (user, &self.engine) else { return };
                let engine = session.engine.as_bytes().to_vec();
                let (boots, time) = clock.at(now);
                let name = user.name.as_str().as_bytes().to_vec();
                let head = head(base, SecurityParameters { engine: engine.clone(), boots, time, user: name });
                let context_name = user.context.as_str().as_bytes().to_vec();
                let scoped = ScopedPdu { context_engine: engine, context_name, pdu: Pdu { request_id: base, ..pdu } };
                encode(out, &head, &scoped, Protection::best(&session.keys, salt));
            }
            Stage::Nobody => {}
        }
    }

    /// Takes a datagram that came while the question with the ids from `base` on was open.
    pub fn hear(&mut self, datagram: &[u8], base: u32, desk: &mut Desk, now: Duration) -> Heard {
        match self.stage {
            Stage::Communities { from, .. } => match snmp::decode_response(datagram) {
                Ok(message) if (base..base + self.packets()).contains(&message.pdu.request_id) => {
                    let right = from + (message.pdu.request_id - base) as usize;
                    self.stage = Stage::Communities { from: right, to: right + 1 };
                    self.settled = true;
                    Heard::Answer(message.pdu)
                }
                Ok(_) => Heard::Stray,
                // A late word of SNMP v3.
                Err(_) if Sealed::read(datagram).is_ok() => Heard::Stray,
                Err(_) => Heard::Unreadable,
            },
            Stage::Discovery { .. } | Stage::User(_) => match Sealed::read(datagram) {
                Ok(sealed) if sealed.head().id == base => self.hear_sealed(&sealed, base, desk, now),
                // The answer of another question, or a late one to a community.
                Ok(_) | Err(MessageError::Version(_)) => Heard::Stray,
                Err(_) => Heard::Unreadable,
            },
            Stage::Nobody => Heard::Stray,
        }
    }

    fn hear_sealed(&mut self, sealed: &Sealed<'_>, base: u32, desk: &mut Desk, now: Duration) -> Heard {
        let security = &sealed.head().security;
        let Stage::User(session) = &self.stage else {
            let Stage::Discovery { at } = self.stage else { return Heard::Stray };
            // Whoever answers to no name at all tells his own (RFC 3414 section 3.2 step 3).
            let reports = sealed.open(None).is_ok_and(|scoped| scoped.pdu.kind == PduKind::Report);
            return match security.engine_id().filter(|_| reports) {
                Some(engine) => {
                    self.engine = Some((engine, EngineClock::hearsay(security, now)));
                    self.begin(at, desk)
                }
                None => Heard::Stray,
            };
        };
        let needed = if session.keys.privacy.is_some() { Level::Private } else { Level::Authentic };
        let Ok(scoped) = sealed.open(Some(&session.keys)) else { return Heard::Stray };
        let cause = ReportCause::of(&scoped.pdu);
        if sealed.level() == Level::Plain {
            // Not believed but for what it says about itself: that this user gets no further here.
            return match (cause, security.engine_id()) {
                (Some(ReportCause::UnknownEngine), Some(engine)) if engine != session.engine && self.corrects() => {
                    let Stage::User(Session { at, .. }) = self.stage else { return Heard::Stray };
                    self.engine = Some((engine, EngineClock::hearsay(security, now)));
                    self.begin(at, desk)
                }
                (Some(cause), _) => self.refuse(cause, desk),
                (None, _) => Heard::Stray,
            };
        }
        if security.engine != session.engine.as_bytes() {
            return Heard::Stray;
        }
        let Some((_, clock)) = &mut self.engine else { return Heard::Stray };
        match cause {
            Some(ReportCause::NotInTimeWindow) => {
                if clock.set(security, now) && self.corrects() {
                    Heard::Again
                } else {
                    self.refuse(ReportCause::NotInTimeWindow, desk)
                }
            }
            Some(cause) => self.refuse(cause, desk),
            None if scoped.pdu.kind != PduKind::Response || sealed.level() < needed => Heard::Stray,
            None if scoped.pdu.request_id != base || !clock.admits(security, now) => Heard::Stray,
            None => {
                self.settled = true;
                Heard::Answer(scoped.pdu)
            }
        }
    }

    /// Nobody answered the last attempt: whether there is another credential to try.
    pub fn silence(&mut self, desk: &mut Desk) -> bool {
        if self.settled {
            return false;
        }
        let next = match &self.stage {
            Stage::Communities { to, .. } => *to,
            Stage::Discovery { at } => {
                self.engineless = true;
                at + 1
            }
            Stage::User(session) => {
                self.refusal = self.refusal.max(Some(SnmpFailure::UserUnanswered));
                session.at + 1
            }
            Stage::Nobody => return false,
        };
        self.advance(next, desk)
    }

    fn corrects(&mut self) -> bool {
        self.corrections += 1;
        self.corrections <= MOST_CORRECTIONS
    }

    fn refuse(&mut self, cause: ReportCause, desk: &mut Desk) -> Heard {
        let failure = match cause {
            ReportCause::UnsupportedLevel => SnmpFailure::UnsupportedLevel,
            ReportCause::NotInTimeWindow => SnmpFailure::NotInTimeWindow,
            ReportCause::UnknownUser => SnmpFailure::UnknownUser,
            ReportCause::UnknownEngine => SnmpFailure::UnknownEngine,
            ReportCause::WrongDigest => SnmpFailure::WrongPassword,
            ReportCause::DecryptionError => SnmpFailure::DecryptionError,
            ReportCause::UnavailableContext | ReportCause::UnknownContext => SnmpFailure::UnknownContext,
        };
        self.refusal = self.refusal.max(Some(failure));
        let next = match &self.stage {
            Stage::User(session) if !self.settled => session.at + 1,
            _ => {
                self.last_word = Some(failure);
                return Heard::Refused;
            }
        };
        if self.advance(next, desk) { Heard::Again } else { Heard::Refused }
    }

    /// Goes on to the next try from a place on; stays where it is when there is none, for the answer
    /// may still come.
    fn advance(&mut self, from: usize, desk: &mut Desk) -> bool {
        let is_user = |place: &usize| self.tries.get(*place).is_some_and(|number| desk.user(*number).is_some());
        let Some(at) = (from..self.tries.len()).find(|place| !(self.engineless && is_user(place))) else {
            return false;
        };
        if is_user(&at) {
            if self.engine.is_some() {
                self.begin(at, desk);
            } else {
                self.stage = Stage::Discovery { at };
            }
        } else {
            let run = (at..self.tries.len()).take_while(|place| !is_user(place)).take(MOST_AT_ONCE as usize).count();
            self.stage = Stage::Communities { from: at, to: at + run };
        }
        true
    }

    /// Tries the user at a place with the engine that is known.
    fn begin(&mut self, at: usize, desk: &mut Desk) -> Heard {
        let engine = self.engine.as_ref().map(|(engine, _)| engine.clone());
        let number = self.tries.get(at).copied();
        let keys = engine.as_ref().zip(number).and_then(|(engine, number)| desk.keys(number, engine));
        let (Some(engine), Some(keys)) = (engine, keys) else { return Heard::Stray };
        self.stage = Stage::User(Session { at, engine, keys });
        Heard::Again
    }
}

/// The messages of one attempt in each round that an agent can put us through, which answers to no
/// credential: how long they are is known before anybody is asked.
pub(super) fn rounds(desk: &mut Desk, pdu: &Pdu) -> Vec<Vec<Vec<u8>>> {
    let tries = (0_u16..).zip(desk.credentials.iter()).map(|(number, _)| number).collect();
    let mut access = Access::new(tries, desk);
    let mut rounds = Vec::new();
    while !matches!(access.stage, Stage::Nobody) {
        let message = |packet| {
            let mut message = Vec::new();
            access.write(packet, MOST_AT_ONCE, pdu.clone(), desk, Duration::ZERO, &mut message);
            message
        };
        rounds.push((0..access.packets()).map(message).collect());
        let goes_on = match access.stage {
            Stage::Discovery { at } => {
                let clock = EngineClock::hearsay(&SecurityParameters::default(), Duration::ZERO);
                access.engine = Some((EngineId::longest(), clock));
                access.begin(at, desk) == Heard::Again
            }
            _ => access.silence(desk),
        };
        if !goes_on {
            break;
        }
    }
    rounds
}

fn head(id: u32, security: SecurityParameters) -> Head {
    Head { id, max_size: LONGEST_ANSWER, reportable: true, security }
}

#[cfg(test)]
mod tests;
