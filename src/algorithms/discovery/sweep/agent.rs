//! The conversation with one SNMP agent: the system group in one GET, then the interface table by
//! GETBULK, then the tables of neighbours and the counters if they are wanted.

mod questions;

use std::collections::BTreeMap;
use std::time::Duration;

use super::Wanted;
use super::access::{Access, Heard, MOST_AT_ONCE};
use super::cells::{MOST_TEXT, cell, number, octets, station, text};
use super::counted::{self, Counted, NARROW, WIDE, WIDE_ROWS_AT_ONCE};
use super::desk::Desk;
use super::neighbours::{CACHE, Cached, LOCAL_PORTS, LocalPort, MOST_NEIGHBOURS, REMOTES, Remote, of_cdp, of_lldp};
use super::table::{Columns, Index, Table};
use crate::algorithms::discovery::observation::{CountersAnswer, SnmpAnswer};
use crate::domain::engine::EngineId;
use crate::domain::fact::{Interface, Neighbour, SnmpEngine, SnmpFailure, SnmpUptime};
use crate::wire::mib;
use crate::wire::oid::Oid;
use crate::wire::snmp::Value;
use crate::wire::snmp::pdu::{Pdu, TOO_BIG};

pub(super) use questions::{first_question, further_questions};

/// The objects of the first question.
static SYSTEM: [Oid; 8] = [
    mib::SYS_DESCR,
    mib::SYS_OBJECT_ID,
    mib::SYS_UP_TIME,
    mib::SYS_NAME,
    mib::SYS_LOCATION,
    mib::SYS_SERVICES,
    mib::SNMP_ENGINE_ID,
    mib::SNMP_ENGINE_BOOTS,
];

/// The columns of the second one, by `ifIndex`.
static INTERFACES: Columns<Interface> = &[
    (mib::IF_DESCR, |row, value| row.name = cell(value)),
    (mib::IF_TYPE, |row, value| row.if_type = number(value)),
    (mib::IF_SPEED, |row, value| row.speed = number(value)),
    (mib::IF_PHYS_ADDRESS, |row, value| row.mac = octets(value).and_then(station)),
    (mib::IF_ADMIN_STATUS, |row, value| row.admin_up = number(value).map(|status| status == UP)),
    (mib::IF_OPER_STATUS, |row, value| row.oper_up = number(value).map(|status| status == UP)),
];

/// `up(1)` of `ifAdminStatus` and `ifOperStatus` (RFC 2863).
const UP: u32 = 1;

/// Rows asked for at once: six columns of eight rows fit into one Ethernet frame as most agents
/// encode them, and an agent that has larger values sends fewer.
const ROWS_AT_ONCE: u16 = 8;

/// More rows than any chassis has; an agent that goes on is not telling a table. With all their
/// texts they take less than 6 MB.
const MOST_INTERFACES: usize = 16_384;

/// As long as anybody is listened to.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is being asked.
#[derive(Debug)]
enum Question {
    /// So many objects of the system group from one on.
    System {
        at: usize,
        width: usize,
    },
    Interfaces(Table<Interface>),
    LocalPorts(Table<LocalPort>),
    Remotes(Table<Remote>, BTreeMap<Index, LocalPort>),
    Cache(Table<Cached>),
    Wide(Table<Counted>),
    Narrow(Table<Counted>, BTreeMap<Index, Counted>),
    /// Nothing more.
    Nothing,
}

/// One agent's conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    access: Access,
    question: Question,
    base: u32,
    rows_at_once: u16,
    wanted: Wanted,
    began: Option<Duration>,
    /// Once the system group was told.
    answered: bool,
    answer: SnmpAnswer,
    /// The name of its engine, and how often that has started, as objects among others.
    engine: (Option<EngineId>, Option<u32>),
    neighbours: Vec<Neighbour>,
    failure: Option<SnmpFailure>,
    /// Why not everything was told.
    shortfall: Option<SnmpFailure>,
}

/// What a reply led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is a question to ask.
    Ask,
    /// Everything has been told.
    Finished,
}

impl Conversation {
    /// A conversation, with a random number for its first question.
    pub fn new(random: u32, access: Access, wanted: Wanted) -> Self {
        Self {
            access,
            question: Question::System { at: 0, width: SYSTEM.len() },
            base: base(random),
            rows_at_once: ROWS_AT_ONCE,
            wanted,
            began: None,
            answered: false,
            answer: SnmpAnswer::default(),
            engine: (None, None),
            neighbours: Vec::new(),
            failure: None,
            shortfall: None,
        }
    }

    /// The number of the present question.
    pub fn question(&self) -> u32 {
        self.base
    }

    /// The packets of one attempt at the present question.
    pub fn packets(&self) -> u32 {
        self.access.packets()
    }

    /// Makes the keys that the next packet needs; whether that took long.
    pub fn prepare(&mut self, desk: &mut Desk) -> bool {
        self.access.prepare(desk)
    }

    /// Whether a word may still come on what was asked in vain.
    pub fn may_be_answered_late(&self) -> bool {
        self.access.may_be_answered_late()
    }

    /// Writes one of the packets of an attempt, counted from 0.
    pub fn encode(&mut self, packet: u32, desk: &mut Desk, now: Duration, out: &mut Vec<u8>) {
        self.began.get_or_insert(now);
        let names = match &self.question {
            Question::System { at, width } => {
                let names = SYSTEM.get(*at..at + width).unwrap_or_default();
                return self.access.write(packet, self.base, Pdu::get(self.base, names), desk, now, out);
            }
            Question::Interfaces(table) => table.continuations(),
            Question::LocalPorts(table) => table.continuations(),
            Question::Remotes(table, _) => table.continuations(),
            Question::Cache(table) => table.continuations(),
            Question::Wide(table) | Question::Narrow(table, _) => table.continuations(),
            Question::Nothing => Vec::new(),
        };
        let rows = self.rows_at_once;
        let pdu = match &self.question {
            Question::Wide(_) => counted::question(self.base, rows.min(WIDE_ROWS_AT_ONCE), names),
            Question::Narrow(..) => counted::question(self.base, rows, names),
            _ => Pdu::get_bulk(self.base, 0, rows, &names),
        };
        self.access.write(packet, self.base, pdu, desk, now, out);
    }

    /// What a datagram from the agent is; an answer is for [`Conversation::take`]. `random` numbers
    /// the question when it is asked again.
    pub fn hear(&mut self, datagram: &[u8], desk: &Desk, random: u32, now: Duration) -> Heard {
        let heard = self.access.hear(datagram, self.base, desk, now);
        if matches!(heard, Heard::Again | Heard::Late(None)) {
            self.base = base(random);
        }
        heard
    }

    /// Notes that the last attempt was not answered; whether there is another way to ask.
    pub fn silent(&mut self, desk: &Desk, random: u32) -> bool {
        let goes_on = self.access.silence(self.base, desk);
        if goes_on {
            self.base = base(random);
        }
        goes_on
    }

    /// Takes an answer to the present question; `random` numbers the next one.
    pub fn take(&mut self, response: &Pdu, random: u32, now: Duration) -> Progress {
        self.failure = None;
        let patient = now.saturating_sub(self.began.unwrap_or(now)) <= PATIENCE;
        let progress = match std::mem::replace(&mut self.question, Question::Nothing) {
            Question::System { at, width } => self.take_system(at, width, response),
            _ if !patient => {
                self.shortfall = Some(SnmpFailure::TableTooLong);
                Progress::Finished
            }
            question if response.error_status == TOO_BIG && self.rows_at_once > 1 => {
                self.rows_at_once /= 2;
                self.question = question;
                Progress::Ask
            }
            _ if response.error_status != 0 => {
                self.shortfall.get_or_insert(SnmpFailure::ErrorStatus);
                Progress::Finished
            }
            question => self.take_rows(question, response, now),
        };
        self.base = base(random);
        progress
    }

    /// What does not fit into one message is asked object by object, and what does not fit even so is
    /// not told.
    fn take_system(&mut self, at: usize, width: usize, response: &Pdu) -> Progress {
        let too_big = response.error_status == TOO_BIG;
        let (at, width) = match (response.error_status, width) {
            (0, _) => (at + width, width),
            (_, 2..) if too_big => (at, 1),
            // One of them alone: an object that it does not tell.
            (_, 1) => (at + 1, 1),
            _ => {
                self.failure = Some(SnmpFailure::ErrorStatus);
                self.question = Question::System { at, width };
                return Progress::Finished;
            }
        };
        if response.error_status == 0 {
            self.system_told(response);
        }
        self.question = if at < SYSTEM.len() {
            Question::System { at, width }
        } else {
            self.answered = true;
            Question::Interfaces(Table::new(INTERFACES, MOST_INTERFACES))
        };
        Progress::Ask
    }

    fn system_told(&mut self, response: &Pdu) {
        let SnmpAnswer { system, uptime, .. } = &mut self.answer;
        let (engine, boots) = &mut self.engine;
        for (name, value) in &response.varbinds {
            match value {
                Value::OctetString(octets) if *name == mib::SYS_DESCR => system.sys_descr = text(octets, MOST_TEXT),
                Value::OctetString(octets) if *name == mib::SYS_NAME => system.sys_name = text(octets, MOST_TEXT),
                Value::OctetString(octets) if *name == mib::SYS_LOCATION => {
                    system.sys_location = text(octets, MOST_TEXT);
                }
                Value::ObjectId(oid) if *name == mib::SYS_OBJECT_ID => system.sys_object_id = Some(oid.to_string()),
                Value::Integer(number) if *name == mib::SYS_SERVICES => {
                    system.sys_services = u32::try_from(*number).ok();
                }
                Value::TimeTicks(ticks) if *name == mib::SYS_UP_TIME => {
                    *uptime = Some(SnmpUptime { uptime_seconds: u64::from(*ticks / 100) });
                }
                Value::OctetString(octets) if *name == mib::SNMP_ENGINE_ID => {
                    *engine = EngineId::try_from(octets.as_slice()).ok();
                }
                Value::Integer(number) if *name == mib::SNMP_ENGINE_BOOTS => *boots = u32::try_from(*number).ok(),
                _ => {}
            }
        }
    }

    fn take_rows(&mut self, question: Question, response: &Pdu, now: Duration) -> Progress {
        self.question = match question {
            Question::Interfaces(mut table) => {
                table.take(&response.varbinds);
                if table.has_ended() { self.interfaces_told(table) } else { Question::Interfaces(table) }
            }
            Question::LocalPorts(mut table) => {
                table.take(&response.varbinds);
                if table.has_ended() {
                    let ports = self.told(table);
                    Question::Remotes(Table::new(REMOTES, MOST_NEIGHBOURS), ports)
                } else {
                    Question::LocalPorts(table)
                }
            }
            Question::Remotes(mut table, ports) => {
                table.take(&response.varbinds);
                if table.has_ended() {
                    self.neighbours = of_lldp(&self.told(table), &ports);
                    Question::Cache(Table::new(CACHE, MOST_NEIGHBOURS))
                } else {
                    Question::Remotes(table, ports)
                }
            }
            Question::Cache(mut table) => {
                table.take(&response.varbinds);
                if table.has_ended() {
                    let rows = self.told(table);
                    let mut neighbours = std::mem::take(&mut self.neighbours);
                    neighbours.extend(of_cdp(&rows, self.answer.interfaces.as_deref().unwrap_or_default()));
                    self.answer.neighbours = Some(neighbours);
                    self.behind_neighbours()
                } else {
                    Question::Cache(table)
                }
            }
            Question::Wide(mut table) => {
                let (clock, rows) = counted::time_and_rows(&response.varbinds);
                table.take_with(rows, |row| row.at(clock));
                if table.has_ended() { self.wide_told(table, now) } else { Question::Wide(table) }
            }
            Question::Narrow(mut table, wide) => {
                let (clock, rows) = counted::time_and_rows(&response.varbinds);
                table.take_with(rows, |row| row.at(clock));
                if table.has_ended() {
                    let narrow = self.told(table);
                    self.counters_told(wide, narrow, now)
                } else {
                    Question::Narrow(table, wide)
                }
            }
            other @ (Question::System { .. } | Question::Nothing) => other,
        };
        if matches!(self.question, Question::Nothing) { Progress::Finished } else { Progress::Ask }
    }

    fn told<R: Default>(&mut self, table: Table<R>) -> BTreeMap<Index, R> {
        let (rows, trouble) = table.finish();
        self.shortfall = self.shortfall.or(trouble);
        rows
    }

    fn interfaces_told(&mut self, table: Table<Interface>) -> Question {
        let row = |(index, row): (Index, Interface)| match *index {
            [index] => Some(Interface { index, ..row }),
            _ => None,
        };
        self.answer.interfaces = Some(self.told(table).into_iter().filter_map(row).collect());
        if self.wanted.neighbours {
            Question::LocalPorts(Table::new(LOCAL_PORTS, MOST_NEIGHBOURS))
        } else {
            self.behind_neighbours()
        }
    }

    /// Counters come last: what changes always is missed least.
    fn behind_neighbours(&self) -> Question {
        let has_interfaces = self.answer.interfaces.as_ref().is_some_and(|table| !table.is_empty());
        if self.wanted.counters && has_interfaces {
            Question::Wide(Table::new(WIDE, MOST_INTERFACES))
        } else {
            Question::Nothing
        }
    }

    fn wide_told(&mut self, table: Table<Counted>, now: Duration) -> Question {
        let wide = self.told(table);
        let interfaces = self.answer.interfaces.as_deref().unwrap_or_default();
        if counted::lacks_wide(interfaces, &wide) {
            Question::Narrow(Table::new(NARROW, MOST_INTERFACES), wide)
        } else {
            self.counters_told(wide, BTreeMap::new(), now)
        }
    }

    fn counters_told(
        &mut self,
        wide: BTreeMap<Index, Counted>,
        narrow: BTreeMap<Index, Counted>,
        at: Duration,
    ) -> Question {
        let interfaces = self.answer.interfaces.as_deref().unwrap_or_default();
        let interfaces = counted::readings(wide, narrow, interfaces);
        self.answer.counters = Some(CountersAnswer { at, interfaces });
        Question::Nothing
    }

    /// Notes a reply that could not be read: the reason, should nothing better come.
    pub fn garbled(&mut self) {
        self.failure = Some(SnmpFailure::Malformed);
    }

    /// Notes that no agent listens.
    pub fn refused(&mut self) {
        self.failure = Some(SnmpFailure::PortUnreachable);
    }

    /// What the agent told, or why it told nothing. A table that broke off is not told: half of it
    /// would look as if the other half had been unplugged.
    pub fn finish(self) -> Result<SnmpAnswer, SnmpFailure> {
        let failure = self.access.refusal().max(self.failure);
        if !self.answered {
            return Err(failure.unwrap_or(SnmpFailure::Timeout));
        }
        let broke_off = !matches!(self.question, Question::Nothing);
        let why = self.access.last_word().or(self.failure).unwrap_or(SnmpFailure::FellSilent);
        let shortfall = self.shortfall.or(broke_off.then_some(why));
        // What is authenticated counts before what is only told.
        let told = || Some(SnmpEngine { engine_id: self.engine.0?, boots: self.engine.1? });
        Ok(SnmpAnswer { engine: self.access.engine().or_else(told), shortfall, ..self.answer })
    }

    /// What the agent told until the sweep was ended, before the agent could tell the rest. Where it had
    /// told nothing, nothing is known of it: its silence means nothing.
    pub fn leave(self) -> Option<SnmpAnswer> {
        self.answered.then_some(SnmpAnswer { shortfall: self.shortfall, ..self.answer })
    }
}

/// Keeps the low bits free for the community, and the highest for the sign.
const fn base(random: u32) -> u32 {
    let base = random & 0x7fff_fff0;
    if base == 0 { MOST_AT_ONCE } else { base }
}

#[cfg(test)]
mod tests;
