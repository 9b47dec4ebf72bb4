//! `pdsno blocklist`.

use super::args::{BlocklistAddArgs, BlocklistCommand, BlocklistListArgs, BlocklistRemoveArgs, PlainFormat};
use super::devices::folder_configuration;
use super::output::{self, Ended, one_line};
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
    let mut table = output::table(&["KIND", "BLOCKED", "REASON"]);
    for entry in &list.blocklist {
        let (kind, blocked) = match &entry.blocked {
            Blocked::Key(key) => ("key", key.to_string()),
            Blocked::Source(source) => ("source", one_line(source)),
        };
        table.add_row([kind.to_owned(), blocked, one_line(&entry.reason)]);
    }
    output::print_table(&table, str::to_owned)
}

fn add(args: &BlocklistAddArgs) -> Result<(), Ended> {
    let wanted = blocked(&args.blocked)?;
    let config = folder_configuration(&args.chosen)?;
    block(&config, &wanted, &args.reason)?;
    output::text(&format!("{} is refused from now on\n", args.blocked))
}

fn remove(args: &BlocklistRemoveArgs) -> Result<(), Ended> {
    let wanted = blocked(&args.blocked)?;
    let config = folder_configuration(&args.chosen)?;
    unblock(&config, &wanted)?;
    output::text(&format!("{} is refused no longer\n", args.blocked))
}
