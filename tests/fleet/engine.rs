//! The authoritative engines of the agents that speak SNMP v3 (RFC 3414 section 3.2): which messages
//! they take, and what they report of the others. Messages are written, protected and read by the codec
//! of the program, which is the one cryptography here; Net-SNMP asks the same engines in
//! `tests/fleet_scan/users.rs`, so that neither side hides an error of the other.

use std::collections::BTreeMap;
use std::time::Duration;

use pdsno::domain::credential::User;
use pdsno::domain::engine::EngineId;
use pdsno::wire::snmp::pdu::{Pdu, PduKind};
use pdsno::wire::usm::keys::{LocalKeys, MasterKeys};
use pdsno::wire::usm::message::{Head, Level, MessageError, Protection, ScopedPdu, Sealed, encode};
use pdsno::wire::usm::report::ReportCause;
use pdsno::wire::usm::security::SecurityParameters;

use crate::ber::Reader;
use crate::fault::Fault;
use crate::objects::View;
use crate::snmp::{self, Silence};
use crate::users::known_as;
use crate::version::Version;

/// How far the time of a question may be from an engine's, in seconds (RFC 3414 section 2.2.3).
const WINDOW: u32 = 150;

/// How far a clock that runs away is further with each message.
const RUNAWAY: u32 = 1_000;

/// `authorizationError` of `error-status` (RFC 3416 section 3).
const AUTHORIZATION_ERROR: u32 = 16;

/// How often an agent has started since the fleet began, and when it last did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Starts {
    pub count: u32,
    pub last: Option<Duration>,
}

/// All engines that somebody has talked to, by the places of their hosts: a host with several addresses
/// is one engine.
#[derive(Debug, Default)]
pub struct Engines {
    engines: BTreeMap<u32, Engine>,
    /// By user and by what is wrong with him: the passwords are hashed once for all engines.
    masters: BTreeMap<(u8, Option<Fault>), MasterKeys>,
    /// Of the last encrypted message.
    salt: u64,
}

#[derive(Debug, Default)]
struct Engine {
    /// Made from the hashed passwords when somebody first asks.
    account: Option<Account>,
    starts: Starts,
    heard: u32,
    answered: u32,
    /// How often it has reported each cause.
    reported: [u32; 8],
}

/// The one user that an engine knows.
#[derive(Debug)]
struct Account {
    user: User,
    keys: LocalKeys,
}

impl Engines {
    /// What a host has done since the fleet began.
    pub fn starts(&self, place: u32) -> Starts {
        self.engines.get(&place).map_or_else(Starts::default, |engine| engine.starts)
    }

    /// Clears `out` and writes the response to a message, or the report that it cannot be processed.
    /// `wrong_id` makes it one that nobody waits for.
    ///
    /// # Errors
    /// Why there is none.
    pub fn respond(
        &mut self,
        place: u32,
        view: &View<'_>,
        request: &[u8],
        wrong_id: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Silence> {
        let sealed = Sealed::read(request).map_err(|_| Silence::Unreadable)?;
        let id = view.host.engine_id(view.agent);
        let engine = self.engines.entry(place).or_default();
        if engine.account.is_none() {
            engine.account = account(&mut self.masters, view, &id);
        }
        engine.heard += 1;
        let faults = view.host.faults;
        if faults.has(Fault::Reboots) && engine.answered == 1 && engine.starts.count == 0 {
            engine.starts = Starts { count: 1, last: Some(view.now) };
        }
        let view = &View { starts: engine.starts, ..*view };
        let mut own = SecurityParameters {
            engine: id.as_bytes().to_vec(),
            boots: view.boots(),
            time: view.engine_time(),
            user: sealed.head().security.user.clone(),
        };
        if faults.has(Fault::ClockDisagrees) {
            own.time += RUNAWAY * engine.heard;
        }
        let account = engine.account.as_ref();
        let (scoped, level) = match judge(&sealed, &own, account, faults.has(Fault::Undecryptable)) {
            Verdict::Process(scoped) => {
                engine.answered += 1;
                let pdu = answered(view, &sealed, &own, account, &scoped, wrong_id).ok_or(Silence::Unreadable)?;
                (ScopedPdu { pdu, ..scoped }, sealed.level())
            }
            // Who wants no report gets none (RFC 3412 section 7.1 step 3).
            Verdict::Report(..) if !sealed.head().reportable => return Err(Silence::Discarded),
            Verdict::Report(cause, level, request_id) => {
                let count = &mut engine.reported[cause as usize];
                *count += 1;
                let pdu = cause.report(request_id, *count);
                (ScopedPdu { context_engine: own.engine.clone(), context_name: Vec::new(), pdu }, level)
            }
            Verdict::Discard => return Err(Silence::Discarded),
        };
        self.salt += 1;
        let protection = match account.map(|account| &account.keys) {
            Some(keys) if level == Level::Private => Protection::best(keys, self.salt),
            Some(keys) if level == Level::Authentic => Protection::Authentic(&keys.authentication),
            _ => Protection::Plain,
        };
        if faults.has(Fault::ClockToldWrongly) && protection.level() == Level::Plain {
            (own.boots, own.time) = (own.boots + 7, own.time / 2);
        }
        let wrong = wrong_id || faults.has(Fault::WrongMessageId);
        let id = if wrong { sealed.head().id ^ 0x40 } else { sealed.head().id };
        let longest = u32::try_from(view.agent.most_octets).expect("no message has so many octets");
        encode(out, &Head { id, max_size: longest, reportable: false, security: own }, &scoped, protection);
        if faults.has(Fault::WrongDigest) && protection.level() != Level::Plain {
            out.last_mut().into_iter().for_each(|octet| *octet ^= 1);
        }
        Ok(())
    }
}

/// What an engine knows of its user.
fn account(masters: &mut BTreeMap<(u8, Option<Fault>), MasterKeys>, view: &View<'_>, id: &EngineId) -> Option<Account> {
    let engine = view.agent.engine?;
    let fault = view.host.faults.of_engine();
    let user = known_as(view.network.user(engine)?, fault);
    let master = masters.entry((engine.user, fault)).or_insert_with(|| MasterKeys::derive(&user));
    Some(Account { keys: master.localise(id), user })
}

/// What an engine makes of a message.
enum Verdict {
    Process(ScopedPdu),
    /// With this protection and request id.
    Report(ReportCause, Level, u32),
    /// It says nothing.
    Discard,
}

/// Steps 3 to 8 of RFC 3414 section 3.2, in their order. An engine may report what it cannot read after
/// decryption as if decryption had failed; as RFC 3412 section 7.2 has it, it says nothing.
fn judge(sealed: &Sealed<'_>, own: &SecurityParameters, account: Option<&Account>, reports_garbage: bool) -> Verdict {
    let (asked, level) = (&sealed.head().security, sealed.level());
    // The id is told where it can be read (RFC 3412 section 7.1 step 3c).
    let plain = |cause| {
        let id = sealed.open(None).map_or(0, |scoped| scoped.pdu.request_id);
        Verdict::Report(cause, Level::Plain, id)
    };
    if asked.engine != own.engine {
        return plain(ReportCause::UnknownEngine);
    }
    let Some(Account { user, keys }) = account.filter(|account| account.user.name.as_str().as_bytes() == asked.user)
    else {
        return plain(ReportCause::UnknownUser);
    };
    if level == Level::Private && keys.privacy.is_none() {
        return plain(ReportCause::UnsupportedLevel);
    }
    let opened = sealed.open(Some(keys));
    if matches!(opened, Err(MessageError::Digest)) {
        return plain(ReportCause::WrongDigest);
    }
    let is_of_now =
        own.boots < SecurityParameters::MOST && asked.boots == own.boots && asked.time.abs_diff(own.time) <= WINDOW;
    if level > Level::Plain && !is_of_now {
        let id = opened.map_or(0, |scoped| scoped.pdu.request_id);
        return Verdict::Report(ReportCause::NotInTimeWindow, Level::Authentic, id);
    }
    match opened {
        Ok(scoped) if !scoped.context_name.is_empty() && scoped.context_name != user.context.as_str().as_bytes() => {
            Verdict::Report(ReportCause::UnknownContext, level, scoped.pdu.request_id)
        }
        Ok(scoped) => Verdict::Process(scoped),
        Err(MessageError::Salt) => plain(ReportCause::DecryptionError),
        Err(_) if reports_garbage && level == Level::Private => plain(ReportCause::DecryptionError),
        Err(_) => Verdict::Discard,
    }
}

/// The PDU that answers one, in what both sides take; none for one that is no request.
fn answered(
    view: &View<'_>,
    sealed: &Sealed<'_>,
    own: &SecurityParameters,
    account: Option<&Account>,
    scoped: &ScopedPdu,
    wrong_id: bool,
) -> Option<Pdu> {
    let keys = &account?.keys;
    if sealed.level() < Protection::best(keys, 0).level() {
        // Nobody sees anything of an agent with less protection than its user has (RFC 3413 section 3.2).
        let (kind, error_status, error_index) = (PduKind::Response, AUTHORIZATION_ERROR, 0);
        return Some(Pdu { kind, error_status, error_index, ..scoped.pdu.clone() });
    }
    let mut octets = Vec::new();
    scoped.pdu.append(&mut octets);
    let (tag, content) = Reader(&octets).value()?;
    let request = snmp::Pdu::read(tag, content)?;
    // Headers of four octets around the message, its security parameters (twice), what is encrypted and
    // the scoped PDU; version 3, ids and flags 20, boots and time 12; the lengths of five strings.
    let around = 4 + 8 + 4 + 4 + 3 + 20 + 12 + 5 * 2;
    let strings = 2 * own.engine.len() + own.user.len() + scoped.context_name.len();
    let protection = keys.authentication.length() + if keys.privacy.is_some() { 8 } else { 0 };
    let most = view.agent.most_octets.min(sealed.head().max_size as usize);
    let room = most.saturating_sub(around + strings + protection);
    let mut response = Vec::new();
    snmp::answer(view, Version::V3, &request, room, wrong_id, &mut response).ok()?;
    Pdu::read(&response).ok()
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
