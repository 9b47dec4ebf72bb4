//! `pdsno policy`.

use std::path::Path;

use serde_json::json;

use super::args::{PlainFormat, PolicyCheckArgs, PolicyCommand, PolicyHistoryArgs, PolicySetArgs, PolicyShowArgs};
use super::daemon::refused;
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::status::plain;
use crate::app::policy::{
    Changed, PolicyFile, PolicySet, PolicySummary, PolicyView, Running, changes, expiry, history, policy, read_policy,
    set_policy, values,
};
use crate::domain::policy::Policy;

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
    output::text(&sheet(&view))?;
    if view.runs.is_empty() {
        return Ok(());
    }
    let mut table = output::table(&["CONTROLLER", "BELOW", "VERSION", "ONLINE", "LAST CONTACT"]);
    let own = view.in_effect.version();
    for Running { id, below, version, online, last_contact } in &view.runs {
        let version = match version {
            None => "-".to_owned(),
            Some(version) if Some(*version) == own => version.to_string(),
            Some(version) => format!("{version} (other)"),
        };
        let online = online.map_or("-", |online| if online { "yes" } else { "no" });
        table.add_row([id.to_string(), or_dash(below.as_ref()), version, online.to_owned(), or_dash(*last_contact)]);
    }
    output::text("\n")?;
    output::print_table(&table, str::to_owned)
}

fn sheet(view: &PolicyView) -> String {
    let mut lines = Vec::new();
    match &view.in_effect.document {
        None => lines.push(("version", "none: what holds is this controller's own configuration".to_owned())),
        Some(PolicySummary { version, issuer, epoch, issued_at, expires_at, taken_at, .. }) => {
            let valid = match view.expired {
                false => format!("until {expires_at}"),
                true => format!("ended {expires_at}; it stays in effect until the Global Controller sets another"),
            };
            lines.push(("version", version.to_string()));
            lines.push(("set by", format!("{issuer} in term {epoch}, {issued_at}")));
            lines.push(("in effect", format!("here since {taken_at}")));
            lines.push(("valid", valid));
        }
    }
    let head: String = lines.iter().map(|(name, value)| format!("{name:<30} {value}\n")).collect();
    head + &told(&view.in_effect.values)
}

fn told(policy: &Policy) -> String {
    values(policy).iter().map(|(key, value)| format!("{key:<30} {}\n", plain(value))).collect()
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
        PlainFormat::Table => output::text(&format!("{} is a policy\n{}", args.file.display(), told(&policy))),
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
    let head = format!("policy version {}{instead}, valid until {}\n", policy.version, policy.expires_at);
    output::text(&(head + &lines(changed.as_deref().unwrap_or_default())))
}

fn lines(changed: &[Changed]) -> String {
    changed.iter().map(|Changed { key, from, to }| format!("{key:<30} {} -> {}\n", plain(from), plain(to))).collect()
}

fn list(args: &PolicyHistoryArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let history = history(&config)?;
    if args.format == PlainFormat::Json {
        return output::json(&history);
    }
    let mut table = output::table(&["VERSION", "SET", "SET BY", "IN EFFECT HERE", "ENDS", "CHANGED"]);
    let mut before: Option<&PolicySummary> = None;
    for policy in &history.policies {
        let changed = before.map(|before| changes(&before.values, &policy.values)).unwrap_or_default();
        let told = |Changed { key, from, to }: &Changed| format!("{key}: {} -> {}", plain(from), plain(to));
        let changed = changed.iter().map(told).collect::<Vec<_>>().join("; ");
        table.add_row([
            policy.version.to_string(),
            policy.issued_at.to_string(),
            policy.issuer.to_string(),
            policy.taken_at.to_string(),
            policy.expires_at.to_string(),
            if changed.is_empty() { "-".to_owned() } else { changed },
        ]);
        before = Some(policy);
    }
    output::print_table(&table, str::to_owned)
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
