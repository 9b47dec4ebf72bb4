//! What can be wrong with a configuration, and where it was said.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::app::config::text_file::FileError;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    /// `default`, `config/site.yaml:12`, `environment variable PDSNO_…` or `--flag`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {}", name.escape_debug()),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong with a configuration. Its text never quotes a value of `security`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// The key, `policy.probe_rate`; none where no key was meant, as in broken YAML.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    /// `origin: key: reason`, with line and column where the origin is a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            // What is missing was said nowhere; the key alone tells where it belongs.
            Origin::Default => {}
            file @ Origin::File { column, .. } => write!(f, "{file}:{column}: ")?,
            other => write!(f, "{other}: ")?,
        }
        if let Some(key) = &self.key {
            write!(f, "{}: ", key.escape_debug())?;
        }
        f.write_str(&self.reason)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or is no text.
    #[error("cannot use the configuration file {}", .path.display())]
    File {
        /// The file as it was named.
        path: PathBuf,
        /// What is the matter with it.
        source: FileError,
    },
    /// Everything that is wrong with what was said, at least one thing.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    /// What is wrong, one by one; empty when the file could not even be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::File { .. } => &[],
            Self::Invalid(problems) => problems,
        }
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(FileError) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

fn listed(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        many => many.iter().fold(format!("{} problems in the configuration:", many.len()), |mut text, problem| {
            text.push_str("\n  ");
            text.push_str(&problem.to_string());
            text
        }),
    }
}
