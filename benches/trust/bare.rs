//! What handshakes and messages are made of, each alone.

use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use pdsno::app::clock::SystemClock;
use pdsno::domain::message::BootId;
use pdsno::domain::number::{Epoch, StreamSeq};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::wire::envelope::{Author, Destination, read, seal};
use pdsno::wire::presence::{Heartbeat, State};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile, is_signed_by};
use rusqlite::Connection;
use secrecy::zeroize::Zeroizing;

/// How often each is done.
const TIMES: u32 = 1_000;

/// As long as an envelope of a handshake.
const MESSAGE: [u8; 1_500] = [7; 1_500];

fn key() -> anyhow::Result<KeyPair> {
    Ok(KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([7; 32])).as_bytes())?)
}

/// Seconds that one of many takes.
fn each(mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let clock = SystemClock::start();
    for _ in 0..TIMES {
        act()?;
    }
    Ok(clock.elapsed().as_secs_f64() / f64::from(TIMES))
}

/// Two signatures and two verifications, in seconds.
pub fn cryptography() -> anyhow::Result<f64> {
    let key = key()?;
    each(|| {
        for _ in 0..2 {
            let signature = key.sign(black_box(&MESSAGE));
            ensure!(is_signed_by(&key.public_key(), &MESSAGE, &signature), "a signature is not right");
        }
        Ok(())
    })
}

/// A transaction of four rows of 1 KB in a fresh file, `synchronous=FULL`, in seconds.
pub fn commit() -> anyhow::Result<f64> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut connection = Connection::open(folder.path().join("bare"))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, octets BLOB)", [])?;
    each(|| {
        let transaction = connection.transaction()?;
        for _ in 0..4 {
            transaction.prepare_cached("INSERT INTO rows (octets) VALUES (?1)")?.execute([&MESSAGE[..1_000]])?;
        }
        Ok(transaction.commit()?)
    })
}

/// Sealing a heartbeat, and reading and opening it, in seconds.
pub fn envelope() -> anyhow::Result<(f64, f64)> {
    let now = Timestamp::from_millis(1_800_000_000_000).saturating_add(Duration::from_millis(7));
    let body = Heartbeat {
        sent_at: now,
        state: State::Active,
        policy_version: None,
        last_report: StreamSeq::default(),
        children: Vec::new(),
    };
    let key = key()?;
    let mut author = Author::new("local_cntl_zoneA_1".parse()?, BootId::new([7; 16]));
    let to = Destination::Controller("regional_cntl_zoneA_1".parse()?);
    let mut bytes = Vec::new();
    let sealed = each(|| {
        let header = author.header::<Heartbeat>(to.clone(), Epoch::from_number(1), now, [7; 10]);
        bytes = seal(header, &body, &key)?;
        Ok(())
    })?;
    let opened = each(|| {
        let message = read(black_box(&bytes))?.open::<Heartbeat>()?;
        ensure!(message.body == body, "another message came out");
        Ok(())
    })?;
    Ok((sealed, opened))
}
