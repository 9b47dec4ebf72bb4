//! Verifying what was handed over, with nothing but the trust root's key.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::algorithms::audit::examine::{Examination, Examiner, Grounds, Keys, Outcome, examine_event, hear};
use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::verify::{Link, Stored};
use crate::app::failure::Failure;
use crate::domain::controller::{ControllerName, Role};
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::entry;
use crate::wire::evidence::{
    CHAINS, ENTRIES, EntryLine, HEADS, HeadLine, LINKS, LinkLine, MANIFEST, Manifest, ProofFile, read_line,
};
use crate::wire::signature::sha256;
use crate::wire::statement::Chain;

/// Verifies exports and proofs, the logs of upper tiers first: what a verified log tells of the keys below
/// it holds for the logs after it.
///
/// # Errors
/// [`Failure::Usage`] for what is neither an export nor a proof.
pub fn verify_paths(paths: &[impl AsRef<Path>], root: PublicKey) -> Result<Vec<Examination>, Failure> {
    let mut grounds = Grounds::new(root);
    let (mut exports, mut proofs) = (Vec::new(), Vec::new());
    for path in paths.iter().map(AsRef::as_ref) {
        if path.is_dir() { exports.push(Export::read(path)?) } else { proofs.push(proof(path)?) }
    }
    exports.sort_by_key(|export| tier(&export.manifest.origin));
    let mut done = Vec::new();
    for export in &exports {
        done.push(export.examine(&mut grounds));
    }
    for proof in &proofs {
        let examination = examine_event(proof, &mut grounds.clone());
        done.push(examination.ok_or_else(|| Failure::Usage(anyhow!("the proof has no step")))?);
    }
    Ok(done)
}

/// The upper tiers come first.
fn tier(origin: &Origin) -> u8 {
    let name = origin.parts().and_then(|(_, id)| id.as_str().parse::<ControllerName>().ok());
    match name.map(|name| name.role()) {
        Some(Role::Global) => 0,
        Some(Role::Regional) => 1,
        _ => 2,
    }
}

/// Reads a proof.
///
/// # Errors
/// [`Failure::Usage`].
pub fn proof(path: &Path) -> Result<ProofFile, Failure> {
    let octets = read(path)?;
    read_line(&octets, "a proof").with_context(|| format!("{} is no proof", path.display())).map_err(Failure::Usage)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display())).map_err(Failure::Usage)
}

/// An export as it was read.
struct Export {
    manifest: Manifest,
    entries: Vec<u8>,
    heads: Vec<SignedCheckpoint>,
    links: Vec<Link>,
    chains: Vec<Chain>,
    /// What is wrong with the files.
    findings: Vec<String>,
}

impl Export {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let octets = read(&folder.join(MANIFEST))?;
        let manifest: Manifest = read_line(&octets, "a manifest")
            .with_context(|| format!("{} is no export", folder.display()))
            .map_err(Failure::Usage)?;
        let mut findings = Vec::new();
        let mut file = |name: &str| {
            let octets = read(&folder.join(name))?;
            if manifest.files.get(name) != Some(&sha256(&octets)) {
                findings.push(format!("{name} is not the file that {MANIFEST} tells of"));
            }
            Ok::<_, Failure>(octets)
        };
        let (entries, heads, links, chains) = (file(ENTRIES)?, file(HEADS)?, file(LINKS)?, file(CHAINS)?);
        if manifest.files.len() != 4 {
            findings.push(format!("{MANIFEST} tells of other files"));
        }
        let notes: Vec<HeadLine> = lines(&heads, HEADS, &mut findings);
        let heads = notes.iter().filter_map(|line| match SignedCheckpoint::parse(line.checkpoint.as_bytes()) {
            Ok(head) => Some(head),
            Err(error) => {
                findings.push(format!("a head in {HEADS} is refused: {error}"));
                None
            }
        });
        let heads = heads.collect();
        let links = lines(&links, LINKS, &mut findings);
        let link = |LinkLine { old, new, proof }| Link { old: old.0, new: new.0, proof };
        let links = links.into_iter().map(link).collect();
        let chains = lines(&chains, CHAINS, &mut findings);
        Ok(Self { manifest, entries, heads, links, chains, findings })
    }

    fn examine(&self, grounds: &mut Grounds) -> Examination {
        let manifest = &self.manifest;
        let mut told = grounds.clone();
        told.learn(&self.chains);
        let keys = Keys::new(&told, &manifest.origin);
        let before = Frontier::from_peaks(manifest.from.0, manifest.before.clone());
        let (before, wrong) = match before {
            Ok(before) => (before, None),
            Err(error) => (Frontier::new(), Some(error.to_string())),
        };
        let mut examiner = Examiner::new(manifest.origin.clone(), &told, &keys, before, &self.heads);
        wrong.into_iter().chain(self.findings.iter().cloned()).for_each(|finding| examiner.find(finding));
        let mut count = 0_u64;
        for octets in self.entries.split_inclusive(|octet| *octet == b'\n') {
            count += 1;
            match read_line::<EntryLine>(octets, "an entry") {
                Ok(line) => examiner.push(&Stored {
                    body: &line.body.0,
                    signature: &line.signature,
                    leaf: None,
                    tiles: None,
                    payload: line.payload.as_ref().map(|octets| octets.0.as_slice()),
                }),
                Err(error) => {
                    examiner.refuse(error.to_string());
                    break;
                }
            }
        }
        let announced = manifest.to.0.saturating_sub(manifest.from.0);
        if count < announced {
            examiner.refuse(format!("{announced} entries were announced, and {count} are there"));
        } else if count > announced {
            examiner.find(format!("{announced} entries were announced, and {count} are there"));
        }
        let examination = examiner.finish(&self.links);
        *grounds = told;
        if examination.outcome == Outcome::Verified {
            self.hear(grounds);
        }
        examination
    }

    /// What the log tells of keys, once it is verified.
    fn hear(&self, grounds: &mut Grounds) {
        for octets in self.entries.split_inclusive(|octet| *octet == b'\n') {
            let Ok(line) = read_line::<EntryLine>(octets, "an entry") else { return };
            let Ok(entry) = entry::decode(&line.body.0) else { return };
            hear(&mut grounds.keyring, &entry, line.payload.as_ref().map(|octets| octets.0.as_slice()));
        }
    }
}

fn lines<T: Serialize + DeserializeOwned>(octets: &[u8], name: &'static str, findings: &mut Vec<String>) -> Vec<T> {
    let read = octets.split_inclusive(|octet| *octet == b'\n').map(|line| read_line(line, name));
    let read: Result<Vec<T>, _> = read.collect();
    read.unwrap_or_else(|error| {
        findings.push(format!("{name} is refused: {error}"));
        Vec::new()
    })
}
