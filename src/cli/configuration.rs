//! `pdsno config`.

use serde::Serialize;

use super::args::{ConfigCheckArgs, ConfigShowArgs, PlainFormat};
use super::daemon::{configuration, flags, refused, sources};
use super::output::{self, Ended};
use super::table::{Cell, Column, Table};
use crate::app::config::{Flags, Loaded, Sources, check_file, load, process_environment};

#[derive(Serialize)]
struct RowView {
    key: &'static str,
    value: String,
    origin: String,
}

pub fn check(args: &ConfigCheckArgs) -> Result<(), Ended> {
    let file = args.file.as_deref().or(args.config.as_deref());
    let checked = match &args.file {
        Some(file) => check_file(file),
        None => {
            load(Sources { file: args.config.clone(), environment: process_environment(), flags: Flags::default() })
        }
    };
    let loaded = checked.map_err(|error| refused(error, file))?;
    remark(&loaded);
    let what = file.map_or_else(|| "the configuration".to_owned(), |file| file.display().to_string());
    output::say(&format!("{what} is valid"))
}

pub fn show(args: &ConfigShowArgs) -> Result<(), Ended> {
    let loaded = configuration(sources(&args.daemon.common, flags(&args.daemon)))?;
    remark(&loaded);
    let rows = loaded.rows();
    match args.format {
        PlainFormat::Json => {
            let view = |row: &crate::app::config::Row| RowView {
                key: row.key,
                value: row.value.clone(),
                origin: row.origin.to_string(),
            };
            output::json(&rows.iter().map(view).collect::<Vec<_>>())
        }
        PlainFormat::Table => {
            let mut table =
                Table::new(&[Column::key("KEY"), Column::text("VALUE", 1, 20), Column::text("FROM", 2, 12)]);
            for row in &rows {
                table.row([Cell::of(row.key), Cell::of(&row.value), Cell::of(&row.origin)]);
            }
            table.print()
        }
    }
}

fn remark(loaded: &Loaded) {
    loaded.notes().iter().for_each(|text| output::note(&format!("note: {text}")));
    loaded.inactive().iter().for_each(|key| output::note(&format!("note: {key} is set and not active yet")));
}
