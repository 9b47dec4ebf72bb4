//! Keys that seal, and a look at what they sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pdsno::actors::log_check::{Extent, LogCheck, check_log};
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::log::Sealer;
use pdsno::domain::origin::Origin;
use pdsno::nib::NibReader;
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use secrecy::zeroize::Zeroizing;

/// Counts: no two fills are the same.
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        octets.fill(0);
        octets.iter_mut().rev().zip(count.iter().rev()).for_each(|(octet, counted)| *octet = *counted);
        Ok(())
    }
}

pub fn key(octet: u8) -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([octet; 32])).as_bytes()).unwrap()
}

pub fn origin() -> Origin {
    "pdsno/lab/local_cntl_zoneA_5".parse().unwrap()
}

/// Seals the log of [`origin`] with the key of an octet.
pub fn sealer(octet: u8) -> Box<dyn Sealer> {
    sealer_of(origin(), octet)
}

pub fn sealer_of(origin: Origin, octet: u8) -> Box<dyn Sealer> {
    let counter = Counter(AtomicU64::new(u64::from(octet) << 32));
    Box::new(LogSealer::new(origin, Arc::new(key(octet)), Arc::new(counter)))
}

/// What a check with these keys finds: the entries that are sound, or the first that is not and why.
pub fn checked(reader: &dyn NibReader, keys: &[u8], extent: Extent) -> Result<std::ops::Range<u64>, (u64, String)> {
    let keys: Vec<_> = keys.iter().map(|octet| key(*octet).public_key()).collect();
    match check_log(reader, &origin(), &keys, extent).unwrap() {
        LogCheck::Sound(sound) => Ok(sound.entries),
        LogCheck::Broken(fault) => Err((fault.seq.number(), pdsno::actors::log_check::chain(&fault.reason))),
    }
}
