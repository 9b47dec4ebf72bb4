//! Where a controller's private keys are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::domain::entropy::Entropy;
use crate::domain::number::Serial;
use crate::wire::signature::{KeyPair, PrivateKeyFile};

/// A store of private keys by name. A key is kept before anybody is told of it.
pub trait KeyStore: Send + Sync {
    /// The key of this name, if there is one.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn load(&self, name: &str) -> Result<Option<KeyPair>, KeyStoreError>;

    /// Makes a key and keeps it under this name, which is new. It lasts when this returns.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn create(&self, name: &str) -> Result<KeyPair, KeyStoreError>;

    /// Forgets a key; there may be none.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn remove(&self, name: &str) -> Result<(), KeyStoreError>;

    /// The names of all keys.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn names(&self) -> Result<Vec<String>, KeyStoreError>;

    /// Whether it waits for a disk, so that it is asked on another thread.
    fn waits(&self) -> bool {
        true
    }
}

/// Why a key was not read, kept or forgotten. It never quotes the key.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempted} the key {name}")]
pub struct KeyStoreError {
    /// What was attempted.
    pub attempted: &'static str,
    /// The key's name, or the path of its file.
    pub name: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The name of the key with which a controller joins. It is the same at every attempt, so that who
/// missed the answer is given the same certificate again.
pub(super) fn first() -> String {
    "first.key".to_owned()
}

/// The name of the key that comes after that of this certificate.
pub(super) fn after(serial: Serial) -> String {
    format!("after-{serial}.key")
}

/// The key of this name, made if there is none.
pub(super) fn obtain(keys: &dyn KeyStore, name: &str) -> Result<KeyPair, KeyStoreError> {
    match keys.load(name)? {
        Some(key) => Ok(key),
        None => keys.create(name),
    }
}

/// Asks a store where that holds nobody up.
pub(super) async fn ask<T: Send + 'static>(
    keys: &Arc<dyn KeyStore>,
    question: impl FnOnce(&dyn KeyStore) -> Result<T, KeyStoreError> + Send + 'static,
) -> Result<T, KeyStoreError> {
    if !keys.waits() {
        return question(keys.as_ref());
    }
    let store = Arc::clone(keys);
    let asked = tokio::task::spawn_blocking(move || question(store.as_ref())).await;
    asked.unwrap_or_else(|panic| {
        Err(KeyStoreError { attempted: "reach", name: "store".to_owned(), source: Box::new(panic) })
    })
}

/// Keys in memory: for controllers that do not outlive the process.
pub struct MemoryKeys {
    entropy: Arc<dyn Entropy>,
    keys: Mutex<BTreeMap<String, PrivateKeyFile>>,
}

impl MemoryKeys {
    /// No keys.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, keys: Mutex::default() }
    }

    fn with<T>(
        &self,
        attempted: &'static str,
        name: &str,
        act: impl FnOnce(&mut BTreeMap<String, PrivateKeyFile>) -> Result<T, Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<T, KeyStoreError> {
        let refused = |source| KeyStoreError { attempted, name: name.to_owned(), source };
        let mut keys = self.keys.lock().map_err(|_| refused("another thread panicked".into()))?;
        act(&mut keys).map_err(refused)
    }
}

impl fmt::Debug for MemoryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKeys")
    }
}

impl KeyStore for MemoryKeys {
    fn load(&self, name: &str) -> Result<Option<KeyPair>, KeyStoreError> {
        self.with("read", name, |keys| {
            Ok(keys.get(name).map(|file| KeyPair::from_pkcs8(file.as_bytes())).transpose()?)
        })
    }

    fn create(&self, name: &str) -> Result<KeyPair, KeyStoreError> {
        self.with("make", name, |keys| {
            if keys.contains_key(name) {
                return Err("there is one of this name".into());
            }
            let file = PrivateKeyFile::generate(self.entropy.as_ref())?;
            let key = KeyPair::from_pkcs8(file.as_bytes())?;
            keys.insert(name.to_owned(), file);
            Ok(key)
        })
    }

    fn remove(&self, name: &str) -> Result<(), KeyStoreError> {
        self.with("remove", name, |keys| {
            keys.remove(name);
            Ok(())
        })
    }

    fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        self.with("list", "names", |keys| Ok(keys.keys().cloned().collect()))
    }

    fn waits(&self) -> bool {
        false
    }
}
