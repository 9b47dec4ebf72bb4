//! The questions to an agent as a forecast needs them: by how long they are, and how many.

use super::{INTERFACES, ROWS_AT_ONCE, SYSTEM};
use crate::algorithms::discovery::sweep::Wanted;
use crate::algorithms::discovery::sweep::access::MOST_AT_ONCE;
use crate::algorithms::discovery::sweep::counted::{self, NARROW, WIDE, WIDE_ROWS_AT_ONCE};
use crate::algorithms::discovery::sweep::neighbours::{CACHE, LOCAL_PORTS, REMOTES};
use crate::algorithms::discovery::sweep::table::Columns;
use crate::wire::oid::Oid;
use crate::wire::snmp::pdu::Pdu;

/// The first question to an agent.
pub(in crate::algorithms::discovery::sweep) fn first_question() -> Pdu {
    Pdu::get(MOST_AT_ONCE, &SYSTEM)
}

/// The questions for the rows behind this one, a table each, when no column has ended.
pub(in crate::algorithms::discovery::sweep) fn further_questions(row: u32, wanted: Wanted) -> Vec<Pdu> {
    // A row of the remote systems has three arcs (IEEE 802.1AB: time, local port, number), one of the
    // cache two.
    let index = [row, row, row];
    let mut questions = vec![behind(INTERFACES, index.get(..1))];
    if wanted.neighbours {
        questions.push(behind(LOCAL_PORTS, index.get(..1)));
        questions.push(behind(REMOTES, index.get(..3)));
        questions.push(behind(CACHE, index.get(..2)));
    }
    if wanted.counters {
        questions.push(counted::question(MOST_AT_ONCE, WIDE_ROWS_AT_ONCE, names(WIDE, index.get(..1))));
        questions.push(counted::question(MOST_AT_ONCE, ROWS_AT_ONCE, names(NARROW, index.get(..1))));
    }
    questions
}

fn behind<R>(columns: Columns<R>, index: Option<&[u32]>) -> Pdu {
    Pdu::get_bulk(MOST_AT_ONCE, 0, ROWS_AT_ONCE, &names(columns, index))
}

fn names<R>(columns: Columns<R>, index: Option<&[u32]>) -> Vec<Oid> {
    let name = |(prefix, _): &(Oid, _)| Oid::try_from([prefix.arcs(), index.unwrap_or_default()].concat()).ok();
    columns.iter().filter_map(name).collect()
}
