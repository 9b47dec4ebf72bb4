//! Tables. On a terminal that is too narrow, texts are cut; then columns are left out, those of least
//! importance first; and where nothing fits beside the key, each row becomes a record: the key, and below
//! it labels and values. Away from terminals a table is as wide as it needs to be.

use anstyle::Style;

use super::output::{self, Ended};
use super::text::{LongWord, cut, fold, one_line, sheet, width};

/// Between two columns.
const GAP: usize = 2;

/// A column, and what becomes of it where room is scarce.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    /// 0 is the key; what has the highest rank is left out first.
    rank: u8,
    /// The columns of the terminal that are of use; `None`: only all of them are.
    least: Option<usize>,
}

impl Column {
    /// What rows are told apart by: shown always, and whole.
    pub const fn key(title: &'static str) -> Self {
        Self { title, rank: 0, least: None }
    }

    /// Shown whole, or left out.
    pub const fn whole(title: &'static str, rank: u8) -> Self {
        Self { title, rank, least: None }
    }

    /// A text, of which `least` columns of the terminal are better than nothing.
    pub const fn text(title: &'static str, rank: u8, least: usize) -> Self {
        Self { title, rank, least: Some(least) }
    }
}

/// One value, or a list of which the first and the number of the others say most.
#[derive(Debug, Clone)]
pub struct Cell {
    parts: Vec<String>,
    style: Option<Style>,
}

impl Cell {
    /// A value.
    pub fn of(value: impl ToString) -> Self {
        Self::list(&[value])
    }

    /// A value, or a dash.
    pub fn or_dash(value: Option<impl ToString>) -> Self {
        value.map_or_else(|| Self::of("-"), Self::of)
    }

    /// Values.
    pub fn list(values: &[impl ToString]) -> Self {
        Self { parts: values.iter().map(|value| one_line(&value.to_string())).collect(), style: None }
    }

    /// The same in this style, where there are colours.
    pub fn styled(self, style: Style) -> Self {
        Self { style: output::colours().then_some(style), ..self }
    }

    fn full(&self) -> String {
        self.parts.join(",")
    }

    /// The first values and the number of the others.
    fn shortened(&self, shown: usize) -> Option<String> {
        let (first, others) = self.parts.split_at_checked(shown).filter(|(_, others)| !others.is_empty())?;
        Some(format!("{} +{}", first.join(","), others.len()))
    }

    /// As short as it can be without a value being cut.
    fn shortest(&self) -> String {
        self.shortened(1).unwrap_or_else(|| self.full())
    }

    /// As much of it as `room` columns show.
    fn within(&self, room: usize) -> String {
        let full = self.full();
        if width(&full) <= room {
            return full;
        }
        let mut shorter = (1..self.parts.len()).rev().filter_map(|shown| self.shortened(shown));
        shorter.find(|text| width(text) <= room).unwrap_or_else(|| cut(&full, room))
    }

    fn dressed(&self, text: &str) -> String {
        self.style.map_or_else(|| text.to_owned(), |style| format!("{style}{text}{style:#}"))
    }
}

/// A table: a column for each value, a row for each thing.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// The titles of the columns that did not fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftOut(Vec<&'static str>);

impl LeftOut {
    /// Takes in what another table of the same kind leaves out.
    pub fn with(mut self, other: Self) -> Self {
        let news: Vec<_> = other.0.into_iter().filter(|title| !self.0.contains(title)).collect();
        self.0.extend(news);
        self
    }

    /// Names them, and how to see them.
    pub fn tell(&self) {
        if !self.0.is_empty() {
            output::note(&format!(
                "note: too narrow for {}; --format json or a pipe into less -S shows everything",
                self.0.join(", ")
            ));
        }
    }
}

/// A column with its widths, in columns of the terminal.
#[derive(Debug)]
struct Measured {
    at: usize,
    rank: u8,
    is_text: bool,
    natural: usize,
    least: usize,
    /// `None`: left out.
    given: Option<usize>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Appends a row: a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it, and beside it what of it did not fit.
    pub fn print(&self) -> Result<(), Ended> {
        self.show()?.tell();
        Ok(())
    }

    /// Prints it, and returns what of it did not fit.
    pub fn show(&self) -> Result<LeftOut, Ended> {
        let (text, left_out) = self.drawn(output::room());
        output::text(&text)?;
        Ok(left_out)
    }

    fn drawn(&self, room: Option<usize>) -> (String, LeftOut) {
        let widths = match room {
            None => self.measured().iter().map(|column| Some(column.natural)).collect(),
            Some(room) => match self.widths(room) {
                Some(widths) => widths,
                None => return (self.records(room), LeftOut::default()),
            },
        };
        let titles: Vec<Cell> = self.columns.iter().map(|column| Cell::of(column.title)).collect();
        let lines = std::iter::once(&titles).chain(&self.rows).map(|row| line(row, &widths)).collect();
        let left_out = self.columns.iter().zip(&widths).filter(|(_, given)| given.is_none());
        (lines, LeftOut(left_out.map(|(column, _)| column.title).collect()))
    }

    /// The width of each column, `None` for one that is left out; `None` if it is no table that would fit.
    fn widths(&self, room: usize) -> Option<Vec<Option<usize>>> {
        let mut columns = self.measured();
        columns.sort_by_key(|column| column.rank);
        let mut left = room + GAP;
        for (place, column) in columns.iter_mut().enumerate() {
            match left.checked_sub(GAP + column.least) {
                Some(rest) => (left, column.given) = (rest, Some(column.least)),
                // Without the key, or with nothing beside it, a table says nothing.
                None if place < 2 => return None,
                // What matters less is not shown in its stead.
                None => break,
            }
        }
        // Texts first: a list has told the most already.
        columns.sort_by_key(|column| (!column.is_text, column.rank));
        for column in &mut columns {
            let Some(given) = column.given else { continue };
            let wanted = column.natural.min(given + left);
            let taken = self.widest(column.at, |cell| cell.within(wanted)).max(given);
            column.given = Some(taken);
            left -= taken - given;
        }
        columns.sort_by_key(|column| column.at);
        Some(columns.into_iter().map(|column| column.given).collect())
    }

    fn measured(&self) -> Vec<Measured> {
        let measured = self.columns.iter().enumerate().map(|(at, column)| {
            let title = width(column.title);
            let natural = self.widest(at, Cell::full).max(title);
            let least = column.least.unwrap_or_else(|| self.widest(at, Cell::shortest)).max(title).min(natural);
            Measured { at, rank: column.rank, is_text: column.least.is_some(), natural, least, given: None }
        });
        measured.collect()
    }

    /// The width of the widest cell of a column, if its cells are shown so.
    fn widest(&self, at: usize, shown: impl Fn(&Cell) -> String) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| width(&shown(cell))).max().unwrap_or(0)
    }

    /// Each row as its key on a line and, further in, a line for each other title with its value.
    fn records(&self, room: usize) -> String {
        let titles = self.columns.iter().map(|column| format!("  {}", column.title));
        let label = titles.clone().map(|title| width(&title)).max().unwrap_or(0);
        let record = |row: &Vec<Cell>| {
            let cells = self.columns.iter().zip(row);
            let (keys, others): (Vec<_>, Vec<_>) =
                cells.zip(titles.clone()).partition(|((column, _), _)| column.rank == 0);
            let key = keys.iter().map(|((_, cell), _)| fold(&cell.full(), room, 2, LongWord::Break) + "\n");
            let others: Vec<_> = others.into_iter().map(|((_, cell), title)| (title, cell.full())).collect();
            key.collect::<String>() + &sheet(&others, label, Some(room))
        };
        self.rows.iter().map(record).collect()
    }
}

fn line(row: &[Cell], widths: &[Option<usize>]) -> String {
    let mut line = String::new();
    let mut due = 0;
    for (cell, room) in row.iter().zip(widths).filter_map(|(cell, room)| Some((cell, (*room)?))) {
        let text = cell.within(room);
        line.push_str(&" ".repeat(due));
        line.push_str(&cell.dressed(&text));
        due = room.saturating_sub(width(&text)) + GAP;
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn devices() -> Table {
        let columns = [
            Column::whole("ID", 6),
            Column::whole("STATUS", 1),
            Column::key("IP"),
            Column::whole("MAC", 2),
            Column::text("HOSTNAME", 3, 12),
            Column::text("VENDOR", 4, 12),
        ];
        let mut table = Table::new(&columns);
        for (id, addresses, hostname, vendor) in [
            (
                "nib-dev-000001",
                &["10.0.1.1", "10.0.2.1", "10.0.3.1"][..],
                "core-switch-zürich.example.net",
                "Cisco Systems, Inc",
            ),
            ("nib-dev-000002", &["10.0.1.23"], "東京プリンター", "HP Inc."),
        ] {
            table.row([
                Cell::of(id),
                Cell::of("active"),
                Cell::list(addresses),
                Cell::of("00:1b:2f:3c:4d:5e"),
                Cell::of(hostname),
                Cell::of(vendor),
            ]);
        }
        table
    }

    fn drawn(room: usize) -> (String, Vec<&'static str>) {
        let (text, LeftOut(left_out)) = devices().drawn(Some(room));
        (text, left_out)
    }

    #[test]
    fn away_from_terminals_nothing_is_missing() {
        let expected = "\
ID              STATUS  IP                          MAC                HOSTNAME                        VENDOR
nib-dev-000001  active  10.0.1.1,10.0.2.1,10.0.3.1  00:1b:2f:3c:4d:5e  core-switch-zürich.example.net  Cisco Systems, Inc
nib-dev-000002  active  10.0.1.23                   00:1b:2f:3c:4d:5e  東京プリンター                  HP Inc.
";
        assert_eq!(devices().drawn(None), (expected.to_owned(), LeftOut::default()));
        assert_eq!(devices().drawn(Some(200)), (expected.to_owned(), LeftOut::default()));
    }

    #[test]
    fn texts_are_cut_before_a_column_is_left_out() {
        let (text, left_out) = drawn(100);
        let expected = "\
ID              STATUS  IP           MAC                HOSTNAME                        VENDOR
nib-dev-000001  active  10.0.1.1 +2  00:1b:2f:3c:4d:5e  core-switch-zürich.example.net  Cisco Syste…
nib-dev-000002  active  10.0.1.23    00:1b:2f:3c:4d:5e  東京プリンター                  HP Inc.
";
        assert_eq!((text.as_str(), left_out), (expected, vec![]));
    }

    #[test]
    fn columns_of_least_importance_are_left_out_first_and_named() {
        let (text, left_out) = drawn(60);
        let expected = "\
STATUS  IP           MAC                HOSTNAME
active  10.0.1.1 +2  00:1b:2f:3c:4d:5e  core-switch-zürich.…
active  10.0.1.23    00:1b:2f:3c:4d:5e  東京プリンター
";
        assert_eq!((text.as_str(), left_out), (expected, vec!["ID", "VENDOR"]));
        assert_eq!(drawn(40).1, ["ID", "HOSTNAME", "VENDOR"]);
    }

    #[test]
    fn where_two_columns_do_not_fit_each_row_is_a_record() {
        let (text, left_out) = drawn(18);
        let expected = "\
10.0.1.1,10.0.2.1,
  10.0.3.1
  ID:
    nib-dev-000001
  STATUS: active
  MAC:
    00:1b:2f:3c:4d
    :5e
  HOSTNAME:
    core-switch-zü
    rich.example.n
    et
  VENDOR: Cisco
    Systems, Inc
10.0.1.23
  ID:
";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(left_out, Vec::<&str>::new());
    }

    #[test]
    fn what_several_tables_leave_out_is_told_once() {
        assert_eq!(LeftOut(vec!["A", "B"]).with(LeftOut(vec!["B", "C"])), LeftOut(vec!["A", "B", "C"]));
    }

    /// Any cells: letters of one and of two columns, accents, control characters, lists.
    fn cells() -> impl Strategy<Value = Vec<Vec<String>>> {
        let value = "[a-zA-Z0-9:. äé東京\u{301}\u{1b}\u{200d}\r\n💡]{0,60}";
        prop::collection::vec(prop::collection::vec(value, 1..4), 5)
    }

    #[test]
    fn a_record_is_its_key_with_the_other_values_below_it() {
        let mut table = Table::new(&[Column::key("KEY"), Column::text("VALUE", 1, 20), Column::text("FROM", 2, 12)]);
        table.row(["policy.missed_cycles_before_inactive", "3", "default"].map(Cell::of));
        let expected = "policy.missed_cycles_before_inactive\n  VALUE 3\n  FROM  default\n";
        assert_eq!(table.drawn(Some(40)), (expected.to_owned(), LeftOut::default()));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal_and_keys_are_whole(
            rows in prop::collection::vec(cells(), 0..6), room in 16..140_usize
        ) {
            let columns = [
                Column::whole("FIRST", 3), Column::key("KEY"), Column::text("NAME", 1, 10),
                Column::text("WORDS", 4, 6), Column::whole("LAST", 2),
            ];
            let mut table = Table::new(&columns);
            rows.iter().for_each(|row| table.row(row.iter().map(|values| Cell::list(values))));
            let (text, LeftOut(left_out)) = table.drawn(Some(room));
            for line in text.lines() {
                prop_assert!(width(line) <= room, "{line:?} in {room}");
                prop_assert!(!line.contains(char::is_control), "{line:?}");
            }
            prop_assert!(!left_out.contains(&"KEY") && !left_out.contains(&"NAME"));
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            let shown = letters(&text);
            for row in &rows {
                let key = one_line(&row[1][0]);
                prop_assert!(shown.contains(&letters(&key)), "{key:?} in {text}");
            }
            let (whole, left_out) = table.drawn(None);
            prop_assert!(left_out.0.is_empty() && whole.lines().count() == rows.len() + 1);
        }

        #[test]
        fn what_is_left_out_matters_less_than_all_that_is_shown(room in 40..140_usize) {
            let left_out = drawn(room).1;
            let (lost, shown): (Vec<_>, Vec<_>) =
                devices().columns.into_iter().partition(|column| left_out.contains(&column.title));
            let ranks = |columns: Vec<Column>| columns.into_iter().map(|column| column.rank);
            prop_assert!(ranks(lost).min().unwrap_or(u8::MAX) > ranks(shown).max().unwrap_or(0));
        }
    }
}
