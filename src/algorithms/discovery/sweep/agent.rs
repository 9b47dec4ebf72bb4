//! The conversation with one SNMP agent: the system group in one GET, then the interface table by
//! GETBULK, row by row until it ends.

use std::collections::BTreeMap;

use crate::algorithms::discovery::observation::SnmpAnswer;
use crate::domain::address::MacAddr;
use crate::domain::fact::{Interface, SnmpFailure, SnmpSystem, SnmpUptime};
use crate::domain::secret::Community;
use crate::wire::mib;
use crate::wire::oid::Oid;
use crate::wire::snmp::pdu::Pdu;
use crate::wire::snmp::{RequestId, Value, encode_get, encode_get_bulk};

/// The objects of the first question.
static SYSTEM: [Oid; 6] =
    [mib::SYS_DESCR, mib::SYS_OBJECT_ID, mib::SYS_UP_TIME, mib::SYS_NAME, mib::SYS_LOCATION, mib::SYS_SERVICES];

/// How a cell gets into its row.
type Fill = fn(&mut Interface, &Value);

const WIDTH: usize = 6;

/// The columns of the second one.
static COLUMNS: [(Oid, Fill); WIDTH] = [
    (mib::IF_DESCR, |row, value| row.name = octets(value).and_then(text)),
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
pub(super) const ROWS_AT_ONCE: u16 = 8;

/// More rows than any chassis has; an agent that goes on is not telling a table.
const MOST_ROWS: usize = 4_096;

/// Longest text kept: `DisplayString` has at most 255 octets, agents exceed it.
const MOST_TEXT: usize = 1_024;

/// Request ids of one question differ in their low bits, by community.
pub(super) const MOST_COMMUNITIES: u32 = 16;

/// What is being asked.
#[derive(Debug)]
enum Question {
    System,
    Interfaces,
}

/// How far a column has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Up to this `ifIndex`; up to none yet.
    Told(Option<u32>),
    /// To its end.
    Ended,
}

/// One agent's conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    question: Question,
    base: u32,
    /// How many communities there are to try.
    communities: u32,
    /// The one that the agent answered to; until then all are tried.
    community: Option<u32>,
    answer: SnmpAnswer,
    rows: BTreeMap<u32, Interface>,
    columns: [Column; WIDTH],
    failure: Option<SnmpFailure>,
}

/// What a reply led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is a next question.
    Ask,
    /// Everything has been told.
    Finished,
}

impl Conversation {
    /// A conversation that tries so many communities, with a random number for its first question.
    pub fn new(random: u32, communities: usize) -> Self {
        Self {
            question: Question::System,
            base: base(random),
            communities: u32::try_from(communities).unwrap_or(u32::MAX).min(MOST_COMMUNITIES),
            community: None,
            answer: SnmpAnswer::default(),
            rows: BTreeMap::new(),
            columns: [Column::Told(None); WIDTH],
            failure: None,
        }
    }

    /// The number of the present question.
    pub fn question(&self) -> u32 {
        self.base
    }

    /// The packets of one attempt at the present question.
    pub fn packets(&self) -> u32 {
        if self.community.is_some() { 1 } else { self.communities }
    }

    /// Writes one of the packets of an attempt, counted from 0.
    pub fn encode(&self, packet: u32, communities: &[Community], out: &mut Vec<u8>) {
        let which = self.community.unwrap_or(packet);
        let Some(community) = communities.get(which as usize) else { return };
        let id = RequestId::from_seed(self.base + which);
        match self.question {
            Question::System => encode_get(out, community, id, &SYSTEM),
            Question::Interfaces => {
                let names: Vec<Oid> = COLUMNS.iter().zip(self.columns).filter_map(continuation).collect();
                encode_get_bulk(out, community, id, 0, ROWS_AT_ONCE, &names);
            }
        }
    }

    /// Whether a reply with this id answers the present question.
    pub fn expects(&self, request_id: u32) -> bool {
        match self.community {
            Some(which) => request_id == self.base + which,
            None => (self.base..self.base + self.communities).contains(&request_id),
        }
    }

    /// Takes a reply that [`Conversation::expects`] approved of; `random` numbers the next question.
    pub fn take(&mut self, response: &Pdu, random: u32) -> Progress {
        self.community = Some(response.request_id - self.base);
        let refused = response.error_status != 0;
        match self.question {
            Question::System if refused => {
                self.failure = Some(SnmpFailure::ErrorStatus);
                return Progress::Finished;
            }
            Question::System => {
                (self.answer.system, self.answer.uptime) = system(response);
                self.failure = None;
                self.question = Question::Interfaces;
            }
            Question::Interfaces if refused => return Progress::Finished,
            Question::Interfaces => {
                self.take_rows(response);
                if self.columns.iter().all(|column| *column == Column::Ended) {
                    self.answer.interfaces = Some(self.rows.values().cloned().collect());
                    return Progress::Finished;
                }
            }
        }
        self.base = base(random);
        Progress::Ask
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
        match self.question {
            Question::Interfaces => Ok(self.answer),
            Question::System => Err(self.failure.unwrap_or(SnmpFailure::Timeout)),
        }
    }

    /// GETBULK answers row by row: each of the columns asked for, then each again one row further.
    fn take_rows(&mut self, response: &Pdu) {
        let mut open: Vec<(&mut Column, &(Oid, Fill))> =
            self.columns.iter_mut().zip(&COLUMNS).filter(|(column, _)| **column != Column::Ended).collect();
        if response.varbinds.is_empty() {
            open.iter_mut().for_each(|(column, _)| **column = Column::Ended);
        }
        let width = open.len().max(1);
        for (place, (name, value)) in response.varbinds.iter().enumerate() {
            let Some((column, (prefix, fill))) = open.get_mut(place % width) else { return };
            let Column::Told(last) = **column else { continue };
            // The column ends where another begins, where the agent says so, and where it goes
            // backwards or in a circle (RFC 3416 section 4.2.3 demands increasing names).
            let index = match name.suffix(prefix) {
                Some([index]) if last.is_none_or(|last| *index > last) && *value != Value::EndOfMibView => *index,
                _ => {
                    **column = Column::Ended;
                    continue;
                }
            };
            if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&index) {
                **column = Column::Ended;
                continue;
            }
            **column = Column::Told(Some(index));
            fill(self.rows.entry(index).or_insert_with(|| Interface { index, ..Interface::default() }), value);
        }
    }
}

/// Writes the question for the rows behind this one, when no column has ended.
pub(super) fn encode_rows(out: &mut Vec<u8>, community: &Community, row: u32) {
    let names: Vec<Oid> = COLUMNS.iter().filter_map(|column| continuation((column, Column::Told(Some(row))))).collect();
    encode_get_bulk(out, community, RequestId::from_seed(u32::MAX), 0, ROWS_AT_ONCE, &names);
}

/// The name after which a column goes on.
fn continuation(((prefix, _), column): (&(Oid, Fill), Column)) -> Option<Oid> {
    match column {
        Column::Ended => None,
        Column::Told(None) => Some(prefix.clone()),
        Column::Told(Some(index)) => Oid::try_from([prefix.arcs(), &[index]].concat()).ok(),
    }
}

/// Keeps the low bits free for the community, and the highest for the sign.
const fn base(random: u32) -> u32 {
    let base = random & 0x7fff_fff0;
    if base == 0 { MOST_COMMUNITIES } else { base }
}

fn system(response: &Pdu) -> (SnmpSystem, Option<SnmpUptime>) {
    let mut system = SnmpSystem::default();
    let mut uptime = None;
    for (name, value) in &response.varbinds {
        match value {
            Value::OctetString(octets) if *name == mib::SYS_DESCR => system.sys_descr = text(octets),
            Value::OctetString(octets) if *name == mib::SYS_NAME => system.sys_name = text(octets),
            Value::OctetString(octets) if *name == mib::SYS_LOCATION => system.sys_location = text(octets),
            Value::ObjectId(oid) if *name == mib::SYS_OBJECT_ID => system.sys_object_id = Some(oid.to_string()),
            Value::Integer(number) if *name == mib::SYS_SERVICES => system.sys_services = u32::try_from(*number).ok(),
            Value::TimeTicks(ticks) if *name == mib::SYS_UP_TIME => {
                uptime = Some(SnmpUptime { uptime_seconds: u64::from(*ticks / 100) });
            }
            _ => {}
        }
    }
    (system, uptime)
}

fn octets(value: &Value) -> Option<&[u8]> {
    match value {
        Value::OctetString(octets) => Some(octets),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::Gauge32(number) | Value::Counter32(number) => Some(*number),
        _ => None,
    }
}

fn station(octets: &[u8]) -> Option<MacAddr> {
    let octets: [u8; 6] = octets.try_into().ok()?;
    Some(MacAddr::new(octets)).filter(|mac| mac.is_station())
}

/// Octets as text: what is not UTF-8 and what would move a terminal's cursor is replaced.
fn text(octets: &[u8]) -> Option<String> {
    let octets = octets.get(..octets.len().min(MOST_TEXT)).unwrap_or(octets);
    let lossy = String::from_utf8_lossy(octets);
    let printable = |c: char| if c.is_control() && c != '\n' && c != '\r' { char::REPLACEMENT_CHARACTER } else { c };
    let text: String = lossy.trim_end_matches('\0').chars().map(printable).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::snmp::pdu::PduKind;
    use proptest::prelude::*;

    fn response(id: u32, varbinds: Vec<(Oid, Value)>) -> Pdu {
        Pdu { kind: PduKind::Response, request_id: id, error_status: 0, error_index: 0, varbinds }
    }

    fn cell(column: Oid, index: u32, value: Value) -> (Oid, Value) {
        (format!("{column}.{index}").parse().unwrap(), value)
    }

    fn after_system() -> Conversation {
        let mut talk = Conversation::new(4_096, 1);
        let name = (mib::SYS_NAME, Value::OctetString(b"core-1".to_vec()));
        let up = (mib::SYS_UP_TIME, Value::TimeTicks(4_250));
        let reply = response(talk.question(), vec![name, up]);
        assert_eq!(talk.take(&reply, 8_192), Progress::Ask);
        talk
    }

    #[test]
    fn a_table_is_read_to_its_end() {
        let mut talk = after_system();
        let mut first = Vec::new();
        for index in 1..=2 {
            first.push(cell(mib::IF_DESCR, index, Value::OctetString(format!("eth{index}").into_bytes())));
            first.push(cell(mib::IF_TYPE, index, Value::Integer(6)));
            first.push(cell(mib::IF_SPEED, index, Value::Gauge32(1_000_000_000)));
            first.push(cell(mib::IF_PHYS_ADDRESS, index, Value::OctetString(vec![0, 0x1b, 0x2f, 0, 0, index as u8])));
            first.push(cell(mib::IF_ADMIN_STATUS, index, Value::Integer(1)));
            first.push(cell(mib::IF_OPER_STATUS, index, Value::Integer(2)));
        }
        let reply = response(talk.question(), first);
        assert_eq!(talk.take(&reply, 12_288), Progress::Ask);
        let after: Vec<_> = COLUMNS.iter().map(|_| cell(mib::SYS_DESCR, 9, Value::Null)).collect();
        let reply = response(talk.question(), after);
        assert_eq!(talk.take(&reply, 0), Progress::Finished);
        let answer = talk.finish().unwrap();
        assert_eq!(answer.uptime, Some(SnmpUptime { uptime_seconds: 42 }));
        assert_eq!(answer.system.sys_name.as_deref(), Some("core-1"));
        let interfaces = answer.interfaces.unwrap();
        assert_eq!(interfaces.len(), 2);
        assert_eq!(interfaces[1].name.as_deref(), Some("eth2"));
        assert_eq!((interfaces[0].admin_up, interfaces[0].oper_up), (Some(true), Some(false)));
    }

    #[test]
    fn an_agent_that_goes_in_circles_is_left() {
        let mut talk = after_system();
        let loopy: Vec<_> = [3, 2, 3, 2]
            .iter()
            .flat_map(|index| COLUMNS.iter().map(|(column, _)| cell(column.clone(), *index, Value::Integer(1))))
            .collect();
        let reply = response(talk.question(), loopy);
        assert_eq!(talk.take(&reply, 1), Progress::Finished);
        assert_eq!(talk.finish().unwrap().interfaces.unwrap().len(), 1);
    }

    #[test]
    fn a_table_that_breaks_off_is_not_told() {
        let talk = after_system();
        let answer = talk.finish().unwrap();
        assert_eq!(answer.interfaces, None);
        assert!(answer.uptime.is_some());
    }

    #[test]
    fn the_community_that_was_answered_is_the_only_one_used_on() {
        let communities = ["one", "two", "three"].map(|text| Community::new(text).unwrap());
        let mut talk = Conversation::new(77_777, 3);
        assert_eq!(talk.packets(), 3);
        let id = talk.question() + 1;
        assert!(talk.expects(id) && !talk.expects(talk.question() + 3) && !talk.expects(talk.question() - 1));
        talk.take(&response(id, Vec::new()), 99_999);
        assert_eq!(talk.packets(), 1);
        let mut out = Vec::new();
        talk.encode(0, &communities, &mut out);
        assert!(out.windows(3).any(|window| window == b"two"));
        assert!(talk.expects(talk.question() + 1) && !talk.expects(talk.question()));
    }

    #[test]
    fn texts_are_readable_whatever_the_agent_sends() {
        assert_eq!(text(b"line one\r\nline two\0\0").as_deref(), Some("line one\r\nline two"));
        assert_eq!(text(b"caf\xe9 \x1b[31m").as_deref(), Some("caf\u{fffd} \u{fffd}[31m"));
        assert_eq!(text(b"  \0"), None);
        assert_eq!(text(&[b'x'; 5_000]).unwrap().len(), MOST_TEXT);
    }

    proptest! {
        #[test]
        fn every_table_ends(replies in prop::collection::vec(prop::collection::vec((0_usize..7, 0_u32..6, 0_i32..3), 0..20), 1..60)) {
            let mut talk = after_system();
            let mut asked = 0;
            // An agent that always tells something new is cut at the most rows; all others end.
            for reply in replies.iter().cycle().take(300) {
                let varbinds = reply.iter().map(|(column, index, value)| {
                    let column = COLUMNS.get(*column).map_or(mib::SYS_DESCR, |(name, _)| name.clone());
                    cell(column, *index, Value::Integer(*value))
                });
                let reply = response(talk.question(), varbinds.collect());
                asked += 1;
                if talk.take(&reply, 4_096 * asked) == Progress::Finished {
                    break;
                }
            }
            prop_assert!(asked < 300);
            prop_assert!(talk.finish().is_ok());
        }
    }
}
