//! Small text files that a person wrote.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any configuration needs; keeps a wrong name (a device, a database) from being read
/// for minutes.
const LIMIT: u64 = 64 * 1024;

/// Why a file cannot be used as text.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No such file.
    #[error("it does not exist")]
    Missing,
    /// A folder.
    #[error("it is a directory, not a file")]
    Directory,
    /// The system refused; why is in the text, as a problem of a configuration is told by its text alone.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// Larger than what can be meant.
    #[error("it is larger than {} KiB", LIMIT / 1024)]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8 text: the first wrong byte is in line {line}")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
    },
}

impl From<io::Error> for FileError {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Unreadable(source),
        }
    }
}

/// The text of a file, and whether accounts other than its owner's may read it.
///
/// # Errors
/// [`FileError`], one cause a variant.
pub(super) fn read(path: &Path) -> Result<(String, bool), FileError> {
    let file = File::open(path)?;
    let shared = is_shared(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(FileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        FileError::NotUtf8 { line: 1 + good.filter(|byte| **byte == b'\n').count() }
    })?;
    Ok((text, shared))
}

fn is_shared(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o044 != 0
}
