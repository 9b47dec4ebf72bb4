//! `pdsno audit`: the event log for those who check it.

use std::path::Path;

use anyhow::anyhow;
use serde_json::json;

use super::args::{AuditCheckpointArgs, AuditCommand, AuditListArgs, ExportArgs, PlainFormat, ProveArgs, VerifyArgs};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::text::one_line;
use crate::app::audit::{self, Entry, EventKey, Examination, Gathered, Outcome};
use crate::app::failure::Failure;
use crate::app::inventory;
use crate::app::tiers;
use crate::domain::key::PublicKey;

pub fn run(command: &AuditCommand) -> Result<(), Ended> {
    match command {
        AuditCommand::List(args) => list(args),
        AuditCommand::Checkpoint(args) => checkpoint(args),
        AuditCommand::Verify(args) => verify(args),
        AuditCommand::Prove(args) => prove(args),
        AuditCommand::Export(args) => export(args),
    }
}

fn checkpoint(args: &AuditCheckpointArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let head = if args.now {
        audit::make_head(&config)?
    } else {
        let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
        audit::newest_head(&reader)?
    };
    match args.format {
        PlainFormat::Table => output::text(&head.checkpoint),
        PlainFormat::Json => output::json(&head),
    }
}

fn list(args: &AuditListArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let mut ended = Ok(());
    let told = audit::list(&reader, args.from, |entry| {
        let printed = match args.format {
            // What does not fit goes on behind the position and its gap.
            PlainFormat::Table => output::lines(&line(&entry), 8),
            PlainFormat::Json => output::json_line(&json!({
                "seq": entry.seq,
                "event_id": entry.event_id,
                "event_type": entry.event_type,
                "decision": entry.decision,
                "action": entry.action,
                "actor": entry.actor,
                "subject": entry.subject,
                "timestamp": entry.timestamp,
            })),
        };
        // Whatever is wrong with the output ends the listing, and is told as what it is.
        printed.map_err(|error| {
            ended = Err(error);
            Failure::Failed(anyhow!("the output ended"))
        })
    });
    ended.and_then(|()| Ok(told?))
}

/// An entry on one line.
fn line(entry: &Entry) -> String {
    let Entry { seq, event_id, event_type, actor, subject, decision, timestamp, .. } = entry;
    let decision = decision.map_or("-", |decision| decision.as_str());
    let subject = one_line(subject);
    format!("{seq:>6}  {timestamp}  {event_id}  {event_type:<28} {decision:<9} {actor:<24} {subject}\n")
}

fn verify(args: &VerifyArgs) -> Result<(), Ended> {
    if args.paths.is_empty() {
        let config = folder_configuration(&args.chosen)?;
        let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
        let examination = audit::verify_own(&reader)?;
        return tell(&[examination], args.format);
    }
    let root = args.root_key.as_deref().ok_or_else(|| {
        Failure::Usage(anyhow!("--root-key is needed: the trust root's public key, from somebody whom you believe"))
    })?;
    let root: PublicKey = root.parse().map_err(Failure::usage)?;
    tell(&audit::verify_paths(&args.paths, root)?, args.format)
}

fn tell(examinations: &[Examination], format: PlainFormat) -> Result<(), Ended> {
    for examination in examinations {
        match format {
            PlainFormat::Json => output::json_line(&json!({
                "origin": examination.origin,
                "verified": examination.outcome == Outcome::Verified,
                "first_bad_seq": first_bad(examination),
                "findings": examination.findings,
                "checked": examination.checked,
                "not_checked": examination.unchecked,
            }))?,
            PlainFormat::Table => output::lines(&sheet(examination), 4)?,
        }
    }
    let Some(bad) = examinations.iter().find(|examination| examination.outcome != Outcome::Verified) else {
        return Ok(());
    };
    let at = first_bad(bad).map_or_else(String::new, |seq| format!(", the first bad entry is {seq}"));
    Err(Failure::Failed(anyhow!("{} is not verified{at}", bad.origin)).into())
}

fn first_bad(examination: &Examination) -> Option<u64> {
    match examination.outcome {
        Outcome::Verified => None,
        Outcome::NotVerified(seq) => seq,
    }
}

fn sheet(examination: &Examination) -> String {
    let Examination { origin, outcome, findings, checked, unchecked } = examination;
    let verdict = match outcome {
        Outcome::Verified => "verified, as far as this says:",
        Outcome::NotVerified(_) => "NOT verified",
    };
    let section = |title: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("  {}\n", one_line(line))).collect();
        if lines.is_empty() { lines } else { format!("{title}\n{lines}") }
    };
    let (findings, checked) = (section("wrong:", findings), section("checked:", checked));
    format!("{origin}: {verdict}\n{findings}{checked}{}", section("not checked:", unchecked))
}

fn prove(args: &ProveArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let proof = match (&args.extend, &args.event) {
        (Some(file), _) => audit::extend(&reader, audit::read_proof(file)?)?,
        (None, Some(event)) => {
            let proof = audit::prove(&reader, event.parse::<EventKey>().map_err(Failure::usage)?)?;
            let above = tiers::above(&config.nib);
            let gathered = audit::gather(proof, &above)?;
            if !above.is_empty() {
                output::note(&reached(&gathered));
            }
            gathered.proof
        }
        (None, None) => return Err(Failure::Usage(anyhow!("which event? give its position or its id")).into()),
    };
    let text = audit::proof_text(&proof)?;
    // With --extend there is no event to name, so what is named first is the file.
    let file = args.file.as_deref().or(args.extend.as_ref().and(args.event.as_deref()).map(Path::new));
    match file {
        None => output::bytes(&text),
        Some(file) => Ok(audit::write_new(file, &text)?),
    }
}

/// How far a proof goes, and what it lacks.
fn reached(Gathered { proof, missing }: &Gathered) -> String {
    let last = proof.steps.last().map(|step| step.origin.to_string()).unwrap_or_default();
    match missing {
        None => format!("the proof goes up to {last}"),
        Some(missing) => format!("the proof goes up to {last} only: {missing:#}; ask again in a minute"),
    }
}

fn export(args: &ExportArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let done = audit::export(&reader, args.from, args.to, &args.folder)?;
    output::text(&format!(
        "entries {} to {} of {} with {} signed heads written to {}\nverify them anywhere, with the root key from another \
         way than this folder:\n  pdsno audit verify {} --root-key {}\n",
        done.from,
        done.to.saturating_sub(1),
        done.origin,
        done.heads,
        args.folder.display(),
        args.folder.display(),
        done.root,
    ))
}
