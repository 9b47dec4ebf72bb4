//! What a process that runs was started with: its settings are those, not the ones of whoever asks.

use std::fs;
use std::io;
use std::path::PathBuf;

/// What a process was started with (proc_pid_cmdline(5), proc_pid_environ(5), proc_pid_cwd(5)). It is not
/// printable: both may hold secrets.
pub struct Started {
    /// The program's name and its arguments.
    pub arguments: Vec<String>,
    /// The variables whose names begin with `PDSNO_`.
    pub environment: Vec<(String, String)>,
    /// The folder that relative paths begin at.
    pub folder: PathBuf,
}

impl Started {
    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// What a process was started with.
///
/// # Errors
/// The kernel's: the process is gone, or belongs to another user, or has rights that this one has not.
pub fn started(process: u32) -> io::Result<Started> {
    let texts = |name: &str| -> io::Result<Vec<String>> {
        let octets = fs::read(format!("/proc/{process}/{name}"))?;
        let texts = octets.split(|octet| *octet == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut texts: Vec<String> = texts.collect();
        // Behind the last end there is nothing.
        texts.pop_if(|text| text.is_empty());
        Ok(texts)
    };
    let variable = |text: String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let ours = |(name, _): &(String, String)| name.starts_with("PDSNO_");
    Ok(Started {
        arguments: texts("cmdline")?,
        environment: texts("environ")?.into_iter().filter_map(variable).filter(ours).collect(),
        folder: fs::read_link(format!("/proc/{process}/cwd"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_was_started_with_its_arguments() {
        let told = started(std::process::id()).unwrap();
        assert_eq!(told.arguments, std::env::args().collect::<Vec<_>>());
        assert_eq!(told.folder, std::env::current_dir().unwrap());
        assert!(told.environment.iter().all(|(name, _)| name.starts_with("PDSNO_")));
        assert_eq!(told.variable("PDSNO_NOBODY_SETS_THIS"), None);
        assert!(started(u32::MAX).is_err());
    }
}
