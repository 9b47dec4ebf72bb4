//! `pdsno token`.

use std::io::IsTerminal;

use super::args::{PlainFormat, TokenCommand, TokenIssueArgs, TokenListArgs, TokenRevokeArgs};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::table::{Cell, Column, Table};
use crate::app::failure::Failure;
use crate::app::registry::{TokenStanding, issue_token, lifetime, revoke_token, tokens};
use crate::domain::controller::{Region, Role};
use crate::domain::token::{TokenId, TokenLifetime};

pub fn run(command: &TokenCommand) -> Result<(), Ended> {
    match command {
        TokenCommand::Issue(args) => issue(args),
        TokenCommand::List(args) => list(args),
        TokenCommand::Revoke(args) => revoke(args),
    }
}

fn issue(args: &TokenIssueArgs) -> Result<(), Ended> {
    let role: Role = args.role.parse().map_err(Failure::usage)?;
    let region: Region = args.region.parse().map_err(Failure::usage)?;
    let lifetime = args.ttl.as_deref().map(lifetime).transpose()?.unwrap_or_else(TokenLifetime::default);
    let config = folder_configuration(&args.chosen)?;
    let issued = issue_token(&config, role, &region, lifetime)?;
    match args.format {
        PlainFormat::Json => output::json(&issued)?,
        PlainFormat::Table => output::text(&format!("{}\n", issued.token))?,
    }
    if std::io::stderr().is_terminal() {
        let seconds = issued.ttl_seconds;
        output::note(&format!(
            "note: one {role} controller of {region} can join with it within {seconds} s; it is not shown again"
        ));
    }
    Ok(())
}

fn list(args: &TokenListArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let list = tokens(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&list);
    }
    let mut table = Table::new(&[
        Column::key("ID"),
        Column::whole("ROLE", 2),
        Column::whole("REGION", 3),
        Column::whole("STANDING", 1),
        Column::whole("ISSUED", 6),
        Column::whole("EXPIRES", 4),
        Column::whole("USED BY", 5),
    ]);
    for token in &list.tokens {
        let standing = match token.standing {
            TokenStanding::Usable => "usable",
            TokenStanding::Used => "used",
            TokenStanding::Expired => "expired",
            TokenStanding::Revoked => "revoked",
            TokenStanding::Locked => "locked",
        };
        table.row([
            Cell::of(token.id),
            Cell::of(token.role),
            Cell::of(&token.region),
            Cell::of(standing),
            Cell::of(token.issued_at),
            Cell::of(token.expires_at),
            Cell::or_dash(token.used_by.as_ref()),
        ]);
    }
    table.print()
}

fn revoke(args: &TokenRevokeArgs) -> Result<(), Ended> {
    let id: TokenId = args.id.parse().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    revoke_token(&config, id)?;
    output::say(&format!("token {id} taken back"))
}
