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
//!
//! What was left for silence may be answered yet, while the next one is being asked: an answer is taken, and
//! an engine that tells its name late is asked by the user for whom it was to tell it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::desk::Desk;
use super::engine::EngineClock;
use crate::domain::engine::EngineId;
use crate::domain::fact::{SnmpEngine, SnmpFailure};
use crate::wire::snmp;
use crate::wire::snmp::pdu::{Pdu, PduKind};
use crate::wire::usm::keys::LocalKeys;
use crate::wire::usm::message::{Head, Level, MessageError, Protection, ScopedPdu, Sealed, encode};
use crate::wire::usm::report::ReportCause;
use crate::wire::usm::security::SecurityParameters;

mod rounds;

pub(super) use self::rounds::rounds;

/// Communities that are tried at once: their request ids differ in their low bits.
pub(super) const MOST_AT_ONCE: u32 = 16;

/// The longest message of SNMP v3 that an agent shall send: what fits into one Ethernet frame. It is
/// told with each request, and an agent answers with fewer rows or with `tooBig`.
const LONGEST_ANSWER: u32 = 1_472;

/// How often an agent may tell that our notion of its clock or of its name is wrong, or make us go back to what
/// was left: each time something is asked again.
pub(super) const MOST_CORRECTIONS: u8 = 3;

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
    /// Made when the first message is to be written.
    keys: Option<Arc<LocalKeys>>,
}

/// What a datagram was.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The answer to the present question.
    Answer(Pdu),
    /// The reason to ask the present question again, otherwise.
    Again,
    /// A late word on what had been left for silence, which it is gone on with: the answer, or the reason to
    /// ask the present question again.
    Late(Option<Pdu>),
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
    /// What was left for silence, with the first id of each question.
    left: Vec<(Stage, u32)>,
    /// The places among the tries that came to nothing.
    failed: BTreeSet<usize>,
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
    pub fn new(tries: Vec<u16>, desk: &Desk) -> Self {
        let mut access = Self {
            tries,
            stage: Stage::Nobody,
            left: Vec::new(),
            failed: BTreeSet::new(),
            settled: false,
            engine: None,
            engineless: false,
            corrections: 0,
            refusal: None,
            last_word: None,
        };
        access.advance(desk);
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

    /// Whether a word may still come on what was left.
    pub fn may_be_answered_late(&self) -> bool {
        !self.settled && !self.left.is_empty()
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

    /// Makes the keys that the next packet needs; whether that took long.
    pub fn prepare(&mut self, desk: &mut Desk) -> bool {
        let Stage::User(Session { at, engine, keys: keys @ None }) = &mut self.stage else { return false };
        let Some((made, took_long)) = self.tries.get(*at).and_then(|number| desk.keys(*number, engine)) else {
            return false;
        };
        *keys = Some(made);
        took_long
    }

    /// Writes one of the packets of an attempt, counted from 0, at a question with the ids from `base` on.
    pub fn write(&mut self, packet: u32, base: u32, pdu: Pdu, desk: &mut Desk, now: Duration, out: &mut Vec<u8>) {
        self.prepare(desk);
        match &self.stage {
            Stage::Communities { from, .. } => {
                let number = self.tries.get(from + packet as usize);
                if let Some(community) = number.and_then(|number| desk.community(*number)) {
                    snmp::encode(out, community.as_bytes(), &Pdu { request_id: base + packet, ..pdu });
                }
            }
            Stage::Discovery { .. } => {
                let head = head(base, SecurityParameters::default());
                let scoped =
                    ScopedPdu { context_engine: Vec::new(), context_name: Vec::new(), pdu: Pdu::get(base, &[]) };
                encode(out, &head, &scoped, Protection::Plain);
            }
            Stage::User(Session { at, engine, keys }) => {
                let salt = desk.salt();
                let user = self.tries.get(*at).and_then(|number| desk.user(*number));
                let (Some(user), Some(keys), Some((_, clock))) = (user, keys, &self.engine) else { return };
                let engine = engine.as_bytes().to_vec();
                let (boots, time) = clock.at(now);
                let name = user.name.as_str().as_bytes().to_vec();
                let head = head(base, SecurityParameters { engine: engine.clone(), boots, time, user: name });
                let context_name = user.context.as_str().as_bytes().to_vec();
                let scoped = ScopedPdu { context_engine: engine, context_name, pdu: Pdu { request_id: base, ..pdu } };
                encode(out, &head, &scoped, Protection::best(keys, salt));
            }
            Stage::Nobody => {}
        }
    }

    /// Takes a datagram that came while the question with the ids from `base` on was open.
    pub fn hear(&mut self, datagram: &[u8], base: u32, desk: &Desk, now: Duration) -> Heard {
        match self.hear_stage(datagram, base, now) {
            Heard::Refused if !self.settled => {
                self.fail();
                if self.advance(desk) {
                    return Heard::Again;
                }
                self.stage = Stage::Nobody;
                Heard::Refused
            }
            Heard::Stray if !self.settled => self.hear_late(datagram, now),
            heard => heard,
        }
    }

    /// Takes a datagram that is about nothing that is being asked.
    fn hear_late(&mut self, datagram: &[u8], now: Duration) -> Heard {
        let id = match Sealed::read(datagram) {
            Ok(sealed) => Some(sealed.head().id),
            Err(_) => snmp::decode_response(datagram).ok().map(|message| message.pdu.request_id),
        };
        let asked = |base: u32| id.is_some_and(|id| id.wrapping_sub(base) < MOST_AT_ONCE);
        let Some(place) = self.left.iter().position(|(_, base)| asked(*base)) else { return Heard::Stray };
        let (stage, base) = self.left.swap_remove(place);
        let present = std::mem::replace(&mut self.stage, stage);
        match self.hear_stage(datagram, base, now) {
            Heard::Answer(answer) => Heard::Late(Some(answer)),
            // The present question is cut short, and may have to be asked again.
            Heard::Again if self.corrects() => Heard::Late(None),
            Heard::Refused => {
                self.stage = present;
                Heard::Stray
            }
            Heard::Again | Heard::Late(_) | Heard::Stray | Heard::Unreadable => {
                self.left.push((std::mem::replace(&mut self.stage, present), base));
                Heard::Stray
            }
        }
    }

    /// What a datagram says to what is asked in the present stage.
    fn hear_stage(&mut self, datagram: &[u8], base: u32, now: Duration) -> Heard {
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
                Ok(sealed) if sealed.head().id == base => self.hear_sealed(&sealed, base, now),
                // The answer of another question, or a late one to a community.
                Ok(_) | Err(MessageError::Version(_)) => Heard::Stray,
                Err(_) => Heard::Unreadable,
            },
            Stage::Nobody => Heard::Stray,
        }
    }

    fn hear_sealed(&mut self, sealed: &Sealed<'_>, base: u32, now: Duration) -> Heard {
        let security = &sealed.head().security;
        let Stage::User(session) = &self.stage else {
            let Stage::Discovery { at } = self.stage else { return Heard::Stray };
            // Whoever answers to no name at all tells his own (RFC 3414 section 3.2 step 3).
            let reports = sealed.open(None).is_ok_and(|scoped| scoped.pdu.kind == PduKind::Report);
            return match security.engine_id().filter(|_| reports) {
                Some(engine) => self.begin(at, engine, security, now),
                None => Heard::Stray,
            };
        };
        let (at, Some(keys)) = (session.at, session.keys.clone()) else { return Heard::Stray };
        let needed = if keys.privacy.is_some() { Level::Private } else { Level::Authentic };
        let Ok(scoped) = sealed.open(Some(&keys)) else { return Heard::Stray };
        let cause = ReportCause::of(&scoped.pdu);
        if sealed.level() == Level::Plain {
            // Not believed but for what it says about itself: that this user gets no further here.
            let other = security.engine_id().filter(|engine| *engine != session.engine);
            return match (cause, other) {
                (Some(ReportCause::UnknownEngine), Some(engine)) if self.corrects() => {
                    self.begin(at, engine, security, now)
                }
                (Some(cause), _) => self.refuse(cause),
                (None, _) => Heard::Stray,
            };
        }
        if security.engine != session.engine.as_bytes() {
            return Heard::Stray;
        }
        // Late word of a name that it has given up is none.
        let clock = self.engine.as_mut().filter(|(engine, _)| security.engine == engine.as_bytes());
        let Some((_, clock)) = clock else { return Heard::Stray };
        match cause {
            Some(ReportCause::NotInTimeWindow) => {
                if clock.set(security, now) && self.corrects() {
                    Heard::Again
                } else {
                    self.refuse(ReportCause::NotInTimeWindow)
                }
            }
            Some(cause) => self.refuse(cause),
            None if scoped.pdu.kind != PduKind::Response || sealed.level() < needed => Heard::Stray,
            None if scoped.pdu.request_id != base || !clock.admits(security, now) => Heard::Stray,
            None => {
                self.settled = true;
                Heard::Answer(scoped.pdu)
            }
        }
    }

    /// Nobody answered the last attempt at the question with the ids from `base` on: whether there is another
    /// credential to try.
    pub fn silence(&mut self, base: u32, desk: &Desk) -> bool {
        if self.settled || matches!(self.stage, Stage::Nobody) {
            return false;
        }
        if matches!(self.stage, Stage::User(_)) {
            self.refusal = self.refusal.max(Some(SnmpFailure::UserUnanswered));
        }
        self.fail();
        let stage = std::mem::replace(&mut self.stage, Stage::Nobody);
        let goes_on = self.advance(desk);
        if goes_on {
            self.left.push((stage, base));
        } else {
            // Its answer may still come.
            self.stage = stage;
        }
        goes_on
    }

    /// What is being tried came to nothing.
    fn fail(&mut self) {
        match &self.stage {
            Stage::Communities { from, to } => self.failed.extend(*from..*to),
            Stage::Discovery { .. } => self.engineless = true,
            Stage::User(session) => {
                self.failed.insert(session.at);
            }
            Stage::Nobody => {}
        }
    }

    fn corrects(&mut self) -> bool {
        self.corrections += 1;
        self.corrections <= MOST_CORRECTIONS
    }

    fn refuse(&mut self, cause: ReportCause) -> Heard {
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
        if self.settled {
            self.last_word = Some(failure);
        }
        Heard::Refused
    }

    /// Goes on to the most preferred try that has not failed; `false` when there is none.
    fn advance(&mut self, desk: &Desk) -> bool {
        let is_user = |place: &usize| self.tries.get(*place).is_some_and(|number| desk.user(*number).is_some());
        let is_over = |place: &usize| self.failed.contains(place) || (self.engineless && is_user(place));
        let places = 0..self.tries.len();
        let Some(at) = places.clone().find(|place| !is_over(place)) else { return false };
        self.stage = match &self.engine {
            Some((engine, _)) if is_user(&at) => Stage::User(Session { at, engine: engine.clone(), keys: None }),
            None if is_user(&at) => Stage::Discovery { at },
            _ => {
                let run = places.skip(at).take_while(|place| !is_over(place) && !is_user(place));
                Stage::Communities { from: at, to: at + run.take(MOST_AT_ONCE as usize).count() }
            }
        };
        true
    }

    /// Tries the user at a place with an engine that has just told its name.
    fn begin(&mut self, at: usize, engine: EngineId, security: &SecurityParameters, now: Duration) -> Heard {
        self.engineless = false;
        self.engine = Some((engine.clone(), EngineClock::hearsay(security, now)));
        self.stage = Stage::User(Session { at, engine, keys: None });
        Heard::Again
    }
}

fn head(id: u32, security: SecurityParameters) -> Head {
    Head { id, max_size: LONGEST_ANSWER, reportable: true, security }
}

#[cfg(test)]
pub(super) mod tests;
