//! `pdsno policy`.

use std::path::Path;

use serde_json::json;

use super::args::{PlainFormat, PolicyCheckArgs, PolicyCommand, PolicyHistoryArgs, PolicySetArgs, PolicyShowArgs};
use super::daemon::refused;
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::status::plain;
use super::table::{Cell, Column, Table};
use crate::app::policy::{
    Changed, PolicyFile, PolicySet, PolicySummary, PolicyView, Running, changes, expiry, history, policy, read_policy,
    set_policy, values,
};
use crate::domain::policy::Policy;

/// The longest key, in columns of a terminal.
const KEYS: usize = 30;

pub fn run(command: &PolicyCommand) -> Result<(), Ended> {
    match command {
        PolicyCommand::Show(args) => show(args),
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Set(args) => set(args),
        PolicyCommand::History(args) => list(args),
    }
}

fn show(args: &PolicyShowArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let view = policy(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&view);
    }
    output::sheet(&sheet(&view), KEYS)?;
    if view.runs.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::key("CONTROLLER"),
        Column::whole("BELOW", 4),
        Column::whole("VERSION", 1),
        Column::whole("ONLINE", 2),
        Column::whole("LAST CONTACT", 3),
    ]);
    let own = view.in_effect.version();
    for Running { id, below, version, online, last_contact } in &view.runs {
        let version = match version {
            None => "-".to_owned(),
            Some(version) if Some(*version) == own => version.to_string(),
            Some(version) => format!("{version} (other)"),
        };
        let online = online.map_or("-", |online| if online { "yes" } else { "no" });
        table.row([
            Cell::of(id),
            Cell::or_dash(below.as_ref()),
            Cell::of(version),
            Cell::of(online),
            Cell::or_dash(*last_contact),
        ]);
    }
    output::text("\n")?;
    table.print()
}

fn sheet(view: &PolicyView) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    match &view.in_effect.document {
        None => {
            lines.push(("version".to_owned(), "none: what holds is this controller's own configuration".to_owned()));
        }
        Some(PolicySummary { version, issuer, epoch, issued_at, expires_at, taken_at, .. }) => {
            let valid = match view.expired {
                false => format!("until {expires_at}"),
                true => format!("ended {expires_at}; it stays in effect until the Global Controller sets another"),
            };
            lines.push(("version".to_owned(), version.to_string()));
            lines.push(("set by".to_owned(), format!("{issuer} in term {epoch}, {issued_at}")));
            lines.push(("in effect".to_owned(), format!("here since {taken_at}")));
            lines.push(("valid".to_owned(), valid));
        }
    }
    lines.extend(told(&view.in_effect.values));
    lines
}

fn told(policy: &Policy) -> Vec<(String, String)> {
    values(policy).iter().map(|(key, value)| (key.clone(), plain(value))).collect()
}

fn read(file: &Path) -> Result<PolicyFile, Ended> {
    let read = read_policy(file).map_err(|error| refused(error, Some(file)))?;
    read.notes.iter().for_each(|text| output::note(&format!("note: {text}")));
    Ok(read)
}

fn check(args: &PolicyCheckArgs) -> Result<(), Ended> {
    let PolicyFile { policy, notes } = read(&args.file)?;
    match args.format {
        PlainFormat::Json => output::json(&json!({ "values": policy, "notes": notes })),
        PlainFormat::Table => {
            output::say(&format!("{} is a policy", args.file.display()))?;
            output::sheet(&told(&policy), KEYS)
        }
    }
}

fn set(args: &PolicySetArgs) -> Result<(), Ended> {
    let PolicyFile { policy, .. } = read(&args.file)?;
    let expires_at = args.expires.as_deref().map(expiry).transpose()?;
    let config = folder_configuration(&args.chosen)?;
    let PolicySet { policy, replaced } = set_policy(&config, &policy, expires_at)?;
    let changed = replaced.as_ref().map(|replaced| changes(&replaced.values, &policy.values));
    if args.format == PlainFormat::Json {
        return output::json(&json!({ "policy": policy, "replaced": replaced, "changes": changed }));
    }
    let instead = replaced.map(|replaced| format!(", in place of {}", replaced.version)).unwrap_or_default();
    output::say(&format!("policy version {}{instead}, valid until {}", policy.version, policy.expires_at))?;
    output::sheet(&lines(changed.as_deref().unwrap_or_default()), KEYS)
}

fn lines(changed: &[Changed]) -> Vec<(String, String)> {
    let line = |Changed { key, from, to }: &Changed| (key.clone(), format!("{} -> {}", plain(from), plain(to)));
    changed.iter().map(line).collect()
}

fn list(args: &PolicyHistoryArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let history = history(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&history);
    }
    let mut table = Table::new(&[
        Column::key("VERSION"),
        Column::whole("SET", 1),
        Column::whole("SET BY", 4),
        Column::whole("IN EFFECT HERE", 5),
        Column::whole("ENDS", 3),
        Column::text("CHANGED", 2, 20),
    ]);
    let mut before: Option<&PolicySummary> = None;
    for policy in &history.policies {
        let changed = before.map(|before| changes(&before.values, &policy.values)).unwrap_or_default();
        let told = |Changed { key, from, to }: &Changed| format!("{key}: {} -> {}", plain(from), plain(to));
        let changed = changed.iter().map(told).collect::<Vec<_>>().join("; ");
        table.row([
            Cell::of(policy.version),
            Cell::of(policy.issued_at),
            Cell::of(&policy.issuer),
            Cell::of(policy.taken_at),
            Cell::of(policy.expires_at),
            Cell::or_dash(Some(changed).filter(|changed| !changed.is_empty())),
        ]);
        before = Some(policy);
    }
    table.print()
}
