//! A table of an agent, read by GETBULK column by column, row by row, until it ends: of its own
//! accord, because the agent goes in circles, or because nobody wants more.

use std::collections::BTreeMap;

use crate::domain::fact::SnmpFailure;
use crate::wire::oid::Oid;
use crate::wire::snmp::Value;

/// How a cell gets into its row.
pub(super) type Fill<R> = fn(&mut R, &Value);

/// What of a row is asked: the columns, and what is done with their cells.
pub(super) type Columns<R> = &'static [(Oid, Fill<R>)];

/// What tells a row from the others: the arcs after the column.
pub(super) type Index = Box<[u32]>;

/// How far a column has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// Up to this row; up to none yet.
    Told(Option<Index>),
    /// To its end.
    Ended,
}

/// A table that is being read.
pub(super) struct Table<R: 'static> {
    columns: Columns<R>,
    told: Vec<Column>,
    most_rows: usize,
    rows: BTreeMap<Index, R>,
    trouble: Option<SnmpFailure>,
}

impl<R> std::fmt::Debug for Table<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("told", &self.told).field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl<R: Default> Table<R> {
    /// A table of which nothing has been told, with a bound for what is kept of it.
    pub fn new(columns: Columns<R>, most_rows: usize) -> Self {
        let told = columns.iter().map(|_| Column::Told(None)).collect();
        Self { columns, told, most_rows, rows: BTreeMap::new(), trouble: None }
    }

    /// The names after which the columns go on that have not ended.
    pub fn continuations(&self) -> Vec<Oid> {
        let continuation = |((prefix, _), column): (&(Oid, Fill<R>), &Column)| match column {
            Column::Ended => None,
            Column::Told(None) => Some(prefix.clone()),
            Column::Told(Some(index)) => Oid::try_from([prefix.arcs(), index].concat()).ok(),
        };
        self.columns.iter().zip(&self.told).filter_map(continuation).collect()
    }

    /// Whether every column has ended.
    pub fn has_ended(&self) -> bool {
        self.told.iter().all(|column| *column == Column::Ended)
    }

    /// What was told, by row, and why that may not be all.
    pub fn finish(self) -> (BTreeMap<Index, R>, Option<SnmpFailure>) {
        (self.rows, self.trouble)
    }

    /// Takes an answer to [`Table::continuations`]. GETBULK answers row by row: each of the columns
    /// asked for, then each again one row further.
    pub fn take(&mut self, varbinds: &[(Oid, Value)]) {
        self.take_with(varbinds, |_| {});
    }

    /// The same, when there is something to be noted in a row before each of its cells.
    pub fn take_with(&mut self, varbinds: &[(Oid, Value)], note: impl Fn(&mut R)) {
        let mut open: Vec<(&mut Column, &(Oid, Fill<R>))> =
            self.told.iter_mut().zip(self.columns).filter(|(column, _)| **column != Column::Ended).collect();
        if varbinds.is_empty() {
            open.iter_mut().for_each(|(column, _)| **column = Column::Ended);
        }
        let width = open.len().max(1);
        for (place, (name, value)) in varbinds.iter().enumerate() {
            let Some((column, (prefix, fill))) = open.get_mut(place % width) else { return };
            let Column::Told(last) = &**column else { continue };
            // The column ends where another begins, and where the agent says so.
            let told = name.suffix(prefix).filter(|index| !index.is_empty() && *value != Value::EndOfMibView);
            let Some(index) = told else {
                **column = Column::Ended;
                continue;
            };
            // RFC 3416 section 4.2.3 demands increasing names: what goes back would never end.
            if last.as_deref().is_some_and(|last| index <= last) {
                self.trouble = Some(SnmpFailure::TableLoops);
                **column = Column::Ended;
                continue;
            }
            if self.rows.len() >= self.most_rows && !self.rows.contains_key(index) {
                self.trouble = Some(SnmpFailure::TableTooLong);
                **column = Column::Ended;
                continue;
            }
            **column = Column::Told(Some(index.into()));
            let row = self.rows.entry(index.into()).or_default();
            note(row);
            fill(row, value);
        }
    }
}
