//! The newest signed head of the own log, and one more.

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde_json::Value;

use super::author;
use crate::app::admin::{self, CHECKPOINT};
use crate::app::client::{Request, Verb};
use crate::app::config::Config;
use crate::app::failure::Failure;
use crate::domain::digest::Digest;
use crate::domain::origin::Origin;
use crate::nib::NibReader;
use crate::wire::checkpoint::SignedCheckpoint;

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The log.
    pub origin: Origin,
    /// How many entries it covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Digest,
    /// Whose signatures it has, as the lines say; they are not verified here.
    pub signed_by: Vec<String>,
    /// The signed note as it is (C2SP tlog-checkpoint), for any verifier.
    pub checkpoint: String,
}

impl Head {
    fn read(note: String) -> Result<Self, Failure> {
        let signed = SignedCheckpoint::parse(note.as_bytes()).context("the signed head cannot be read");
        let signed = signed.map_err(Failure::Failed)?;
        let head = signed.head();
        Ok(Self {
            origin: signed.checkpoint().origin.clone(),
            size: head.size,
            root: head.root,
            signed_by: signed.note().signatures().iter().map(|line| line.name().to_string()).collect(),
            checkpoint: note,
        })
    }
}

/// The newest head of the own log, as it is stored.
///
/// # Errors
/// [`Failure::Usage`] when the controller has no log yet, [`Failure::Failed`] when no head was signed or
/// the NIB cannot be read.
pub fn newest_head(reader: &dyn NibReader) -> Result<Head, Failure> {
    let stored = reader.head(&author(reader)?.origin).map_err(Failure::failed)?;
    let missing = || {
        Failure::Failed(anyhow!(
            "no head was signed yet; a running controller signs them, or `pdsno audit checkpoint --now` does"
        ))
    };
    Head::read(stored.ok_or_else(missing)?.note)
}

/// A head of all that is in the own log now: made by the controller that runs, which shows it to its
/// witnesses, else here, under the lock of the data folder. Where nothing was appended since the newest
/// head, that is it.
///
/// # Errors
/// As [`admin::request`].
pub fn make_head(config: &Config) -> Result<Head, Failure> {
    match admin::request(config, &Request::change(Verb::Post, CHECKPOINT, None))? {
        Value::String(note) => Head::read(note),
        other => Err(Failure::Failed(anyhow!("the controller answered {other} and no head"))),
    }
}
