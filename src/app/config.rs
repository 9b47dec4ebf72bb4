//! Configuration: what this program shall do, and who said so.
//!
//! Flags override the environment (`PDSNO_<SECTION>__<KEY>`), which overrides a file, which
//! overrides the defaults. figment merges these layers; the rest of this module makes sure that
//! whatever is wrong in any of them is named by its place and its key, all of it at once, and that
//! no community or key is ever shown.
//!
//! ```text
//! text_file ─ yaml ─┐
//!  environment, ────┴─ layer ─ figment ─ reader ─ reading ─ settings::Config
//!  flags                                            │
//!                                       keys (names, effects, how they are shown)
//! ```

mod credentials;
mod flags;
mod keys;
mod layer;
mod policy_file;
mod problem;
mod reader;
mod reading;
mod settings;
mod text_file;
mod values;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use flags::Flags;
pub use policy_file::{PolicyFile, read_policy};
pub use problem::{ConfigError, Origin, Problem};
pub use settings::{
    CommunicationSettings, Config, ControllerSettings, Mode, NibSettings, PolicySettings, SecuritySettings,
};
pub use text_file::FileError;

use keys::{Effect, KEYS};
use layer::Layer;
use reader::Reader;
use reading::Limits;

/// Everything that a configuration is made from. It is not printable: the environment may hold
/// secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// Names and values of environment variables; those that are not configuration are passed over.
    pub environment: Vec<(String, String)>,
    /// The command line.
    pub flags: Flags,
}

/// The variables of this process whose names begin with `PDSNO_`, for [`Sources::environment`].
pub fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("PDSNO_"))
        .collect()
}

/// A valid configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
    inactive: Vec<&'static str>,
    notes: Vec<String>,
}

/// A key as it is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `section.name`.
    pub key: &'static str,
    /// The effective value as it would be written in a file; a secret as
    /// [`HIDDEN`](crate::domain::secret::HIDDEN).
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

impl Loaded {
    /// Every key with its value and its origin, in the order of the shipped file.
    pub fn rows(&self) -> Vec<Row> {
        let row = |key: &keys::Key| Row {
            key: key.path,
            value: (key.show)(&self.config),
            origin: self.origins.get(key.path).cloned().unwrap_or(Origin::Default),
        };
        KEYS.iter().map(row).collect()
    }

    /// The keys that were set to something else than their default and have no effect yet.
    pub fn inactive(&self) -> &[&'static str] {
        &self.inactive
    }

    /// What was done with the configuration that its author may not expect, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Config {
    /// The keys that differ in `new` and take effect only when the program is started again. All
    /// others can be taken over while it runs.
    pub fn changes_that_need_restart(&self, new: &Self) -> Vec<&'static str> {
        let restart = KEYS.iter().filter(|key| key.effect == Effect::Restart);
        restart.filter(|key| (key.show)(self) != (key.show)(new)).map(|key| key.path).collect()
    }
}

/// Merges and checks the sources. A value that a stronger layer overrides is not looked at; its key is.
///
/// # Errors
/// [`ConfigError::File`] when the file cannot be read as text; [`ConfigError::Invalid`] with
/// everything that is wrong: YAML that does not parse (then nothing else), unknown and repeated
/// keys, values of a wrong type or out of bounds, and values that do not go together.
pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
    load_with(sources, Limits::Enforced)
}

/// As [`load`], with public subnets and any number of addresses, also where `policy.allow_public` and
/// `policy.allow_large` do not let them through: for somebody who sends nothing to them.
///
/// # Errors
/// As [`load`].
pub fn load_without_limits(sources: Sources) -> Result<Loaded, ConfigError> {
    load_with(sources, Limits::Lifted)
}

fn load_with(sources: Sources, limits: Limits) -> Result<Loaded, ConfigError> {
    let one = |problem| ConfigError::Invalid(vec![problem]);
    let mut problems = Vec::new();
    let mut layers = vec![Layer::defaults().map_err(one)?];
    if let Some(path) = &sources.file {
        let (text, _) = text_file::read(path).map_err(ConfigError::file(path))?;
        layers.push(Layer::file(path, text, &mut problems).map_err(one)?);
    }
    layers.push(Layer::environment(sources.environment, &mut problems));
    layers.push(sources.flags.layer());
    read(&layers, problems, limits)
}

/// Checks one file by itself, as if the program were started with it and nothing else: what flags or
/// environment would have to add is reported as missing.
///
/// # Errors
/// As [`load`].
pub fn check_file(path: &Path) -> Result<Loaded, ConfigError> {
    load(Sources { file: Some(path.to_owned()), ..Sources::default() })
}

fn read(layers: &[Layer], problems: Vec<Problem>, limits: Limits) -> Result<Loaded, ConfigError> {
    let mut notes = Vec::new();
    let mut reader = Reader::new(layers, problems);
    let config = reading::read(&mut reader, &mut notes, limits);
    let mut origins: BTreeMap<_, _> = KEYS.iter().map(|key| (key.path, reader.origin(key.path, None))).collect();
    origins.insert("security.snmp_communities", reader.origin(reading::key_of_communities(&config, &reader), None));
    let inactive = inactive(&config, layers);
    match reader.problems() {
        problems if problems.is_empty() => Ok(Loaded { config, origins, inactive, notes }),
        problems => Err(ConfigError::Invalid(problems)),
    }
}

/// The inactive keys that a configuration changes from what the first layer, the defaults, says.
fn inactive(config: &Config, layers: &[Layer]) -> Vec<&'static str> {
    let defaults = layers.get(..1).unwrap_or_default();
    let defaults = reading::read(&mut Reader::new(defaults, Vec::new()), &mut Vec::new(), Limits::Enforced);
    let without_effect = KEYS.iter().filter(|key| key.effect == Effect::Inactive);
    without_effect.filter(|key| (key.show)(config) != (key.show)(&defaults)).map(|key| key.path).collect()
}
