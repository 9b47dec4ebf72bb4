//! `pdsno controllers`.

use super::args::{
    ControllersCommand, ControllersListArgs, ControllersReinstateArgs, ControllersRevokeArgs, ControllersShowArgs,
    PlainFormat,
};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::table::{Cell, Column, Table};
use super::text::one_line;
use crate::app::failure::Failure;
use crate::app::registry::{ControllerView, controller, controllers, reinstate, revoke};
use crate::domain::controller::ControllerId;
use crate::domain::number::PolicyVersion;
use crate::domain::time::Timestamp;

pub fn run(command: &ControllersCommand) -> Result<(), Ended> {
    match command {
        ControllersCommand::List(args) => list(args),
        ControllersCommand::Show(args) => show(args),
        ControllersCommand::Revoke(args) => take_back(args),
        ControllersCommand::Reinstate(args) => let_in(args),
    }
}

fn list(args: &ControllersListArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let list = controllers(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&list);
    }
    let mut table = Table::new(&[
        Column::key("NAME"),
        Column::whole("ROLE", 7),
        Column::whole("REGION", 4),
        Column::whole("STANDING", 1),
        Column::whole("ONLINE", 2),
        Column::whole("POLICY", 3),
        Column::whole("CERTIFICATE ENDS", 6),
        Column::whole("LAST CONTACT", 5),
    ]);
    for view in &list.controllers {
        let controller = &view.summary;
        table.row([
            Cell::of(&controller.id),
            Cell::of(controller.role),
            Cell::of(&controller.region),
            Cell::of(controller.standing),
            Cell::of(online(view)),
            Cell::or_dash(policy_version(view)),
            Cell::of(controller.expires_at),
            Cell::or_dash(last_contact(view)),
        ]);
    }
    table.print()
}

fn show(args: &ControllersShowArgs) -> Result<(), Ended> {
    let id: ControllerId = args.id.parse().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    let found = controller(&config, &id)?;
    match args.format {
        PlainFormat::Json => output::json(&found),
        PlainFormat::Table => output::sheet(&sheet(&found), 17),
    }
}

/// Whether it is heard; without a running controller that is not known.
fn online(view: &ControllerView) -> &'static str {
    view.presence.as_ref().map_or("-", |heard| if heard.online { "yes" } else { "no" })
}

/// What it runs: as it says, or else as it acknowledged.
fn policy_version(view: &ControllerView) -> Option<PolicyVersion> {
    view.presence.as_ref().and_then(|heard| heard.policy_version).or(view.summary.policy_version)
}

/// When it was last heard: as it is known, or else as it was written down.
fn last_contact(view: &ControllerView) -> Option<Timestamp> {
    view.presence.as_ref().and_then(|heard| heard.last_contact).max(view.summary.last_contact)
}

fn sheet(view: &ControllerView) -> Vec<(String, String)> {
    let controller = &view.summary;
    let reason = controller.standing_reason.as_deref().map(|reason| format!(" ({})", one_line(reason)));
    let mut lines = vec![
        ("name", controller.id.to_string()),
        ("role", controller.role.to_string()),
        ("region", controller.region.to_string()),
        ("standing", controller.standing.to_string() + &reason.unwrap_or_default()),
        ("public key", controller.public_key.to_string()),
        ("serial", controller.serial.to_string()),
        ("next serial", or_dash(controller.next_serial)),
        ("certificate ends", controller.expires_at.to_string()),
        ("validated by", controller.validated_by.to_string()),
        ("validated at", controller.validated_at.to_string()),
        ("token", controller.token.to_string()),
        ("policy", or_dash(policy_version(view))),
        ("online", online(view).to_owned()),
        ("last contact", or_dash(last_contact(view))),
    ];
    if let Some(heard) = &view.presence {
        lines.push(("state", or_dash(heard.state)));
        lines.push(("last report", heard.last_report.to_string()));
        lines.extend(heard.children.iter().map(|child| {
            let online = if child.online { "online" } else { "offline" };
            let policy = child.policy_version.map(|version| format!(", policy {version}")).unwrap_or_default();
            ("below it", format!("{} {online}{policy}, last contact {}", child.id, or_dash(child.last_contact)))
        }));
    }
    lines.extend(controller.metadata.iter().map(|(name, value)| (name.as_str(), value.clone())));
    lines.into_iter().map(|(name, value)| (one_line(name), one_line(&value))).collect()
}

fn take_back(args: &ControllersRevokeArgs) -> Result<(), Ended> {
    let id: ControllerId = args.id.parse().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    revoke(&config, &id, &args.reason)?;
    output::say(&format!("{id} revoked"))
}

fn let_in(args: &ControllersReinstateArgs) -> Result<(), Ended> {
    let id: ControllerId = args.id.parse().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    reinstate(&config, &id)?;
    output::say(&format!("{id} let in again"))
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
