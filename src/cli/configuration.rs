//! `pdsno config`.

use serde::Serialize;

use super::args::{ConfigCheckArgs, ConfigShowArgs, PlainFormat};
use super::daemon::{configuration, flags, refused, sources};
use super::output::{self, Ended};
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
    output::text(&format!("{what} is valid\n"))
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
            let mut table = output::table(&["KEY", "VALUE", "FROM"]);
            for row in &rows {
                table.add_row([row.key, &row.value, &row.origin.to_string()]);
            }
            output::print_table(&table, str::to_owned)
        }
    }
}

fn remark(loaded: &Loaded) {
    loaded.notes().iter().for_each(|text| output::note(&format!("note: {text}")));
    loaded.inactive().iter().for_each(|key| output::note(&format!("note: {key} is set and not active yet")));
}
