//! `pdsno blocklist`.

use super::args::{BlocklistAddArgs, BlocklistCommand, BlocklistListArgs, BlocklistRemoveArgs, PlainFormat};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::table::{Cell, Column, Table};
use crate::app::registry::{block, blocked, blocklist, unblock};
use crate::domain::registry::Blocked;

pub fn run(command: &BlocklistCommand) -> Result<(), Ended> {
    match command {
        BlocklistCommand::List(args) => list(args),
        BlocklistCommand::Add(args) => add(args),
        BlocklistCommand::Remove(args) => remove(args),
    }
}

fn list(args: &BlocklistListArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let list = blocklist(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&list);
    }
    let mut table = Table::new(&[Column::whole("KIND", 2), Column::key("BLOCKED"), Column::text("REASON", 1, 12)]);
    for entry in &list.blocklist {
        let (kind, blocked) = match &entry.blocked {
            Blocked::Key(key) => ("key", key.to_string()),
            Blocked::Source(source) => ("source", source.clone()),
        };
        table.row([Cell::of(kind), Cell::of(blocked), Cell::of(&entry.reason)]);
    }
    table.print()
}

fn add(args: &BlocklistAddArgs) -> Result<(), Ended> {
    let wanted = blocked(&args.blocked)?;
    let config = folder_configuration(&args.chosen)?;
    block(&config, &wanted, &args.reason)?;
    output::say(&format!("{} is refused from now on", args.blocked))
}

fn remove(args: &BlocklistRemoveArgs) -> Result<(), Ended> {
    let wanted = blocked(&args.blocked)?;
    let config = folder_configuration(&args.chosen)?;
    unblock(&config, &wanted)?;
    output::say(&format!("{} is refused no longer", args.blocked))
}
