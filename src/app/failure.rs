//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended, and with it the exit code.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for cannot be done: a flag, the configuration, a file, a permission. Nothing
    /// was sent or written. Exit code 2.
    Usage(anyhow::Error),
    /// It was tried and did not succeed. Exit code 1.
    Failed(anyhow::Error),
    /// A signal ended it: exit code 128 and the signal's number, as a shell does it.
    Interrupted(i32),
}

impl Failure {
    /// A [`Failure::Usage`] of any error.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// A [`Failure::Failed`] of any error.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
            Self::Interrupted(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        }
    }
}

impl fmt::Display for Failure {
    /// The error and its causes on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Failed(error) => write!(f, "{error:#}"),
            Self::Interrupted(_) => f.write_str("interrupted: this is what was found until then"),
        }
    }
}
