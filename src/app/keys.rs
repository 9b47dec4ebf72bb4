//! Private keys as files of a data folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use crate::actors::membership::keys::{KeyStore, KeyStoreError};
use crate::domain::entropy::Entropy;
use crate::wire::signature::{KeyPair, PrivateKeyFile};

/// The folder of the keys, in the data folder.
pub const FOLDER: &str = "keys";

/// Far more than a key has; whatever is longer is something else.
const LONGEST: u64 = 1_024;

/// Keys as files that their owner alone can read (mode 0600), PKCS#8 in binary, in a folder of mode
/// 0700.
pub struct KeyFiles {
    folder: PathBuf,
    entropy: Arc<dyn Entropy>,
}

/// Why a key file is not used, beside what the system says.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error("others may read it (mode {mode:o}); it may be known to them: replace the key, or `chmod 600` it")]
    Exposed { mode: u32 },
    #[error("it belongs to user {owner}, not to the one who runs this")]
    Foreign { owner: u32 },
    #[error("it is not a file of at most {LONGEST} octets")]
    NotAKey,
    #[error("{0:?} is not the name of a key")]
    Name(String),
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl KeyFiles {
    /// The keys of this data folder. Nothing is read or made yet.
    pub fn new(data_folder: &Path, entropy: Arc<dyn Entropy>) -> Self {
        Self { folder: data_folder.join(FOLDER), entropy }
    }

    /// The path of a key. A name comes from the NIB, so it is looked at: it must not lead elsewhere.
    fn path(&self, name: &str) -> Result<PathBuf, KeyFileError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match name.strip_suffix(".key") {
            Some(stem) if !stem.is_empty() && stem.len() <= 64 && stem.chars().all(plain) => Ok(self.folder.join(name)),
            _ => Err(KeyFileError::Name(name.to_owned())),
        }
    }

    fn with<T>(
        &self,
        attempted: &'static str,
        name: &str,
        act: impl FnOnce(&Path) -> Result<T, Cause>,
    ) -> Result<T, KeyStoreError> {
        let refused = |name: String, source| KeyStoreError { attempted, name, source };
        let path = self.path(name).map_err(|error| refused(name.to_owned(), error.into()))?;
        act(&path).map_err(|source| refused(path.display().to_string(), source))
    }

    /// Makes the folder's entries last: a file that was synchronised is in it only after this
    /// (fsync(2)).
    fn keep_entries(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn make_folder(&self) -> io::Result<()> {
        if !self.folder.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            if let Some(above) = self.folder.parent() {
                File::open(above)?.sync_all()?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for KeyFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFiles in {}", self.folder.display())
    }
}

fn read(path: &Path) -> Result<Option<KeyPair>, Cause> {
    // A link would be somebody's way to have another file read.
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits())?;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(KeyFileError::NotAKey.into());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyFileError::Exposed { mode: metadata.mode() & 0o7777 }.into());
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        return Err(KeyFileError::Foreign { owner: metadata.uid() }.into());
    }
    // With room for all of it from the beginning: a buffer that grows leaves copies behind.
    let mut document = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST)?));
    Read::take(&mut file, LONGEST).read_to_end(&mut document)?;
    Ok(Some(KeyPair::from_pkcs8(&document)?))
}

impl KeyStore for KeyFiles {
    fn load(&self, name: &str) -> Result<Option<KeyPair>, KeyStoreError> {
        self.with("read", name, read)
    }

    /// A kill in the middle leaves a file under another name, which nobody reads.
    fn create(&self, name: &str) -> Result<KeyPair, KeyStoreError> {
        self.with("make", name, |path| {
            self.make_folder()?;
            let document = PrivateKeyFile::generate(self.entropy.as_ref())?;
            let key = KeyPair::from_pkcs8(document.as_bytes())?;
            let draft = path.with_extension("draft");
            match std::fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(document.as_bytes())?;
            file.sync_all()?;
            // A link, not a rename: a key that is there is never replaced (link(2)).
            std::fs::hard_link(&draft, path)?;
            std::fs::remove_file(&draft)?;
            self.keep_entries()?;
            Ok(key)
        })
    }

    fn remove(&self, name: &str) -> Result<(), KeyStoreError> {
        self.with("remove", name, |path| match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed?;
                Ok(self.keep_entries()?)
            }
        })
    }

    fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        let refused = |source: io::Error| KeyStoreError {
            attempted: "list",
            name: self.folder.display().to_string(),
            source: Box::new(source),
        };
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(refused)?.file_name();
            names.extend(name.to_str().filter(|name| self.path(name).is_ok()).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::entropy::SystemEntropy;
    use std::os::unix::fs::PermissionsExt;

    fn files() -> (tempfile::TempDir, KeyFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(folder.path(), Arc::new(SystemEntropy));
        (folder, files)
    }

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let (folder, files) = files();
        assert!(files.load("first.key").unwrap().is_none());
        assert_eq!(files.names().unwrap(), Vec::<String>::new());
        let key = files.create("first.key").unwrap();
        assert_eq!(files.load("first.key").unwrap().unwrap().public_key(), key.public_key());
        let again = files.create("first.key").unwrap_err();
        assert!(again.to_string().contains("first.key"), "{again}");
        assert_eq!(files.load("first.key").unwrap().unwrap().public_key(), key.public_key());
        let other = files.create("after-2.key").unwrap();
        assert_ne!(other.public_key(), key.public_key());
        assert_eq!(files.names().unwrap(), ["after-2.key", "first.key"]);
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(folder.path().join("keys/first.key")), 0o600);
        assert_eq!(mode(folder.path().join("keys")), 0o700);
    }

    #[test]
    fn what_a_kill_left_behind_is_in_nobodys_way() {
        let (folder, files) = files();
        files.create("first.key").unwrap();
        std::fs::write(folder.path().join("keys/after-1.draft"), b"half").unwrap();
        assert_eq!(files.names().unwrap(), ["first.key"]);
        files.create("after-1.key").unwrap();
        assert_eq!(files.names().unwrap(), ["after-1.key", "first.key"]);
    }

    #[test]
    fn a_removed_key_is_gone_and_may_be_removed_again() {
        let (_folder, files) = files();
        files.create("first.key").unwrap();
        files.remove("first.key").unwrap();
        files.remove("first.key").unwrap();
        assert!(files.load("first.key").unwrap().is_none());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_no_refusal_shows_it() {
        let (folder, files) = files();
        files.create("first.key").unwrap();
        let path = folder.path().join("keys/first.key");
        let octets = std::fs::read(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refusal = files.load("first.key").unwrap_err();
            assert!(format!("{:?}", refusal.source).contains("Exposed"), "{refusal:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, &octets[..40]).unwrap();
        let refusal = files.load("first.key").unwrap_err();
        assert!(!format!("{refusal:?}").contains(&format!("{:?}", &octets[16..20])), "{refusal:?}");
        std::fs::write(&path, vec![0; 2_000]).unwrap();
        assert!(files.load("first.key").is_err());
    }

    #[test]
    fn a_name_does_not_lead_elsewhere_and_a_link_is_not_followed() {
        let (folder, files) = files();
        for name in ["../first.key", "/etc/passwd", "a/b.key", ".key", "first", "First.key", ""] {
            assert!(files.load(name).is_err(), "{name}");
            assert!(files.create(name).is_err(), "{name}");
        }
        files.create("first.key").unwrap();
        std::os::unix::fs::symlink(folder.path().join("keys/first.key"), folder.path().join("keys/link.key")).unwrap();
        assert!(files.load("link.key").is_err());
    }
}
